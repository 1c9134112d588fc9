"""Each wrong repair of the JSON request is refused for its own reason."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.encoding.otlp_json import encode_json
from otlp_kit.lab.exercises_json import WANTED, broken_json, json_fix
from otlp_kit.wire import TRACES

Change = Callable[[dict[str, Any]], object]


def repaired(change: Change = lambda span: None) -> str:
    """The right answer, as a reader would write it, with its span changed once more."""
    request = json.loads(broken_json())
    span = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    for key in ("traceId", "spanId"):
        span[key] = b64decode(span[key]).hex()
    span["kind"] = 2
    span["endTimeUnixNano"] = span.pop("end_time_unix_nano")
    span["attributes"][1]["value"] = {"stringValue": str(2**70)}
    change(span)
    return json.dumps(request)


def test_the_repaired_request_passes() -> None:
    """By hand, as bytes, with the kit's own writer, and with numbers where strings may be."""
    assert json_fix(repaired()).passed
    assert json_fix(repaired().encode()).passed
    assert json_fix(encode_json(TRACES, [WANTED])).passed
    assert json_fix(
        repaired(lambda span: span.update(startTimeUnixNano=WANTED.start_unix_nano))
    ).passed
    assert json_fix(repaired(lambda span: span.update(traceId=span["traceId"].upper()))).passed


def test_the_official_parser_refuses_the_broken_request_only_for_its_number() -> None:
    """All else in it is protobuf's own JSON."""
    with pytest.raises(json_format.ParseError, match="out of range"):
        json_format.Parse(broken_json(), ExportTraceServiceRequest())
    mended = broken_json().replace(str(2**70), "7")
    request = json_format.Parse(mended, ExportTraceServiceRequest())
    [span] = request.resource_spans[0].scope_spans[0].spans
    assert span.trace_id == WANTED.trace_id
    assert span.kind == WANTED.kind
    assert span.end_time_unix_nano == WANTED.end_unix_nano


def reencoded(span: dict[str, Any]) -> None:
    """Hexadecimal digits of the base64 text, not of the id."""
    span["traceId"] = (
        json.loads(broken_json())["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
        .encode()
        .hex()
    )


def set_value(**value: object) -> Change:
    return lambda span: span["attributes"][1].update(value=value)


@pytest.mark.parametrize(
    ("answer", "difference"),
    [
        (broken_json(), "refuses the whole request. traceId: must be hexadecimal digits"),
        ("{'resourceSpans': []}", "not JSON any more"),
        ("{}", "finds 0 spans"),
        (repaired().replace("scopeSpans", "scope_spans"), "finds 0 spans"),
        (repaired(reencoded), "rejects the span: trace_id must be 16 bytes"),
        (repaired(lambda span: span.update(kind="SPAN_KIND_SERVER")), "kind: must be the number"),
        (repaired(lambda span: span.update(kind="2")), "kind: must be the number"),
        (repaired(lambda span: span.update(kind=3)), "kind is not what was meant"),
        (repaired(lambda span: span.pop("kind")), "kind is not there"),
        (
            repaired(lambda span: span.update(end_time_unix_nano=span.pop("endTimeUnixNano"))),
            "accepts it, but end_unix_nano is not there",
        ),
        (
            repaired(lambda span: span.update(end_time_unix_nano=span["endTimeUnixNano"])),
            "still there, beside the right one",
        ),
        (
            repaired(lambda span: span.update(startTimeUnixNano=float(WANTED.start_unix_nano))),
            "start_unix_nano is not what was meant",
        ),
        (repaired(set_value(intValue=str(2**70))), "attributes: must be an integer from"),
        (repaired(set_value(doubleValue=float(2**70))), "attributes is not what was meant"),
        (repaired(set_value(intValue=str(2**63 - 1))), "attributes is not what was meant"),
        (repaired(lambda span: span.update(name="GET")), "the name or the service"),
    ],
)
def test_a_wrong_repair_is_refused_for_its_own_reason(answer: str, difference: str) -> None:
    """Refused by a receiver, or accepted and not what was meant."""
    verdict = json_fix(answer)
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint
    assert WANTED.trace_id.hex() not in repr(verdict)
