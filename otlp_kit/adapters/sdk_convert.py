"""Spans of the official SDK: straight to bytes, or to records of this kit.

    body = encode_spans(readable_spans)       # as protobuf_spans.encode_spans, without the detour
    span = to_span(readable_span)

Both read spans through the SDK's public interface, each property once: they copy. The W3C trace
flags go into the low eight bits of `flags`, as trace.proto wants; the official encoder leaves them
out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

from otlp_kit.adapters.sdk_owners import listed, to_resource, to_scope
from otlp_kit.encoding.protobuf_common import (
    Append,
    Envelope,
    Key,
    pack_fixed32,
    resource_message,
    scope_message,
    sized,
    varint,
    with_pauses,
)
from otlp_kit.encoding.protobuf_spans import (
    EVENT_ATTRIBUTES,
    LINK_ATTRIBUTES,
    SPAN_ATTRIBUTES,
    span_message,
    write_event,
    write_identity,
    write_operation,
    write_status,
)
from otlp_kit.encoding.repair import UNFIT, repaired
from otlp_kit.model import Event, Link, Span

HAS_IS_REMOTE = 0x100
IS_REMOTE = 0x200
# The API counts kinds from 0 (internal), the wire from 1; status codes are the same.
KIND_ON_THE_WIRE = 1


def encode_spans(readable_spans: Iterable[ReadableSpan]) -> bytes:
    """The `ExportTraceServiceRequest` that carries the SDK's spans, grouped as the SDK groups."""
    envelope = Envelope()
    groups: dict[tuple[int, int], list[bytes]] = {}
    spans = list(readable_spans)
    for span in with_pauses(spans):
        resource, scope = span.resource, span.instrumentation_scope
        pair = (id(resource), id(scope))
        group = groups.get(pair)
        if group is None:
            group = groups[pair] = envelope.group(_resource_key(resource), _scope_key(scope))
        try:
            group.append(_span_message(span))
        except UNFIT:
            # A time as a float, a number beyond its field: whatever the program set by hand.
            group.append(span_message(repaired(to_span(span))))
    return envelope.body()


def _span_message(span: ReadableSpan) -> bytes:
    parts: list[bytes] = []
    append = parts.append
    context, parent = span.get_span_context(), span.parent
    if context is not None:
        # SpanContext is a tuple: unpacking it is cheaper than five properties.
        trace_id, span_id, _, flags, trace_state, _ = context
        write_identity(
            trace_id.to_bytes(16, "big"),
            span_id.to_bytes(8, "big"),
            _header(trace_state) if trace_state else "",
            parent.span_id.to_bytes(8, "big") if parent else b"",
            append,
        )
    else:
        flags = TraceFlags(0)
    # `_value_` is the plain attribute behind the slow property `value`.
    kind = span.kind._value_ + KIND_ON_THE_WIRE
    write_operation(span.name, kind, span.start_time or 0, span.end_time or 0, append)
    SPAN_ATTRIBUTES.write(_plain(span.attributes), append)
    if dropped := span.dropped_attributes:
        append(b"\x50" + varint(dropped))
    if events := span.events:
        _write_events(events, append)
    if dropped := span.dropped_events:
        append(b"\x60" + varint(dropped))
    if links := span.links:
        _write_links(links, append)
    if dropped := span.dropped_links:
        append(b"\x70" + varint(dropped))
    status = span.status
    write_status(status.status_code._value_, status.description or "", append)
    append(b"\x85\x01" + pack_fixed32(_flags(flags, parent)))
    return b"".join(parts)


def _write_events(events: Iterable[Any], append: Append) -> None:
    for event in events:
        parts: list[bytes] = []
        write_event(event.timestamp, event.name, parts.append)
        EVENT_ATTRIBUTES.write(_plain(event.attributes), parts.append)
        if dropped := event.dropped_attributes:
            parts.append(b"\x20" + varint(dropped))
        append(sized(b"\x5a", b"".join(parts)))


def _write_links(links: Iterable[Any], append: Append) -> None:
    for link in links:
        parts: list[bytes] = []
        trace_id, span_id, _, flags, trace_state, _ = link.context
        write_identity(
            trace_id.to_bytes(16, "big"),
            span_id.to_bytes(8, "big"),
            _header(trace_state) if trace_state else "",
            b"",
            parts.append,
        )
        LINK_ATTRIBUTES.write(_plain(link.attributes), parts.append)
        if dropped := link.dropped_attributes:
            parts.append(b"\x28" + varint(dropped))
        parts.append(b"\x35" + pack_fixed32(_flags(flags, link.context)))
        append(sized(b"\x6a", b"".join(parts)))


def _plain(attributes: Any) -> dict[str, Any]:
    """A plain dict, taken in one step: the SDK's mappings take a lock or a call for each item."""
    try:
        return attributes.copy()  # type: ignore[no-any-return]
    except AttributeError:  # None, or a mapping of somebody else's
        return dict(attributes or {})


def _header(trace_state: TraceState) -> str:
    return ",".join(f"{key}={value}" for key, value in trace_state.items())


def _flags(flags: int, remote: SpanContext | None) -> int:
    """`remote` is the context whose remoteness bits 8 and 9 tell: the parent's, or the link's own."""
    known = flags & 0xFF | HAS_IS_REMOTE
    return known | IS_REMOTE if remote is not None and remote.is_remote else known


def _resource_key(resource: SdkResource) -> Key:
    return resource_message(resource.attributes, 0), resource.schema_url or ""


def _scope_key(scope: InstrumentationScope | None) -> Key:
    if scope is None:
        return b"", ""
    message = scope_message(scope.name, scope.version or "", scope.attributes or {}, 0)
    return message, scope.schema_url or ""


def to_span(span: ReadableSpan) -> Span:
    """The same span as a record: what a receiver would decode from `encode_spans([span])`."""
    context, parent = span.get_span_context(), span.parent
    return Span(
        name=span.name,
        trace_id=context.trace_id.to_bytes(16, "big") if context else b"",
        span_id=context.span_id.to_bytes(8, "big") if context else b"",
        parent_span_id=parent.span_id.to_bytes(8, "big") if parent else b"",
        start_unix_nano=span.start_time or 0,
        end_unix_nano=span.end_time or 0,
        kind=span.kind.value + KIND_ON_THE_WIRE,
        attributes=listed(span.attributes),
        events=[
            Event(e.name, e.timestamp, listed(e.attributes), e.dropped_attributes)
            for e in span.events
        ],
        links=[
            Link(
                link.context.trace_id.to_bytes(16, "big"),
                link.context.span_id.to_bytes(8, "big"),
                _header(link.context.trace_state),
                listed(link.attributes),
                link.dropped_attributes,
                _flags(link.context.trace_flags, link.context),
            )
            for link in span.links
        ],
        status_code=span.status.status_code.value,
        status_message=span.status.description or "",
        trace_state=_header(context.trace_state) if context else "",
        flags=_flags(context.trace_flags if context else 0, parent),
        dropped_attributes_count=span.dropped_attributes,
        dropped_events_count=span.dropped_events,
        dropped_links_count=span.dropped_links,
        resource=to_resource(span.resource),
        scope=to_scope(span.instrumentation_scope),
    )
