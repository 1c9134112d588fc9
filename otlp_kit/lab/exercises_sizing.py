"""The checker for the exercise on sizing: notebook 09.

    size_it(capacity=..., batch_size=..., cap=...)      does it survive, and with how little memory?

The answer is simulated (`otlp_kit.simulate`), through the same outage at twelve moments. As in
`exercises`, a checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

from otlp_kit.lab.exercises import Verdict
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate import Outage, Program, Report, Retry, Server, simulate, steady

RATE, SECONDS = 1000, 15
ROUND_TRIP, EACH = 0.1, 0.0001
OUTAGE, OUTAGE_AT, MOMENTS = 3.0, 5.0, 12
FIRST_WAIT = 0.1
IN_VAIN, RECOVERED, MEMORY = 10, 5.0, 3850


def size_it(*, capacity: int, batch_size: int, cap: float) -> Verdict:
    """Survive an outage of 3 s with the least memory.

    1,000 spans a second come evenly. A request takes 0.1 s and 0.0001 s for each span in it; one is
    on its way at a time. For 3 s nothing listens, and nobody knows beforehand when. An attempt that
    failed is repeated after 0.1 s, then after twice as long each time, up to `cap` seconds, give or
    take a fifth. Choose the queue's `capacity`, the `batch_size` and the `cap` so that

    - no span is lost;
    - at most 10 retries are needed;
    - 5 s after the peer is back, no more than one batch is queued;
    - memory is enough for 3,850 spans: the queue, and the batch on its way.
    """
    try:
        runs = [play(capacity, batch_size, cap, moment) for moment in range(MOMENTS)]
    except (TypeError, ValueError) as error:
        return _not_yet(f"nothing starts with that: {error}.", "The message names the rule.")
    return (
        _lost(runs, capacity, batch_size)
        or _in_vain(runs)
        or _recovered(runs, batch_size)
        or _memory(runs, capacity, batch_size)
        or Verdict(passed=True)
    )


def play(capacity: int, batch_size: int, cap: float, moment: int = 0) -> Report:
    """One of the twelve runs, number `moment` from 0: the outage begins a little later in each."""
    begins = _begins(moment)
    retry = Retry(Backoff(base=FIRST_WAIT, cap=cap, jitter="around"), deadline=60.0)
    return simulate(
        Program(
            steady(RATE, SECONDS), capacity=capacity, batch_size=batch_size, delay=1.0, retry=retry
        ),
        server=Server(
            round_trip=ROUND_TRIP, per_item=EACH, outages=(Outage(begins, begins + OUTAGE),)
        ),
        seed=moment,
    )


def _begins(moment: int) -> float:
    return OUTAGE_AT + 0.037 * moment


def _lost(runs: list[Report], capacity: int, batch_size: int) -> Verdict | None:
    lost = max(sum(run.lost.values()) for run in runs)
    if not lost:
        return None
    if batch_size / (ROUND_TRIP + EACH * batch_size) < RATE:
        return _not_yet(
            f"{lost:,} spans are lost, and would be without any outage.",
            "How many spans a second can leave, one batch at a time?",
        )
    if capacity + batch_size < RATE * OUTAGE:
        return _not_yet(
            f"{lost:,} spans are lost.",
            "While the peer is away nothing leaves. How many come?",
        )
    return _not_yet(
        f"{lost:,} spans are lost, though there is room for all that come during the outage.",
        "For the queue the outage ends with the first attempt that succeeds. When is that?",
    )


def _in_vain(runs: list[Report]) -> Verdict | None:
    retries = max(run.attempts - run.batches for run in runs)
    if retries <= IN_VAIN:
        return None
    return _not_yet(
        f"{retries} retries.", "Each lasts a round trip and a wait. Which waits fill the outage?"
    )


def _recovered(runs: list[Report], batch_size: int) -> Verdict | None:
    late = max(
        max((at for at, length in run.lengths if length > batch_size), default=0.0)
        - _begins(moment)
        - OUTAGE
        for moment, run in enumerate(runs)
    )
    if late <= RECOVERED:
        return None
    return _not_yet(
        f"more than one batch is queued for {late:.1f} s after the peer is back.",
        "The backlog shrinks by what leaves and does not come. What makes more leave?",
    )


def _memory(runs: list[Report], capacity: int, batch_size: int) -> Verdict | None:
    if capacity + batch_size <= MEMORY:
        return None
    peak = max(run.peak for run in runs)
    if peak <= MEMORY:
        return _not_yet(
            f"room for {capacity + batch_size:,}, of which {peak:,} are ever used.",
            "It survives with less of the same.",
        )
    return _not_yet(
        f"all of {peak:,} spans are in memory at once.",
        "A batch is memory too, and so is each second that a retry comes late.",
    )


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
