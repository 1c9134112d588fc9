"""Hypothesis strategies for records, over everything that the wire can carry."""

from __future__ import annotations

from hypothesis import strategies as st

from otlp_kit.model import Event, Link, Resource, Scope, Span

uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | int64 | st.floats(allow_nan=False) | text | st.binary(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
attributes = st.dictionaries(text, values, max_size=4)
resources = st.builds(
    Resource, attributes=attributes, schema_url=text, dropped_attributes_count=uint32
)
scopes = st.builds(
    Scope,
    name=text,
    version=text,
    attributes=attributes,
    schema_url=text,
    dropped_attributes_count=uint32,
)
ids = st.binary(max_size=20)
events = st.builds(
    Event, name=text, time_unix_nano=uint64, attributes=attributes, dropped_attributes_count=uint32
)
links = st.builds(
    Link,
    trace_id=ids,
    span_id=ids,
    trace_state=text,
    attributes=attributes,
    dropped_attributes_count=uint32,
    flags=uint32,
)
span_fields = {
    "name": text,
    "trace_id": st.binary(min_size=16, max_size=16) | ids,
    "span_id": st.binary(min_size=8, max_size=8) | ids,
    "parent_span_id": st.binary(min_size=8, max_size=8) | ids,
    "start_unix_nano": uint64,
    "end_unix_nano": uint64,
    "kind": st.integers(0, 6) | st.integers(-(2**31), 2**31 - 1),
    "attributes": attributes,
    "events": st.lists(events, max_size=2),
    "links": st.lists(links, max_size=2),
    "status_code": st.integers(0, 3) | st.integers(-(2**31), 2**31 - 1),
    "status_message": text,
    "trace_state": text,
    "flags": uint32,
    "dropped_attributes_count": uint32,
    "dropped_events_count": uint32,
    "dropped_links_count": uint32,
}


@st.composite
def span_batches(draw: st.DrawFn) -> list[Span]:
    """Spans in contiguous groups: each new resource or scope begins a group of its own."""
    spans = []
    for resource in draw(st.lists(resources, max_size=2)):
        for scope in draw(st.lists(scopes, min_size=1, max_size=2)):
            more = st.lists(
                st.builds(Span, resource=st.just(resource), scope=st.just(scope), **span_fields),
                min_size=1,
                max_size=2,
            )
            spans += draw(more)
    return spans
