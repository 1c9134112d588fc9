"""A client tries again as often, as late and as long as its rules say, and settles each batch once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.ledger import Ledger, Totals
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate.clients import NEVER, Client, Retry
from otlp_kit.simulate.events import Timeline
from otlp_kit.simulate.server import Answer, Answered

EVERY_SECOND = Backoff(base=1.0, factor=1.0, cap=1.0, jitter="none")
LATER, ASKS, FINE, BAD, SILENT = (
    Answer(503), Answer(429, retry_after=5.0), Answer(200), Answer(400), None,
)  # fmt: skip
answers = st.lists(st.sampled_from((LATER, ASKS, FINE, BAD, SILENT)), max_size=12)


class Script:
    """Answers as it is told, after 0.25 s; then 503 for ever."""

    def __init__(self, timeline: Timeline, script: Sequence[Answer | None]) -> None:
        self.timeline, self.script = timeline, list(script)
        self.sent: list[float] = []

    def send(self, batch: list[int], answered: Answered) -> None:
        self.sent.append(self.timeline.now)
        answer = self.script.pop(0) if self.script else LATER
        if answer:
            self.timeline.after(0.25, lambda: answered(answer))


def carried(
    retry: Retry, script: Sequence[Answer | None], batches: int = 1
) -> tuple[list[float], Totals, float]:
    """When each attempt was made, what became of the records, and when it was over.

    Batches of ten, each once the one before is settled.
    """
    timeline, ledger, ends = Timeline(), Ledger(), []
    peer = Script(timeline, script)
    client = Client(timeline, peer.send, retry, random.Random(1).random, ledger)

    def begin() -> None:
        if len(ends) < batches:
            ledger.created(10)
            client.export(list(range(10)), done)

    def done() -> None:
        ends.append(timeline.now)
        timeline.after(0.0, begin)

    begin()
    timeline.run()
    assert len(ends) == batches
    assert client.attempts == len(peer.sent)
    return peer.sent, ledger.totals(), ends[-1]


@given(answers, st.integers(1, 6), st.floats(0.1, 30), st.floats(0.1, 5), st.booleans())
def test_whatever_the_peer_does_each_record_is_settled_once(
    script: list[Answer | None], attempts: int, deadline: float, timeout: float, heed: bool
) -> None:
    """After at most so many attempts, each later than the last, and not after the deadline."""
    retry = Retry(Backoff(base=0.5, cap=4.0), attempts, timeout, deadline, heed=heed)
    sent, totals, end = carried(retry, script)
    assert totals.inside == 0
    assert 1 <= len(sent) <= attempts
    assert all(before <= after for before, after in pairwise(sent))
    assert end <= deadline + 1e-9
    if deadline >= 0.25 + end and timeout > 0.25:  # no answer was cut off
        assert (totals.unknown > 0) <= (None in script)


def test_waits_come_from_the_backoff() -> None:
    """0.25 s for each answer, then 1, 2, 4 and 4 s."""
    retry = Retry(Backoff(base=1.0, cap=4.0, jitter="none"), attempts=5)
    sent, totals, _ = carried(retry, [])
    assert sent == [0.0, 1.25, 3.5, 7.75, 12.0]
    assert dict(totals.dropped) == {"export_failed": 10}


def test_a_wait_that_ends_too_late_is_not_begun() -> None:
    """The batch is given up at once, not at its deadline."""
    sent, _, end = carried(Retry(EVERY_SECOND, deadline=3.0), [])
    assert sent == [0.0, 1.25, 2.5]
    assert end == 2.75


@pytest.mark.parametrize(
    ("script", "fates"),
    [
        ([FINE], {"delivered": 10}),
        ([Answer(200, rejected=3)], {"delivered": 7, "rejected": 3}),
        ([LATER, LATER, FINE], {"delivered": 10}),
        ([SILENT, FINE], {"delivered": 10}),
        ([SILENT, LATER, LATER], {"unknown": 10}),
    ],
)
def test_the_last_word_counts_and_silence_is_remembered(
    script: list[Answer | None], fates: dict[str, int]
) -> None:
    """What was sent and not answered may be there, whatever a later attempt is told."""
    _, totals, _ = carried(Retry(EVERY_SECOND, attempts=3, timeout=2.0), script)
    assert {
        name: count
        for name in ("delivered", "rejected", "unknown")
        if (count := getattr(totals, name))
    } == fates


def test_a_refusal_is_final() -> None:
    """400 is not tried again."""
    sent, totals, _ = carried(Retry(EVERY_SECOND), [BAD, FINE])
    assert sent == [0.0]
    assert dict(totals.dropped) == {"export_failed": 10}


def test_the_peers_wait_is_kept_if_it_is_heeded() -> None:
    """Five seconds on top of the own one."""
    assert carried(Retry(EVERY_SECOND), [ASKS, FINE])[0] == [0.0, 6.25]
    assert carried(Retry(EVERY_SECOND, heed=False), [ASKS, FINE])[0] == [0.0, 1.25]


def test_an_answer_that_comes_too_late_is_not_heard() -> None:
    """The attempt was given up after 0.1 s; its 200 after 0.25 s settles nothing."""
    sent, totals, _ = carried(Retry(EVERY_SECOND, attempts=2, timeout=0.1), [FINE, FINE])
    assert sent == [0.0, 1.1]
    assert totals.unknown == 10


def test_a_budget_bounds_the_retries_of_all_batches_together() -> None:
    """A tenth of the requests, and the ten that were saved: not four for each batch."""
    unbounded, _, _ = carried(Retry(EVERY_SECOND, attempts=5), [], batches=200)
    bounded, _, _ = carried(Retry(EVERY_SECOND, attempts=5, budget=0.1), [], batches=200)
    assert len(unbounded) == 200 * 5
    assert len(bounded) <= 200 + 10 + 20
    assert len(carried(Retry(EVERY_SECOND, attempts=5, budget=0.0, saved=0.0), [], 200)[0]) == 200


def test_never_is_one_attempt() -> None:
    """The default of a program."""
    assert carried(NEVER, [LATER, FINE])[0] == [0.0]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"attempts": 0}, "attempts must be at least 1"),
        ({"timeout": 0.0}, "timeout must be more than 0 seconds"),
        ({"deadline": float("inf")}, "deadline must be more than 0 seconds"),
        ({"budget": -1.0}, "a budget must be at least 0"),
    ],
)
def test_what_is_no_rule_is_refused(settings: dict[str, float], problem: str) -> None:
    """The message names the rule; a batch without a deadline would have no end."""
    with pytest.raises(ValueError, match=problem):
        Retry(**settings)  # type: ignore[arg-type]
