"""Each wrong answer to the exercise on a budget is refused for its own reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from otlp_kit.lab.exercises_budget import SERVICES, TRACES, budget, play, slow_requests, traffic
from otlp_kit.model import Span, StatusCode
from otlp_kit.processors.tail_policies import (
    Error,
    Latency,
    Or,
    Policy,
    Probability,
    Rate,
    Shares,
    When,
)
from otlp_kit.tracing.consistent import adjusted_count


def by_kit(spans: Sequence[Span]) -> float:
    """Of each request its root."""
    return sum(adjusted_count(span.trace_state) for span in spans if not span.parent_span_id)


def by_hand(spans: Sequence[Span]) -> float:
    """Without the kit, and of each request a fifth of every span."""
    total = 0.0
    for span in spans:
        found = re.search(r"ot=th:([0-9a-f]+)", span.trace_state)
        assert found
        total += 2**56 / (2**56 - int(found[1].ljust(14, "0"), 16)) / 5
    return total


def roots(spans: Sequence[Span]) -> int:
    return sum(not span.parent_span_id for span in spans)


def failed(spans: Sequence[Span]) -> bool:
    return any(span.status_code == StatusCode.ERROR for span in spans)


@pytest.mark.parametrize(
    ("policies", "baseline", "wait"),
    [
        ([Error()], 0.05, 10),
        ([Error()], 0.02, 8.5),
        ([When("failed", failed)], 0.06, 11),
        ([Or(Error(), Latency(60))], 0.05, 10),
        ([Rate(1), Error()], 0.03, 10),
    ],
)
@pytest.mark.parametrize("count", [by_kit, by_hand])
def test_a_right_answer_passes(
    policies: list[Policy], baseline: float, wait: float, count: Any
) -> None:
    """There is more than one, by the kit and by hand."""
    assert budget(policies, baseline=baseline, wait=wait, count=count).passed


GOOD: dict[str, Any] = {"policies": [Error()], "baseline": 0.05, "wait": 10, "count": by_kit}


@pytest.mark.parametrize(
    ("wrong", "difference", "hint"),
    [
        ({"policies": [], "baseline": 0.1}, "failed requests", "draws lots"),
        ({"policies": [Probability(0.1)]}, "failed requests", "draws lots"),
        ({"policies": [Latency(1)]}, "failed requests", "Which policy"),
        ({"policies": [Rate(5)]}, "failed requests", "A rate keeps"),
        ({"policies": [Shares(10, [(Error(), 1)])]}, "failed requests", "A rate keeps"),
        ({"wait": 1}, "came after a decision", "cannot change it"),
        ({"wait": 6}, "came after a decision", "cannot change it"),
        ({"baseline": 0.1}, "of the spans are kept", "baseline: 377"),
        ({"policies": [Error(), Latency(1)]}, "of the spans are kept", "latency 1 s: 555"),
        ({"wait": 30}, "6,952 spans wait at once", "seconds that it stays"),
        ({"count": len}, "requests: count says 1,550", "Each stands for others"),
        ({"count": roots}, "requests: count says 310", "Each stands for others"),
        ({"count": lambda spans: 20 * roots(spans)}, "+55% off", "kept for certain"),
        ({"count": lambda spans: sum(adjusted_count(span.trace_state) for span in spans)},
         "+388% off", "Those are spans"),
        ({"count": lambda spans: TRACES}, "slow requests: count says 4,000", "stands"),
        ({"baseline": 0.001}, "slow requests", "too few"),
        ({"count": lambda spans: None}, "count returned None", "One number"),
        ({"count": lambda spans: spans.total}, "count raised AttributeError", "a list"),
        ({"baseline": 0}, "nothing starts with that", "names the rule"),
        ({"policies": [Probability(0.5), Rate(5)]}, "nothing starts with that", "names the rule"),
        ({"policies": Error()}, "nothing starts with that", "names the rule"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_refused_for_its_own_reason(
    wrong: dict[str, Any], difference: str, hint: str
) -> None:
    """The difference says what happened, the hint where to look; neither says what would be right."""
    verdict = budget(**GOOD | wrong)
    assert not verdict.passed
    assert difference in verdict.difference
    assert hint in verdict.hint
    assert "adjusted" not in verdict.hint
    assert f"{TRACES:,}" not in verdict.hint


def test_the_traffic_is_what_the_text_says() -> None:
    """Five spans each, valid, fifty a second, a few failed, more slow, and the same every time."""
    spans = [span for _, span in traffic()]
    assert spans == [span for _, span in traffic()]
    assert set(Counter(span.trace_id for span in spans).values()) == {len(SERVICES)}
    assert not any(span.problem() for span in spans)
    assert len({span.span_id for span in spans}) == len(spans) == 5 * TRACES
    failures = sum(span.status_code == StatusCode.ERROR for span in spans)
    assert 0.02 < failures / TRACES < 0.04
    assert 0.14 < roots(slow_requests(spans)) / TRACES < 0.16


def test_the_sampler_is_the_kits_and_loses_nothing_unjudged() -> None:
    """What is played holds every trace until its time, and names who kept it."""
    day = play([Error()], 0.05, 10)
    assert day.stats.early == day.stats.late_kept == day.stats.late_dropped == 0
    assert set(day.stats.kept) == {"error", "baseline"}
