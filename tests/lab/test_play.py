"""A buffer played on virtual time does what a stepwise clock, the real processor and Little say."""

from __future__ import annotations

import queue
import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.lab.play import Played, play
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.buffer import BatchBuffer, WhenFull
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.wire import Accepted

POLICIES: tuple[WhenFull, ...] = ("drop_newest", "drop_oldest", "sample")
arrivals = st.lists(st.integers(0, 60), max_size=40).map(sorted)


def buffer(when_full: WhenFull = "drop_newest", size: int = 3, delay: int = 5) -> BatchBuffer[int]:
    return BatchBuffer(
        capacity=7,
        batch_size=size,
        delay=float(delay),
        when_full=when_full,
        chance=random.Random(1).random,
    )


def ticked(
    queued: BatchBuffer[int], came: Sequence[int], each: int
) -> tuple[list[tuple[int, list[int]]], list[int]]:
    """The same, one whole second after the other: (when, which records), and what gave way."""
    exports: list[tuple[int, list[int]]] = []
    lost: list[int] = []
    record = now = free_at = 0
    while record < len(came) or queued:
        looks = True
        while looks:  # the worker, as often as it is free in this second, then the next record
            looks = False
            if now >= free_at and (batch := queued.take(float(now))):
                exports.append((now, batch))
                free_at = now + each
                queued.restart(float(free_at))
                looks = True
            elif record < len(came) and came[record] == now:
                if not queued.offer(record):
                    lost += queued.overflow(record)
                record += 1
                looks = True
        now += 1
    return exports, lost


@given(arrivals, st.sampled_from(POLICIES), st.integers(1, 7), st.integers(1, 9), st.integers(0, 9))
def test_a_clock_that_goes_second_by_second_sees_the_same(
    came: list[int], when_full: WhenFull, size: int, delay: int, each: int
) -> None:
    """Jumping from event to event skips nothing, whatever the settings."""
    run = play(buffer(when_full, size, delay), map(float, came), lambda count, at: float(each))
    exports, lost = ticked(buffer(when_full, size, delay), came, each)
    assert [(export.at, export.records) for export in run.exports] == exports
    assert run.lost == lost


@given(arrivals, st.sampled_from((*POLICIES, "block")), st.floats(0, 9), st.floats(0, 20))
def test_every_record_has_one_fate(
    came: list[int], when_full: WhenFull, each: float, patience: float
) -> None:
    """Delivered or lost, each once; no batch begins before the last one is done."""
    run = play(buffer(when_full), map(float, came), lambda count, at: each, block_timeout=patience)
    assert sorted(run.delivered + run.lost) == list(range(len(came)))
    assert all(before.done <= after.at for before, after in pairwise(run.exports))
    assert len(run.lost_at) == len(run.lost)


@given(arrivals, st.floats(0, 9))
def test_littles_law_holds(came: list[int], each: float) -> None:
    """Length times time is the sum of all waits, when the queue begins and ends empty."""
    run = play(buffer(), map(float, came), lambda count, at: each)
    end = run.lengths[-1][0] if run.lengths else 0.0
    waits = run.mean_wait * len(run.delivered)
    assert run.mean_length * end == pytest.approx(waits)


def test_who_blocks_long_enough_loses_nothing() -> None:
    """The program waits for the worker, and is late with all that follows; or gives up in time."""

    def run(patience: float) -> Played:
        return play(buffer("block"), [0.0] * 30, lambda count, at: 2.0, block_timeout=patience)

    assert run(2.0).lost == []
    assert run(2.0).waited == run(2.0).came[-1] > 0
    assert run(0.5).lost
    assert run(0.5).waited < run(2.0).waited


def test_nothing_played_is_nothing() -> None:
    """No record: no length, no wait, no latest."""
    run = play(buffer(), [], lambda count, at: 1.0)
    assert (run.mean_length, run.mean_wait, run.latest, run.busy) == (0.0, 0.0, (0.0, 0), 0.0)


def test_the_real_processor_exports_the_same_batches() -> None:
    """`BatchProcessor`, its thread on a clock turned by hand, through timer and size."""
    clock = FakeClock()
    seen: queue.Queue[tuple[float, list[int]]] = queue.Queue()

    class Exporter:
        def export(self, batch: Sequence[int], deadline: float) -> Accepted:
            seen.put((clock.monotonic(), list(batch)))
            return Accepted()

        def shutdown(self) -> None:
            pass

    came = [0.0, 1.0, 6.0, 6.0, 6.0, 9.0, 30.0]
    run = play(buffer(), came, lambda count, at: 0.0)
    processor = BatchProcessor(
        Exporter(), max_queue_size=7, max_batch_size=3, delay=5.0, clock=clock
    )
    wanted = [(export.at, export.records) for export in run.exports]
    got: list[tuple[float, list[int]]] = []
    events = sorted({*came, *(at for at, _ in wanted)})
    for at in events:
        while clock.monotonic() < at:
            assert clock.await_sleepers(1)
            clock.advance(min(1.0, at - clock.monotonic()))
        for record, when in enumerate(came):
            if when == at:
                processor.emit(record)
        got += [seen.get(timeout=10) for due, _ in wanted if due == at]
    assert got == wanted
    assert seen.empty()
    processor.shutdown()
