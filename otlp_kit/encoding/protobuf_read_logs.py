"""Bytes to log records: `decode_logs` reads an `ExportLogsServiceRequest`.

Specification:
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/logs/v1/logs.proto
"""

from __future__ import annotations

from otlp_kit.encoding.protobuf_read import (
    NOTHING,
    Level,
    fields,
    fixed,
    int32,
    read_any_value,
    read_attribute,
    read_groups,
    text,
    uint32,
)
from otlp_kit.model import LogRecord, Resource, Scope


def decode_logs(body: bytes) -> list[LogRecord]:
    """All records of the request, in order. Raises `DecodeError` if the bytes are not a request."""
    return list(read_groups(body, _log_record))


def _log_record(data: bytes, level: Level, resource: Resource, scope: Scope) -> LogRecord:
    record = LogRecord(resource=resource, scope=scope)
    held = NOTHING
    for tag, raw in fields(data, level):
        if tag == 0x09:
            record.time_unix_nano = fixed(raw)
        elif tag == 0x10:
            record.severity_number = int32(raw)
        elif tag == 0x1A:
            record.severity_text = text(raw)
        elif tag == 0x2A:
            held = read_any_value(raw, level.below, held)
        elif tag == 0x32:
            read_attribute(raw, level.below, record.attributes)
        elif tag == 0x38:
            record.dropped_attributes_count = uint32(raw)
        elif tag == 0x45:
            record.flags = fixed(raw)
        elif tag == 0x4A:
            record.trace_id = raw
        elif tag == 0x52:
            record.span_id = raw
        elif tag == 0x59:
            record.observed_time_unix_nano = fixed(raw)
        elif tag == 0x62:
            record.event_name = text(raw)
    record.body = held[1]
    return record
