"""Virtual time goes forward, event by event, in an order that anybody can tell beforehand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.simulate.events import ARRIVE, WORK, Timeline

plans = st.lists(st.tuples(st.floats(0, 100), st.sampled_from((WORK, ARRIVE))), max_size=40)


@given(plans)
def test_events_happen_by_time_then_rank_then_appointment(plan: list[tuple[float, int]]) -> None:
    """Which is what sorting says, since sorting is stable; and `now` is the event's time."""
    timeline = Timeline()
    happened: list[tuple[float, int, int]] = []
    for number, (at, rank) in enumerate(plan):
        timeline.at(at, lambda n=number, r=rank: happened.append((timeline.now, r, n)), rank)  # type: ignore[misc]
    timeline.run()
    assert happened == sorted((at, rank, number) for number, (at, rank) in enumerate(plan))


@given(plans, st.floats(0, 100))
def test_a_run_that_is_cut_in_two_is_the_same_run(
    plan: list[tuple[float, int]], until: float
) -> None:
    """What is appointed for later stays so; the clock stops where it was told to."""
    timeline = Timeline()
    happened: list[float] = []
    for at, rank in plan:
        timeline.at(at, lambda: happened.append(timeline.now), rank)
    timeline.run(until)
    assert timeline.now == until
    assert happened == sorted(at for at, _ in plan if at <= until)
    timeline.run()
    assert happened == sorted(at for at, _ in plan)


def test_an_event_may_appoint_others() -> None:
    """For the same instant too; for the past means now."""
    timeline = Timeline()
    heard: list[tuple[str, float]] = []

    def ring() -> None:
        timeline.after(0.0, lambda: heard.append(("now", timeline.now)))
        timeline.at(1.0, lambda: heard.append(("past", timeline.now)))
        timeline.after(3.0, lambda: heard.append(("later", timeline.now)))

    timeline.at(2.0, ring)
    timeline.run()
    assert heard == [("now", 2.0), ("past", 2.0), ("later", 5.0)]


def test_what_is_cancelled_takes_no_time() -> None:
    """The clock does not go on to a time at which nothing happens."""
    timeline = Timeline()
    timeline.at(9.0, lambda: None).cancel()
    timeline.run()
    assert timeline.now == 0.0
