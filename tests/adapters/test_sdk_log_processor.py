"""The kit's log record processor where the official SDK expects its own."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor as OfficialBatchLogRecordProcessor,
)
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, LogRecordExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from otlp_kit.adapters import BatchLogRecordProcessor
from otlp_kit.wire import Accepted


def provider_of(processor: BatchLogRecordProcessor) -> LoggerProvider:
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(processor)
    return provider


def test_the_arguments_are_the_official_ones() -> None:
    """Same names, same order; the official class has one more, which needs a meter provider."""
    own = list(inspect.signature(BatchLogRecordProcessor).parameters)
    official = list(inspect.signature(OfficialBatchLogRecordProcessor).parameters)
    assert own == [name for name in official if name != "meter_provider"]


def test_an_official_exporter_gets_every_record() -> None:
    """Content and order, with the ids of the span around it, and without the caller's context."""
    exporter = InMemoryLogRecordExporter()
    processor = BatchLogRecordProcessor(exporter)
    provider = provider_of(processor)
    span = NonRecordingSpan(SpanContext(7, 9, is_remote=False, trace_flags=TraceFlags(1)))
    context = set_span_in_context(span)
    for number in range(1000):
        provider.get_logger("t").emit(LogRecord(body=number, context=context))
    assert provider.force_flush()
    provider.shutdown()
    records = [record.log_record for record in exporter.get_finished_logs()]
    assert [record.body for record in records] == list(range(1000))
    assert {(record.trace_id, record.span_id) for record in records} == {(7, 9)}
    assert all(not record.context for record in records)
    assert str(processor.totals()) == "created 1,000 = delivered 1,000"


def test_an_exporter_of_this_kit_is_taken() -> None:
    """It is given the SDK's records and a deadline."""
    bodies = []

    class OfTheKit:
        def export(self, batch: Sequence[ReadableLogRecord], deadline: float) -> Accepted:
            bodies.extend(record.log_record.body for record in batch)
            return Accepted()

        def shutdown(self) -> None: ...

    provider = provider_of(BatchLogRecordProcessor(OfTheKit()))
    provider.get_logger("t").emit(LogRecord(body="x"))
    provider.shutdown()
    assert bodies == ["x"]


@pytest.mark.spec("PEER-20")
def test_what_an_export_logs_is_counted_not_exported() -> None:
    """Through the standard library's logging, as HTTP libraries do it; the program's own is."""
    provider: LoggerProvider

    class Bridge(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            provider.get_logger(record.name).emit(LogRecord(body=record.getMessage()))

    class Chatty(InMemoryLogRecordExporter):
        def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
            logger.warning("connected")
            return super().export(batch)

    logger = logging.Logger("chatty")  # not among those that a test run configures
    logger.addHandler(Bridge())
    exporter = Chatty()
    processor = BatchLogRecordProcessor(exporter)
    provider = provider_of(processor)
    for _ in range(3):
        logger.warning("work")
        assert processor.force_flush()
    provider.shutdown()
    assert [one.log_record.body for one in exporter.get_finished_logs()] == ["work"] * 3
    assert str(processor.totals()) == "created 6 = delivered 3 + dropped 3 (filtered 3)"


@pytest.mark.spec("SDK-P14")
def test_a_record_without_attributes_or_resource_is_taken() -> None:
    """The SDK leaves both out for records that are made by hand."""
    from opentelemetry.sdk._logs import ReadWriteLogRecord

    exporter = InMemoryLogRecordExporter()
    processor = BatchLogRecordProcessor(exporter)
    processor.on_emit(ReadWriteLogRecord(LogRecord(body="x"), resource=None))
    processor.shutdown()
    [record] = exporter.get_finished_logs()
    assert record.resource.attributes["telemetry.sdk.language"] == "python"


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_BLRP_* hold where an argument is left out."""
    monkeypatch.setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "10")
    processor = BatchLogRecordProcessor(InMemoryLogRecordExporter())
    assert (processor.queued, processor.capacity) == (0, 10)
    assert repr(processor).startswith("<BatchLogRecordProcessor [")
    processor.shutdown()
    with pytest.raises(ValueError, match="delay must be more than 0"):
        BatchLogRecordProcessor(InMemoryLogRecordExporter(), schedule_delay_millis=0)
