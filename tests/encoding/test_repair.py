"""Fields that hold what they must not: official protobuf reads the request, and nothing else is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otlp_kit.adapters import encode_spans as encode_sdk_spans
from otlp_kit.encoding.otlp_json import decode_json, encode_json
from otlp_kit.encoding.protobuf_logs import encode_logs
from otlp_kit.encoding.protobuf_metrics import encode_metrics
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.encoding.repair import replaced, whole
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
from otlp_kit.wire import LOGS, METRICS, TRACES, Signal

FINE = "fine"
CODECS: dict[type, tuple[Signal, Callable[[Any], bytes], Any]] = {
    Span: (TRACES, encode_spans, ExportTraceServiceRequest),
    LogRecord: (LOGS, encode_logs, ExportLogsServiceRequest),
    Metric: (METRICS, encode_metrics, ExportMetricsServiceRequest),
}
RECORDS: list[Any] = [
    Span(events=[Event()], links=[Link()]),
    LogRecord(),
    Metric(kind="gauge", points=[NumberPoint(1, exemplars=[Exemplar()])]),
    Metric(kind="sum", points=[NumberPoint(1.5)]),
    Metric(kind="histogram", points=[HistogramPoint(bucket_counts=[1], explicit_bounds=[])]),
    Metric(
        kind="exponential_histogram",
        points=[ExponentialHistogramPoint(positive=Buckets(1, [2]))],
    ),
    Metric(kind="summary", points=[SummaryPoint()]),
]
ODD = [-1, 2**32, 2**64, -(2**70), 2.5, float("nan"), float("inf"), time.time(), "text", None, 3j]
WHERE_TYPES_ARE_PLAIN = ("int", "str", "bytes")


def places(thing: Any) -> list[tuple[Any, str]]:
    """Every field of a plain type, in `thing` and what lies in it."""
    found: list[tuple[Any, str]] = []
    for field in fields(thing):
        value = getattr(thing, field.name)
        if field.type in WHERE_TYPES_ARE_PLAIN or "float" in str(field.type).split("[")[0]:
            found.append((thing, field.name))
        for inner in value if isinstance(value, list) else [value]:
            if hasattr(inner, "__dataclass_fields__"):
                found += places(inner)
    return found


@pytest.mark.spec("OTLP-88")
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: getattr(record, "kind", ""))
@given(odd=st.sampled_from(ODD), data=st.data())
def test_an_odd_field_costs_neither_its_record_nor_the_batch(
    record: Any, odd: Any, data: st.DataObject
) -> None:
    """Any field of any record, as protobuf and as JSON."""
    owner, name = data.draw(st.sampled_from(places(record)))
    signal, encode, official = CODECS[type(record)]
    title = "event_name" if signal == LOGS else "name"
    usual = getattr(owner, name)
    setattr(owner, name, odd)
    try:
        # In a resource or scope it makes a group of its own: hence the same one around both.
        same = {"resource": record.resource, "scope": record.scope}
        fine = type(record)(**{title: FINE}, **same)
        body, as_json = encode([fine, record]), encode_json(signal, [fine, record])
    finally:
        setattr(owner, name, usual)
    [group] = official.FromString(body).ListFields()[0][1]
    [scope_group] = getattr(group, group.DESCRIPTOR.fields[1].name)
    first, _ = getattr(scope_group, scope_group.DESCRIPTOR.fields[1].name)
    assert getattr(first, title) == FINE
    first, _ = decode_json(signal, as_json)
    assert getattr(first, title) == FINE


def test_numbers_are_cut_to_the_nearest_that_fits() -> None:
    """Below to the least, above to the greatest, a fraction to its whole part."""
    assert [whole(n, 32) for n in (-1, 0, 2.9, 2**32 - 1, 2**32, float("inf"))] == [
        0, 0, 2, 2**32 - 1, 2**32 - 1, 2**32 - 1,
    ]  # fmt: skip
    assert whole(-(2**40), 32, signed=True) == -(2**31)
    assert whole("7", 64) == 7
    assert whole("seven", 64) == 0


def test_odd_resources_and_scopes_are_repaired_too() -> None:
    """They stand around the records, and would cost all of them."""
    odd = Span(
        resource=Resource({"k": 1}, dropped_attributes_count=-(2**70)),
        scope=Scope(name=None, version=7),  # type: ignore[arg-type]
    )
    request = ExportTraceServiceRequest.FromString(encode_spans([Span(name="a"), odd]))
    assert len(request.resource_spans) == 2
    assert request.resource_spans[1].scope_spans[0].scope.version == "7"


@pytest.mark.parametrize("end", [-5, 2**64, 12.75])
def test_an_odd_time_of_the_official_sdk_is_repaired(end: Any) -> None:
    """`span.end(end_time=...)` takes anything; the spans beside it must not pay for it."""
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("test")
    tracer.start_span("odd", start_time=1).end(end_time=end)
    tracer.start_span("fine", start_time=1).end(end_time=3)
    before = replaced()
    request = ExportTraceServiceRequest.FromString(encode_sdk_spans(memory.get_finished_spans()))
    odd, fine = request.resource_spans[0].scope_spans[0].spans
    assert odd.end_time_unix_nano == whole(end, 64)
    assert fine.end_time_unix_nano == 3
    assert replaced() > before


def test_every_replaced_key_is_counted() -> None:
    """Also one that was seen before."""
    span = Span(attributes={7: 1, "half \ud800": 2})  # type: ignore[dict-item]
    before = replaced()
    encode_spans([span, replace(span)])
    encode_spans([span])
    assert replaced() - before == 6
