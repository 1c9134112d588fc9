"""The log record processor of this kit where the official SDK expects its own.

    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))

Arguments, defaults, the variables `OTEL_BLRP_*` and dropping the oldest record are those of the
official class. What differs, besides what `sdk_processors` says: what is queued is the record as it
was, whatever later processors do to it; and what an export itself logs is not exported, which would
be logged again, and so on. Such records are counted as dropped (filtered).

Specification: https://opentelemetry.io/docs/specs/otel/logs/sdk/#batching-processor
"""

from __future__ import annotations

import copy

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.resources import Resource

from otlp_kit.adapters.sdk_batch import SdkBatch
from otlp_kit.adapters.sdk_official import is_exporting
from otlp_kit.ledger import FILTERED, Ledger, Totals
from otlp_kit.processors.delivery import BatchExporter


class BatchLogRecordProcessor(LogRecordProcessor):
    """The kit's batch processor under the official LoggerProvider.

    `exporter` is an official `LogRecordExporter` or an exporter of this kit. The other arguments are
    the official ones, in milliseconds and records; those left out come from `OTEL_BLRP_*`, else the
    defaults are 1000, 512, 30000 and 2048. Raises `ValueError` for arguments that contradict each
    other; from the environment such values are reported and ignored.
    """

    def __init__(
        self,
        exporter: LogRecordExporter | BatchExporter[ReadableLogRecord],
        schedule_delay_millis: float | None = None,
        max_export_batch_size: int | None = None,
        export_timeout_millis: float | None = None,
        max_queue_size: int | None = None,
    ) -> None:
        self._ledger = Ledger()
        self._batch: SdkBatch[ReadableLogRecord] = SdkBatch(
            exporter,
            LogRecordExporter,
            "OTEL_BLRP",
            max_queue_size=max_queue_size,
            schedule_delay_millis=schedule_delay_millis,
            max_export_batch_size=max_export_batch_size,
            export_timeout_millis=export_timeout_millis,
            ledger=self._ledger,
        )
        self.capacity = self._batch.capacity

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Take over `log_record` as it is now."""
        if is_exporting():
            self._ledger.turned_away(FILTERED)
        else:
            self._batch.emit(_snapshot(log_record))

    def force_flush(self, timeout_millis: int | None = 30000) -> bool:
        """Export what was emitted, then flush the exporter. True if both succeeded in time."""
        return self._batch.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Export what was emitted and release the exporter; waits 30 seconds at most."""
        self._batch.shutdown()

    def totals(self) -> Totals:
        """Where every record went so far."""
        return self._batch.totals()

    @property
    def queued(self) -> int:
        """How many records wait; at most `capacity`."""
        return self._batch.queued

    def __repr__(self) -> str:
        return self._batch.named("BatchLogRecordProcessor")


def _snapshot(record: ReadWriteLogRecord) -> ReadableLogRecord:
    made = copy.copy(record.log_record)
    # The ids were taken from it; a context may hold on to whatever the program put there.
    made.context = Context()
    if made.attributes:
        made.attributes = copy.deepcopy(made.attributes)
    return ReadableLogRecord(
        log_record=made,
        resource=record.resource if record.resource is not None else Resource.create({}),
        instrumentation_scope=record.instrumentation_scope,
        limits=record.limits,
    )
