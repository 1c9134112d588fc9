"""Each wrong pair is refused for what it does, and the formula is that of the simulation."""

from __future__ import annotations

from typing import Any

import pytest

from otlp_kit.lab.exercises_transport import EACH, RATE, ROUND_TRIP, bound, most
from otlp_kit.simulate import Program, Server, simulate, steady


@pytest.mark.parametrize(("in_flight", "batch_size"), [(3, 512), (3, 400), (4, 400)])
def test_pairs_that_carry_the_rate_pass(in_flight: int, batch_size: int) -> None:
    """There is more than one right answer."""
    assert bound(in_flight=in_flight, batch_size=batch_size).passed


@pytest.mark.parametrize(
    ("in_flight", "batch_size", "difference"),
    [
        (1, 512, "one batch each round trip"),
        (1, 1500, "it would be enough if spans encoded themselves"),
        (2, 512, "it would be enough if spans encoded themselves"),
        (2, 256, "9,289 spans a second leave."),
        (5, 300, "the peer gets 67 requests a second"),
        (1, 1900, "1,900 spans are on their way at once"),
        (2, 900, "1,800 spans are on their way at once"),
        (6, 400, "2,400 spans are on their way at once"),
        (12, 150, "of 12 requests, 4 wait for a connection"),
        (0, 512, "in_flight is 0"),
        (3, 512.0, "batch_size is 512.0"),
        (True, 512, "in_flight is True"),
    ],
)
def test_each_wrong_pair_has_its_own_reason(
    in_flight: Any, batch_size: Any, difference: str
) -> None:
    """And a hint."""
    verdict = bound(in_flight=in_flight, batch_size=batch_size)
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint


@pytest.mark.parametrize(("in_flight", "batch_size"), [(1, 512), (2, 512), (3, 512), (4, 400)])
def test_the_formula_is_what_the_simulation_carries(in_flight: int, batch_size: int) -> None:
    """With more coming than can leave, what leaves is the bound."""
    report = simulate(
        Program(
            steady(2 * RATE, 5),
            capacity=1_000_000,
            batch_size=batch_size,
            delay=0.01,
            in_flight=in_flight,
        ),
        server=Server(round_trip=ROUND_TRIP, per_item=EACH),
    )
    assert 2 * RATE * 5 / report.seconds == pytest.approx(
        min(most(in_flight, batch_size, ROUND_TRIP), 2 * RATE), rel=0.02
    )
