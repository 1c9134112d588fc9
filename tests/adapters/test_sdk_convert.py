"""The SDK's spans, encoded here and by the official encoder."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official_encode
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from otlp_kit.adapters import encode_spans, to_span
from otlp_kit.encoding.protobuf_read_spans import decode_spans

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | text
values = scalars | st.lists(text, max_size=3) | st.lists(st.integers(0, 99), max_size=3)
attributes = st.dictionaries(text, values, max_size=4)
contexts = st.builds(
    SpanContext,
    trace_id=st.integers(1, 2**128 - 1),
    span_id=st.integers(1, 2**64 - 1),
    is_remote=st.booleans(),
    trace_flags=st.sampled_from([TraceFlags(0), TraceFlags(1), TraceFlags(3)]),
    trace_state=st.sampled_from([TraceState(), TraceState([("ot", "th:8"), ("v", "1")])]),
)
plans = st.fixed_dictionaries(
    {
        "name": text,
        "kind": st.sampled_from(list(SpanKind)),
        "attributes": attributes,
        "events": st.lists(st.tuples(text, attributes), max_size=2),
        "links": st.lists(st.tuples(contexts, attributes), max_size=2),
        "parent": st.none() | contexts,
        "status": st.sampled_from([None, Status(StatusCode.OK), Status(StatusCode.ERROR, "no")]),
        "tracer": st.tuples(text, st.none() | text, st.none() | text, st.none() | attributes),
    }
)


def make_spans(resources: list[dict[str, Any]], made: list[dict[str, Any]]) -> list[ReadableSpan]:
    """What official providers, one a resource, make of the plans."""
    exporter = InMemorySpanExporter()
    for resource in resources:
        provider = TracerProvider(resource=Resource(resource, "https://example.com/schema"))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        for plan in made:
            name, version, schema_url, scope_attributes = plan["tracer"]
            tracer = provider.get_tracer(
                name, version, schema_url=schema_url, attributes=scope_attributes
            )
            parent = plan["parent"] and set_span_in_context(NonRecordingSpan(plan["parent"]))
            span = tracer.start_span(
                plan["name"],
                context=parent,
                kind=plan["kind"],
                attributes=plan["attributes"],
                links=[Link(context, held) for context, held in plan["links"]],
            )
            for event, held in plan["events"]:
                span.add_event(event, held)
            if plan["status"]:
                span.set_status(plan["status"])
            span.end()
    return list(exporter.get_finished_spans())


def without_what_the_official_encoder_leaves_out(body: bytes) -> ExportTraceServiceRequest:
    """The W3C bits of flags, and the trace state of links."""
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                span.flags &= ~0xFF
                for link in span.links:
                    link.flags &= ~0xFF
                    link.ClearField("trace_state")
    return request


@given(st.lists(attributes, min_size=1, max_size=2), st.lists(plans, max_size=4))
def test_the_bytes_equal_those_of_the_official_encoder(
    resources: list[dict[str, Any]], made: list[dict[str, Any]]
) -> None:
    """Once what it leaves out is masked, the official encoder writes the same bytes."""
    spans = make_spans(resources, made)
    official = official_encode(spans).SerializeToString()
    own = encode_spans(spans)
    masked = without_what_the_official_encoder_leaves_out(own)
    assert masked.SerializeToString() == official
    # The official library would write these very bytes: nothing but the mask lies between.
    assert ExportTraceServiceRequest.FromString(own).SerializeToString() == own


@given(st.lists(attributes, min_size=1, max_size=2), st.lists(plans, max_size=3))
def test_a_record_is_what_a_receiver_decodes(
    resources: list[dict[str, Any]], made: list[dict[str, Any]]
) -> None:
    """`to_span` and the way over the wire lead to the same spans."""
    for span in make_spans(resources, made):
        [decoded] = decode_spans(encode_spans([span]))
        assert decoded == to_span(span)


def test_trace_flags_and_remoteness_are_told() -> None:
    """Bit 0 is the sampled flag, bit 8 says that bit 9 is known, bit 9 that the parent is remote."""
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    plan: dict[str, Any] = {
        "name": "child",
        "kind": SpanKind.SERVER,
        "attributes": {},
        "events": [],
        "links": [(remote, {})],
        "parent": remote,
        "status": None,
        "tracer": ("t", None, None, None),
    }
    [span] = decode_spans(encode_spans(make_spans([{}], [plan])))
    assert span.flags == 0x301
    assert span.links[0].flags == 0x301
    plan["parent"] = None
    [span] = decode_spans(encode_spans(make_spans([{}], [plan])))
    assert span.flags == 0x103  # sampled, and a random trace id
