"""The outside authority: spans to and from the official protobuf classes."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from otlp_kit.model import Event, Link, Resource, Scope, Span


def to_any(value: Any, into: AnyValue) -> None:
    if isinstance(value, str):
        into.string_value = value
    elif isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int):
        into.int_value = value
    elif isinstance(value, float):
        into.double_value = value
    elif isinstance(value, bytes):
        into.bytes_value = value
    elif isinstance(value, list):
        into.array_value.SetInParent()
        for item in value:
            to_any(item, into.array_value.values.add())
    elif isinstance(value, dict):
        into.kvlist_value.SetInParent()
        to_attributes(value, into.kvlist_value.values)


def to_attributes(attributes: dict[str, Any], into: Any) -> None:
    for key, value in attributes.items():
        pair: KeyValue = into.add(key=key)
        pair.value.SetInParent()
        to_any(value, pair.value)


def to_request(spans: list[Span]) -> ExportTraceServiceRequest:
    """An official message, built field by field; spans of equal resource and scope share a group."""
    request = ExportTraceServiceRequest()
    groups: dict[Any, Any] = {}
    for span in spans:
        resource, scope = span.resource, span.scope
        about = ResourceSpans(schema_url=resource.schema_url)
        about.resource.dropped_attributes_count = resource.dropped_attributes_count
        about.resource.SetInParent()
        to_attributes(resource.attributes, about.resource.attributes)
        resource_key = about.SerializeToString(deterministic=True)
        if resource_key not in groups:
            groups[resource_key] = request.resource_spans.add()
            groups[resource_key].CopyFrom(about)
        inner = ScopeSpans(schema_url=scope.schema_url)
        inner.scope.name = scope.name
        inner.scope.version = scope.version
        inner.scope.dropped_attributes_count = scope.dropped_attributes_count
        inner.scope.SetInParent()
        to_attributes(scope.attributes, inner.scope.attributes)
        scope_key = resource_key, inner.SerializeToString(deterministic=True)
        if scope_key not in groups:
            groups[scope_key] = groups[resource_key].scope_spans.add()
            groups[scope_key].CopyFrom(inner)
        scope_group = groups[scope_key]
        message = scope_group.spans.add(
            name=span.name,
            trace_id=span.trace_id,
            span_id=span.span_id,
            parent_span_id=span.parent_span_id,
            trace_state=span.trace_state,
            kind=span.kind,  # type: ignore[arg-type]
            start_time_unix_nano=span.start_unix_nano,
            end_time_unix_nano=span.end_unix_nano,
            dropped_attributes_count=span.dropped_attributes_count,
            dropped_events_count=span.dropped_events_count,
            dropped_links_count=span.dropped_links_count,
            flags=span.flags,
        )
        message.status.SetInParent()
        message.status.code = span.status_code
        message.status.message = span.status_message
        to_attributes(span.attributes, message.attributes)
        for event in span.events:
            to_attributes(
                event.attributes,
                message.events.add(
                    name=event.name,
                    time_unix_nano=event.time_unix_nano,
                    dropped_attributes_count=event.dropped_attributes_count,
                ).attributes,
            )
        for link in span.links:
            to_attributes(
                link.attributes,
                message.links.add(
                    trace_id=link.trace_id,
                    span_id=link.span_id,
                    trace_state=link.trace_state,
                    dropped_attributes_count=link.dropped_attributes_count,
                    flags=link.flags,
                ).attributes,
            )
    return request


def from_any(value: AnyValue) -> Any:
    which = value.WhichOneof("value")
    if which in (None, "string_value_strindex"):
        return None
    if which == "array_value":
        return [from_any(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return from_attributes(value.kvlist_value.values)
    return getattr(value, which)


def from_attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: from_any(pair.value) for pair in pairs}


def from_request(request: ExportTraceServiceRequest) -> list[Span]:
    """The spans of an official message, as records of this kit."""
    spans = []
    for resource_group in request.resource_spans:
        resource = Resource(
            from_attributes(resource_group.resource.attributes),
            resource_group.schema_url,
            resource_group.resource.dropped_attributes_count,
        )
        for scope_group in resource_group.scope_spans:
            scope = Scope(
                scope_group.scope.name,
                scope_group.scope.version,
                from_attributes(scope_group.scope.attributes),
                scope_group.schema_url,
                scope_group.scope.dropped_attributes_count,
            )
            spans += [_span(message, resource, scope) for message in scope_group.spans]
    return spans


def _span(message: Any, resource: Resource, scope: Scope) -> Span:
    return Span(
        name=message.name,
        trace_id=message.trace_id,
        span_id=message.span_id,
        parent_span_id=message.parent_span_id,
        start_unix_nano=message.start_time_unix_nano,
        end_unix_nano=message.end_time_unix_nano,
        kind=message.kind,
        attributes=from_attributes(message.attributes),
        events=[
            Event(
                e.name, e.time_unix_nano, from_attributes(e.attributes), e.dropped_attributes_count
            )
            for e in message.events
        ],
        links=[
            Link(
                link.trace_id,
                link.span_id,
                link.trace_state,
                from_attributes(link.attributes),
                link.dropped_attributes_count,
                link.flags,
            )
            for link in message.links
        ],
        status_code=message.status.code,
        status_message=message.status.message,
        trace_state=message.trace_state,
        flags=message.flags,
        dropped_attributes_count=message.dropped_attributes_count,
        dropped_events_count=message.dropped_events_count,
        dropped_links_count=message.dropped_links_count,
        resource=resource,
        scope=scope,
    )
