"""Each wrong answer to the exercise on secrets is refused for its own reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.lab.exercises_leak import PATTERN, PLACES, no_leak, spans_with_a_key
from otlp_kit.ledger import Ledger
from otlp_kit.model import Span
from otlp_kit.processors.edit import EditProcessor, Redact

KEY = re.compile(PATTERN)


def hide(value: Any) -> Any:
    """A value with every key hidden, however deep."""
    if isinstance(value, str):
        return KEY.sub("***", value)
    if isinstance(value, list):
        return [hide(item) for item in value]
    if isinstance(value, dict):
        return {key: hide(item) for key, item in value.items()}
    return value


def text_only(attributes: dict[str, Any]) -> dict[str, Any]:
    """A value with the keys of its own text hidden."""
    return {k: KEY.sub("***", v) if isinstance(v, str) else v for k, v in attributes.items()}


def everywhere(span: Span) -> Span:
    """What a reader would write by hand."""
    span = deepcopy(span)
    span.name, span.status_message = hide(span.name), hide(span.status_message)
    for part in (span, *span.events, *span.links):
        part.attributes = hide(part.attributes)
    return span


def in_place(span: Span) -> Span:
    """The same, on the span itself."""
    span.attributes = hide(span.attributes)
    return span


def in_its_dict(span: Span) -> Span:
    """A copy of the span, and the same dict."""
    copy = replace(span)
    copy.attributes.update(hide(copy.attributes))
    return copy


def answer(*edits: Callable[[Span], Span | None]) -> Callable[[Any], Any]:
    """A processor that emits what each of `edits` makes of the span, if anything."""

    class Answer:
        def __init__(self, next: Any) -> None:
            self._next = next

        def emit(self, record: Span) -> None:
            for edit in edits:
                if (edited := edit(record)) is not None:
                    self._next.emit(edited)

    return Answer


@pytest.mark.parametrize(
    "right",
    [
        answer(everywhere),
        lambda next: EditProcessor(next, [Redact(PATTERN)], ledger=Ledger()),
        lambda next: EditProcessor(next, [Redact(PATTERN, mask="")], ledger=Ledger()),
    ],
)
def test_a_right_answer_passes(right: Callable[[Any], Any]) -> None:
    """One written by hand, and the kit's own rule."""
    assert no_leak(right).passed


@pytest.mark.parametrize(
    ("wrong", "difference"),
    [
        (answer(lambda s: s), "a key left the process in an attribute."),
        (answer(in_place), "the span that came in was changed, with a key in an attribute."),
        (answer(in_its_dict), "the span that came in was changed, with a key in an attribute."),
        (answer(lambda s: None), "one span came in, and 0 went out"),
        (answer(everywhere, everywhere), "one span came in, and 2 went out"),
        (
            answer(lambda s: replace(s, attributes={
                k: v for k, v in s.attributes.items() if k != "api.key"})),
            "a key left the process in the middle of an attribute.",
        ),
        (
            answer(lambda s: replace(s, attributes={
                k: KEY.sub("***", v) for k, v in s.attributes.items()})),  # type: ignore[arg-type]
            "emit raised TypeError, with a key in an attribute.",
        ),
        (
            answer(lambda s: replace(s, attributes={
                k: "***" if KEY.search(str(v)) else v for k, v in s.attributes.items()})),
            "no key left, but the text around the key is gone",
        ),
        (
            answer(lambda s: replace(s, attributes=text_only(s.attributes))),
            "a key left the process in a list in an attribute.",
        ),
        (
            answer(lambda s: replace(s, attributes=hide(s.attributes))),
            "a key left the process in an attribute of an event.",
        ),
        (
            answer(lambda s: replace(s, attributes=hide(s.attributes), events=[])),
            "no key left, but the event is gone",
        ),
        (
            answer(lambda s: replace(everywhere(s), name=s.name)),
            "a key left the process in the name of the span.",
        ),
        (
            answer(lambda s: replace(everywhere(s), name="pay", status_message="")),
            "a span without any key did not arrive as it was.",
        ),
        (
            answer(lambda s: replace(everywhere(s), attributes={})),
            "no key left, but the attribute http.route is gone",
        ),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_refused_for_its_own_reason(
    wrong: Callable[[Any], Any], difference: str
) -> None:
    """The first difference says where it went wrong, and there is a hint with it."""
    verdict = no_leak(wrong)
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint


def test_every_place_holds_its_key_on_the_wire() -> None:
    """As the official library writes it out: nothing is asked for that could not leak."""
    for where, key, span in spans_with_a_key():
        request = ExportTraceServiceRequest.FromString(encode_spans([span]))
        assert str(request).count(key) == 1, where
        assert KEY.fullmatch(key)
    assert len(PLACES) == 8
