"""A ledger as the SDK's metrics about itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.semconv._incubating.metrics import otel_metrics

from otlp_kit.adapters import BatchSpanProcessor, PeriodicExportingMetricReader, SelfMetrics
from otlp_kit.ledger import Ledger
from otlp_kit.wire import Accepted, Refused


class OfTheKit:
    """An exporter of the kit that rejects one item of each batch, and refuses every other batch."""

    def __init__(self) -> None:
        self.exports = 0

    def export(self, batch: Sequence[Any], deadline: float) -> Accepted:
        self.exports += 1
        if self.exports % 2 == 0:
            raise Refused("every other")
        return Accepted(rejected=1)

    def shutdown(self) -> None: ...


def readings(reader: InMemoryMetricReader) -> dict[str, dict[str, int]]:
    """Metric name -> (component name, error) -> value."""
    data = reader.get_metrics_data()
    assert data
    found: dict[str, dict[str, int]] = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.data.data_points:
            assert point.attributes
            name = str(point.attributes["otel.component.name"])
            key = " ".join([name, str(point.attributes.get("error.type", ""))]).strip()
            found.setdefault(metric.name, {})[key] = point.value  # type: ignore[union-attr]
    return found


def end_spans(provider: TracerProvider, count: int) -> None:
    for number in range(count):
        provider.get_tracer("t").start_span(str(number)).end()


@pytest.mark.spec("SDK-P24")
def test_a_ledger_is_published_as_the_conventions_say() -> None:
    """Handed over is counted whatever becomes of it; what was given up says why."""
    reader = InMemoryMetricReader()
    metrics = SelfMetrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("otlp_kit"))
    processor = BatchSpanProcessor(OfTheKit(), max_queue_size=10, max_export_batch_size=10)
    assert metrics.watch(processor) == "batching_span_processor/0"
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    for count in (5, 3):
        end_spans(provider, count)
        processor.force_flush()
    provider.shutdown()
    processor.on_end(ended_span())
    component, exporter = "batching_span_processor/0", "otlp_http_span_exporter/0"
    assert readings(reader) == {
        "otel.sdk.processor.span.queue.size": {component: 0},
        "otel.sdk.processor.span.queue.capacity": {component: 10},
        "otel.sdk.processor.span.processed": {component: 8, f"{component} already_shutdown": 1},
        "otel.sdk.exporter.span.exported": {
            exporter: 4,
            f"{exporter} rejected": 1,
            f"{exporter} export_failed": 3,
        },
        "otel.sdk.exporter.span.inflight": {exporter: 0},
    }


def ended_span() -> ReadableSpan:
    span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("late")
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


def test_the_sums_of_the_conventions_hold() -> None:
    """created = processed + queued, and processed without error = exported + inflight."""
    reader = InMemoryMetricReader()
    metrics = SelfMetrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("otlp_kit"))

    class Watched:
        queued, capacity = 2, 9
        ledger = Ledger()

        def totals(self) -> Any:
            return self.ledger.totals(queued=self.queued)

    watched = Watched()
    ledger = watched.ledger
    ledger.created(20)
    ledger.delivered(3)
    ledger.rejected(1)
    ledger.unknown(2)
    ledger.dropped("timeout", 4)
    ledger.turned_away("queue_full", 5)
    metrics.watch(watched, "log")
    found = readings(reader)
    processed = found["otel.sdk.processor.log.processed"]
    assert sum(processed.values()) + 2 == watched.totals().created
    exported = sum(found["otel.sdk.exporter.log.exported"].values())
    [inflight] = found["otel.sdk.exporter.log.inflight"].values()
    assert processed["batching_log_processor/0"] == exported + inflight == 20
    assert inflight == 10


def test_components_are_numbered_by_type() -> None:
    """As the conventions advise: no random names."""
    metrics = SelfMetrics(NoOpMeter("t"))
    names = [metrics.watch(Ledger(), kind) for kind in ("span", "span", "log")]  # type: ignore[arg-type]
    names.append(metrics.watch(Ledger(), "span", "simple_span_processor"))
    assert names == [
        "batching_span_processor/0",
        "batching_span_processor/1",
        "batching_log_processor/0",
        "simple_span_processor/0",
    ]


def test_names_and_units_are_those_of_the_conventions() -> None:
    """Compared with the package of semantic conventions; an observable is of the same kind."""
    own: dict[str, tuple[str, str]] = {}

    class Recorder(NoOpMeter):
        def create_observable_counter(self, name: str, callbacks: Any = None, unit: str = "", description: str = "") -> Any:  # type: ignore[override]  # fmt: skip
            own[name] = ("counter", unit)

        def create_observable_up_down_counter(self, name: str, callbacks: Any = None, unit: str = "", description: str = "") -> Any:  # type: ignore[override]  # fmt: skip
            own[name] = ("up_down_counter", unit)

    SelfMetrics(Recorder("t"))
    official: dict[str, tuple[str, str]] = {}

    class Official(NoOpMeter):
        def create_counter(self, name: str, unit: str = "", description: str = "") -> Any:
            official[name] = ("counter", unit)

        def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> Any:
            official[name] = ("up_down_counter", unit)

    for name in own:
        getattr(otel_metrics, "create_" + name.replace(".", "_"))(Official("t"))
    assert own == official


def test_a_reader_may_publish_its_own_accounts() -> None:
    """Reading is all that happens: two collections differ by what was exported in between."""
    exported: list[Any] = []

    class Keeps(OfTheKit):
        def export(self, batch: Sequence[Any], deadline: float) -> Accepted:
            exported.append(
                sum(
                    point.value
                    for metric in batch
                    if metric.name == "otel.sdk.exporter.metric_data_point.exported"
                    for point in metric.points
                )
            )
            return Accepted()

    reader = PeriodicExportingMetricReader(Keeps())
    provider = MeterProvider([reader], shutdown_on_exit=False)
    SelfMetrics(provider.get_meter("otlp_kit")).watch(reader, "metric_data_point")
    for _ in range(4):
        assert reader.force_flush()
    provider.shutdown()
    assert exported == [0, 2, 4, 6, 8]
