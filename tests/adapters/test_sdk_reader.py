"""The kit's periodic reader where the official SDK expects its own."""

from __future__ import annotations

import inspect
import math
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.metrics.export import (
    PeriodicExportingMetricReader as OfficialPeriodicExportingMetricReader,
)

from otlp_kit.adapters import PeriodicExportingMetricReader, to_metrics
from otlp_kit.model import Metric, Temporality
from otlp_kit.wire import Accepted


class Remembers(MetricExporter):
    """An official exporter that keeps what it was given."""

    def __init__(self, **preferences: Any) -> None:
        super().__init__(**preferences)
        self.exported: list[MetricsData] = []
        self.timeouts: list[float] = []
        self.arrived = threading.Event()

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        self.exported.append(metrics_data)
        self.timeouts.append(timeout_millis)
        self.arrived.set()
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None: ...

    def values(self) -> list[Any]:
        return [
            point.value  # type: ignore[union-attr]
            for data in self.exported
            for metric in to_metrics(data)
            for point in metric.points
        ]


class OfTheKit:
    """An exporter of the kit that keeps what it was given."""

    def __init__(self) -> None:
        self.exported: list[Metric] = []

    def export(self, batch: Sequence[Metric], deadline: float) -> Accepted:
        self.exported += batch
        return Accepted()

    def shutdown(self) -> None: ...


def provider_of(reader: PeriodicExportingMetricReader) -> MeterProvider:
    return MeterProvider([reader], shutdown_on_exit=False)


def test_the_arguments_are_the_official_ones() -> None:
    """Same names, same order."""
    own = inspect.signature(PeriodicExportingMetricReader).parameters
    official = inspect.signature(OfficialPeriodicExportingMetricReader).parameters
    assert list(own) == list(official)


def test_it_exports_at_intervals() -> None:
    """Without being asked, on a thread of its own, and tells the exporter its timeout."""
    exporter = Remembers()
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=10)
    provider = provider_of(reader)
    provider.get_meter("t").create_counter("c").add(3)
    exporter.arrived.clear()
    assert exporter.arrived.wait(20)
    provider.shutdown()
    assert exporter.values()[-1] == 3
    assert all(0 < timeout <= 30_000 for timeout in exporter.timeouts)
    totals = reader.totals()
    assert totals.created == totals.delivered == len(exporter.values())


@pytest.mark.spec("SDK-P17")
def test_each_flush_collects_anew_and_shutdown_once_more() -> None:
    """Nothing that was measured before the end is missing, nothing is exported twice."""
    delta = {Counter: AggregationTemporality.DELTA}
    exporter = Remembers(preferred_temporality=delta)
    provider = provider_of(PeriodicExportingMetricReader(exporter, math.inf))
    counter = provider.get_meter("t").create_counter("c")
    for amount in (1, 2):
        counter.add(amount)
        assert provider.force_flush()
    counter.add(4)
    provider.shutdown()
    assert exporter.values() == [1, 2, 4]


def test_a_collect_of_somebody_else_is_exported_too() -> None:
    """As the official reader does: nothing of a delta is lost."""
    delta = {Counter: AggregationTemporality.DELTA}
    exporter = Remembers(preferred_temporality=delta)
    reader = PeriodicExportingMetricReader(exporter, math.inf)
    provider = provider_of(reader)
    provider.get_meter("t").create_counter("c").add(5)
    reader.collect()
    assert exporter.values() == [5]
    provider.shutdown()
    assert exporter.values() == [5]


def test_an_exporter_of_this_kit_gets_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics of the kit, in the temporality that the environment prefers; points are counted."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    exporter = OfTheKit()
    reader = PeriodicExportingMetricReader(exporter, math.inf)
    provider = provider_of(reader)
    counter = provider.get_meter("t").create_counter("c")
    counter.add(1, {"a": 1})
    counter.add(1, {"a": 2})
    provider.shutdown()
    [metric] = exporter.exported
    assert (metric.name, len(metric.points), metric.temporality) == ("c", 2, Temporality.DELTA)
    assert str(reader.totals()) == "created 2 = delivered 2"


def test_a_callback_that_raises_does_not_end_the_reader() -> None:
    """The SDK reports it; what other instruments measured is exported."""
    exporter = Remembers()
    provider = provider_of(PeriodicExportingMetricReader(exporter, math.inf))
    meter = provider.get_meter("t")

    def broken(options: CallbackOptions) -> list[Observation]:
        raise RuntimeError("no")

    meter.create_observable_gauge("g", [broken])
    meter.create_counter("c").add(1)
    provider.force_flush()
    provider.shutdown()
    assert exporter.values() == [1, 1]


def test_a_reader_without_a_provider_ends_in_peace() -> None:
    """It was made and never used: nothing to collect, nothing to report."""
    exporter = Remembers()
    reader = PeriodicExportingMetricReader(exporter)
    assert reader.force_flush()
    reader.shutdown()
    assert exporter.exported == []


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_METRIC_EXPORT_* hold where an argument is left out; a bad argument is refused."""
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "7000")
    reader = PeriodicExportingMetricReader(Remembers())
    assert repr(reader).startswith("<PeriodicExportingMetricReader [every 7 s")
    reader.shutdown()
    for arguments, rule in (((0,), "interval must be"), ((1, 0), "export timeout must be")):
        with pytest.raises(ValueError, match=rule):
            PeriodicExportingMetricReader(Remembers(), *arguments)
