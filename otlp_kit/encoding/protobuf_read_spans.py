"""Bytes to spans: `decode_spans` reads an `ExportTraceServiceRequest`.

The opposite of `protobuf_spans`: spans of one group share one `Resource` and one `Scope` object. It
does not judge what it reads; `Span.problem()` does.

Specification:
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

from __future__ import annotations

from otlp_kit.encoding.protobuf_read import (
    Level,
    fields,
    fixed,
    int32,
    read_attribute,
    read_groups,
    text,
    uint32,
)
from otlp_kit.model import Event, Link, Resource, Scope, Span


def decode_spans(body: bytes) -> list[Span]:
    """All spans of the request, in order. Raises `DecodeError` if the bytes are not a request."""
    return list(read_groups(body, read_span))


def read_span(data: bytes, level: Level, resource: Resource, scope: Scope) -> Span:
    span = Span(kind=0, status_code=0, resource=resource, scope=scope)
    for tag, raw in fields(data, level):
        if tag == 0x4A:
            read_attribute(raw, level.below, span.attributes)
        elif tag == 0x0A:
            span.trace_id = raw
        elif tag == 0x12:
            span.span_id = raw
        elif tag == 0x1A:
            span.trace_state = text(raw)
        elif tag == 0x22:
            span.parent_span_id = raw
        elif tag == 0x2A:
            span.name = text(raw)
        elif tag == 0x30:
            span.kind = int32(raw)
        elif tag == 0x39:
            span.start_unix_nano = fixed(raw)
        elif tag == 0x41:
            span.end_unix_nano = fixed(raw)
        elif tag == 0x50:
            span.dropped_attributes_count = uint32(raw)
        elif tag == 0x5A:
            span.events.append(_event(raw, level.below))
        elif tag == 0x60:
            span.dropped_events_count = uint32(raw)
        elif tag == 0x6A:
            span.links.append(_link(raw, level.below))
        elif tag == 0x70:
            span.dropped_links_count = uint32(raw)
        elif tag == 0x7A:
            _status(raw, level.below, span)
        elif tag == 0x85:
            span.flags = fixed(raw)
    return span


def _event(data: bytes, level: Level) -> Event:
    event = Event()
    for tag, raw in fields(data, level):
        if tag == 0x09:
            event.time_unix_nano = fixed(raw)
        elif tag == 0x12:
            event.name = text(raw)
        elif tag == 0x1A:
            read_attribute(raw, level.below, event.attributes)
        elif tag == 0x20:
            event.dropped_attributes_count = uint32(raw)
    return event


def _link(data: bytes, level: Level) -> Link:
    link = Link()
    for tag, raw in fields(data, level):
        if tag == 0x0A:
            link.trace_id = raw
        elif tag == 0x12:
            link.span_id = raw
        elif tag == 0x1A:
            link.trace_state = text(raw)
        elif tag == 0x22:
            read_attribute(raw, level.below, link.attributes)
        elif tag == 0x28:
            link.dropped_attributes_count = uint32(raw)
        elif tag == 0x35:
            link.flags = fixed(raw)
    return link


def _status(data: bytes, level: Level, span: Span) -> None:
    for tag, raw in fields(data, level):
        if tag == 0x12:
            span.status_message = text(raw)
        elif tag == 0x18:
            span.status_code = int32(raw)
