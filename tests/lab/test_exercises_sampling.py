"""Each wrong answer to an exercise on sampling is refused for its own reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace._sampling_experimental._trace_state import OtelTraceState
from opentelemetry.trace import TraceState

from otlp_kit.lab.exercises_sampling import DAYS, arrived, estimate
from otlp_kit.model import Span
from otlp_kit.tracing.consistent import adjusted_count
from otlp_kit.tracing.tracestate import probability_of, read


def by_hand(spans: Sequence[Span]) -> float:
    """Without the kit."""
    total = 0.0
    for span in spans:
        if found := re.search(r"(?:^|,)ot=(?:[^,]*;)?th:([0-9a-f]+)", span.trace_state):
            total += 2**56 / (2**56 - int(found[1].ljust(14, "0"), 16))
    return total


def known(spans: Sequence[Span]) -> list[float]:
    """The probabilities that the spans name."""
    return [probability_of(t) for s in spans if (t := read(s.trace_state)[0]) is not None]


def by_service(spans: Sequence[Span]) -> float:
    """By what the reader knows of the configuration, on the day with three shares."""
    shares = {"front": 0.02, "stock": 0.1, "payments": 0.5}
    names = {span.resource.attributes["service.name"] for span in spans}
    if len(names) == 3 and len(spans) > 10_000:
        return sum(1 / shares[str(span.resource.attributes["service.name"])] for span in spans)
    return 10 * len(spans)


@pytest.mark.parametrize(
    "right",
    [
        by_hand,
        lambda spans: sum(adjusted_count(span.trace_state) for span in spans),
        lambda spans: sum(adjusted_count(span.trace_state) or 1 for span in spans),
    ],
)
def test_a_right_answer_passes(right: Callable[[Sequence[Span]], float]) -> None:
    """By hand or by the kit; a span without a threshold may count once."""
    assert estimate(right).passed


@pytest.mark.parametrize(
    ("wrong", "difference"),
    [
        (len, "even: so many spans arrived"),
        (lambda spans: 10 * len(spans), "mixed: there were fewer than that"),
        (lambda spans: 100 * len(spans), "even: there were fewer than that"),
        (lambda spans: len(spans) / (sum(known(spans)) / len(known(spans))),
         "mixed: that divides by the mean probability"),
        (by_service, "errors: there were fewer than that"),
        (lambda spans: sum(known(spans)), "even: that is less than arrived"),
        (lambda spans: sum(1 / (1 - p) for p in known(spans) if p < 1),
         "even: that takes the share that was rejected"),
        (lambda spans: sum(2**56 / (2**56 - int(s.trace_state[6:].ljust(14, "0"), 16))
                           for s in spans), "vendors: count raised ValueError"),
        (lambda spans: sum(adjusted_count(s.trace_state) or 10 for s in spans),
         "vendors: there were fewer than that"),
        (lambda spans: 60_000 if len(known(spans)) > 5000 else 20_000,
         "errors: by that count 100% of the spans failed"),
        (lambda spans: None, "even: count returned None, not a number"),
        (lambda spans: float("nan"), "even: count returned nan, not a number"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_refused_for_its_own_reason(wrong: Any, difference: str) -> None:
    """The first day on which it is wrong, and what kind of mistake it is."""
    verdict = estimate(wrong)
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint
    assert "adjusted" not in verdict.hint


def test_what_arrives_is_what_the_official_parser_reads() -> None:
    """And it is the same every time."""
    for day in DAYS:
        spans = arrived(day)
        assert spans == arrived(day)
        for span in spans[:200]:
            theirs = OtelTraceState.parse(TraceState.from_header([span.trace_state]))
            assert read(span.trace_state)[0] == theirs.threshold
            assert span.problem() is None
