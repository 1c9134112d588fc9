"""OTLP/JSON, held against the official mapping with its four deviations applied."""

from __future__ import annotations

import base64
import contextlib
import json
import tracemalloc
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st

from otlp_kit.encoding.otlp_json import MAX_PARTS_JSON, decode_json, encode_json
from otlp_kit.encoding.protobuf_read import DecodeError, TooManyParts
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import LogRecord, Metric, NumberPoint, Span, SummaryPoint
from otlp_kit.wire import LOGS, METRICS, TRACES, Signal
from tests.encoding.official import to_request
from tests.encoding.strategies import log_batches, metric_batches, span_batches
from tests.encoding.test_protobuf_signals import LOGS as LOGS_CODEC
from tests.encoding.test_protobuf_signals import METRICS as METRICS_CODEC

IDS = {"traceId", "spanId", "parentSpanId"}
CASES: dict[str, tuple[Signal, Any, Any, Any]] = {
    "traces": (TRACES, span_batches, to_request, lambda r: decode_spans(encode_spans(r))),
    "logs": (LOGS, log_batches, LOGS_CODEC.to_official, lambda r: LOGS_CODEC.decode(LOGS_CODEC.encode(r))),
    "metrics": (
        METRICS,
        metric_batches,
        METRICS_CODEC.to_official,
        lambda r: METRICS_CODEC.decode(METRICS_CODEC.encode(r)),
    ),
}  # fmt: skip
signals = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def with_hex_ids(plain: Any, decode: bool = False) -> Any:
    """The official JSON with ids in hexadecimal, or the other way round."""
    if isinstance(plain, list):
        return [with_hex_ids(item, decode) for item in plain]
    if not isinstance(plain, dict):
        return plain
    out = {}
    for key, value in plain.items():
        if key in IDS and isinstance(value, str):
            raw = bytes.fromhex(value) if decode else base64.b64decode(value)
            out[key] = base64.b64encode(raw).decode() if decode else raw.hex()
        else:
            out[key] = with_hex_ids(value, decode)
    return out


def without_empty(plain: Any) -> Any:
    """Messages that are there but empty say nothing: they may be written or left out. So may ""."""
    if isinstance(plain, list):
        return [without_empty(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    cleaned = {key: without_empty(value) for key, value in plain.items()}
    cleaned = {k: v for k, v in cleaned.items() if v not in ({}, []) or k == "value"}
    return {k: v for k, v in cleaned.items() if (k, v) != ("key", "")}


@pytest.mark.spec("OTLP-69")
@pytest.mark.spec("OTLP-70")
@pytest.mark.spec("OTLP-72")
@pytest.mark.spec("OTLP-73")
@pytest.mark.slow
@signals
@settings(max_examples=100)
@given(data=st.data())
def test_it_is_the_official_mapping_but_for_ids_and_enums(case: Any, data: st.DataObject) -> None:
    """Key for key and value for value."""
    signal, batches, to_official, regroup = case
    records = regroup(data.draw(batches()))  # equal groups merged, as the writer does
    official = MessageToDict(to_official(records), use_integers_for_enums=True)
    own = json.loads(encode_json(signal, records))
    assert without_empty(own) == without_empty(with_hex_ids(official))


@pytest.mark.slow
@signals
@settings(max_examples=100)
@given(data=st.data())
def test_the_reader_undoes_the_writer_and_reads_the_official_mapping(
    case: Any, data: st.DataObject
) -> None:
    """Both forms lead to the records they were made of."""
    signal, batches, to_official, regroup = case
    records = regroup(data.draw(batches()))
    assert repr(decode_json(signal, encode_json(signal, records))) == repr(records)
    official = MessageToDict(to_official(records), use_integers_for_enums=True)
    assert repr(decode_json(signal, json.dumps(with_hex_ids(official)).encode())) == repr(records)


@pytest.mark.spec("OTLP-88")
def test_what_json_cannot_hold_is_replaced_not_passed_on() -> None:
    """The official protobuf JSON parser takes what is written, where it refuses the official SDK's."""
    loop: list[Any] = ["in"]
    loop.append(loop)
    span = Span("half \ud83d", attributes={"half \udc00": "\ud800", "huge": 2**70, "loop": loop})
    plain = json.loads(encode_json(TRACES, [span]))
    request = ParseDict(with_hex_ids(plain, decode=True), to_request([]))
    [read] = [s for g in request.resource_spans for c in g.scope_spans for s in c.spans]
    assert read.name == "half \ufffd"
    assert read.attributes[1].value.string_value == str(2**70)


def request_with(**span: Any) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def read_one(**span: Any) -> Span:
    [read] = decode_json(TRACES, request_with(**span))
    return read  # type: ignore[no-any-return]


@pytest.mark.spec("OTLP-69")
@pytest.mark.spec("OTLP-73")
@pytest.mark.spec("OTLP-75")
def test_reading_is_lenient_where_the_mapping_is() -> None:
    """Ids in any case, integers as strings or numbers, null for absent."""
    span = read_one(
        traceId="5B8EFFF798038103D269B633813FC60C", spanId="eee19b7ec3c1b174", parentSpanId="",
        startTimeUnixNano=5, endTimeUnixNano="7", kind=2, name=None, status=None, events=None,
        attributes=[{"key": "n", "value": {"intValue": 1}}, {"key": "s", "value": {"intValue": "2"}},
                    {"key": "d", "value": {"doubleValue": "NaN"}}, {"key": "empty", "value": None}],
    )  # fmt: skip
    assert span.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert (span.parent_span_id, span.start_unix_nano, span.end_unix_nano) == (b"", 5, 7)
    assert (span.kind, span.name) == (2, "")
    assert span.attributes["n"] == 1
    assert span.attributes["s"] == 2
    assert span.attributes["empty"] is None


@pytest.mark.spec("OTLP-71")
@pytest.mark.spec("OTLP-72")
def test_unknown_fields_are_ignored() -> None:
    """Nested ones and those that hold objects too; a key in snake_case is one of them."""
    body = {
        "resourceSpans": [
            {
                "new": {"deep": [1]},
                "resource": {"what": {}},
                "scopeSpans": [{"spans": [{"name": "n", "trace_id": "zz", "future": [{}]}]}],
            }
        ],
        "also": None,
    }
    [span] = decode_json(TRACES, json.dumps(body).encode())
    assert (span.name, span.trace_id) == ("n", b"")


@pytest.mark.spec("OTLP-70")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (request_with(kind="SPAN_KIND_SERVER"), "kind: must be the number of the enum's value"),
        (request_with(traceId="xyz"), "traceId: must be hexadecimal digits"),
        (request_with(traceId="5b 8e"), "traceId: must be hexadecimal digits"),
        (request_with(traceId=5), "traceId: must be hexadecimal digits"),
        (request_with(name=5), "name: must be a string"),
        (request_with(startTimeUnixNano="1e3"), "startTimeUnixNano: must be an integer"),
        (request_with(startTimeUnixNano=1.5), "startTimeUnixNano: must be an integer"),
        (request_with(startTimeUnixNano=-1), "startTimeUnixNano: must be an integer"),
        (request_with(startTimeUnixNano=True), "startTimeUnixNano: must be an integer"),
        (request_with(flags=2**32), "flags: must be an integer from 0 to 4294967295"),
        (request_with(events=[{"name": 5}]), "events.name: must be a string"),
        (request_with(attributes={"a": 1}), "attributes: must be a list"),
        (request_with(attributes=[{"key": "k", "value": 5}]), "attributes: must be an object"),
        (b"[]", "must be an object"),
        (b'{"resourceSpans": {}}', "resourceSpans: must be a list"),
        (b'{"resourceSpans": [5]}', "must be an object"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"resourceSpans": NaN}', "not JSON: NaN is not a JSON value"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_a_mistake_is_named(body: bytes, message: str) -> None:
    """The error says where it is and what is wanted."""
    with pytest.raises(DecodeError) as error:
        decode_json(TRACES, body)
    assert message in str(error.value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(
                        st.sampled_from(["resourceSpans", "scopeSpans", "spans", "resource", "scope",
                                         "attributes", "key", "value", "kvlistValue", "values",
                                         "events", "status", "code", "traceId"]), inner)))  # fmt: skip
def test_any_json_is_read_or_refused(plain: Any) -> None:
    """Nothing but a `DecodeError` escapes."""
    with contextlib.suppress(DecodeError):
        decode_json(TRACES, json.dumps(plain).encode())


def test_half_a_surrogate_pair_is_read_as_a_replacement() -> None:
    """JavaScript can send it; a database could not hold it, and the batch is not lost for it."""
    assert read_one(name="x\ud83d").name == "x\ufffd"
    assert read_one(name="\ud83d\ude00").name == "😀"


def test_empty_requests_are_small() -> None:
    """No records, no groups."""
    assert encode_json(TRACES, []) == b"{}"
    assert decode_json(LOGS, b"{}") == []
    point = NumberPoint(0, attributes={})
    again = decode_json(METRICS, encode_json(METRICS, [Metric("m", points=[point])]))
    assert again[0].points == [point]
    assert decode_json(LOGS, encode_json(LOGS, [LogRecord(0)]))[0].body == 0


def test_minus_zero_is_not_left_out() -> None:
    """It is not the default: its sign is a bit that protobuf keeps."""
    [metric] = decode_json(
        METRICS, encode_json(METRICS, [Metric(kind="summary", points=[SummaryPoint(sum=-0.0)])])
    )
    assert str(metric.points[0].sum) == "-0.0"


@pytest.mark.parametrize("part", [b"{}", b"[]", b"1", b'"a"'])
def test_a_flood_of_tiny_parts_is_refused_before_it_is_parsed(part: bytes) -> None:
    """Three bytes of JSON stand for an object of hundreds in memory."""
    body = b'{"resourceSpans": [' + b",".join([part] * MAX_PARTS_JSON) + b"]}"
    tracemalloc.start()
    try:
        with pytest.raises(TooManyParts):
            decode_json(TRACES, body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
