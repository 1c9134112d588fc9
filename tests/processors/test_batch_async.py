"""The processor of an event loop, on a loop whose time jumps."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otlp_kit.processors.batch_async import AsyncBatchProcessor, InThread
from otlp_kit.processors.outcome import Outcome
from otlp_kit.testing.virtual_loop import run_virtual
from otlp_kit.wire import Accepted, Refused, Unavailable


class Recorder:
    """An exporter that takes `seconds` for a batch, and writes down what it got."""

    concurrent = True

    def __init__(self, seconds: float = 0.0, answer: Any = None) -> None:
        self.seconds = seconds
        self.answer = answer or Accepted()
        self.batches: list[list[int]] = []
        self.inside = self.most_inside = self.shutdowns = 0

    async def export(self, batch: Sequence[int], deadline: float) -> Accepted:
        self.inside += 1
        self.most_inside = max(self.inside, self.most_inside)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.inside -= 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        self.batches.append(list(batch))
        answer: Accepted = self.answer
        return answer

    async def shutdown(self) -> None:
        self.shutdowns += 1


def quick(exporter: Any, **more: Any) -> AsyncBatchProcessor[int]:
    usual: dict[str, Any] = {"max_queue_size": 20, "max_batch_size": 5, "delay": 10.0}
    return AsyncBatchProcessor(exporter, **{**usual, **more})


def virtual(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that is a coroutine, run on a loop whose time jumps."""

    def run() -> None:
        run_virtual(test())

    run.__doc__, run.__name__ = test.__doc__, test.__name__
    return run


@pytest.mark.spec("SDK-P8")
@virtual
async def test_a_batch_leaves_when_it_is_full_or_the_delay_is_over() -> None:
    """The full one at once, the rest after ten seconds."""
    exporter = Recorder()
    async with quick(exporter) as processor:
        for number in range(7):
            processor.emit(number)
        await asyncio.sleep(0.1)
        assert exporter.batches == [[0, 1, 2, 3, 4]]
        await asyncio.sleep(10)
        assert exporter.batches == [[0, 1, 2, 3, 4], [5, 6]]
    assert str(processor.totals()) == "created 7 = delivered 7"
    assert exporter.shutdowns == 1


@pytest.mark.spec("SDK-P6")
@virtual
async def test_a_flush_keeps_its_time() -> None:
    """Timed out at exactly that time; the records are exported later."""
    loop = asyncio.get_running_loop()
    processor = quick(Recorder(seconds=2))
    processor.emit(1)
    assert await processor.force_flush(0.1) is Outcome.TIMED_OUT
    assert loop.time() == pytest.approx(0.1)
    assert await processor.force_flush(5) is Outcome.FLUSHED
    assert loop.time() == pytest.approx(2)
    await processor.shutdown()


@virtual
async def test_a_flush_waits_for_what_it_found_and_no_more() -> None:
    """A producer that goes on emitting does not hold it."""
    exporter = Recorder(seconds=1)
    processor = quick(exporter)
    processor.emit(0)

    async def go_on() -> None:
        while True:
            for number in range(5):
                processor.emit(number)
            await asyncio.sleep(1)

    producer = asyncio.create_task(go_on())
    assert await processor.force_flush(10) is Outcome.FLUSHED
    producer.cancel()
    await processor.shutdown()
    assert processor.totals().inside == 0


@pytest.mark.spec("SDK-P5")
@virtual
async def test_shutdown_keeps_its_time_and_accounts_for_what_is_left() -> None:
    """What is queued is dropped for want of time; what is on its way is unknown in the end."""
    processor = quick(Recorder(seconds=1000))
    for number in range(8):
        processor.emit(number)
    assert await processor.shutdown(3) is Outcome.TIMED_OUT
    assert str(processor.totals()) == "created 8 = inside 5 + dropped 3 (timeout 3)"
    processor.emit(9)
    assert processor.totals().dropped["already_shutdown"] == 1
    assert await processor.shutdown(100) is Outcome.FAILED
    assert processor.totals().unknown == 5
    assert processor.totals().inside == 0


@pytest.mark.spec("SDK-P10")
@virtual
async def test_an_export_that_hangs_is_cancelled_at_its_deadline() -> None:
    """It may have been on the wire: unknown. The next batch goes on."""
    exporter = Recorder(seconds=1000)
    async with quick(exporter, export_timeout=4) as processor:
        processor.emit(1)
        assert await processor.force_flush(5) is Outcome.FAILED
        assert exporter.inside == 0
        exporter.seconds = 0
        processor.emit(2)
        assert await processor.force_flush(5) is Outcome.FLUSHED
    assert str(processor.totals()) == "created 2 = delivered 1 + unknown 1"


@pytest.mark.spec("SDK-P7")
@pytest.mark.parametrize("in_flight", [1, 3])
def test_no_more_batches_are_in_flight_than_allowed(in_flight: int) -> None:
    """One by default; as many as allowed are used."""

    async def main() -> None:
        exporter = Recorder(seconds=1)
        async with quick(exporter, in_flight=in_flight) as processor:
            for number in range(20):
                processor.emit(number)
        assert exporter.most_inside == in_flight
        assert sorted(itertools.chain(*exporter.batches)) == list(range(20))

    run_virtual(main())


@virtual
async def test_who_waits_for_room_gets_it() -> None:
    """As soon as a batch has left; nothing is dropped."""
    async with quick(Recorder(seconds=1)) as processor:
        await asyncio.gather(*(processor.emit_or_wait(number) for number in range(60)))
    assert str(processor.totals()) == "created 60 = delivered 60"


@virtual
async def test_shutdown_lets_those_go_who_wait_for_room() -> None:
    """Though the exporter hangs: their records came too late."""
    processor = quick(Recorder(seconds=1000))
    for number in range(20):
        processor.emit(number)
    await asyncio.sleep(0.1)
    while processor.totals().inside < 25:
        processor.emit(99)
    waiting = asyncio.create_task(processor.emit_or_wait(98))
    await asyncio.sleep(0.1)
    ending = asyncio.create_task(processor.shutdown(100))
    await asyncio.sleep(0.1)
    assert waiting.done()
    assert processor.totals().dropped["already_shutdown"] == 1
    await ending


@virtual
async def test_a_cancelled_caller_loses_nothing() -> None:
    """Neither who flushes nor who waits for room takes records along."""
    processor = quick(Recorder(seconds=5))
    for number in range(25):
        processor.emit(number)
    await asyncio.sleep(0.1)  # a batch is on its way, the queue is full
    dropped = processor.totals().dropped.get("queue_full", 0)
    while len(processor._buffer) < 20:
        processor.emit(99)
    callers = [
        asyncio.create_task(processor.force_flush(100)),
        asyncio.create_task(processor.emit_or_wait(98)),
        asyncio.create_task(processor.shutdown(100)),
    ]
    await asyncio.sleep(0.1)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert await processor.shutdown(100) is Outcome.FLUSHED
    totals = processor.totals()
    assert totals.inside == 0
    assert totals.delivered == 25
    assert dropped == 5


def test_a_loop_that_ends_without_shutdown_is_accounted_for() -> None:
    """On its way: unknown. Queued: dropped. Nothing stays inside."""
    made: list[AsyncBatchProcessor[int]] = []

    async def main() -> None:
        processor = quick(Recorder(seconds=1000))
        made.append(processor)
        for number in range(8):
            processor.emit(number)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    run_virtual(main())
    totals = made[0].totals()
    assert (totals.created, totals.unknown, totals.inside) == (8, 5, 0)
    assert dict(totals.dropped) == {"already_shutdown": 3}


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    in_flight=st.integers(1, 3),
    when_full=st.sampled_from(["drop_newest", "drop_oldest", "sample"]),
)
def test_the_accounts_balance_whatever_happens(seed: int, in_flight: int, when_full: str) -> None:
    """Any order of emitting, waiting, failing, cancelling, flushing and ending."""

    async def main() -> None:
        chance = random.Random(seed)
        exporter = Recorder()
        processor = quick(exporter, in_flight=in_flight, when_full=when_full, export_timeout=3)
        emitted = 0
        callers: list[asyncio.Task[Any]] = []
        for _ in range(40):
            step = chance.randrange(7)
            if step < 3:
                for _ in range(chance.randrange(12)):
                    processor.emit(emitted)
                    emitted += 1
            elif step == 3:
                exporter.seconds = chance.choice([0, 1, 2, 10])
                exporter.answer = chance.choice(
                    [
                        Accepted(),
                        Accepted(1, "bad"),
                        Refused("no"),
                        Unavailable("later"),
                        KeyError(),
                    ]
                )
            elif step == 4:
                await asyncio.sleep(chance.choice([0, 0.5, 5, 20]))
            elif step == 5:
                callers.append(asyncio.create_task(processor.force_flush(chance.choice([0.1, 9]))))
            elif callers:
                chance.choice(callers).cancel()
            totals = processor.totals()
            assert totals.created == emitted
            assert 0 <= totals.inside <= 20 + 5 * in_flight
        await processor.shutdown(chance.choice([0.1, 1000]))
        await processor.shutdown(1000)
        totals = processor.totals()
        assert (totals.created, totals.inside) == (emitted, 0)
        numbers = list(itertools.chain(*exporter.batches))
        assert len(numbers) == len(set(numbers)) == totals.delivered + totals.rejected
        await asyncio.gather(*callers, return_exceptions=True)

    run_virtual(main())


def test_an_exporter_that_blocks_runs_in_a_thread() -> None:
    """The loop goes on meanwhile."""

    class Blocking:
        def __init__(self) -> None:
            self.loops: list[Any] = []

        def export(self, batch: Sequence[int], deadline: float) -> Accepted:
            try:
                self.loops.append(asyncio.get_running_loop())
            except RuntimeError:
                self.loops.append(None)
            return Accepted()

        def shutdown(self) -> None:
            self.loops.append("closed")

    exporter = Blocking()

    async def main() -> str:
        async with quick(InThread(exporter)) as processor:
            processor.emit(1)
            assert await processor.force_flush() is Outcome.FLUSHED
        return str(processor.totals())

    assert asyncio.run(main()) == "created 1 = delivered 1"
    assert exporter.loops == [None, "closed"]


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"when_full": "block"}, "await emit_or_wait"),
        ({"in_flight": 0}, "in_flight must be at least 1"),
        ({"export_timeout": 0}, "export timeout must be more than 0"),
        ({"max_batch_size": 21}, "queue size must be at least the batch size"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], rule: str) -> None:
    """The error names the rule."""

    async def main() -> None:
        with pytest.raises(ValueError, match=rule):
            quick(Recorder(), **wrong)

    run_virtual(main())
