"""The kit's senders under official processors."""

from __future__ import annotations

import inspect
import logging
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from otlp_kit.adapters import LogExporterOf, MetricExporterOf, SpanExporterOf
from otlp_kit.receiver.service import Service
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.testing.loopback import LoopbackSender
from otlp_kit.wire import METRICS, Accepted, Payload, Refused, Unavailable
from tests.adapters.test_sdk_points import collect


class Scripted:
    """A sender that does what the test says, and remembers what it was given."""

    def __init__(self, behave: Callable[[], Accepted] = Accepted) -> None:
        self._behave = behave
        self.sent: list[tuple[Payload, float]] = []
        self.closed = False

    def send(self, payload: Payload, deadline: float) -> Accepted:
        self.sent.append((payload, deadline))
        return self._behave()

    def close(self) -> None:
        self.closed = True


def refuse() -> Accepted:
    raise Refused("no")


def no_answer() -> Accepted:
    raise Unavailable("silence", maybe_delivered=True)


def test_official_processors_send_through_the_kit() -> None:
    """Three official providers with official processors, one receiver, nothing missing."""
    store = MemoryStore()
    sender = LoopbackSender(Service(store.put).handle)
    spans, logs, metrics = SpanExporterOf(sender), LogExporterOf(sender), MetricExporterOf(sender)
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(spans))
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers = LoggerProvider(shutdown_on_exit=False)
    loggers.add_log_record_processor(BatchLogRecordProcessor(logs))
    meters = MeterProvider([PeriodicExportingMetricReader(metrics)], shutdown_on_exit=False)

    tracers.get_tracer("t").start_span("s").end()
    loggers.get_logger("l").emit(LogRecord(body="b"))
    meters.get_meter("m").create_counter("c").add(1)
    for provider in (tracers, loggers, meters):
        provider.shutdown()  # type: ignore[attr-defined]
    assert sorted(type(record).__name__ for record in store.records()) == [
        "LogRecord",
        "Metric",
        "Span",  # from the second processor came the same request again, which a receiver knows
    ]
    for exporter, count in ((spans, 2), (logs, 1), (metrics, 1)):
        assert exporter.totals().delivered == count  # type: ignore[attr-defined]


@pytest.mark.spec("PEER-8")
def test_a_partial_success_is_success_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The official exporters say nothing about what was rejected."""
    exporter = MetricExporterOf(Scripted(lambda: Accepted(2, "too old")))
    with caplog.at_level(logging.WARNING):
        assert exporter.export(collect([(1, {}, False)])) is MetricExportResult.SUCCESS
    assert caplog.messages == ["2 of 7 records rejected: too old"]
    assert str(exporter.totals()) == "created 7 = delivered 5 + rejected 2"


@pytest.mark.parametrize(
    ("behave", "fate"),
    [(refuse, "dropped 7 (export_failed 7)"), (no_answer, "unknown 7"), (dict, "export_failed 7")],
)
def test_a_failure_is_a_result_not_an_exception(behave: Any, fate: str) -> None:
    """Whatever the sender raises or returns; the ledger knows more than the official interface."""
    exporter = MetricExporterOf(Scripted(behave))
    result = exporter.export(collect([(1, {}, False)]))
    assert result is MetricExportResult.FAILURE
    assert fate in str(exporter.totals())


@pytest.mark.spec("SDK-P13")
def test_after_shutdown_nothing_is_sent() -> None:
    """The sender is closed, an export fails, and what it brought is counted."""
    sender = Scripted()
    exporters = SpanExporterOf(sender), LogExporterOf(sender)
    for exporter, result in zip(
        exporters, (SpanExportResult.FAILURE, LogRecordExportResult.FAILURE), strict=True
    ):
        exporter.shutdown()
        assert sender.closed
        assert exporter.export([object()]) is result  # type: ignore[list-item]
        assert dict(exporter.totals().dropped) == {"already_shutdown": 1}
    assert sender.sent == []


def test_a_timeout_is_the_shorter_of_two() -> None:
    """The exporter's own, and the one that a metric reader gives; data points are counted."""
    sender = Scripted()
    exporter = MetricExporterOf(sender, timeout=100)
    data = collect([(1, {}, False)])
    before = time.monotonic()
    exporter.export(data, timeout_millis=50_000)
    exporter.export(data, timeout_millis=1_000_000)
    [(payload, short), (_, long)] = sender.sent
    assert before + 50 <= short < before + 100 <= long
    assert (payload.signal, payload.items) == (METRICS, 7)
    with pytest.raises(ValueError, match="more than 0 seconds"):
        SpanExporterOf(sender, timeout=0)


@pytest.mark.spec("SDK-P23")
@pytest.mark.parametrize("preference", ["", "cumulative", "delta", "lowmemory", "DELTA"])
@pytest.mark.parametrize("histogram", ["", "base2_exponential_bucket_histogram"])
def test_preferences_are_those_of_the_official_exporter(
    monkeypatch: pytest.MonkeyPatch, preference: str, histogram: str
) -> None:
    """Per kind of instrument, from the same variables; an argument goes before them."""
    if preference:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference)
    if histogram:
        variable = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
        monkeypatch.setenv(variable, histogram)
    asked = {Counter: AggregationTemporality.DELTA}
    for given in (None, asked):
        own = MetricExporterOf(Scripted(), preferred_temporality=given)
        official = OTLPMetricExporter(preferred_temporality=given)
        assert own._preferred_temporality == official._preferred_temporality
        kinds = [
            type(one._preferred_aggregation[Histogram])  # type: ignore[index]
            for one in (own, official)
        ]
        assert kinds[0] is kinds[1]


def test_signatures_are_the_official_ones() -> None:
    """Official processors look at the names of parameters."""
    for name in ("export", "force_flush"):
        own = inspect.signature(getattr(SpanExporterOf, name)).parameters
        assert list(own) == list(inspect.signature(getattr(SpanExporter, name)).parameters)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_the_child_of_a_fork_has_accounts_of_its_own() -> None:
    """What the parent sent is not the child's."""
    exporter = MetricExporterOf(Scripted())
    exporter.export(collect([(1, {}, False)]))
    child = os.fork()
    if not child:
        os._exit(exporter.totals().created)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert exporter.totals().created == 7
