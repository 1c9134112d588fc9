"""The kit's batch processor with the arguments of an official one: what spans and logs share.

    batch = SdkBatch(exporter, SpanExporter, "OTEL_BSP", max_queue_size, ...)
    batch.emit(span)
    batch.force_flush(timeout_millis)       # True if everything was exported in time

`sdk_processors` and `sdk_log_processor` put it where the SDK expects its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from otlp_kit.adapters.sdk_arguments import seconds, sizes
from otlp_kit.adapters.sdk_bridge import Bridge
from otlp_kit.adapters.sdk_official import OfficialExporter, Untraced
from otlp_kit.ledger import Ledger, Totals
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.delivery import wanted
from otlp_kit.processors.outcome import Outcome

T = TypeVar("T")
FLUSH_TIMEOUT = 30.0
"""Seconds, where the official interface lets them be left out."""


class SdkBatch(Generic[T]):
    """Queues for `exporter`, an instance of `official` or an exporter of this kit.

    The other arguments are the official ones, in milliseconds and records. Those that are None come
    from the variables that begin with `prefix`. `keep` is `BatchProcessor`'s.
    """

    def __init__(
        self,
        exporter: Any,
        official: type,
        prefix: str,
        *,
        max_queue_size: int | None,
        schedule_delay_millis: float | None,
        max_export_batch_size: int | None,
        export_timeout_millis: float | None,
        keep: Callable[[T], bool] = wanted,
        ledger: Ledger | None = None,
    ) -> None:
        wrapped: OfficialExporter[T] | None = None
        if isinstance(exporter, official):
            exporter = wrapped = OfficialExporter(exporter)
        self.capacity, batch_size = sizes(max_queue_size, max_export_batch_size, prefix)
        self._processor: BatchProcessor[T] = BatchProcessor(
            Untraced(exporter),
            max_queue_size=self.capacity,
            max_batch_size=batch_size,
            delay=seconds(schedule_delay_millis, f"{prefix}_SCHEDULE_DELAY"),
            export_timeout=seconds(export_timeout_millis, f"{prefix}_EXPORT_TIMEOUT"),
            when_full="drop_oldest",
            keep=keep,
            ledger=ledger,
        )
        self._bridge = Bridge(self._processor, wrapped)
        self.emit = self._processor.emit

    def force_flush(self, timeout_millis: float | None) -> bool:
        """Export what is queued, then flush the exporter. True if both succeeded in time."""
        timeout = FLUSH_TIMEOUT if timeout_millis is None else timeout_millis / 1000
        return self._bridge.force_flush(timeout) is Outcome.FLUSHED

    def shutdown(self) -> Outcome:
        """Export what is queued and release the exporter; waits 30 seconds at most."""
        return self._bridge.shutdown(FLUSH_TIMEOUT)

    def totals(self) -> Totals:
        return self._processor.totals()

    @property
    def queued(self) -> int:
        """How many records wait."""
        return self._processor.queued

    def named(self, name: str) -> str:
        """What `repr` shows for the class that the caller sees."""
        return repr(self._processor).replace("BatchProcessor", name, 1)
