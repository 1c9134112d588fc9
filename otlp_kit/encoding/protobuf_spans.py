"""Spans to bytes: `encode_spans` writes an `ExportTraceServiceRequest`.

    body = encode_spans(spans)

The fields stand in the order of their numbers and zero values are left out, so the result is what
the official protobuf library writes, byte for byte, several times faster. It does not validate:
what a receiver would refuse is encoded as it is. Numbers have to fit their field (32 or 64 bits).

Specification:
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from otlp_kit.encoding.protobuf_common import (
    Append,
    Frames,
    encode_groups,
    pack_fixed32,
    pack_fixed64,
    sized,
    utf8,
    varint,
)
from otlp_kit.model import Event, Link, Span

SPAN_ATTRIBUTES = Frames(b"\x4a")
EVENT_ATTRIBUTES = Frames(b"\x1a")
LINK_ATTRIBUTES = Frames(b"\x22")

# A tag and its value in one step, for the fields of fixed width.
pack_ids = struct.Struct("<2s16s2s8s").pack
pack_times = struct.Struct("<BBBQBQ").pack


def encode_spans(spans: Iterable[Span]) -> bytes:
    """The request that carries `spans`, grouped by resource and scope in order of appearance."""
    return encode_groups(spans, span_message)


def span_message(span: Span) -> bytes:
    """The body of one `Span` message."""
    parts: list[bytes] = []
    append = parts.append
    write_identity(span.trace_id, span.span_id, span.trace_state, span.parent_span_id, append)
    write_operation(span.name, span.kind, span.start_unix_nano, span.end_unix_nano, append)
    if span.attributes:
        SPAN_ATTRIBUTES.write(span.attributes, append)
    if span.dropped_attributes_count:
        append(b"\x50" + varint(span.dropped_attributes_count))
    if span.events:
        write_events(span.events, append)
    if span.dropped_events_count:
        append(b"\x60" + varint(span.dropped_events_count))
    if span.links:
        write_links(span.links, append)
    if span.dropped_links_count:
        append(b"\x70" + varint(span.dropped_links_count))
    write_status(span.status_code, span.status_message, append)
    if span.flags:
        append(b"\x85\x01" + pack_fixed32(span.flags))
    return b"".join(parts)


def write_identity(
    trace_id: bytes, span_id: bytes, trace_state: str, parent_span_id: bytes, append: Append
) -> None:
    """Fields 1 to 4: who the span is, and whose child."""
    if len(trace_id) == 16 and len(span_id) == 8:
        append(pack_ids(b"\x0a\x10", trace_id, b"\x12\x08", span_id))
    else:
        _write_text(b"\x0a", trace_id, append)
        _write_text(b"\x12", span_id, append)
    if trace_state:
        _write_text(b"\x1a", utf8(trace_state), append)
    if parent_span_id:
        append(sized(b"\x22", parent_span_id))


def write_operation(name: str, kind: int, start: int, end: int, append: Append) -> None:
    """Fields 5 to 8: what was done, and when."""
    if name:
        _write_text(b"\x2a", utf8(name), append)
    if 0 < kind < 128 and start and end:
        append(pack_times(0x30, kind, 0x39, start, 0x41, end))
        return
    if kind:
        append(b"\x30" + varint(kind))
    if start:
        append(pack_fixed64(0x39, start))
    if end:
        append(pack_fixed64(0x41, end))


def write_events(events: Sequence[Event], append: Append) -> None:
    for event in events:
        parts: list[bytes] = []
        write_event(event.time_unix_nano, event.name, parts.append)
        EVENT_ATTRIBUTES.write(event.attributes, parts.append)
        if event.dropped_attributes_count:
            parts.append(b"\x20" + varint(event.dropped_attributes_count))
        append(sized(b"\x5a", b"".join(parts)))


def write_event(time_unix_nano: int, name: str, append: Append) -> None:
    if time_unix_nano:
        append(pack_fixed64(0x09, time_unix_nano))
    if name:
        _write_text(b"\x12", utf8(name), append)


def write_links(links: Sequence[Link], append: Append) -> None:
    for link in links:
        parts: list[bytes] = []
        write_identity(link.trace_id, link.span_id, link.trace_state, b"", parts.append)
        LINK_ATTRIBUTES.write(link.attributes, parts.append)
        if link.dropped_attributes_count:
            parts.append(b"\x28" + varint(link.dropped_attributes_count))
        if link.flags:
            parts.append(b"\x35" + pack_fixed32(link.flags))
        append(sized(b"\x6a", b"".join(parts)))


def write_status(code: int, message: str, append: Append) -> None:
    """Field 15. It is there even when it says nothing, as the official encoder has it."""
    if not code and not message:
        append(b"\x7a\x00")
        return
    body = sized(b"\x12", utf8(message)) if message else b""
    append(sized(b"\x7a", body + b"\x18" + varint(code) if code else body))


def _write_text(tag: bytes, raw: bytes, append: Append) -> None:
    if raw:
        append(tag + varint(len(raw)) + raw)
