"""The buffer's decisions, without a thread or a clock."""

from __future__ import annotations

import copy
import random
from collections import Counter
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from otlp_kit.processors.buffer import TRANSITIONS, BatchBuffer, WhenFull

CAPACITY, BATCH, DELAY = 7, 3, 10.0
LIMITS = ((CAPACITY, BATCH, DELAY), (3, 3, 4.0), (7, 1, 10.0), (2, 2, 1.0), (20, 9, 25.0))
"""Capacity, batch size and delay; a buffer begins with the first."""


class BufferMachine(RuleBasedStateMachine):
    """Drives a buffer at random and holds it against a plain list and the table of transitions."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.buffer: BatchBuffer[int] = BatchBuffer(
            capacity=CAPACITY, batch_size=BATCH, delay=DELAY
        )
        self.capacity, self.batch = CAPACITY, BATCH
        self.waiting: list[int] = []
        self.number = 0

    def moves(self, before: str, event: str) -> None:
        """The step from `before` to now is in the table."""
        assert (before, event, self.buffer.state(self.now)) in TRANSITIONS

    @rule()
    def offer(self) -> None:
        before, closed = self.buffer.state(self.now), self.buffer.closed
        taken = self.buffer.offer(self.number) > 0
        assert taken == (not closed and len(self.waiting) < self.capacity)
        if not taken:
            assert self.buffer.state(self.now) == before
            return
        self.waiting.append(self.number)
        self.number += 1
        fills = before == "filling" and len(self.waiting) == self.batch
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
        assert len(batch) <= self.batch
        if before in ("filling", "closed"):
            assert batch == []
            return
        assert batch
        more = self.buffer.state(self.now) in ("ready", "draining")
        self.moves(before, "take leaves more to go" if more else "take")
        self.buffer.restart(self.now)

    @rule(limits=st.sampled_from(LIMITS))
    def adjust(self, limits: tuple[int, int, float]) -> None:
        before = self.buffer.state(self.now)
        self.capacity, self.batch, delay = limits
        self.buffer.adjust(capacity=self.capacity, batch_size=self.batch, delay=delay)
        if (after := self.buffer.state(self.now)) != before:
            self.moves(before, "adjust lets go" if after == "ready" else "adjust holds back")
        if not self.waiting:
            assert self.buffer.take(self.now) == []  # as a driver does, which it wakes

    @rule(limits=st.sampled_from([(CAPACITY, CAPACITY + 1, 1.0), (9, 0, 1.0), (9, 9, 0.0)]))
    def adjust_wrongly(self, limits: tuple[int, int, float]) -> None:
        before = vars(self.buffer).copy()
        capacity, batch_size, delay = limits
        with pytest.raises(ValueError, match="must be"):
            self.buffer.adjust(capacity=capacity, batch_size=batch_size, delay=delay)
        assert vars(self.buffer) == before

    @rule()
    def close(self) -> None:
        before = self.buffer.state(self.now)
        self.buffer.close()
        if before not in ("draining", "closed"):
            self.moves(before, "close" if self.waiting else "close while empty")

    @invariant()
    def nothing_is_lost(self) -> None:
        assert list(self.buffer.queue) == self.waiting


TestBuffer = BufferMachine.TestCase
TestBuffer.settings = settings(max_examples=200, stateful_step_count=40)


def steps(buffer: BatchBuffer[int]) -> list[tuple[str, str, str]]:
    """Every transition that a buffer can make, found by trying all events in all states."""
    found, seen, todo = [], set(), [(buffer, 0.0)]
    while todo:
        buffer, now = todo.pop()
        limits = (buffer.capacity, buffer._batch_size, buffer._delay)
        waited = min(now - buffer._began_at, 2 * DELAY)  # longer than any delay makes no difference
        key = (*limits, len(buffer), buffer._owed, buffer.closed, waited)
        if key in seen:
            continue
        seen.add(key)
        before, length = buffer.state(now), len(buffer)
        for event in ("offer", "the delay passes", "flush", "take", "adjust", "close"):
            if not length and event in ("the delay passes", "flush"):
                continue  # nothing waits: nothing changes
            after, later = copy.deepcopy(buffer), now
            if event == "offer" and after.offer(1):
                fills = len(after) == after._batch_size and before == "filling"
                event = "offer fills a batch" if fills else "offer"
            elif event == "the delay passes" and length:
                later += after._delay
            elif event == "flush":
                after.flush()
            elif event == "take" and after.take(now):
                after.restart(now)  # as a driver does after an export
                more = after.state(now) in ("ready", "draining")
                event = "take leaves more to go" if more else "take"
            elif event == "adjust":
                capacity, batch_size, delay = (5, 2, DELAY) if limits[1] == 3 else (3, 3, 2 * DELAY)
                after.adjust(capacity=capacity, batch_size=batch_size, delay=delay)
                event = "adjust lets go" if after.state(now) == "ready" else "adjust holds back"
                if after.state(now) == before:
                    event = "adjust"
                if not length:
                    after.take(now)  # as a driver does, which it wakes
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


@pytest.mark.parametrize(
    ("when_full", "given_up", "left"),
    [
        ("drop_newest", ["c"], ["a", "b"]),
        ("block", ["c"], ["a", "b"]),
        ("drop_oldest", ["a"], ["b", "c"]),
    ],
)
def test_who_gives_way_when_there_is_no_room(
    when_full: WhenFull, given_up: list[str], left: list[str]
) -> None:
    """The policy decides; the order of the others stays."""
    buffer: BatchBuffer[str] = BatchBuffer(capacity=2, batch_size=2, delay=1, when_full=when_full)
    assert buffer.offer("a")
    assert buffer.offer("b")
    assert not buffer.offer("c")
    assert buffer.overflow("c") == given_up
    assert buffer.take(0.0) == left


@pytest.mark.parametrize("when_full", get_args(WhenFull))
def test_where_there_is_room_nobody_gives_way(when_full: WhenFull) -> None:
    """A driver may have emptied the queue since the offer was refused."""
    buffer: BatchBuffer[str] = BatchBuffer(capacity=2, batch_size=2, delay=1, when_full=when_full)
    assert buffer.overflow("a") == []
    assert buffer.clear() == ["a"]
    assert len(buffer) == 0


def test_a_sample_is_fair() -> None:
    """Of a hundred records for ten places each stays as often as any other, within five sigma."""
    chance = random.Random(1).random
    stayed = Counter[int]()
    for _ in range(2000):
        buffer: BatchBuffer[int] = BatchBuffer(
            capacity=10, batch_size=10, delay=1, when_full="sample", chance=chance
        )
        for number in range(100):
            if not buffer.offer(number):
                assert len(buffer.overflow(number)) == 1
        stayed.update(buffer.take(0.0))
    assert sum(stayed.values()) == 20_000
    assert all(133 < stayed[number] < 267 for number in range(100))


@given(
    when_full=st.sampled_from(get_args(WhenFull)),
    steps=st.lists(st.sampled_from(["emit", "take", "flush"]), max_size=60),
)
def test_what_departs_is_what_was_queued(when_full: WhenFull, steps: list[str]) -> None:
    """A driver tells by `departed` when all that it found has left: it counts every way out."""
    buffer: BatchBuffer[int] = BatchBuffer(capacity=3, batch_size=2, delay=1, when_full=when_full)
    emitted = given_up = taken = 0
    for step in steps:
        if step == "emit":
            emitted += 1
            given_up += 0 if buffer.offer(emitted) else len(buffer.overflow(emitted))
        elif step == "take":
            taken += len(buffer.take(0.0))
        else:
            buffer.flush()
        assert emitted == taken + given_up + len(buffer)
        gone_from_head = given_up if when_full == "drop_oldest" else 0
        assert buffer.departed == taken + gone_from_head


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
