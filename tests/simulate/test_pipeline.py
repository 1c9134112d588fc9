"""Several batches on their way at once, a program that waits: as the real processor does it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.buffer import BatchBuffer, WhenFull
from otlp_kit.simulate.events import Timeline
from otlp_kit.simulate.pipeline import Pipeline
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.wire import Accepted


class Notes:
    """What a `Watch` is told."""

    def __init__(self) -> None:
        self.came_at: list[float] = []
        self.lost: list[int] = []
        self.entered: list[int] = []
        self.batches: list[tuple[float, float, list[int]]] = []
        self._taken: dict[int, float] = {}

    def came(self, record: int, at: float) -> None:
        self.came_at.append(at)

    def queued(self, record: int, at: float) -> None:
        self.entered.append(record)

    def gave_way(self, record: int, at: float) -> None:
        self.lost.append(record)

    def taken(self, batch: list[int], at: float) -> None:
        self._taken[batch[0]] = at

    def exported(self, batch: list[int], at: float) -> None:
        self.batches.append((self._taken.pop(batch[0]), at, batch))


def flow(
    came: Sequence[float],
    seconds: float,
    *,
    in_flight: int,
    when_full: WhenFull = "drop_newest",
    patience: float = 0.0,
) -> tuple[Notes, Pipeline]:
    """A queue for 7, batches of 3, a delay of 5 s, and exports that take `seconds`."""
    timeline, notes = Timeline(), Notes()

    def export(batch: list[int], done: Callable[[], None]) -> None:
        timeline.after(seconds, done)

    pipeline = Pipeline(
        timeline,
        BatchBuffer(capacity=7, batch_size=3, delay=5.0, when_full=when_full),
        export,
        notes,
        in_flight=in_flight,
        block_timeout=patience,
    )
    pipeline.feed(came)
    timeline.run()
    return notes, pipeline


arrivals = st.lists(st.integers(0, 60), max_size=60).map(lambda times: sorted(map(float, times)))


@given(arrivals, st.integers(1, 4), st.integers(0, 12))
def test_no_more_batches_are_on_their_way_than_allowed(
    came: list[float], in_flight: int, seconds: int
) -> None:
    """At any time; and none waits while a worker is free and three are queued."""
    notes, _ = flow(came, float(seconds), in_flight=in_flight)
    for begin, _, _ in notes.batches:
        under_way = [one for one in notes.batches if one[0] <= begin < one[1]]
        assert len(under_way) <= in_flight
    assert sorted(record for _, _, batch in notes.batches for record in batch) == notes.entered
    assert sorted(notes.entered + notes.lost) == list(range(len(came)))


@given(arrivals, st.integers(0, 12))
def test_a_worker_for_each_record_loses_none(came: list[float], seconds: int) -> None:
    """Not even in one instant: the third of a batch calls a worker before the fourth comes."""
    assert flow(came, float(seconds), in_flight=60)[0].lost == []


@given(arrivals, st.integers(1, 3), st.integers(1, 9), st.integers(1, 20))
def test_a_program_that_waits_is_late_and_in_order(
    came: list[float], in_flight: int, seconds: int, patience: int
) -> None:
    """It brings no record before its time, nor before the last one has its place or gave way."""
    notes, pipeline = flow(
        came, float(seconds), in_flight=in_flight, when_full="block", patience=float(patience)
    )
    late = [at - due for at, due in zip(notes.came_at, came, strict=True)]
    assert all(seconds >= 0 for seconds in late)
    assert notes.came_at == sorted(notes.came_at)
    assert max(late, default=0.0) <= pipeline.waited
    assert pipeline.waited <= patience * len(came)
    if patience >= seconds:  # within that time some worker is done and takes three
        assert notes.lost == []


def test_there_is_at_least_one_worker() -> None:
    """As for the real processor."""
    with pytest.raises(ValueError, match="in_flight must be at least 1"):
        flow([], 1.0, in_flight=0)


def test_the_real_processor_with_three_workers_exports_the_same_batches() -> None:
    """Its threads on a clock turned by hand; exports end by that clock too."""
    clock = FakeClock()
    began: queue.Queue[tuple[float, list[int]]] = queue.Queue()

    class Exporter:
        concurrent = True

        def export(self, batch: Sequence[int], deadline: float) -> Accepted:
            began.put((clock.monotonic(), list(batch)))
            return Accepted()

        def shutdown(self) -> None:
            pass

    came = [0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 20.0]
    notes, _ = flow(came, 0.0, in_flight=3)
    wanted = [(begin, batch) for begin, _, batch in notes.batches]
    processor = BatchProcessor(
        Exporter(), max_queue_size=7, max_batch_size=3, delay=5.0, in_flight=3, clock=clock
    )
    got: list[tuple[float, list[int]]] = []
    for at in sorted({*came, *(begin for begin, _ in wanted)}):
        while clock.monotonic() < at:
            assert clock.await_sleepers(3)
            clock.advance(min(1.0, at - clock.monotonic()))
        assert clock.await_sleepers(3)
        for record, when in enumerate(came):
            if when == at:
                processor.emit(record)
                due = [batch for begin, batch in wanted if begin == at and batch[-1] == record]
                got += [began.get(timeout=10) for _ in due]
        timed = [batch for begin, batch in wanted if begin == at and came[batch[-1]] < at]
        got += [began.get(timeout=10) for _ in timed]
    assert got == wanted
    processor.shutdown()
