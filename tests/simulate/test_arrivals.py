"""Arrivals come when they should, as often as they should, in order."""

from __future__ import annotations

from itertools import pairwise
from statistics import mean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.simulate.arrivals import bursts, merged, poisson, steady, trace


@given(st.floats(0.1, 500), st.floats(0, 20), st.floats(0, 100))
def test_a_steady_stream_keeps_its_rate(rate: float, seconds: float, start: float) -> None:
    """So many as rate times seconds, all at one distance."""
    times = steady(rate, seconds, start=start)
    assert len(times) == round(rate * seconds)
    assert all(
        after - before == pytest.approx(1 / rate, rel=1e-6) for before, after in pairwise(times)
    )
    assert not times or times[0] == start


def test_a_poisson_stream_has_the_moments_of_one() -> None:
    """The gaps' mean and deviation are both 1/rate; counts of a second vary as much as their mean."""
    times = poisson(50, 1000, seed=4)
    gaps = [after - before for before, after in pairwise(times)]
    assert mean(gaps) == pytest.approx(1 / 50, rel=0.02)
    assert pstdev(gaps) == pytest.approx(1 / 50, rel=0.02)
    counts = [0] * 1000
    for at in times:
        counts[int(at)] += 1
    assert pstdev(counts) ** 2 == pytest.approx(mean(counts), rel=0.1)


def test_the_seed_decides() -> None:
    """The same seed, the same times; another, others."""
    assert poisson(10, 10, seed=1) == poisson(10, 10, seed=1)
    assert poisson(10, 10, seed=1) != poisson(10, 10, seed=2)


def test_bursts_come_whole_or_spread() -> None:
    """Every so many seconds, the first at the start, none after the end."""
    assert bursts(3, every=2.0, seconds=5.0) == [0.0] * 3 + [2.0] * 3 + [4.0] * 3
    assert bursts(2, every=2.0, seconds=2.0, within=2.0, start=1.0) == [1.0, 2.0]


@given(st.lists(st.floats(0, 1e6), max_size=30), st.lists(st.floats(0, 1e6), max_size=30))
def test_what_is_merged_is_all_there_in_order(one: list[float], other: list[float]) -> None:
    """As sorting both together would have it; a trace begins at 0."""
    assert merged(sorted(one), sorted(other)) == sorted(one + other)
    written = trace(one)
    assert written == sorted(at - min(one) for at in one)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: steady(0, 1),
        lambda: poisson(-1, 1),
        lambda: bursts(2, every=0, seconds=1),
        lambda: bursts(2, every=1.0, seconds=2.0, within=1.5),
        lambda: trace([0.0, float("inf")]),
    ],
)
def test_what_is_no_stream_is_refused(wrong) -> None:  # type: ignore[no-untyped-def]
    """A rate of nothing, a burst that runs into the next, a time that never comes."""
    with pytest.raises(ValueError, match=r"must be|over before"):
        wrong()
