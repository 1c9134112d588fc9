"""The buffer's decisions, without a thread or a clock."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from otlp_kit.processors.buffer import TRANSITIONS, BatchBuffer

CAPACITY, BATCH, DELAY = 7, 3, 10.0


class BufferMachine(RuleBasedStateMachine):
    """Drives a buffer at random and holds it against a plain list and the table of transitions."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.buffer: BatchBuffer[int] = BatchBuffer(
            capacity=CAPACITY, batch_size=BATCH, delay=DELAY
        )
        self.waiting: list[int] = []
        self.number = 0

    def moves(self, before: str, event: str) -> None:
        """The step from `before` to now is in the table."""
        assert (before, event, self.buffer.state(self.now)) in TRANSITIONS

    @rule()
    def offer(self) -> None:
        before, closed = self.buffer.state(self.now), self.buffer.closed
        taken = self.buffer.offer(self.number)
        assert taken == (not closed and len(self.waiting) < CAPACITY)
        if not taken:
            assert self.buffer.state(self.now) == before
            return
        self.waiting.append(self.number)
        self.number += 1
        fills = before == "filling" and len(self.waiting) == BATCH
        self.moves(before, "offer fills a batch" if fills else "offer")

    @rule(seconds=st.sampled_from([1.0, 4.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        if not self.waiting:
            self.now += seconds
            assert self.buffer.take(self.now) == []
            assert self.buffer.closed or self.buffer.next_due(self.now) > 0
            return
        before = self.buffer.state(self.now)
        due = self.buffer.next_due(self.now)
        self.now += seconds
        if before == "filling" and due <= seconds:
            self.moves(before, "the delay passes")
        else:
            assert self.buffer.state(self.now) == before

    @rule()
    def flush(self) -> None:
        before = self.buffer.state(self.now)
        self.buffer.flush()
        if before == "filling" and self.waiting:
            self.moves(before, "flush")
        else:
            assert self.buffer.state(self.now) == before

    @rule()
    def take(self) -> None:
        before = self.buffer.state(self.now)
        batch = self.buffer.take(self.now)
        expected, self.waiting = self.waiting[: len(batch)], self.waiting[len(batch) :]
        assert batch == expected
        assert len(batch) <= BATCH
        if before in ("filling", "closed"):
            assert batch == []
            return
        assert batch
        more = self.buffer.state(self.now) in ("ready", "draining")
        self.moves(before, "take leaves more to go" if more else "take")
        self.buffer.restart(self.now)

    @rule()
    def close(self) -> None:
        before = self.buffer.state(self.now)
        self.buffer.close()
        if before not in ("draining", "closed"):
            self.moves(before, "close" if self.waiting else "close while empty")

    @invariant()
    def nothing_is_lost(self) -> None:
        assert len(self.buffer) == len(self.waiting)


TestBuffer = BufferMachine.TestCase
TestBuffer.settings = settings(max_examples=200, stateful_step_count=40)


def steps(buffer: BatchBuffer[int]) -> list[tuple[str, str, str]]:
    """Every transition that a buffer can make, found by trying all events in all states."""
    found, seen, todo = [], set(), [(buffer, 0.0)]
    while todo:
        buffer, now = todo.pop()
        key = (len(buffer), buffer._owed, buffer.closed, buffer.next_due(now))
        if key in seen:
            continue
        seen.add(key)
        before, length = buffer.state(now), len(buffer)
        for event in ("offer", "the delay passes", "flush", "take", "close"):
            if not length and event in ("the delay passes", "flush"):
                continue  # nothing waits: nothing changes
            after, later = copy.deepcopy(buffer), now
            if event == "offer" and after.offer(1):
                event = (
                    "offer fills a batch" if len(after) == 2 and before == "filling" else "offer"
                )
            elif event == "the delay passes" and length:
                later += DELAY
            elif event == "flush":
                after.flush()
            elif event == "take" and after.take(now):
                after.restart(now)  # as a driver does after an export
                more = after.state(now) in ("ready", "draining")
                event = "take leaves more to go" if more else "take"
            elif event == "close" and not after.closed:
                after.close()
                event = "close" if length else "close while empty"
            todo.append((after, later))
            if (before, event) in {row[:2] for row in TRANSITIONS} or after.state(later) != before:
                found.append((before, event, after.state(later)))
    return found


def test_the_table_is_exactly_what_can_happen() -> None:
    """All states of a small buffer, all events: no row is missing, and none is made up."""
    small: BatchBuffer[int] = BatchBuffer(capacity=5, batch_size=2, delay=DELAY)
    assert set(steps(small)) == set(TRANSITIONS)


@given(st.integers(1, 50), st.integers(1, 10))
def test_a_closed_buffer_lets_everything_go_in_order(count: int, batch_size: int) -> None:
    """After close, `take` empties the queue in full batches and a rest."""
    buffer: BatchBuffer[int] = BatchBuffer(capacity=50, batch_size=batch_size, delay=1)
    for number in range(count):
        buffer.offer(number)
    buffer.close()
    batches = []
    while batch := buffer.take(0.0):
        batches.append(batch)
    assert [number for batch in batches for number in batch] == list(range(count))
    assert all(len(batch) == batch_size for batch in batches[:-1])


def test_displacing_gives_the_oldest_away() -> None:
    """A full queue keeps what is new, for those who want it so."""
    buffer: BatchBuffer[str] = BatchBuffer(capacity=2, batch_size=2, delay=1)
    assert buffer.offer("a")
    assert buffer.offer("b")
    assert not buffer.offer("c")
    assert buffer.displace("c") == ["a"]
    assert buffer.take(0.0) == ["b", "c"]


def test_where_there_is_room_nobody_gives_way() -> None:
    """A driver may have emptied the queue since the offer was refused."""
    buffer: BatchBuffer[str] = BatchBuffer(capacity=2, batch_size=2, delay=1)
    assert buffer.displace("a") == []
    assert buffer.clear() == ["a"]
    assert len(buffer) == 0


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"capacity": 10, "batch_size": 0, "delay": 1}, "batch size must be at least 1, not 0"),
        (
            {"capacity": 10, "batch_size": 11, "delay": 1},
            "queue size must be at least the batch size, not 10 < 11",
        ),
        ({"capacity": 10, "batch_size": 5, "delay": 0}, "delay must be more than 0 seconds, not 0"),
        ({"capacity": 10, "batch_size": 5, "delay": float("nan")}, "delay must be more than 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    settings: dict[str, float], rule: str
) -> None:
    """The error names the rule that is broken."""
    with pytest.raises(ValueError, match=rule):
        BatchBuffer(**settings)  # type: ignore[arg-type]
