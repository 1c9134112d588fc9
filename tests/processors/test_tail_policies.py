"""What each policy keeps, and for how many a kept trace stands."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.model import Resource, Span, StatusCode
from otlp_kit.processors.tail_policies import (
    And,
    Attribute,
    Error,
    Latency,
    Not,
    Or,
    Policy,
    Probability,
    Rate,
    Shares,
    When,
    in_order,
    judge,
)
from otlp_kit.processors.tail_threshold import ALWAYS, NEVER, Decision, threshold_of

SECOND = 1_000_000_000


def trace(randomness: int = 0, **fields: Any) -> list[Span]:
    """A trace of one span."""
    return [Span("GET /", randomness.to_bytes(16, "big"), bytes(7) + b"\x01", **fields)]


FAILED = trace(status_code=StatusCode.ERROR)
FINE = trace()
ALL = When("all", lambda spans: True)


@pytest.mark.parametrize(
    ("policy", "spans", "kept"),
    [
        (Error(), FINE, False),
        (Error(), FINE + FAILED, True),
        (Error(), trace(status_code=StatusCode.OK), False),
        (Latency(2), trace(start_unix_nano=0, end_unix_nano=2 * SECOND - 1), False),
        (Latency(2), trace(start_unix_nano=0, end_unix_nano=2 * SECOND), True),
        (
            Latency(2),
            trace(start_unix_nano=3 * SECOND, end_unix_nano=4 * SECOND)
            + trace(start_unix_nano=2 * SECOND, end_unix_nano=3 * SECOND),
            True,
        ),
        (Attribute("tenant"), FINE, False),
        (Attribute("tenant"), FINE + trace(attributes={"tenant": 7}), True),
        (Attribute("tenant", "gold"), trace(attributes={"tenant": "golden"}), False),
        (Attribute("zone", "a", "resource"), trace(resource=Resource({"zone": "a"})), True),
        (And(Error(), Latency(1)), FAILED, False),
        (And(Error(), ALL), FAILED, True),
        (Or(Error(), Latency(1)), FAILED, True),
        (Or(Error(), Latency(1)), FINE, False),
        (Not(Error()), FINE, True),
        (Not(Error()), FAILED, False),
    ],
)
def test_a_policy_looks_at_all_spans(policy: Policy, spans: list[Span], kept: bool) -> None:
    """Errors and attributes of any of them, latency from the first start to the last end."""
    assert policy.threshold(spans, 0.0) == (ALWAYS if kept else None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Latency(0), "latency must be more than 0 seconds"),
        (lambda: Rate(0), "rate must be more than 0 a second"),
        (lambda: Rate(float("inf")), "rate must be more than 0 a second"),
        (lambda: Rate(1, "bytes"), "traces or spans"),  # type: ignore[arg-type]
        (lambda: Probability(0), "more than 0 and at most 1"),
        (lambda: Attribute("a", "("), "not valid"),
        (lambda: Attribute("a", "b", "scope"), "record or resource"),  # type: ignore[arg-type]
        (lambda: And(), "at least one policy"),
        (lambda: Or(), "at least one policy"),
        (lambda: And(Rate(1), Probability(0.5)), "for how many such a trace stands"),
        (lambda: Not(Probability(0.5)), "has an opposite"),
        (lambda: Not(Rate(1)), "has an opposite"),
        (lambda: Shares(10, []), "shares must be"),
        (lambda: Shares(10, [(Error(), 0.6), (ALL, 0.6)]), "shares must be"),
        (lambda: Shares(10, [(Rate(1), 0.5)]), "depends on the spans alone"),
        (lambda: Or(Probability(0.5), Rate(1)), "must stand before"),
        (lambda: in_order([Probability(0.5), Error(), Rate(1)]), "must stand before"),
    ],
)
def test_what_cannot_be_honoured_is_refused(make: Callable[[], object], message: str) -> None:
    """When it is made, with the reason."""
    with pytest.raises(ValueError, match=message):
        make()


@given(st.integers(0, NEVER - 1), st.floats(0.001, 1), st.floats(0.001, 1))
def test_probability_is_consistent(randomness: int, one: float, other: float) -> None:
    """What survives the smaller share survives the larger one, too."""
    small, large = sorted([one, other])
    spans = trace(randomness)
    kept_small = judge([Probability(small)], spans, 0).kept
    assert kept_small == (randomness >= threshold_of(small))
    assert judge([Probability(large)], spans, 0).kept or not kept_small


def test_the_first_policy_that_keeps_a_trace_names_itself() -> None:
    """Later ones are heard for the threshold, not for the name."""
    high = NEVER - 1
    policies = [Latency(1), Error(), Attribute("a"), Probability(0.25, "baseline")]
    both = trace(status_code=StatusCode.ERROR, attributes={"a": 1})
    assert judge(policies, both, 0) == Decision("error", ALWAYS)
    assert judge(policies, trace(high), 0) == Decision("baseline", threshold_of(0.25))
    assert judge(policies, trace(0), 0) == Decision(None, threshold_of(0.25))
    failed = trace(high, status_code=StatusCode.ERROR)
    assert judge([Probability(0.25), Error()], failed, 0) == Decision("probability 0.25", ALWAYS)


def test_a_trace_stands_for_as_many_as_its_lowest_threshold_says() -> None:
    """Slow ones were to be kept by half whoever names itself; the rest by a tenth."""
    policies = [And(Latency(1), Probability(0.5)), Probability(0.1, "baseline")]
    slow = trace(NEVER - 1, start_unix_nano=0, end_unix_nano=SECOND)
    assert judge(policies, slow, 0) == Decision("latency 1 s and probability 0.5",
                                                threshold_of(0.5))  # fmt: skip
    assert judge(policies, trace(NEVER - 1), 0) == Decision("baseline", threshold_of(0.1))
    assert judge([Or(*policies)], slow, 0).threshold == threshold_of(0.5)
    both = And(Probability(0.1), Probability(0.5), When("all", lambda spans: True))
    assert both.threshold(FINE, 0) == threshold_of(0.1)


def test_a_rate_keeps_as_many_as_it_says() -> None:
    """Over a minute with forty a second; the first second may use what was saved."""
    policy, kept = Rate(10), Counter[int]()
    for number in range(40 * 60):
        kept[number // 40] += policy.threshold(FINE, number / 40) is not None
    assert kept[0] in (19, 20)
    assert all(kept[second] in (9, 10, 11) for second in range(1, 60))


def test_a_rate_of_spans_does_not_starve_large_traces() -> None:
    """A trace with more spans than a second has is kept, and paid for afterwards."""
    policy = Rate(10, of="spans")
    assert policy.threshold(FINE * 50, 0.0) == ALWAYS
    assert policy.threshold(FINE, 4.0) is None
    assert policy.threshold(FINE, 4.2) == ALWAYS
    kept = sum(5 for n in range(1000) if policy.threshold(FINE * 5, 10 + n / 10) is not None)
    assert 950 <= kept <= 1010


def test_time_that_goes_backwards_saves_nothing() -> None:
    """It is an argument, and may be anything."""
    policy = Rate(1)
    assert [policy.threshold(FINE, at) for at in (5.0, 4.0, 3.0, 4.5)] == [
        ALWAYS,
        None,
        None,
        ALWAYS,
    ]


def test_a_rate_does_not_pay_for_what_is_kept_anyhow() -> None:
    """Neither behind another policy, nor inside an `and` whose other half says no."""
    rate = Rate(1)
    assert judge([Error(), rate], FAILED, 0).policy == "error"
    assert judge([And(rate, Error())], FINE, 0).policy is None
    assert judge([Error(), rate], FINE, 0).policy == "rate 1 traces/s"
    assert judge([Error(), rate], FINE, 0).policy is None


def test_a_flood_uses_up_its_own_share_only() -> None:
    """A hundred slow traces a second, and a few errors among them, in a rate for ten spans."""
    slow = trace(start_unix_nano=0, end_unix_nano=5 * SECOND)
    shares = Shares(10, [(Error(), 0.5), (Latency(1), 0.3), (ALL, 0.2)])
    kept: Counter[str] = Counter()
    for number in range(6000):
        spans = FAILED if number % 50 == 0 else slow
        if shares.threshold(spans, number / 100) is not None:
            kept["error" if spans is FAILED else "slow"] += 1
    assert kept["error"] == 120
    assert 180 <= kept["slow"] <= 184
    assert str(shares) == "10 spans/s: error 50%, latency 1 s 30%, all 20%"


def test_a_policy_that_fails_keeps_the_trace(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be judged goes on, and the log says why."""

    def broken(spans: Sequence[Span]) -> bool:
        raise RuntimeError("as told")

    assert judge([When("mine", broken)], FINE, 0) == Decision("mine", ALWAYS)
    assert "as told" in caplog.text
    assert repr(When("mine", broken)) == "<When [mine]>"


def test_totals_can_be_estimated_from_what_is_kept() -> None:
    """Thousands of traces through certain, random and rate policies; each kind within 5 %."""
    rng = random.Random(11)
    policies = [
        Error(),
        Rate(20),
        And(Latency(1), Probability(0.5)),
        Probability(0.1, "baseline"),
    ]
    were: Counter[str] = Counter()
    estimated: Counter[str] = Counter()
    for number in range(60_000):
        kind = rng.choices(["error", "slow", "fine"], [2, 18, 80])[0]
        spans = trace(
            rng.getrandbits(56),
            status_code=StatusCode.ERROR if kind == "error" else StatusCode.UNSET,
            end_unix_nano=2 * SECOND if kind == "slow" else 0,
        )
        were[kind] += 1
        decision = judge(policies, spans, number / 500)
        if decision.kept:
            estimated[kind] += NEVER / (NEVER - decision.threshold)  # type: ignore[assignment]
    assert estimated["error"] == were["error"]
    for kind in ("slow", "fine"):
        assert estimated[kind] == pytest.approx(were[kind], rel=0.05)
