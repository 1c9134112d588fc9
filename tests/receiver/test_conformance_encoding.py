"""The specification's lines on encoding: what official messages say arrives as they say it, whatever
is around it, and what the kit writes is what the official parsers read."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from otlp_kit.adapters import to_span
from otlp_kit.adapters.sdk_convert import encode_spans as encode_sdk_spans
from otlp_kit.encoding.otlp_json import encode_json
from otlp_kit.encoding.protobuf_logs import encode_logs
from otlp_kit.encoding.protobuf_metrics import encode_metrics
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import (
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
from otlp_kit.receiver.service import Request, Response, Service
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.wire import JSON, LOGS, METRICS, PROTOBUF, SIGNALS, TRACES, Signal
from tests.encoding.official import from_request, to_request
from tests.encoding.official_signals import (
    from_logs_request,
    from_metrics_request,
    to_logs_request,
    to_metrics_request,
)
from tests.encoding.test_otlp_json import with_hex_ids

TRACE, SPAN = bytes(range(0xA0, 0xB0)), bytes(range(0xC0, 0xC8))
NAN, INF = float("nan"), float("inf")
VALUES: dict[str, Any] = {
    "nothing": None, "": "", "no bytes": b"", "bytes": b"\x00\xff", "no list": [], "no map": {},
    "mixed": [1, "two", 3.0, None, True, b"6", [[], [None]], {"k": {"": [{}]}}],
    "low": -(2**63), "high": 2**63 - 1, "nan": NAN, "up": INF, "down": -INF,
}  # fmt: skip
"""What an attribute may hold."""

by_signal = pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
REQUESTS: dict[Signal, Any] = {
    TRACES: ExportTraceServiceRequest,
    LOGS: ExportLogsServiceRequest,
    METRICS: ExportMetricsServiceRequest,
}
TO_OFFICIAL: dict[Signal, Callable[[Any], Any]] = {
    TRACES: to_request, LOGS: to_logs_request, METRICS: to_metrics_request,
}  # fmt: skip
FROM_OFFICIAL: dict[Signal, Callable[[Any], list[Any]]] = {
    TRACES: from_request, LOGS: from_logs_request, METRICS: from_metrics_request,
}  # fmt: skip
ENCODE: dict[Signal, Callable[[Any], bytes]] = {
    TRACES: encode_spans, LOGS: encode_logs, METRICS: encode_metrics,
}  # fmt: skip


def full_records(signal: Signal) -> list[Any]:
    """One record of each kind with something in every field."""
    made_by: dict[str, Any] = {
        "resource": Resource(VALUES, "https://example.com/r", 1),
        "scope": Scope("scope", "1.0", VALUES, "https://example.com/s", 2),
    }
    if signal == TRACES:
        return [
            Span("full", TRACE, SPAN, SPAN[::-1], 1, 2**63, 3, VALUES, [Event("e", 5, VALUES, 1)],
                 [Link(TRACE, SPAN, "a=b", VALUES, 1, 0x301)], 2, "bad", "k=v", 0x103, 1, 2, 3,
                 **made_by)
        ]  # fmt: skip
    if signal == LOGS:
        return [
            LogRecord(VALUES, 5, 6, 9, "INFO", "event", VALUES, TRACE, SPAN, 1, 4, **made_by),
            LogRecord([None, VALUES], **made_by),
        ]
    seen = [Exemplar(NAN, 9, TRACE, SPAN, VALUES), Exemplar(-5, 9, TRACE, SPAN)]
    point: dict[str, Any] = {
        "time_unix_nano": 7, "start_time_unix_nano": 6, "attributes": VALUES, "flags": 1,
    }  # fmt: skip
    kinds: dict[Any, Any] = {
        "gauge": NumberPoint(INF, **point, exemplars=seen),
        "sum": NumberPoint(-(2**63), **point, exemplars=seen),
        "histogram": HistogramPoint(3, INF, [1, 2], [-INF], -INF, INF, **point, exemplars=seen),
        "exponential_histogram": ExponentialHistogramPoint(3, NAN, -2, 3, zero_threshold=0.5,
                                                           **point, exemplars=seen),
        "summary": SummaryPoint(2**63, INF, [(0.5, NAN), (1.0, -INF)], **point),
    }  # fmt: skip
    return [
        Metric(kind, kind, unit="ms", description="d", points=[kinds[kind]], temporality=temporality,
               is_monotonic=kind == "sum", metadata=VALUES, **made_by)
        for kind, temporality in zip(kinds, (0, 1, 2, 1, 0), strict=True)
    ]  # fmt: skip


def full(signal: Signal) -> Any:
    """The same, built from the official classes."""
    return TO_OFFICIAL[signal](full_records(signal))


def official_json(message: Any) -> Any:
    return with_hex_ids(MessageToDict(message, use_integers_for_enums=True))


def take(signal: Signal, body: bytes, kind: str = PROTOBUF) -> tuple[Response, list[Any]]:
    """The service's answer, and what it stored."""
    store = MemoryStore()
    request = Request("POST", signal.http_path, {"content-type": kind}, body)
    return Service(store.put).handle(request), store.records()


def taken(signal: Signal, body: bytes, kind: str = PROTOBUF) -> list[Any]:
    """What the service stored of a request with which nothing was wrong."""
    response, stored = take(signal, body, kind)
    assert response.status == 200, response.body
    return stored


def change(message: Any, plain: dict[str, Any], at: Callable[[Any, dict[str, Any]], None]) -> Any:
    """Call `at` for every message of a request with its object in JSON; the changed JSON."""
    for field, value in message.ListFields():
        if field.message_type:
            held = plain[field.json_name]
            pairs = zip(value, held, strict=True) if _many(value) else [(value, held)]
            for inner, inner_plain in pairs:
                change(inner, inner_plain, at)
    at(message, plain)
    return plain


@pytest.mark.spec("OTLP-69")
@pytest.mark.spec("OTLP-73")
@pytest.mark.spec("OTLP-74")
@pytest.mark.spec("OTLP-83")
@by_signal
def test_what_official_messages_say_arrives_in_both_encodings(signal: Signal) -> None:
    """Every field of every message; attributes of every type, empty and nested, wherever they are."""
    request = full(signal)
    expected = repr(FROM_OFFICIAL[signal](request))
    assert repr(taken(signal, request.SerializeToString())) == expected
    assert repr(taken(signal, json.dumps(official_json(request)).encode(), JSON)) == expected


@pytest.mark.spec("OTLP-69")
@pytest.mark.spec("OTLP-70")
@pytest.mark.spec("OTLP-73")
@pytest.mark.spec("OTLP-74")
@pytest.mark.spec("OTLP-83")
@by_signal
def test_what_the_kit_writes_is_what_the_official_parsers_read(signal: Signal) -> None:
    """The same message from protobuf and JSON; no `NaN` that is not a string."""
    records = full_records(signal)
    expected = repr(FROM_OFFICIAL[signal](full(signal)))
    from_bytes = REQUESTS[signal].FromString(ENCODE[signal](records))
    assert repr(FROM_OFFICIAL[signal](from_bytes)) == expected
    plain = json.loads(encode_json(signal, records), parse_constant=lambda name: pytest.fail(name))
    from_json = ParseDict(with_hex_ids(plain, decode=True), REQUESTS[signal]())
    assert repr(FROM_OFFICIAL[signal](from_json)) == expected


@pytest.mark.spec("OTLP-69")
@pytest.mark.parametrize("case", [str.upper, str.lower, str.title])
@by_signal
def test_ids_are_hexadecimal_in_any_case(signal: Signal, case: Callable[[str], str]) -> None:
    """Of spans, links, log records and exemplars."""

    def ids(_: Any, plain: dict[str, Any]) -> None:
        for key in {"traceId", "spanId", "parentSpanId"} & plain.keys():
            plain[key] = case(plain[key])

    request = full(signal)
    changed = change(request, official_json(request), ids)
    stored = taken(signal, json.dumps(changed).encode(), JSON)
    assert repr(stored) == repr(FROM_OFFICIAL[signal](request))


@pytest.mark.spec("OTLP-70")
@pytest.mark.parametrize(
    ("signal", "path", "name"),
    [
        (TRACES, ("resourceSpans", "scopeSpans", "spans", "kind"), "SPAN_KIND_SERVER"),
        (TRACES, ("resourceSpans", "scopeSpans", "spans", "status", "code"), "STATUS_CODE_ERROR"),
        (LOGS, ("resourceLogs", "scopeLogs", "logRecords", "severityNumber"), "SEVERITY_NUMBER_INFO"),
        (
            METRICS,
            ("resourceMetrics", "scopeMetrics", "metrics", "sum", "aggregationTemporality"),
            "AGGREGATION_TEMPORALITY_DELTA",
        ),
    ],
)  # fmt: skip
def test_names_of_enum_values_are_refused(signal: Signal, path: tuple[str, ...], name: str) -> None:
    """The official parser knows the name; OTLP does not allow it."""
    *outer, last = path
    plain: Any = {last: name}
    for depth, key in reversed(list(enumerate(outer))):
        plain = {key: [plain] if depth < 3 else plain}
    ParseDict(plain, REQUESTS[signal]())
    response, stored = take(signal, json.dumps(plain).encode(), JSON)
    assert (response.status, stored) == (400, [])
    assert last in json.loads(response.body)["message"]


def _unknown(_: Any, plain: dict[str, Any]) -> None:
    plain |= {"future": {"deep": [{"x": None}]}, "other": [1], "string_value": {}, "": 5}


def _nulls(message: Any, plain: dict[str, Any]) -> None:
    for field in message.DESCRIPTOR.fields:
        plain.setdefault(field.json_name, None)


def _numbers(message: Any, plain: dict[str, Any]) -> None:
    for field in message.DESCRIPTOR.fields:
        held = plain.get(field.json_name)
        if held is not None and field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64):
            assert isinstance(held[0] if isinstance(held, list) else held, str)
            plain[field.json_name] = [int(n) for n in held] if isinstance(held, list) else int(held)


@pytest.mark.spec("OTLP-71")
@pytest.mark.spec("OTLP-72")
@pytest.mark.spec("OTLP-73")
@pytest.mark.spec("OTLP-75")
@pytest.mark.parametrize("at", [_unknown, _nulls, _numbers])
@by_signal
def test_json_is_read_as_its_mapping_says(
    signal: Signal, at: Callable[[Any, dict[str, Any]], None]
) -> None:
    """In every message: unknown keys, null in each absent field, numbers for strings of 64 bits."""
    request = full(signal)
    body = json.dumps(change(request, official_json(request), at)).encode()
    assert repr(taken(signal, body, JSON)) == repr(FROM_OFFICIAL[signal](request))


def _add_unknown_fields(message: Any) -> None:
    for field, value in message.ListFields():
        if field.message_type:
            for inner in value if _many(value) else [value]:
                _add_unknown_fields(inner)
    # Fields 1001 to 1005: a varint, 64 bits, some bytes, a group with a field in it, 32 bits.
    message.MergeFromString(b"\xc8\x3e\x05\xd1\x3e12345678\xda\x3e\x03abc")
    message.MergeFromString(b"\xe3\x3e\x08\x01\xe4\x3e\xed\x3e1234")


def _many(value: Any) -> bool:
    return hasattr(value, "add")


@pytest.mark.spec("OTLP-86")
@by_signal
def test_unknown_protobuf_fields_are_ignored(signal: Signal) -> None:
    """Of each wire type, in every message."""
    request = full(signal)
    plain = request.SerializeToString()
    _add_unknown_fields(request)
    body = request.SerializeToString()
    assert len(body) > len(plain) + 300
    assert repr(taken(signal, body)) == repr(taken(signal, plain))


@pytest.mark.spec("OTLP-80")
@pytest.mark.spec("OTLP-81")
@pytest.mark.spec("OTLP-87")
@by_signal
def test_what_an_old_peer_does_not_send_has_its_default(signal: Signal) -> None:
    """The least that is valid: all else is as the official classes have it. No kind and no status
    of a span are kept as such: UNSPECIFIED and UNSET."""
    request = REQUESTS[signal]()
    if signal == TRACES:
        request.resource_spans.add().scope_spans.add().spans.add(trace_id=TRACE, span_id=SPAN)
    elif signal == LOGS:
        request.resource_logs.add().scope_logs.add().log_records.add()
    else:
        metric = request.resource_metrics.add().scope_metrics.add().metrics.add()
        metric.gauge.data_points.add(time_unix_nano=1)
    for body, kind in (
        (request.SerializeToString(), PROTOBUF),
        (json.dumps(official_json(request)).encode(), JSON),
    ):
        [record] = stored = taken(signal, body, kind)
        assert repr(stored) == repr(FROM_OFFICIAL[signal](request))
        if signal == TRACES:
            assert (record.kind, record.status_code, record.status_message) == (0, 0, "")


@pytest.mark.spec("OTLP-76")
@pytest.mark.parametrize("bad", ["", "00" * 16, "ab" * 15, "ab" * 17, None])
@pytest.mark.parametrize("field", ["traceId", "spanId"])
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_a_span_with_an_invalid_id_is_rejected_alone(
    kind: str, field: str, bad: str | None
) -> None:
    """Empty, absent, all zero, too short or too long: the other span is stored."""
    good = {"traceId": TRACE.hex(), "spanId": SPAN.hex()}
    plain = {"resourceSpans": [{"scopeSpans": [{"spans": [good | {field: bad}, good]}]}]}
    body = json.dumps(plain).encode()
    if kind == PROTOBUF:
        unhexed = with_hex_ids(plain, decode=True)
        body = ParseDict(unhexed, ExportTraceServiceRequest()).SerializeToString()
    response, stored = take(TRACES, body, kind)
    answer = ExportTraceServiceResponse()
    if kind == JSON:
        ParseDict(json.loads(response.body), answer)
    else:
        answer.ParseFromString(response.body)
    assert (response.status, answer.partial_success.rejected_spans) == (200, 1)
    assert [(span.trace_id, span.span_id) for span in stored] == [(TRACE, SPAN)]


@pytest.mark.spec("OTLP-77")
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_a_log_record_with_an_invalid_trace_id_is_taken(kind: str) -> None:
    """As one that belongs to no trace; nothing is said of it."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for bad in (b"", b"short", bytes(16), b"x" * 17, TRACE):
        records.add(trace_id=bad)
    as_json = json.dumps(official_json(request)).encode()
    stored = taken(LOGS, request.SerializeToString() if kind == PROTOBUF else as_json, kind)
    assert [record.trace_id for record in stored] == [b""] * 4 + [TRACE]


@pytest.mark.spec("OTLP-78")
@pytest.mark.parametrize("flags", [0, 1, 0x103, 0x301, 0xFFFF_FFFF])
def test_flags_are_passed_on_as_they_came(flags: int) -> None:
    """Bits that have no meaning yet are no error, and are not lost on the way to the next hop."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    span = spans.add(trace_id=TRACE, span_id=SPAN, flags=flags)
    span.links.add(trace_id=TRACE, span_id=SPAN, flags=flags)
    stored = taken(TRACES, request.SerializeToString())
    again = ExportTraceServiceRequest.FromString(encode_spans(stored))
    [out] = again.resource_spans[0].scope_spans[0].spans
    assert (out.flags, out.links[0].flags) == (flags, flags)


def sdk_spans() -> list[ReadableSpan]:
    """A root, its child, and a span with a remote parent, made by the official SDK."""
    made = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    tracer = provider.get_tracer("t")
    with tracer.start_as_current_span("root"):
        tracer.start_span("child").end()
    far = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    tracer.start_span("served", set_span_in_context(NonRecordingSpan(far))).end()
    return list(made.get_finished_spans())


@pytest.mark.spec("OTLP-78")
@pytest.mark.spec("OTLP-79")
@pytest.mark.spec("OTLP-81")
def test_spans_of_the_sdk_have_the_flags_and_parents_that_the_protocol_asks_for() -> None:
    """No bit above the tenth, whether the parent was remote, and no parent for a root."""
    spans = sdk_spans()
    plain = json.loads(encode_json(TRACES, [to_span(span) for span in spans]))
    for request in (
        ExportTraceServiceRequest.FromString(encode_sdk_spans(spans)),
        ParseDict(with_hex_ids(plain, decode=True), ExportTraceServiceRequest()),
    ):
        out = {span.name: span for span in request.resource_spans[0].scope_spans[0].spans}
        for span in spans:
            remote = 0x300 if span.name == "served" else 0x100
            assert out[span.name].flags == remote | span.context.trace_flags
        assert out["root"].parent_span_id == b""
        assert out["child"].parent_span_id == out["root"].span_id
        assert {span.status.code for span in out.values()} == {0}
    [group] = [scope for resource in plain["resourceSpans"] for scope in resource["scopeSpans"]]
    assert not {s["name"]: s for s in group["spans"]}["root"].get("parentSpanId")


SAME = {**{f"half {chr(half)}": half for half in (0xD83D, 0xDC00)}, "other": 3}
"""Keys that are different in Python only: neither half of a pair can be written."""


@pytest.mark.spec("OTLP-82")
@by_signal
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_keys_are_unique_in_every_list(signal: Signal, kind: str) -> None:
    """Also when two keys become one by what replaces their unwritable characters."""
    found = _encoded_with(signal, {**SAME, "map": SAME}, kind)
    assert found
    for keys in found:
        assert len(keys) == len(set(keys))


def _encoded_with(signal: Signal, attributes: dict[str, Any], kind: str) -> list[list[str]]:
    """The keys of each list of attributes in what the kit writes, by the official parser."""
    about: dict[str, Any] = {
        "resource": Resource(attributes), "scope": Scope("s", "", attributes),
    }  # fmt: skip
    record: Any = {
        TRACES: Span("n", TRACE, SPAN, attributes=attributes, events=[Event("e", 1, attributes)],
                     links=[Link(TRACE, SPAN, "", attributes)], **about),
        LOGS: LogRecord(attributes, attributes=attributes, **about),
        METRICS: Metric("m", "gauge", points=[NumberPoint(1, 1, attributes=attributes)], **about),
    }[signal]  # fmt: skip
    if kind == PROTOBUF:
        request = REQUESTS[signal].FromString(ENCODE[signal]([record]))
    else:
        plain = with_hex_ids(json.loads(encode_json(signal, [record])), decode=True)
        request = ParseDict(plain, REQUESTS[signal]())
    lists: list[list[str]] = []

    def walk(message: Any) -> None:
        for field, value in message.ListFields():
            if field.message_type:
                if field.message_type.full_name == KeyValue.DESCRIPTOR.full_name:
                    lists.append([pair.key for pair in value])
                for inner in value if _many(value) else [value]:
                    walk(inner)

    walk(request)
    return lists


@pytest.mark.spec("OTLP-82")
def test_of_two_values_of_one_key_the_later_counts() -> None:
    """A peer that breaks the rule harms nobody: what is stored keeps it."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(trace_id=TRACE, span_id=SPAN)
    for number in (1, 2, 3):
        span.attributes.add(key="k").value.int_value = number
    for body, kind in (
        (request.SerializeToString(), PROTOBUF),
        (json.dumps(official_json(request)).encode(), JSON),
    ):
        assert taken(TRACES, body, kind)[0].attributes == {"k": 3}


@pytest.mark.spec("OTLP-26")
@pytest.mark.spec("OTLP-84")
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_references_to_a_string_table_are_empty_and_warned_of(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """They belong to profiles. The span is taken; the log or the sender hears of it, and a sender
    that does is told of no rejection."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(trace_id=TRACE, span_id=SPAN)
    span.attributes.add(key="k", value=AnyValue(string_value_strindex=3))
    span.attributes.add(key_strindex=5, value=AnyValue(int_value=1))
    body = request.SerializeToString()
    if kind == JSON:
        body = json.dumps(official_json(request)).encode()
    with caplog.at_level(logging.WARNING):
        response, stored = take(TRACES, body, kind)
    assert response.status == 200
    assert stored[0].attributes == {"k": None, "": 1}
    answer = ExportTraceServiceResponse()
    if kind == JSON:
        ParseDict(json.loads(response.body), answer)
    else:
        answer.ParseFromString(response.body)
    assert answer.partial_success.rejected_spans == 0
    assert answer.partial_success.error_message or caplog.records


@pytest.mark.spec("OTLP-85")
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_data_points_are_judged_one_by_one(kind: str) -> None:
    """No time, no temporality, buckets that do not add up: rejected. A gap in a stream is valid."""
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="no time").gauge.data_points.add(as_int=1)
    metrics.add(name="no temporality").sum.data_points.add(time_unix_nano=1, as_int=1)
    odd = metrics.add(name="odd").histogram
    odd.aggregation_temporality = 2
    odd.data_points.add(time_unix_nano=1, count=3, bucket_counts=[1, 1], explicit_bounds=[0.5])
    odd.data_points.add(time_unix_nano=1, count=2, bucket_counts=[1, 1], explicit_bounds=[0.5])
    metrics.add(name="gap").gauge.data_points.add(time_unix_nano=1, flags=1)
    body = request.SerializeToString()
    if kind == JSON:
        body = json.dumps(official_json(request)).encode()
    response, stored = take(METRICS, body, kind)
    assert response.status == 200
    assert b"3 data points rejected" in response.body
    assert [(metric.name, len(metric.points)) for metric in stored] == [("odd", 1), ("gap", 1)]


@pytest.mark.spec("OTLP-88")
@by_signal
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_what_cannot_be_written_costs_nothing_else(signal: Signal, kind: str) -> None:
    """Half a character and an integer of 70 bits, everywhere: an official parser takes the rest."""
    lists = _encoded_with(signal, {"half \ud83d": "\udc00", "huge": -(2**70), "good": 1}, kind)
    assert len(lists) >= 3
    assert all(keys == ["half \\ud83d", "huge", "good"] for keys in lists)


@pytest.mark.spec("OTLP-88")
@by_signal
def test_half_a_character_in_json_costs_nothing_else(signal: Signal) -> None:
    """JavaScript sends it, official parsers refuse it; here the request is taken."""
    request = full(signal)
    body = json.dumps(official_json(request)).replace('"name": "scope"', '"name": "scope\\ud83d"')
    stored = taken(signal, body.encode(), JSON)
    assert stored[0].scope.name == "scope\ufffd"
    assert len(stored) == len(FROM_OFFICIAL[signal](request))
