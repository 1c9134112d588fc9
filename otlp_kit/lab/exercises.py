"""Checkers for the exercises of the course: a verdict, the first difference, and a hint.

A checker looks at what the reader made and never prints the answer. `check` cells show it:

    first_span(spans)    # -> Verdict, rendered by the notebook
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otlp_kit.model import Span, StatusCode


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an exercise is solved; if not, the first difference and where to read about it."""

    passed: bool
    difference: str = ""
    hint: str = ""

    def __repr__(self) -> str:
        if self.passed:
            return "Solved."
        return f"Not yet: {self.difference}\nHint: {self.hint}"


def first_span(spans: Sequence[Span]) -> Verdict:
    """A trace of three levels in which exactly one span, of the lowest level, ended in an error."""
    if len(spans) < 3:
        return _not_yet(
            f"{len(spans)} span(s); three levels need at least three.",
            "Each level is one more Span whose parent_span_id is the span_id of the level above.",
        )
    if problem := next((found for span in spans if (found := span.problem())), None):
        return _not_yet(problem, "os.urandom(16) makes a trace id, os.urandom(8) a span id.")
    if len({span.trace_id for span in spans}) != 1:
        return _not_yet(
            "the spans have different trace ids, so they are different traces.",
            "A trace is nothing but the set of spans with one trace_id: make it once, share it.",
        )
    parent_of = {span.span_id: span.parent_span_id for span in spans}
    if len(parent_of) != len(spans):
        return _not_yet("two spans have the same span id.", "Each span has a span_id of its own.")
    depths = {span.span_id: _depth(span.span_id, parent_of) for span in spans}
    if None in depths.values():
        return _not_yet(
            "a span names a parent that is not in the trace, or is its own ancestor.",
            "Follow parent_span_id upwards from each span: it has to end at a root, which has none.",
        )
    deepest = max(depth for depth in depths.values() if depth is not None)
    if deepest < 3:
        return _not_yet(
            f"the tree has {deepest} level(s), not three.",
            "The parent of the third span is the second span, not the root.",
        )
    failed = [span for span in spans if span.status_code == StatusCode.ERROR]
    if len(failed) != 1:
        return _not_yet(
            f"{len(failed)} spans ended in an error, not one.",
            "status_code=StatusCode.ERROR, on one span only: errors do not travel up by themselves.",
        )
    if depths[failed[0].span_id] != deepest:
        return _not_yet(
            "the error is not on the lowest level.",
            "Look for the span that is nobody's parent.",
        )
    return Verdict(passed=True)


def _depth(span_id: bytes, parent_of: dict[bytes, bytes]) -> int | None:
    """1 for a root; None when the way up leaves the trace or never ends."""
    for depth in range(1, len(parent_of) + 1):
        parent = parent_of.get(span_id)
        if parent is None:
            return None
        if not parent:
            return depth
        span_id = parent
    return None


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
