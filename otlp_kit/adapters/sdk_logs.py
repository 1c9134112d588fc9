"""Log records of the official SDK: to bytes, or to records of this kit.

    body = encode_logs(readable_log_records)
    record = to_log_record(readable_log_record)

Content is what the official encoder writes. One difference on the wire: a record without a body has
none here, and an empty one there, which every reader takes for the same.

Specification: https://opentelemetry.io/docs/specs/otel/logs/data-model/
"""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.sdk._logs import ReadableLogRecord

from otlp_kit.adapters.sdk_owners import Owners, listed
from otlp_kit.encoding import protobuf_logs
from otlp_kit.model import LogRecord


def encode_logs(readable_log_records: Iterable[ReadableLogRecord]) -> bytes:
    """The `ExportLogsServiceRequest` that carries the SDK's records, grouped as the SDK groups."""
    held, owners = list(readable_log_records), Owners()
    return protobuf_logs.encode_logs(to_log_record(record, owners) for record in held)


def to_log_record(record: ReadableLogRecord, owners: Owners | None = None) -> LogRecord:
    """The same log record as a receiver would decode it from `encode_logs([record])`.

    With `owners`, records of one batch share their resource and scope.
    """
    owners = owners or Owners()
    made = record.log_record
    severity = made.severity_number
    return LogRecord(
        body=None if made.body is None else listed(made.body),
        time_unix_nano=made.timestamp or 0,
        observed_time_unix_nano=made.observed_timestamp or 0,
        severity_number=0 if severity is None else severity.value,
        severity_text=made.severity_text or "",
        event_name=made.event_name or "",
        attributes=listed(made.attributes),
        trace_id=made.trace_id.to_bytes(16, "big") if made.trace_id else b"",
        span_id=made.span_id.to_bytes(8, "big") if made.span_id else b"",
        flags=int(made.trace_flags or 0),
        dropped_attributes_count=record.dropped_attributes,
        resource=owners.resource(record.resource),
        scope=owners.scope(record.instrumentation_scope),
    )
