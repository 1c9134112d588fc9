"""Log records to bytes: `encode_logs` writes an `ExportLogsServiceRequest`.

As `protobuf_spans`, with the fields of a log record: official protobuf writes the same bytes.

Specification:
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/logs/v1/logs.proto
"""

from __future__ import annotations

from collections.abc import Iterable

from otlp_kit.encoding.protobuf_common import (
    Frames,
    any_value,
    encode_groups,
    pack_fixed32,
    pack_fixed64,
    sized,
    utf8,
    varint,
)
from otlp_kit.model import LogRecord

LOG_ATTRIBUTES = Frames(b"\x32")


def encode_logs(records: Iterable[LogRecord]) -> bytes:
    """The request that carries `records`, grouped by resource and scope in order of appearance."""
    return encode_groups(records, log_message)


def log_message(record: LogRecord) -> bytes:
    """The body of one `LogRecord` message."""
    parts: list[bytes] = []
    append = parts.append
    if record.time_unix_nano:
        append(pack_fixed64(0x09, record.time_unix_nano))
    if record.severity_number:
        append(b"\x10" + varint(record.severity_number))
    if record.severity_text:
        append(sized(b"\x1a", utf8(record.severity_text)))
    if record.body is not None:
        append(sized(b"\x2a", any_value(record.body)))
    LOG_ATTRIBUTES.write(record.attributes, append)
    if record.dropped_attributes_count:
        append(b"\x38" + varint(record.dropped_attributes_count))
    if record.flags:
        append(b"\x45" + pack_fixed32(record.flags))
    if record.trace_id:
        append(sized(b"\x4a", record.trace_id))
    if record.span_id:
        append(sized(b"\x52", record.span_id))
    if record.observed_time_unix_nano:
        append(pack_fixed64(0x59, record.observed_time_unix_nano))
    if record.event_name:
        append(sized(b"\x62", utf8(record.event_name)))
    return b"".join(parts)
