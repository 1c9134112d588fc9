"""Processors of this kit where the official SDK expects its own.

    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))

The arguments, their defaults, the variables `OTEL_BSP_*` and dropping the oldest span are those of
the official class. What differs: every span is accounted for (`totals()`), `force_flush` and
`shutdown` keep their timeout and tell the truth about the result, and the exporter may be one of
this kit's.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, detach, set_value
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otlp_kit.ledger import Totals
from otlp_kit.processors.batch import BatchExporter, BatchProcessor, Outcome
from otlp_kit.settings import otel_env
from otlp_kit.wire import Accepted, Refused

log = logging.getLogger(__name__)


class BatchSpanProcessor(SpanProcessor):
    """The kit's batch processor under the official TracerProvider.

    `span_exporter` is an official `SpanExporter` or an exporter of this kit. The other arguments
    are the official ones, in milliseconds and spans; those left out come from `OTEL_BSP_*`, else
    the defaults are 2048, 5000, 512 and 30000. The export timeout is the deadline of an exporter of
    this kit; an official one takes none, and keeps its own. Raises `ValueError` for arguments that
    contradict each other; from the environment such values are reported and ignored.
    """

    def __init__(
        self,
        span_exporter: SpanExporter | BatchExporter[ReadableSpan],
        max_queue_size: int | None = None,
        schedule_delay_millis: float | None = None,
        max_export_batch_size: int | None = None,
        export_timeout_millis: float | None = None,
    ) -> None:
        self._official = span_exporter if isinstance(span_exporter, SpanExporter) else None
        exporter: Any = OfficialExporter(self._official) if self._official else span_exporter
        exporter = Untraced(exporter)
        queue_size, batch_size = _sizes(max_queue_size, max_export_batch_size)
        self._processor: BatchProcessor[ReadableSpan] = BatchProcessor(
            exporter,
            max_queue_size=queue_size,
            max_batch_size=batch_size,
            delay=_seconds(schedule_delay_millis, "OTEL_BSP_SCHEDULE_DELAY"),
            export_timeout=_seconds(export_timeout_millis, "OTEL_BSP_EXPORT_TIMEOUT"),
            when_full="drop_oldest",
        )
        self._emit = self._processor.emit

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing happens before a span has ended."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take over a span that is to be exported; one that is only recorded is not."""
        context = span.get_span_context()
        if context is not None and context.trace_flags & 1:
            self._emit(span)

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Export what has ended, then flush the exporter. True if both succeeded in time.

        Left out, `timeout_millis` is 30000, as in the official interface.
        """
        timeout = 30.0 if timeout_millis is None else timeout_millis / 1000
        last = time.monotonic() + timeout
        flushed = self._processor.force_flush(timeout) is Outcome.FLUSHED
        if self._official is None:
            return flushed
        left = max(0, int((last - time.monotonic()) * 1000))
        try:
            # A hint that many exporters do not answer: only False is a failure.
            return self._official.force_flush(left) is not False and flushed
        except Exception:
            log.exception("%s failed to flush", type(self._official).__name__)
            return False

    def shutdown(self) -> None:
        """Export what has ended and release the exporter; waits 30 seconds at most."""
        if self._processor.shutdown() is not Outcome.FLUSHED:
            log.warning("not everything was exported at shutdown: %s", self._processor.totals())

    def totals(self) -> Totals:
        """Where every span went so far."""
        return self._processor.totals()

    def __repr__(self) -> str:
        return repr(self._processor).replace("BatchProcessor", "BatchSpanProcessor", 1)


class Untraced:
    """Around any exporter: instrumented HTTP libraries must not trace the export, which would make
    spans to be exported, and so on without end."""

    def __init__(self, exporter: BatchExporter[ReadableSpan]) -> None:
        self._exporter = exporter

    def export(self, batch: Sequence[ReadableSpan], deadline: float) -> Accepted:
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            return self._exporter.export(batch, deadline)
        finally:
            detach(token)

    def shutdown(self) -> None:
        self._exporter.shutdown()


class OfficialExporter:
    """An official exporter as one of this kit. It keeps its own timeout: it takes no deadline."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, batch: Sequence[ReadableSpan], deadline: float) -> Accepted:
        """Raises `Refused` where the official interface says failure, which tells no more."""
        result = self._exporter.export(batch)
        if result is not SpanExportResult.SUCCESS:
            raise Refused(f"{type(self._exporter).__name__} answered {result}")
        return Accepted()

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _sizes(queue_size: int | None, batch_size: int | None) -> tuple[int, int]:
    """Arguments are taken as they are; of the environment a batch larger than the queue is cut."""
    queue = otel_env.read("OTEL_BSP_MAX_QUEUE_SIZE") if queue_size is None else queue_size
    if batch_size is not None:
        return queue, batch_size
    batch = otel_env.read("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")
    if batch > queue:
        log.warning("a batch of %d does not fit into a queue of %d; using %d", batch, queue, queue)
    return queue, min(batch, queue)


def _seconds(milliseconds: float | None, variable: str) -> float:
    if milliseconds is not None:
        return milliseconds / 1000
    # 0 is allowed in the environment: as soon as possible, and no limit.
    return otel_env.read(variable) or (0.001 if variable.endswith("DELAY") else 1e9)
