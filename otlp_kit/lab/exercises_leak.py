"""A checker for the exercise on secrets: the page *howto/write-processor*.

    no_leak(MyProcessor)      does a processor of the reader keep every key of `PATTERN` inside?

As in `exercises`, a checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, Protocol

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.lab.exercises import Verdict
from otlp_kit.ledger import Totals
from otlp_kit.model import Event, Link, Resource, Span, SpanKind, StatusCode
from otlp_kit.processors.outcome import Outcome

PATTERN = r"sk_live_[0-9a-f]{16}"
"""What the keys look like that must not leave the process."""
START = 1_790_000_000_000_000_000


class Emits(Protocol):
    """What is asked of a processor here."""

    def emit(self, record: Span) -> object: ...


class Exit:
    """The way out of the process, as the reader's processor gets it: keeps what is emitted."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def emit(self, record: Span) -> None:
        self.records.append(record)

    def force_flush(self, timeout: float = 30.0) -> Outcome:
        return Outcome.FLUSHED

    def shutdown(self, timeout: float = 30.0) -> Outcome:
        return Outcome.FLUSHED

    def totals(self) -> Totals:
        return Totals(created=len(self.records), delivered=len(self.records))


def spans_with_a_key() -> Iterator[tuple[str, str, Span]]:
    """(where the key is, the key, the span): a new key in one place of each span."""
    for where, plant in PLACES.items():
        span, key = plain_span(), f"sk_live_{secrets.token_hex(8)}"
        plant(span, key)
        yield where, key, span


def plain_span() -> Span:
    """A payment without a secret."""
    return Span(
        name="POST /pay",
        trace_id=bytes.fromhex("0af7651916cd43dd8448eb211c80319c"),
        span_id=secrets.token_bytes(7) + b"\x01",
        kind=SpanKind.SERVER,
        start_unix_nano=START,
        end_unix_nano=START + 45_000_000,
        attributes={"http.route": "/pay", "http.response.status_code": 402},
        events=[Event("retry", START + 1, {"attempt": 2})],
        links=[Link(b"t" * 16, b"s" * 8, attributes={"why": "earlier attempt"})],
        status_code=StatusCode.ERROR,
        status_message="card declined",
        resource=Resource({"service.name": "shop"}),
    )


Plant = Callable[[Span, str], object]
PLACES: dict[str, Plant] = {
    "an attribute": lambda span, key: span.attributes.update({"api.key": key}),
    "the middle of an attribute": lambda span, key: span.attributes.update(
        {"url.full": f"https://pay.example/v1?key={key}&cart=7"}
    ),
    "a list in an attribute": lambda span, key: span.attributes.update(
        {"http.request.header.authorization": ["Basic", f"Bearer {key}"]}
    ),
    "a map in an attribute": lambda span, key: span.attributes.update(
        {"request": {"headers": {"authorization": key}}}
    ),
    "an attribute of an event": lambda span, key: span.events[0].attributes.update(
        {"exception.message": f"refused: {key}"}
    ),
    "an attribute of a link": lambda span, key: span.links[0].attributes.update({"by": key}),
    "the name of the span": lambda span, key: setattr(span, "name", f"POST /pay?key={key}"),
    "the status message": lambda span, key: setattr(span, "status_message", f"no such key {key}"),
}


def no_leak(build: Callable[[Any], Emits]) -> Verdict:
    """`build(next)` makes a processor: what it emits to `next` holds no key, and all the rest."""
    for where, key, span in spans_with_a_key():
        before = deepcopy(span)
        out = Exit()
        try:
            build(out).emit(span)
        except Exception as error:
            return _not_yet(
                f"emit raised {type(error).__name__}, with a key in {where}.",
                "A value can be text, a number, a list or a map: ask what it is before you search.",
            )
        if span != before:
            return _not_yet(
                f"the span that came in was changed, with a key in {where}.",
                "Other processors hold the same span. dataclasses.replace makes a copy, but the"
                " dicts and lists in it are still shared.",
            )
        if len(out.records) != 1:
            return _not_yet(
                f"one span came in, and {len(out.records)} went out, with a key in {where}.",
                "Hide the key, not the span: each emit calls next.emit once.",
            )
        if key.encode() in encode_spans(out.records):
            return _not_yet(
                f"a key left the process in {where}.",
                "Print the span that leaves, and look for the part that your code does not visit.",
            )
        if lost := _lost(before, out.records[0]):
            return _not_yet(
                f"no key left, but {lost} is gone, with a key in {where}.",
                "Replace what the pattern finds, and nothing else.",
            )
    span, out = plain_span(), Exit()
    build(out).emit(deepcopy(span))
    if out.records != [span]:
        return _not_yet(
            "a span without any key did not arrive as it was.",
            "What the pattern does not find is to stay.",
        )
    return Verdict(passed=True)


def _lost(before: Span, after: Span) -> str | None:
    """What is missing besides the key, or None."""
    for name in ("trace_id", "span_id", "start_unix_nano", "end_unix_nano", "kind", "status_code"):
        if getattr(before, name) != getattr(after, name):
            return name
    for name, value in plain_span().attributes.items():
        if after.attributes.get(name) != value:
            return f"the attribute {name}"
    if "url.full" in before.attributes:
        url = str(after.attributes.get("url.full", ""))
        if not (url.startswith("https://pay.example/v1?key=") and url.endswith("&cart=7")):
            return "the text around the key"
    if [event.name for event in after.events] != ["retry"]:
        return "the event"
    return None if len(after.links) == 1 else "the link"


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
