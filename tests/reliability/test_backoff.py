"""Waits follow the formulas, stay in their bounds, and spread evenly."""

from __future__ import annotations

import random
from itertools import islice, pairwise
from statistics import mean, pstdev
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.reliability.backoff import Backoff, Jitter

JITTERS: tuple[Jitter, ...] = get_args(Jitter)
BOUNDS = {"none": (1.0, 1.0), "full": (0.0, 1.0), "equal": (0.5, 1.0), "around": (0.8, 1.2)}

backoffs = st.builds(
    lambda base, factor, more, jitter: Backoff(base, factor, base + more, jitter),
    st.floats(1e-3, 1e3),
    st.floats(1, 10),
    st.floats(0, 1e4),
    st.sampled_from(JITTERS),
)


@given(backoffs, st.integers(0, 5000), st.floats(0, 1))
def test_a_wait_lies_in_the_bounds_of_its_jitter(
    backoff: Backoff, attempt: int, chance: float
) -> None:
    """Whatever chance says; an attempt number of thousands overflows nothing."""
    low, high = BOUNDS[backoff.jitter]
    longest = backoff.longest(attempt)
    assert backoff.base <= longest <= backoff.cap
    wait = backoff.wait(attempt, lambda: chance)
    assert wait == pytest.approx(longest * (low + (high - low) * chance))


@given(backoffs)
def test_waits_grow_by_the_factor_until_the_cap(backoff: Backoff) -> None:
    """Before they are spread; from then on they stay."""
    waits = [backoff.longest(attempt) for attempt in range(30)]
    for before, after in pairwise(waits):
        assert after == pytest.approx(min(before * backoff.factor, backoff.cap))


@given(backoffs, st.integers(0, 50), st.floats(0, 600), st.integers())
def test_nobody_is_earlier_than_the_peer_asked(
    backoff: Backoff, attempt: int, asked: float, seed: int
) -> None:
    """`Retry-After` is the least, and the own wait comes on top."""
    own = backoff.wait(attempt, random.Random(seed).random)
    wait = backoff.wait(attempt, random.Random(seed).random, retry_after=asked)
    assert wait >= asked
    assert wait == pytest.approx(asked + own)


@pytest.mark.parametrize("jitter", JITTERS)
def test_waits_are_spread_evenly(jitter: Jitter) -> None:
    """Mean and deviation are those of a uniform distribution between the bounds."""
    backoff = Backoff(base=10.0, cap=10.0, jitter=jitter)
    chance = random.Random(7)
    waits = [backoff.wait(0, chance.random) for _ in range(20_000)]
    low, high = (10 * bound for bound in BOUNDS[jitter])
    assert mean(waits) == pytest.approx((low + high) / 2, rel=0.02)
    assert pstdev(waits) == pytest.approx((high - low) / 12**0.5, rel=0.02)


def test_the_iterator_yields_what_the_function_returns() -> None:
    """The same source of chance, the same waits; it never ends."""
    backoff = Backoff(base=0.5, factor=1.5, cap=5.0, jitter="equal")
    by_number = random.Random(3)
    wanted = [backoff.wait(attempt, by_number.random) for attempt in range(50)]
    assert list(islice(backoff.waits(random.Random(3).random), 50)) == wanted


def test_the_collectors_waits_come_out() -> None:
    """5 s, half as much again each time, 30 s at most: https://pkg.go.dev/go.opentelemetry.io/collector/config/configretry"""
    backoff = Backoff(base=5.0, factor=1.5, cap=30.0, jitter="none")
    assert list(islice(backoff.waits(), 6)) == [5.0, 7.5, 11.25, 16.875, 25.3125, 30.0]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"base": 0.0}, "base must be more than 0 seconds"),
        ({"base": float("nan")}, "base must be more than 0 seconds"),
        ({"factor": 0.5}, "factor must be at least 1"),
        ({"base": 5.0, "cap": 1.0}, "cap must be at least the base"),
        ({"cap": float("inf")}, "cap must be at least the base"),
        ({"jitter": "half"}, "jitter must be one of none, full, equal, around"),
    ],
)
def test_what_is_no_wait_is_refused(settings: dict[str, object], problem: str) -> None:
    """The message names the rule."""
    with pytest.raises(ValueError, match=problem):
        Backoff(**settings)  # type: ignore[arg-type]
