"""Other settings for a processor that runs: at once, together or not at all, and at no record's cost."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
from collections.abc import Iterator, Sequence

import pytest

from otlp_kit.ledger import ALREADY_SHUTDOWN, QUEUE_FULL
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.batch_async import AsyncBatchProcessor
from otlp_kit.processors.buffer import BatchBuffer, WhenFull
from otlp_kit.processors.outcome import Outcome
from otlp_kit.testing.check_processor import check_processor
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.testing.virtual_loop import run_virtual
from otlp_kit.wire import Accepted

PATIENCE = 30.0


class Exporter:
    """Keeps batches and deadlines; hangs while its gate is closed."""

    concurrent = True

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.deadlines: list[float] = []
        self.gate = threading.Event()
        self.gate.set()
        self.came = threading.Semaphore(0)

    def export(self, batch: Sequence[int], deadline: float) -> Accepted:
        self.deadlines.append(deadline)
        self.batches.append(list(batch))
        self.came.release()
        assert self.gate.wait(PATIENCE)
        return Accepted()

    def shutdown(self) -> None: ...


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    one = Exporter()
    yield one
    one.gate.set()


def processor_on(exporter: Exporter, clock: FakeClock, **settings: object) -> BatchProcessor[int]:
    given: dict[str, object] = {"max_queue_size": 20, "max_batch_size": 5, "delay": 10.0}
    return BatchProcessor(exporter, clock=clock, **{**given, **settings})  # type: ignore[arg-type]


def emit(processor: BatchProcessor[int], *numbers: int) -> None:
    for number in numbers:
        processor.emit(number)


@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_shorter_delay_counts_from_when_it_began(exporter: Exporter, in_flight: int) -> None:
    """A record has waited three seconds of ten. With five it has two left; with three, none."""
    clock = FakeClock()
    processor = processor_on(exporter, clock, in_flight=in_flight)
    processor.emit(1)
    assert clock.await_sleepers(in_flight)
    clock.advance(3)
    processor.adjust(delay=5)
    assert not exporter.came.acquire(timeout=0.02)
    processor.adjust(delay=3)
    assert exporter.came.acquire(timeout=PATIENCE)
    assert clock.monotonic() == 3
    assert processor.shutdown(5) is Outcome.FLUSHED


def test_a_longer_delay_holds_back_what_would_have_left(exporter: Exporter) -> None:
    """Ten seconds become twenty, before they are over."""
    clock = FakeClock()
    processor = processor_on(exporter, clock)
    processor.emit(1)
    processor.adjust(delay=20)
    assert clock.await_sleepers(1)
    clock.advance(15)
    assert exporter.batches == []
    clock.advance(5)
    assert exporter.came.acquire(timeout=PATIENCE)
    processor.shutdown(5)


def test_a_smaller_batch_leaves_as_soon_as_it_is_allowed(exporter: Exporter) -> None:
    """Four records fill no batch of five, but two of two; later ones are called for by `emit`."""
    clock = FakeClock()
    processor = processor_on(exporter, clock)
    emit(processor, 1, 2, 3, 4)
    processor.adjust(max_batch_size=2)
    for _ in range(2):
        assert exporter.came.acquire(timeout=PATIENCE)
    emit(processor, 5, 6)
    assert exporter.came.acquire(timeout=PATIENCE)
    assert exporter.batches == [[1, 2], [3, 4], [5, 6]]
    assert clock.monotonic() == 0
    processor.shutdown(5)


def test_the_next_export_has_the_new_timeout(exporter: Exporter) -> None:
    """The batch on its way keeps the deadline that it was given."""
    clock = FakeClock()
    processor = processor_on(exporter, clock, max_batch_size=1, export_timeout=30.0)
    exporter.gate.clear()
    emit(processor, 1, 2)
    assert exporter.came.acquire(timeout=PATIENCE)
    processor.adjust(export_timeout=7.5)
    exporter.gate.set()
    assert processor.shutdown(5) is Outcome.FLUSHED
    assert exporter.deadlines == [30.0, 7.5]


@pytest.mark.parametrize("when_full", ["drop_newest", "drop_oldest", "sample"])
def test_less_room_than_records_gives_up_none_that_is_queued(
    exporter: Exporter, when_full: WhenFull
) -> None:
    """Room for twenty becomes room for five: for each one that comes, one gives way, no more."""
    processor = processor_on(exporter, FakeClock(), when_full=when_full, max_batch_size=1)
    exporter.gate.clear()
    processor.emit(0)
    assert exporter.came.acquire(timeout=PATIENCE)
    emit(processor, *range(1, 21))
    processor.adjust(max_queue_size=5)
    assert processor.queued == 20
    assert not processor.totals().dropped
    emit(processor, 21, 22, 23)
    assert processor.queued == 20
    assert processor.totals().dropped == {QUEUE_FULL: 3}
    exporter.gate.set()
    assert processor.force_flush(5) is Outcome.FLUSHED
    assert processor.totals().delivered == 21
    exporter.gate.clear()
    while exporter.came.acquire(blocking=False):
        pass
    processor.emit(24)
    assert exporter.came.acquire(timeout=PATIENCE)
    emit(processor, *range(25, 31))
    assert processor.queued == 5, "now the smaller queue holds"
    exporter.gate.set()
    assert processor.shutdown(5) is Outcome.FLUSHED
    totals = processor.totals()
    assert totals.created == 31 == totals.delivered + totals.dropped[QUEUE_FULL]


def test_more_room_is_for_those_who_wait_for_it(exporter: Exporter) -> None:
    """A producer that blocks goes on as soon as the queue may be longer."""
    clock = FakeClock()
    processor = processor_on(
        exporter, clock, when_full="block", block_timeout=60.0, max_queue_size=1, max_batch_size=1
    )
    exporter.gate.clear()
    processor.emit(1)
    assert exporter.came.acquire(timeout=PATIENCE)
    processor.emit(2)
    producer = threading.Thread(target=processor.emit, args=(3,))
    producer.start()
    assert clock.await_sleepers(1)
    processor.adjust(max_queue_size=2)
    producer.join(PATIENCE)
    assert not producer.is_alive()
    assert (processor.queued, clock.monotonic()) == (2, 0)
    exporter.gate.set()
    assert processor.shutdown(5) is Outcome.FLUSHED
    assert processor.totals().delivered == 3


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"max_queue_size": 4, "delay": 1.0}, "not 4 < 5"),
        ({"max_batch_size": 21, "delay": 1.0}, "not 20 < 21"),
        ({"max_batch_size": 0, "delay": 1.0}, "batch size must be at least 1"),
        ({"delay": 0.0, "max_batch_size": 2, "export_timeout": 1.0}, "delay must be more than 0"),
        ({"export_timeout": float("nan"), "delay": 1.0}, "export timeout must be more than 0"),
    ],
)
def test_settings_that_contradict_each_other_change_nothing(
    exporter: Exporter, settings: dict[str, float], rule: str
) -> None:
    """Not even those beside them that would be right."""
    clock = FakeClock()
    processor = processor_on(exporter, clock)
    emit(processor, 1, 2, 3)
    with pytest.raises(ValueError, match=rule):
        processor.adjust(**settings)  # type: ignore[arg-type]
    assert clock.await_sleepers(1)
    clock.advance(9.9)
    assert exporter.batches == []
    emit(processor, 4, 5)
    assert exporter.came.acquire(timeout=PATIENCE)
    assert exporter.batches == [[1, 2, 3, 4, 5]]
    assert exporter.deadlines == [clock.monotonic() + 30.0]
    processor.shutdown(5)


def test_two_limits_that_fit_only_together_are_set_together(exporter: Exporter) -> None:
    """One after the other, neither could be set first."""
    processor = processor_on(exporter, FakeClock())
    processor.adjust(max_queue_size=3, max_batch_size=3)
    processor.adjust(max_queue_size=40, max_batch_size=40)
    assert "0/40" in repr(processor)
    processor.shutdown(5)


def test_who_comes_after_the_end_is_counted_whatever_was_adjusted(exporter: Exporter) -> None:
    """More room does not open a queue again."""
    processor = processor_on(exporter, FakeClock())
    processor.shutdown(5)
    processor.adjust(max_queue_size=100)
    processor.emit(1)
    assert processor.totals().dropped == {ALREADY_SHUTDOWN: 1}


class AdjustedAtTheEnd(BatchProcessor[int]):
    """A processor that a reload meets when it has just ended."""

    def shutdown(self, timeout: float = 30.0) -> Outcome:
        outcome = super().shutdown(timeout)
        self.adjust(max_queue_size=100, max_batch_size=10)
        return outcome


def test_who_is_still_in_emit_at_the_end_is_counted_whatever_was_adjusted() -> None:
    """The conformance kit lets a producer sleep at each line of `emit` while all of it happens."""
    report = check_processor(
        lambda exporter, ledger, clock: AdjustedAtTheEnd(
            exporter, max_queue_size=20, max_batch_size=5, ledger=ledger, clock=clock
        ),
        schedules=0,
        storms=0,
    )
    assert report.pauses >= 4


LIMITS = ((20, 5), (5, 5), (20, 1), (60, 20), (2, 2))


class Restless(BatchProcessor[int]):
    """A processor whose settings change with every eleventh record, by whoever emits it."""

    def __init__(self, *args: object, **settings: object) -> None:
        self.turns = itertools.count()
        self.limits = itertools.cycle(LIMITS)
        super().__init__(*args, **settings)  # type: ignore[arg-type]

    def emit(self, record: int) -> None:
        if next(self.turns) % 11 == 0:
            capacity, batch = next(self.limits)
            self.adjust(max_queue_size=capacity, max_batch_size=batch, delay=random.choice((1, 5)))
        super().emit(record)


@pytest.mark.slow
@pytest.mark.parametrize("in_flight", [1, 3])
@pytest.mark.parametrize("when_full", ["drop_newest", "drop_oldest", "block", "sample"])
def test_no_schedule_of_changes_loses_a_record(when_full: WhenFull, in_flight: int) -> None:
    """The conformance kit, on a processor that is adjusted all the while, by several threads."""
    report = check_processor(
        lambda exporter, ledger, clock: Restless(
            exporter,
            max_queue_size=20,
            max_batch_size=5,
            when_full=when_full,
            block_timeout=0.01,
            in_flight=in_flight,
            ledger=ledger,
            clock=clock,
        ),
        schedules=60,
        concurrent=in_flight > 1,
        ordered=when_full != "sample",
    )
    assert report.records > 5000


@pytest.mark.parametrize("when_full", ["drop_newest", "drop_oldest", "sample"])
def test_above_the_capacity_one_gives_way_for_one(when_full: WhenFull) -> None:
    """Every policy exchanges one record for one, and counts what departs at the head."""
    buffer: BatchBuffer[int] = BatchBuffer(
        capacity=9, batch_size=2, delay=1, when_full=when_full, chance=lambda: 0.0
    )
    for number in range(9):
        buffer.offer(number)
    buffer.adjust(capacity=2)
    assert buffer.room == buffer.capacity == 2
    assert not buffer.offer(9)
    assert len(buffer.overflow(9)) == 1
    assert len(buffer) == 9
    assert buffer.departed == (when_full == "drop_oldest")


class AsyncExporter:
    """Notes when each batch came, by the loop's clock, and the time that it was given."""

    concurrent = True

    def __init__(self, dwell: float = 0.0) -> None:
        self.batches: list[tuple[float, list[int]]] = []
        self.given: list[float] = []
        self.dwell = dwell

    async def export(self, batch: Sequence[int], deadline: float) -> Accepted:
        now = asyncio.get_running_loop().time()
        self.given.append(deadline - now)
        self.batches.append((now, list(batch)))
        await asyncio.sleep(self.dwell)
        return Accepted()

    async def shutdown(self) -> None: ...


def test_the_loop_s_processor_changes_as_the_other_one_does() -> None:
    """A shorter delay, a smaller batch and another timeout, at once; a wrong one changes nothing."""

    async def main() -> None:
        exporter = AsyncExporter()
        processor: AsyncBatchProcessor[int] = AsyncBatchProcessor(
            exporter, max_queue_size=20, max_batch_size=5, delay=10.0, in_flight=2
        )
        processor.emit(1)
        await asyncio.sleep(3)
        with pytest.raises(ValueError, match="not 4 < 5"):
            await processor.adjust(max_queue_size=4, delay=1.0, export_timeout=1.0)
        await asyncio.sleep(0)
        assert exporter.batches == []
        await processor.adjust(delay=4.0)
        await asyncio.sleep(2)
        assert exporter.batches == [(4.0, [1])]
        for number in (2, 3, 4):
            processor.emit(number)
        await processor.adjust(max_batch_size=3, export_timeout=7.0)
        await asyncio.sleep(0.1)
        assert exporter.batches[1:] == [(5.0, [2, 3, 4])]
        assert exporter.given == [30.0, 7.0]
        assert await processor.shutdown(5) is Outcome.FLUSHED
        assert str(processor.totals()) == "created 4 = delivered 4"

    run_virtual(main())


def test_more_room_in_the_loop_is_for_those_who_wait_for_it() -> None:
    """A task that awaits room gets it while the exporter is still busy."""

    async def main() -> None:
        processor: AsyncBatchProcessor[int] = AsyncBatchProcessor(
            AsyncExporter(dwell=20.0), max_queue_size=1, max_batch_size=1
        )
        processor.emit(1)
        await asyncio.sleep(0.1)
        processor.emit(2)
        waiting = asyncio.create_task(processor.emit_or_wait(3))
        await asyncio.sleep(1)
        assert not waiting.done()
        await processor.adjust(max_queue_size=2)
        await asyncio.sleep(0)
        await asyncio.wait_for(waiting, 1)
        await processor.shutdown(100)
        assert str(processor.totals()) == "created 3 = delivered 3"

    run_virtual(main())
