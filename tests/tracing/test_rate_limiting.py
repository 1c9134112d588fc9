"""A rate is kept, in any stretch of time and by any number of threads."""

from __future__ import annotations

import math
import threading
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.tracing.decisions import DROP, Sampling
from otlp_kit.tracing.rate_limiting import RateLimiting, TokenBucket
from tests.tracing.parents import Parent, decide


@given(
    st.floats(0.1, 50),
    st.lists(st.one_of(st.just(0.0), st.floats(0, 3), st.floats(-1, 0)), max_size=60),
)
def test_a_bucket_never_gives_more_than_its_rate(rate: float, steps: list[float]) -> None:
    """In any stretch of time: what was saved and what came; a clock that goes back adds nothing."""
    times = list(accumulate(steps, initial=0.0))
    bucket = TokenBucket(rate, times[0])
    taken = [(at, latest) for at, latest in zip(times, accumulate(times, max), strict=True)
             if bucket.take(at)]  # fmt: skip
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            elapsed = taken[last][1] - taken[first][1]
            assert last - first + 1 <= max(1, rate) + rate * elapsed + 1e-6


def test_a_rate_keeps_that_many_a_second() -> None:
    """At ten times the load, over ten seconds; a burst after a quiet time is one second's worth."""
    clock = FakeClock()
    sampler = RateLimiting(5, clock.monotonic)
    kept = 0
    for _ in range(500):
        kept += decide(sampler).sampled
        clock.advance(1 / 50)
    assert kept == pytest.approx(5 * 10 + 5, abs=1)
    clock.advance(3600)
    assert sum(decide(sampler).sampled for _ in range(100)) == 5


def test_threads_share_one_rate() -> None:
    """No token is given out twice."""
    sampler = RateLimiting(100, lambda: 0.0)
    kept: list[bool] = []

    def ask() -> None:
        kept.extend(decide(sampler).sampled for _ in range(500))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(kept), len(kept)) == (100, 2000)


def test_a_rate_erases_the_threshold_of_the_parent() -> None:
    """What it keeps has no known probability, so no count may be derived from it."""
    sampler = RateLimiting(1, lambda: 0.0)
    parent = Parent(trace_state="ot=th:c;rv:6e6d1a75832a2f,congo=1")
    kept, dropped = decide(sampler, parent=parent), decide(sampler, parent=parent)
    assert kept == Sampling(True, True, None, "ot=rv:6e6d1a75832a2f,congo=1")
    assert dropped == Sampling(False, False, None, "ot=rv:6e6d1a75832a2f,congo=1")
    assert decide(sampler, parent=Parent(trace_state="congo=1")) is DROP


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    """And the message says what to use instead."""
    with pytest.raises(ValueError, match="use AlwaysOff"):
        RateLimiting(rate)
