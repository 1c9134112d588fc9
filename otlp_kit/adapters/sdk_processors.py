"""Span processors of this kit where the official SDK expects its own.

    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))

The arguments, their defaults, the variables `OTEL_BSP_*` and dropping the oldest span are those of
the official classes. What differs: every span is accounted for (`totals()`), `force_flush` and
`shutdown` keep their timeout and tell the truth about the result, an exporter is never called by two
threads at once, and it may be one of this kit's.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-span-processors
"""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter

from otlp_kit.adapters.sdk_batch import FLUSH_TIMEOUT, SdkBatch
from otlp_kit.adapters.sdk_bridge import Bridge
from otlp_kit.adapters.sdk_official import OfficialExporter, Untraced
from otlp_kit.ledger import Totals
from otlp_kit.processors.delivery import BatchExporter
from otlp_kit.processors.outcome import Outcome
from otlp_kit.processors.simple import SimpleProcessor


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
        self._batch: SdkBatch[ReadableSpan] = SdkBatch(
            span_exporter,
            SpanExporter,
            "OTEL_BSP",
            max_queue_size=max_queue_size,
            schedule_delay_millis=schedule_delay_millis,
            max_export_batch_size=max_export_batch_size,
            export_timeout_millis=export_timeout_millis,
            keep=_sampled,
        )
        # No frame of its own between the SDK and the queue: this runs at the end of every span.
        self.on_end = self._batch.emit  # type: ignore[method-assign, assignment]
        self.capacity = self._batch.capacity

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing happens before a span has ended."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take over a span. The worker exports it if it is sampled; the ledger tells of the others."""
        self._batch.emit(span)

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Export what has ended, then flush the exporter. True if both succeeded in time.

        Left out, `timeout_millis` is 30000, as in the official interface.
        """
        return self._batch.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Export what has ended and release the exporter; waits 30 seconds at most."""
        self._batch.shutdown()

    def totals(self) -> Totals:
        """Where every span went so far."""
        return self._batch.totals()

    @property
    def queued(self) -> int:
        """How many spans wait; at most `capacity`."""
        return self._batch.queued

    def __repr__(self) -> str:
        return self._batch.named("BatchSpanProcessor")


class SimpleSpanProcessor(SpanProcessor):
    """The kit's simple processor under the official TracerProvider: exports each span as it ends.

    Whoever ends a span waits for its export, and for those of other threads: one at a time.
    """

    def __init__(self, span_exporter: SpanExporter | BatchExporter[ReadableSpan]) -> None:
        official: OfficialExporter[ReadableSpan] | None = None
        exporter: Any = span_exporter
        if isinstance(span_exporter, SpanExporter):
            exporter = official = OfficialExporter(span_exporter)
        self._processor: SimpleProcessor[ReadableSpan] = SimpleProcessor(Untraced(exporter))
        self._bridge = Bridge(self._processor, official)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing happens before a span has ended."""

    def on_end(self, span: ReadableSpan) -> None:
        """Export a span that is to be exported; one that is only recorded is not."""
        if _sampled(span):
            self._processor.emit(span)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Wait for exports that go on, then flush the exporter. True if all that was in time."""
        return self._bridge.force_flush(timeout_millis / 1000) is Outcome.FLUSHED

    def shutdown(self) -> None:
        """Wait for exports that go on and release the exporter; waits 30 seconds at most."""
        self._bridge.shutdown(FLUSH_TIMEOUT)

    def totals(self) -> Totals:
        """Where every span went so far."""
        return self._processor.totals()

    def __repr__(self) -> str:
        return repr(self._processor).replace("SimpleProcessor", "SimpleSpanProcessor", 1)


def _sampled(span: ReadableSpan) -> bool:
    """Whether a span is to be exported: one that is only recorded is not."""
    context = span.get_span_context()
    return context is not None and bool(context.trace_flags & 1)
