"""Each wrong choice of a profile is refused for its own reason."""

from __future__ import annotations

from typing import Any

import pytest

from otlp_kit.lab.exercises_runtime import EACH, SERVICES, bound, profile
from otlp_kit.lab.play import play
from otlp_kit.processors.buffer import BatchBuffer
from otlp_kit.runtime.profiles import PRODUCTION

RIGHT = {"laptop": "development", "shop": "production", "gateway": "throughput", "in_flight": 5}


def test_the_right_choices_pass() -> None:
    """One profile for each service, and the least number that carries the rate."""
    assert profile(**RIGHT).passed  # type: ignore[arg-type]
    assert SERVICES.keys() | {"in_flight"} == RIGHT.keys()


@pytest.mark.parametrize(
    ("changed", "difference", "hint"),
    [
        ({"laptop": "production"}, "acknowledged up to 1.01 s after its end", "fill no batch"),
        ({"laptop": "throughput"}, "laptop: of ten traces, 9 are not even recorded", "settings"),
        ({"shop": "development"}, "shop: after 2.3 s without a collector the queue is", "divided"),
        ({"shop": "throughput"}, "shop: of ten traces, 9 are not even recorded", "settings"),
        ({"gateway": "development"}, "40,000 spans a second come, and at most 2,435", "fewer"),
        ({"gateway": "production"}, "40,000 spans a second come, and at most 4,871", "fewer"),
        ({"gateway": "fast"}, "gateway: there is no profile 'fast'", "development, production"),
        ({"in_flight": 1}, "7,565 spans a second more come than leave, and after 2 s", "encode"),
        ({"in_flight": 4}, "the queue hides it for a while: 259 spans a second more", "encode"),
        ({"in_flight": 8}, "8 are enough, but so are fewer", "a thread, a connection"),
        ({"in_flight": 0}, "in_flight is 0, not a number", ""),
        ({"in_flight": 4.1}, "in_flight is 4.1, not a number", ""),
        ({"in_flight": True}, "in_flight is True, not a number", ""),
    ],
)
def test_a_wrong_choice_is_refused_for_its_own_reason(
    changed: dict[str, Any], difference: str, hint: str
) -> None:
    """Too late, not recorded, lost in an outage, too slow for the rate, or wasteful."""
    verdict = profile(**(RIGHT | changed))
    assert not verdict.passed
    assert difference in verdict.difference
    assert hint in verdict.hint


def test_the_bound_is_what_a_played_buffer_carries() -> None:
    """With one in flight, twice as much as can leave comes, and time is a number."""
    size, round_trip = PRODUCTION.max_batch_size, 0.2
    limit = bound(1, size, round_trip)
    buffer: BatchBuffer[int] = BatchBuffer(capacity=4 * size, batch_size=size, delay=1.0)
    arrivals = [n / (2 * limit) for n in range(int(2 * limit * 20))]
    run = play(buffer, arrivals, lambda count, at: round_trip + EACH * count)
    assert len(run.delivered) / run.exports[-1].done == pytest.approx(limit, rel=0.02)


def test_no_number_in_flight_encodes_more_than_one_interpreter_can() -> None:
    """One thread at a time runs Python."""
    assert bound(100, 512, 0.2) == pytest.approx(1 / EACH)
