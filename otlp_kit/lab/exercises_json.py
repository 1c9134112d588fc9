"""The checker of the page *concepts/json*: a request in protobuf's JSON, to be made OTLP's.

    broken_json()        the text of a request as protobuf's own JSON writer gives it, and one value
                         that the protocol cannot hold
    json_fix(text)       does a receiver find the span that was meant?

As in `exercises`, the checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from otlp_kit.encoding.otlp_json import decode_json
from otlp_kit.encoding.protobuf_read import DecodeError
from otlp_kit.lab.exercises import Verdict
from otlp_kit.model import Resource, Span, SpanKind
from otlp_kit.wire import TRACES

START = 1_790_000_000_000_000_123
"""Not a multiple of 256: a double cannot hold it."""
WANTED = Span(
    name="GET /basket",
    trace_id=bytes.fromhex("0af7651916cd43dd8448eb211c80319c"),
    span_id=bytes.fromhex("b7ad6b7169203331"),
    kind=SpanKind.SERVER,
    start_unix_nano=START,
    end_unix_nano=START + 45_000_000,
    attributes={"basket.items": 3, "basket.checksum": str(2**70)},
    resource=Resource({"service.name": "shop"}),
)
HINTS = {
    "trace_id": "An id is as many bytes as the schema says: two hexadecimal digits for each byte.",
    "span_id": "An id is as many bytes as the schema says: two hexadecimal digits for each byte.",
    "kind": "The schema, trace.proto, has a number beside each name.",
    "start_unix_nano": "A double has 53 bits for digits, a time needs 61: keep it a string of digits.",
    "end_unix_nano": "A key that a receiver does not know is ignored without a word. How is this one"
    " spelled in OTLP's JSON?",
    "attributes": "What is beyond 64 bits is no integer of the protocol; its digits are a text.",
}
"""For each field what to look at, in the order in which they are compared."""


def broken_json() -> str:
    """One span: ids in base64, an enum by name, a key in snake_case, an integer beyond 64 bits."""
    items = {"key": "basket.items", "value": {"intValue": "3"}}
    checksum = {"key": "basket.checksum", "value": {"intValue": str(2**70)}}
    span = {
        "traceId": b64encode(WANTED.trace_id).decode(),
        "spanId": b64encode(WANTED.span_id).decode(),
        "name": WANTED.name,
        "kind": "SPAN_KIND_SERVER",
        "startTimeUnixNano": str(WANTED.start_unix_nano),
        "end_time_unix_nano": str(WANTED.end_unix_nano),
        "attributes": [items, checksum],
    }
    service = {"key": "service.name", "value": {"stringValue": "shop"}}
    group = {"resource": {"attributes": [service]}, "scopeSpans": [{"spans": [span]}]}
    return json.dumps({"resourceSpans": [group]}, indent=1)


def json_fix(text: str | bytes) -> Verdict:
    """The request `broken_json()`, repaired: a receiver reads the span that was meant."""
    body = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError) as error:
        return _not_yet(f"it is not JSON any more: {error}.", "json.loads says the same.")
    try:
        spans = decode_json(TRACES, body)
    except DecodeError as error:
        return _not_yet(
            f"a receiver refuses the whole request. {error}.",
            "The message names the field. Which of the rules of this page does it break?",
        )
    if len(spans) != 1:
        return _not_yet(
            f"a receiver reads it without complaint and finds {len(spans)} spans, not one.",
            "resourceSpans, scopeSpans, spans: what it does not know it skips.",
        )
    [span] = spans
    if problem := span.problem():
        return _not_yet(f"a receiver rejects the span: {problem}.", HINTS["trace_id"])
    for field, hint in HINTS.items():
        got, wanted = getattr(span, field), getattr(WANTED, field)
        if got != wanted:
            said = "is not there" if not got else "is not what was meant"
            return _not_yet(f"a receiver accepts it, but {field} {said}.", hint)
    if (span.name, span.resource) != (WANTED.name, WANTED.resource):
        return _not_yet("the name or the service is another one.", "Those were right before.")
    if "end_time_unix_nano" in _keys(plain):
        return _not_yet(
            "the key that nobody reads is still there, beside the right one.",
            "Some receivers refuse what they do not know: leave nothing that means nothing.",
        )
    return Verdict(passed=True)


def _keys(plain: Any) -> set[str]:
    """All keys of all objects inside `plain`."""
    if isinstance(plain, dict):
        return set(plain).union(*map(_keys, plain.values()))
    return set().union(*map(_keys, plain)) if isinstance(plain, list) else set()


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
