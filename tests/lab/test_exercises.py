"""Each wrong answer to an exercise is refused for its own reason."""

from __future__ import annotations

import pytest

from otlp_kit.lab.exercises import first_span
from otlp_kit.model import Span, StatusCode

TRACE = bytes(range(1, 17))
ROOT, CHILD, LEAF = b"rootroot", b"childchi", b"leafleaf"


def spans(**changes: dict[str, object]) -> list[Span]:
    """A right answer, with the fields of its spans changed by name."""
    fields: dict[str, dict[str, object]] = {
        "root": {"span_id": ROOT},
        "child": {"span_id": CHILD, "parent_span_id": ROOT},
        "leaf": {"span_id": LEAF, "parent_span_id": CHILD, "status_code": StatusCode.ERROR},
    }
    return [
        Span(**{"name": name, "trace_id": TRACE, **given, **changes.get(name, {})})  # type: ignore[arg-type]
        for name, given in fields.items()
    ]


def test_three_levels_with_one_error_at_the_bottom_pass() -> None:
    """The right answer passes, in any order of spans."""
    assert first_span(spans()).passed
    assert first_span(spans()[::-1]).passed
    assert repr(first_span(spans())) == "Solved."


@pytest.mark.parametrize(
    ("answer", "difference"),
    [
        (spans()[:2], "2 span(s)"),
        (spans(leaf={"trace_id": b"x"}), "trace_id must be 16 bytes"),
        (spans(leaf={"trace_id": TRACE[::-1]}), "different trace ids"),
        (spans(child={"span_id": LEAF}), "same span id"),
        (spans(leaf={"parent_span_id": b"elsewher"}), "not in the trace"),
        (spans(root={"parent_span_id": LEAF}), "its own ancestor"),
        (spans(leaf={"parent_span_id": ROOT}), "2 level(s)"),
        (spans(leaf={"status_code": StatusCode.OK}), "0 spans ended in an error"),
        (spans(root={"status_code": StatusCode.ERROR}), "2 spans ended in an error"),
        (
            spans(root={"status_code": StatusCode.ERROR}, leaf={"status_code": StatusCode.UNSET}),
            "not on the lowest level",
        ),
    ],
)
def test_a_wrong_answer_is_refused_for_its_own_reason(answer: list[Span], difference: str) -> None:
    """The first difference names what is wrong, and there is a hint with it."""
    verdict = first_span(answer)
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint in repr(verdict)
