"""Hypothesis strategies for records, over everything that the wire can carry."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from otlp_kit.model import (
    Buckets,
    Event,
    Exemplar,
    ExponentialHistogramPoint,
    HistogramPoint,
    Link,
    LogRecord,
    Metric,
    NumberPoint,
    Resource,
    Scope,
    Span,
    SummaryPoint,
)

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


@st.composite
def grouped(draw: st.DrawFn, record: type, fields: dict[str, Any]) -> list[Any]:
    """Records of one class in contiguous groups, as `span_batches` makes them."""
    records = []
    for resource in draw(st.lists(resources, max_size=2)):
        for scope in draw(st.lists(scopes, min_size=1, max_size=2)):
            one = st.builds(record, resource=st.just(resource), scope=st.just(scope), **fields)
            records += draw(st.lists(one, min_size=1, max_size=2))
    return records


def log_batches() -> st.SearchStrategy[list[LogRecord]]:
    return grouped(
        LogRecord,
        {
            "body": values,
            "time_unix_nano": uint64,
            "observed_time_unix_nano": uint64,
            "severity_number": st.integers(0, 24) | st.integers(-(2**31), 2**31 - 1),
            "severity_text": text,
            "event_name": text,
            "attributes": attributes,
            "trace_id": ids,
            "span_id": ids,
            "flags": uint32,
            "dropped_attributes_count": uint32,
        },
    )


int32 = st.integers(-(2**31), 2**31 - 1)
doubles = st.floats(allow_nan=False)
numbers = st.none() | int64 | doubles
exemplars = st.builds(
    Exemplar,
    value=numbers,
    time_unix_nano=uint64,
    trace_id=ids,
    span_id=ids,
    filtered_attributes=attributes,
)
point_fields = {
    "time_unix_nano": uint64,
    "start_time_unix_nano": uint64,
    "attributes": attributes,
    "flags": uint32,
}
exemplar_lists = {"exemplars": st.lists(exemplars, max_size=2)}
histogram_fields = {
    **point_fields,
    **exemplar_lists,
    "count": uint64,
    "sum": st.none() | doubles,
    "min": st.none() | doubles,
    "max": st.none() | doubles,
}
buckets = st.builds(Buckets, offset=int32, bucket_counts=st.lists(uint64, max_size=4))
points: dict[str, st.SearchStrategy[Any]] = {
    "gauge": st.builds(NumberPoint, value=numbers, **point_fields, **exemplar_lists),
    "histogram": st.builds(
        HistogramPoint,
        bucket_counts=st.lists(uint64, max_size=4),
        explicit_bounds=st.lists(doubles, max_size=4),
        **histogram_fields,
    ),
    "exponential_histogram": st.builds(
        ExponentialHistogramPoint,
        scale=int32,
        zero_count=uint64,
        zero_threshold=doubles,
        positive=buckets,
        negative=buckets,
        **histogram_fields,
    ),
    "summary": st.builds(
        SummaryPoint,
        count=uint64,
        sum=doubles,
        quantiles=st.lists(st.tuples(doubles, doubles), max_size=3),
        **point_fields,
    ),
}
points["sum"] = points["gauge"]


@st.composite
def metric_batches(draw: st.DrawFn) -> list[Metric]:
    metrics: list[Metric] = draw(
        grouped(
            Metric,
            {
                "name": text,
                "unit": text,
                "description": text,
                "metadata": attributes,
                "kind": st.sampled_from(["", *points]),
            },
        )
    )
    for metric in metrics:
        metric.temporality = 0
        if metric.kind:
            metric.points = draw(st.lists(points[metric.kind], max_size=2))
        if metric.kind in ("sum", "histogram", "exponential_histogram"):
            metric.temporality = draw(st.integers(0, 2) | int32)
        if metric.kind == "sum":
            metric.is_monotonic = draw(st.booleans())
    return metrics
