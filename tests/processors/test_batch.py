"""The batch processor: its thread, its deadlines, and its accounts."""

from __future__ import annotations

import asyncio
import itertools
import logging
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from otlp_kit.ledger import Ledger
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.outcome import Outcome
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.wire import Accepted, Refused, Unavailable


class Recorder:
    """An exporter that does what it is told and writes down what it got."""

    def __init__(self, behave: Callable[[Sequence[int]], Accepted] | None = None) -> None:
        self.batches: list[list[int]] = []
        self.behave = behave or (lambda batch: Accepted())
        self.shutdowns = 0

    def export(self, batch: Sequence[int], deadline: float) -> Accepted:
        answer = self.behave(batch)
        self.batches.append(list(batch))
        return answer

    def shutdown(self) -> None:
        self.shutdowns += 1


class Stuck(Recorder):
    """An exporter that hangs until it is let go."""

    def __init__(self) -> None:
        super().__init__(self._hang)
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def _hang(self, batch: Sequence[int]) -> Accepted:
        self.entered.set()
        assert self.let_go.wait(30)
        return Accepted()


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    exporter = Stuck()
    yield exporter
    exporter.let_go.set()


def quick(exporter: Recorder, **settings: object) -> BatchProcessor[int]:
    defaults: dict[str, object] = {"max_queue_size": 20, "max_batch_size": 5, "delay": 10.0}
    return BatchProcessor(exporter, **{**defaults, **settings})  # type: ignore[arg-type]


def in_background(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(call()))
    thread.start()
    return thread, outcomes


@pytest.mark.spec("SDK-P8")
def test_a_full_batch_leaves_at_once() -> None:
    """Nobody has to wait for the delay when there is enough to send."""
    exporter, clock = Recorder(), FakeClock()
    processor = quick(exporter, clock=clock)
    for number in range(5):
        processor.emit(number)
    assert processor.force_flush(5) is Outcome.FLUSHED
    assert exporter.batches[0] == [0, 1, 2, 3, 4]
    assert clock.monotonic() == 0
    processor.shutdown()


@pytest.mark.spec("SDK-P8")
def test_the_delay_lets_a_small_batch_leave() -> None:
    """Two records wait for ten seconds, no longer."""
    exported = threading.Event()
    exporter, clock = Recorder(lambda batch: exported.set() or Accepted()), FakeClock()
    processor = quick(exporter, clock=clock)
    processor.emit(1)
    processor.emit(2)
    assert clock.await_sleepers(1)
    clock.advance(9.9)
    assert exporter.batches == []
    clock.advance(0.2)
    assert exported.wait(10)
    processor.shutdown()
    assert exporter.batches == [[1, 2]]


def test_an_idle_worker_sleeps() -> None:
    """With nothing queued, each delay costs one look at the queue, not a spinning thread."""
    clock = FakeClock()
    processor = quick(Recorder(), clock=clock)
    for _ in range(3):
        assert clock.await_sleepers(1)
        clock.advance(10)
    assert clock.await_sleepers(1)
    processor.shutdown()


@pytest.mark.spec("SDK-P9")
@pytest.mark.parametrize(
    ("when_full", "kept"), [("drop_newest", [0, 1, 2, 3, 4]), ("drop_oldest", [4, 5, 6, 7, 8])]
)
def test_a_full_queue_drops_one_end_and_counts(
    when_full: str, kept: list[int], stuck: Stuck
) -> None:
    """Which record goes is a choice; that it is counted is not."""
    processor = quick(stuck, max_queue_size=5, when_full=when_full)
    for number in range(-5, 0):
        processor.emit(number)
    assert stuck.entered.wait(10)  # the first five are with the exporter, the queue is empty
    for number in range(9):
        processor.emit(number)
    stuck.let_go.set()
    assert processor.shutdown() is Outcome.FLUSHED
    assert stuck.batches == [[-5, -4, -3, -2, -1], kept]
    totals = processor.totals()
    assert (totals.created, totals.delivered, totals.inside) == (14, 10, 0)
    assert dict(totals.dropped) == {"queue_full": 4}


@pytest.mark.spec("PEER-3")
@pytest.mark.spec("SDK-P6")
def test_force_flush_keeps_its_timeout(stuck: Stuck) -> None:
    """With an exporter that takes longer, the flush returns timed out when its time is over."""
    clock = FakeClock()
    processor = quick(stuck, clock=clock)
    processor.emit(1)
    thread, outcomes = in_background(lambda: processor.force_flush(0.1))
    assert stuck.entered.wait(10)
    assert clock.await_sleepers(1)
    clock.advance(0.05)
    assert outcomes == []
    clock.advance(0.05)
    thread.join(10)
    assert outcomes == [Outcome.TIMED_OUT]
    assert processor.totals().inside == 1


@pytest.mark.spec("SDK-P5")
def test_shutdown_keeps_its_timeout_and_accounts_for_what_is_left(stuck: Stuck) -> None:
    """What hangs in the exporter is inside; what is still queued is dropped and counted."""
    clock = FakeClock()
    processor = quick(stuck, clock=clock)
    for number in range(5):
        processor.emit(number)
    assert stuck.entered.wait(10)
    for number in range(3):
        processor.emit(number)
    thread, outcomes = in_background(lambda: processor.shutdown(2.0))
    assert clock.await_sleepers(1)
    clock.advance(2.0)
    thread.join(10)
    assert outcomes == [Outcome.TIMED_OUT]
    totals = processor.totals()
    assert (totals.created, totals.inside) == (8, 5)
    assert dict(totals.dropped) == {"timeout": 3}
    stuck.let_go.set()
    assert processor.shutdown() is Outcome.FLUSHED
    assert processor.totals().delivered == 5
    assert stuck.shutdowns == 1


@pytest.mark.spec("SDK-P5")
def test_after_shutdown_everything_is_ignored_gracefully() -> None:
    """Records are counted, calls return, the exporter is released once."""
    exporter = Recorder()
    processor = quick(exporter)
    assert processor.shutdown() is Outcome.FLUSHED
    processor.emit(1)
    assert processor.force_flush() is Outcome.FLUSHED
    assert processor.shutdown() is Outcome.FLUSHED
    assert exporter.shutdowns == 1
    assert dict(processor.totals().dropped) == {"already_shutdown": 1}
    assert repr(processor) == (
        "<BatchProcessor [closed | queued 0/20 | created 1 = dropped 1 (already_shutdown 1)]>"
    )


@pytest.mark.parametrize(
    ("behave", "fates"),
    [
        (lambda batch: Accepted(), {"delivered": 3}),
        (lambda batch: Accepted(2, "two were bad"), {"delivered": 1, "rejected": 2}),
        (lambda batch: Accepted(99, "nonsense"), {"rejected": 3}),
    ],
)
def test_an_answer_becomes_fates(
    behave: Callable[[Sequence[int]], Accepted], fates: dict[str, int]
) -> None:
    """Partial success splits a batch; a peer cannot reject more than it was given."""
    processor = quick(Recorder(behave))
    for number in range(3):
        processor.emit(number)
    assert processor.shutdown() is Outcome.FLUSHED
    totals = processor.totals()
    assert {name: getattr(totals, name) for name in fates} == fates
    assert totals.inside == 0


def fail_with(error: BaseException) -> Callable[[Sequence[int]], Accepted]:
    def behave(batch: Sequence[int]) -> Accepted:
        raise error

    return behave


@pytest.mark.parametrize(
    ("behave", "expected"),
    [
        (fail_with(Refused("no")), "dropped 3 (export_failed 3)"),
        (fail_with(Unavailable("later")), "dropped 3 (export_failed 3)"),
        (fail_with(Unavailable("lost", maybe_delivered=True)), "unknown 3"),
        (fail_with(RuntimeError("bug")), "dropped 3 (export_failed 3)"),
        (lambda batch: "garbage", "dropped 3 (export_failed 3)"),
    ],
)
def test_a_failing_exporter_loses_nothing_uncounted(
    behave: Callable[[Sequence[int]], Accepted], expected: str
) -> None:
    """Whatever an exporter does, the worker goes on, and flush and shutdown say that it failed."""
    exporter = Recorder(behave)
    processor = quick(exporter)
    for number in range(3):
        processor.emit(number)
    assert processor.force_flush(10) is Outcome.FAILED
    assert str(processor.totals()) == f"created 3 = {expected}"
    exporter.behave = lambda batch: Accepted()
    processor.emit(4)
    assert processor.force_flush(10) is Outcome.FLUSHED
    assert exporter.batches[-1] == [4]
    processor.shutdown()


def test_failures_are_logged_once_a_while_with_their_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A dead destination does not fill the log of the application."""
    clock = FakeClock()
    processor = quick(Recorder(fail_with(Unavailable("down"))), clock=clock)

    def emit_and_flush() -> None:
        processor.emit(1)
        assert processor.force_flush(10) is Outcome.FAILED

    with caplog.at_level(logging.WARNING, logger="otlp_kit"):
        for _ in range(5):
            emit_and_flush()
        assert [record.message for record in caplog.records] == ["export of 1 records failed: down"]
        clock.advance(61)
        emit_and_flush()
    assert caplog.records[-1].message == (
        "export of 1 records failed: down (4 more batches since the last report)"
    )
    assert len(caplog.records) == 2
    processor.shutdown()


def test_an_exporter_may_call_its_own_processor() -> None:
    """Flushing from inside an export would wait for itself; it is refused, not deadlocked."""
    seen: list[Outcome] = []

    def behave(batch: Sequence[int]) -> Accepted:
        seen.append(processor.force_flush(5))
        processor.emit(99)
        return Accepted()

    exporter = Recorder(behave)
    processor = quick(exporter)
    processor.emit(1)
    assert processor.force_flush(10) is Outcome.FLUSHED
    assert seen[0] is Outcome.FAILED
    exporter.behave = lambda batch: Accepted()
    processor.shutdown()
    assert processor.totals().inside == 0


@pytest.mark.spec("PEER-17")
def test_no_wake_up_is_lost() -> None:
    """A batch that fills while another is exported leaves at once, not after the delay."""
    clock = FakeClock()
    processor_holder: list[BatchProcessor[int]] = []
    twice = threading.Event()

    def behave(batch: Sequence[int]) -> Accepted:
        if batch[0] == 0:
            for number in range(5, 10):
                processor_holder[0].emit(number)
        else:
            twice.set()
        return Accepted()

    exporter = Recorder(behave)
    processor = quick(exporter, clock=clock)
    processor_holder.append(processor)
    for number in range(5):
        processor.emit(number)
    assert twice.wait(10)
    assert clock.monotonic() == 0
    processor.shutdown()


@pytest.mark.spec("PEER-17")
def test_a_flush_just_after_the_worker_looked_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wake-up is cleared before the queue is looked at, so this one is still there."""
    clock, take = FakeClock(), BatchProcessor._take
    flushing: list[tuple[threading.Thread, list[Outcome]]] = []
    began = threading.Event()

    def look_then_flush(processor: BatchProcessor[int]) -> list[int]:
        batch = take(processor)
        if not batch and not flushing:
            processor.emit(0)
            flushing.append(in_background(lambda: processor.force_flush(1000)))
            assert clock.await_sleepers(1)  # the worker is here, so this is the caller
            began.set()
        return batch

    monkeypatch.setattr(BatchProcessor, "_take", look_then_flush)
    processor = quick(Recorder(), clock=clock)
    emit_many(processor, 5)
    assert began.wait(10)
    [(thread, outcomes)] = flushing
    thread.join(5)
    answered = list(outcomes)
    processor.shutdown()  # which would wake the worker in any case
    thread.join()
    assert answered == [Outcome.FLUSHED]
    assert clock.monotonic() == 0


@pytest.mark.spec("PEER-18")
def test_a_record_that_comes_in_behind_a_shutdown_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its thread found room, and slept until everything was over: nobody else would look."""
    processor = quick(Recorder())

    class Sleepy(deque[int]):
        def append(self, record: int) -> None:
            assert processor.shutdown() is Outcome.FLUSHED
            super().append(record)

    monkeypatch.setattr(processor._buffer, "queue", Sleepy())
    processor.emit(1)
    assert str(processor.totals()) == "created 1 = dropped 1 (already_shutdown 1)"


@pytest.mark.spec("PEER-17")
def test_a_worker_that_is_faster_than_the_drop_costs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The queue was full, and is empty before somebody gives way: nobody has to, and the worker wakes."""
    exported = threading.Event()
    exporter, clock = Recorder(lambda batch: exported.set() or Accepted()), FakeClock()
    processor = quick(exporter, clock=clock, max_batch_size=1, when_full="drop_oldest")
    monkeypatch.setattr(processor._buffer, "offer", lambda record: False)  # the moment of fullness
    processor.emit(1)
    assert exported.wait(10)
    assert clock.monotonic() == 0
    processor.shutdown()
    assert str(processor.totals()) == "created 1 = delivered 1"


def emit_many(processor: BatchProcessor[int], count: int) -> None:
    for number in range(count):
        processor.emit(number)


@pytest.mark.spec("SDK-P6")
def test_a_flush_ends_while_producers_go_on() -> None:
    """It waits for what it found, not for a queue that is filled as fast as it empties."""
    enough = threading.Event()

    def refill(batch: Sequence[int]) -> Accepted:
        if not enough.is_set():
            emit_many(processor, 5)
        return Accepted()

    processor = quick(Recorder(refill), clock=FakeClock())
    emit_many(processor, 5)
    thread, outcomes = in_background(lambda: processor.force_flush(1000))
    try:
        thread.join(10)
        assert outcomes == [Outcome.FLUSHED]
    finally:
        enough.set()
        processor.shutdown()


@pytest.mark.spec("SDK-P12")
def test_many_threads_may_flush_at_once() -> None:
    """Each finds its own records exported when its flush returns."""
    exporter = Recorder()
    processor = quick(exporter)
    missing: list[int] = []

    def emit_and_flush(number: int) -> None:
        processor.emit(number)
        flushed = processor.force_flush(20) is Outcome.FLUSHED
        if not flushed or number not in itertools.chain(*exporter.batches):
            missing.append(number)

    threads = [threading.Thread(target=emit_and_flush, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    processor.shutdown()
    assert missing == []


def test_rejections_are_logged_once_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """A peer that finds fault with every batch does not fill the log either."""
    processor = quick(Recorder(lambda batch: Accepted(1, "too old")), clock=FakeClock())
    with caplog.at_level(logging.WARNING, logger="otlp_kit"):
        for _ in range(3):
            processor.emit(1)
            assert processor.force_flush(10) is Outcome.FLUSHED
    assert [record.message for record in caplog.records] == ["1 of 1 records rejected: too old"]
    processor.shutdown()


@pytest.mark.spec("PEER-2")
def test_an_export_gets_its_deadline() -> None:
    """The export timeout is a time on the clock, by which the exporter has to be done."""
    deadlines: list[float] = []

    class Strict(Recorder):
        def export(self, batch: Sequence[int], deadline: float) -> Accepted:
            deadlines.append(deadline)
            return Accepted()

    clock = FakeClock()
    clock.advance(100)
    processor = quick(Strict(), clock=clock, export_timeout=7.0)
    processor.emit(1)
    processor.shutdown()
    assert deadlines == [107.0]


def test_the_ledger_may_be_the_callers() -> None:
    """Then the accounts can be read without the processor."""
    ledger = Ledger()
    processor = quick(Recorder(), ledger=ledger)
    processor.emit(1)
    processor.shutdown()
    assert str(ledger.totals()) == "created 1 = delivered 1"


@pytest.mark.parametrize("settings", [{"export_timeout": 0}, {"when_full": "explode"}])
def test_bad_settings_are_refused(settings: dict[str, object]) -> None:
    """The constructor raises and starts no thread."""
    before = threading.active_count()
    with pytest.raises(ValueError, match="must be"):
        quick(Recorder(), **settings)
    assert threading.active_count() == before


@pytest.mark.spec("SDK-P9")
def test_with_block_a_producer_waits_for_room(stuck: Stuck) -> None:
    """It goes on as soon as the worker takes a batch; nothing is dropped."""
    clock = FakeClock()
    processor = quick(stuck, clock=clock, max_queue_size=5, when_full="block", block_timeout=7)
    emit_many(processor, 5)
    assert stuck.entered.wait(10)
    emit_many(processor, 5)
    thread, done = in_background(lambda: processor.emit(10))
    assert clock.await_sleepers(1)
    assert not done
    stuck.let_go.set()
    thread.join(10)
    assert done == [None]
    assert processor.shutdown() is Outcome.FLUSHED
    assert str(processor.totals()) == "created 11 = delivered 11"


def test_with_block_a_producer_does_not_wait_for_ever(stuck: Stuck) -> None:
    """After `block_timeout` its record is dropped, and counted as it would be without waiting."""
    clock = FakeClock()
    processor = quick(stuck, clock=clock, max_queue_size=5, when_full="block", block_timeout=7)
    emit_many(processor, 5)
    assert stuck.entered.wait(10)
    emit_many(processor, 5)
    thread, done = in_background(lambda: processor.emit(10))
    assert clock.await_sleepers(1)
    clock.advance(6.9)
    assert not done
    clock.advance(0.2)
    thread.join(10)
    assert dict(processor.totals().dropped) == {"queue_full": 1}


def test_shutdown_lets_blocked_producers_go(stuck: Stuck) -> None:
    """Their records came too late, and are counted so."""
    clock = FakeClock()
    processor = quick(stuck, clock=clock, max_queue_size=5, when_full="block", block_timeout=1000)
    emit_many(processor, 5)
    assert stuck.entered.wait(10)
    emit_many(processor, 5)
    thread, _ = in_background(lambda: processor.emit(10))
    assert clock.await_sleepers(1)
    ending, _ = in_background(lambda: processor.shutdown(1000))
    thread.join(10)
    assert dict(processor.totals().dropped) == {"already_shutdown": 1}
    stuck.let_go.set()
    ending.join(10)


def test_an_exporter_that_emits_into_its_own_full_queue_does_not_wait_for_itself() -> None:
    """Only the worker could make room, and it is the one that would wait."""
    clock = FakeClock()

    def feed_back(batch: Sequence[int]) -> Accepted:
        if batch[0] == 0:
            for _ in range(6):
                processor.emit(99)
        return Accepted()

    processor: BatchProcessor[int] = quick(
        Recorder(feed_back), clock=clock, max_queue_size=5, when_full="block", block_timeout=1000
    )
    emit_many(processor, 5)
    assert processor.force_flush() is Outcome.FLUSHED
    assert dict(processor.totals().dropped) == {"queue_full": 1}
    processor.shutdown()


class Crowd(Recorder):
    """An exporter that may be called by several threads, and holds them until `parties` are there."""

    concurrent = True

    def __init__(self, parties: int) -> None:
        super().__init__()
        self.barrier = threading.Barrier(parties)

    def export(self, batch: Sequence[int], deadline: float) -> Accepted:
        self.barrier.wait(10)
        return super().export(batch, deadline)


def test_so_many_batches_are_in_flight_at_once() -> None:
    """Three workers, three exports that wait for one another; a flush waits for all of them."""
    processor = quick(Crowd(3), in_flight=3, clock=FakeClock())
    emit_many(processor, 15)
    assert processor.force_flush() is Outcome.FLUSHED
    assert str(processor.totals()) == "created 15 = delivered 15"
    assert processor.shutdown() is Outcome.FLUSHED


def test_several_in_flight_are_for_exporters_that_allow_it() -> None:
    """The specification forbids concurrent exports for one exporter; it may waive that itself."""
    with pytest.raises(ValueError, match="concurrent = True"):
        quick(Recorder(), in_flight=2)


@pytest.mark.slow
def test_several_workers_lose_nothing_and_send_nothing_twice() -> None:
    """Any number of producers, flushes between: every record once."""
    exporter = Crowd(1)
    processor = quick(exporter, in_flight=4, max_queue_size=100_000)
    threads = [threading.Thread(target=emit_many, args=(processor, 5000)) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert processor.force_flush() is Outcome.FLUSHED
    assert processor.force_flush() is Outcome.FLUSHED
    assert sum(map(len, exporter.batches)) == 20_000
    assert processor.shutdown() is Outcome.FLUSHED


@pytest.mark.spec("SDK-P2")
def test_what_is_not_to_be_kept_is_counted_and_not_exported() -> None:
    """The worker asks, so that whoever emits need not."""
    exporter = Recorder()
    processor = quick(exporter, keep=lambda number: number > 7)
    emit_many(processor, 12)
    assert processor.shutdown() is Outcome.FLUSHED
    assert sum(map(len, exporter.batches)) == 4
    assert str(processor.totals()) == "created 12 = delivered 4 + dropped 8 (sampled_out 8)"


def test_a_question_that_fails_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody can tell from what is wanted is exported, and the worker goes on."""
    exporter = Recorder()
    processor = quick(exporter, keep=lambda number: 1 // number > 0, clock=FakeClock())
    emit_many(processor, 5)  # the first divides by zero
    assert processor.shutdown() is Outcome.FLUSHED
    assert str(processor.totals()) == "created 5 = delivered 5"
    assert "cannot tell what to keep" in caplog.text


@pytest.mark.parametrize("answer", [None, True, "ok", Accepted(None), Accepted("2")])  # type: ignore[arg-type]
def test_an_answer_that_is_none_is_a_failure(answer: Any) -> None:
    """What an exporter returns must be `Accepted`; anything else acknowledges nothing."""
    processor = quick(Recorder(lambda batch: answer), clock=FakeClock())
    emit_many(processor, 5)
    assert processor.force_flush() is Outcome.FAILED
    assert dict(processor.totals().dropped) == {"export_failed": 5}
    processor.shutdown()


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), GeneratorExit()])
def test_nothing_that_an_exporter_raises_ends_the_worker(error: BaseException) -> None:
    """Such an exception would end a thread without a word."""
    processor = quick(Recorder(fail_with(error)), clock=FakeClock())
    emit_many(processor, 5)
    assert processor.force_flush() is Outcome.FAILED
    emit_many(processor, 5)
    assert processor.force_flush() is Outcome.FAILED
    processor.shutdown()
    assert dict(processor.totals().dropped) == {"export_failed": 10}


def test_what_fails_after_the_deadline_failed_for_want_of_time() -> None:
    """The ledger says `timeout`, not `export_failed`."""
    clock = FakeClock()

    def late(batch: Sequence[int]) -> Accepted:
        clock.advance(31)
        raise Unavailable("no answer yet")

    processor = quick(Recorder(late), clock=clock)
    emit_many(processor, 5)
    assert processor.shutdown(1000) is Outcome.FAILED
    assert dict(processor.totals().dropped) == {"timeout": 5}


def test_the_end_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """With what became of everything; a loss is a warning."""
    caplog.set_level("INFO", logger="otlp_kit.processors.batch")
    for behave, level in ((None, "INFO"), (fail_with(Refused("no")), "WARNING")):
        processor = quick(Recorder(*[behave] if behave else []), clock=FakeClock())
        emit_many(processor, 5)
        processor.shutdown()
        processor.shutdown()
        [told] = [r for r in caplog.records if r.name == "otlp_kit.processors.batch"]
        assert told.levelname == level
        assert told.getMessage() == f"shut down: {processor.totals()}"
        caplog.clear()


FORKING = """
import os, sys, threading
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.wire import Accepted

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # whole, or two processes mix

class Pipe:
    def export(self, batch, deadline):
        for number in batch:
            say(os.getpid() == parent, number)
        return Accepted()
    def shutdown(self):
        pass

parent = os.getpid()
processor = BatchProcessor(Pipe(), delay=3600)
processor.emit(1)
child = os.fork()
processor.emit(2)
say(os.getpid() == parent, processor.shutdown(20).name, processor.totals())
if child:
    os.waitpid(child, 0)
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.spec("PEER-13")
@pytest.mark.spec("PEER-14")
def test_a_child_has_its_own_worker_and_sends_nothing_of_the_parents() -> None:
    """What was queued is sent once, by the parent; the child accounts for its copy."""
    done = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=60
    )
    assert sorted(done.stdout.splitlines()) == [
        "False 2",
        "False FLUSHED created 2 = delivered 1 + dropped 1 (fork 1)",
        "True 1",
        "True 2",
        "True FLUSHED created 2 = delivered 2",
    ]


@pytest.mark.slow
def test_an_exporter_may_fork() -> None:
    """The child that comes out of `export` has a processor that works; the parent's batch is its own."""
    program = FORKING.replace(
        "    def export(self, batch, deadline):\n",
        """    def export(self, batch, deadline):
        if os.getpid() == parent and os.fork() == 0:
            processor.emit(3)
            processor.shutdown(20)
            os._exit(0)
        if os.getpid() == parent:
            os.wait()
""",
    ).replace("child = os.fork()", "child = processor.force_flush(20) is None")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert sorted(done.stdout.splitlines()) == [
        "False 3",
        "True 1",
        "True 2",
        "True FLUSHED created 2 = delivered 2",
    ]


@pytest.fixture
def unkind_scheduler() -> Iterator[None]:
    """Threads take turns as often as the interpreter allows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.slow
@pytest.mark.spec("PEER-18")
@pytest.mark.usefixtures("unkind_scheduler")
@pytest.mark.parametrize("patience", [30.0, 0.0])
@pytest.mark.parametrize(
    ("when_full", "queue", "batch"),
    [
        ("drop_newest", 64, 16),
        ("drop_oldest", 64, 16),
        ("drop_oldest", 1, 1),
        ("sample", 8, 4),
        ("block", 8, 4),
    ],
)
def test_no_record_is_stranded_when_threads_race_a_shutdown(
    when_full: str, queue: int, batch: int, patience: float
) -> None:
    """Eight threads emit while the processor ends, in time or out of time: every record has a fate."""
    for _ in range(30):
        exporter = Recorder()
        processor = quick(exporter, max_queue_size=queue, max_batch_size=batch, when_full=when_full)
        start = threading.Barrier(9)

        def emit(processor: BatchProcessor[int] = processor, start=start) -> None:  # type: ignore[no-untyped-def]
            start.wait()
            emit_many(processor, 100)

        threads = [threading.Thread(target=emit) for _ in range(8)]
        for thread in threads:
            thread.start()
        start.wait()
        created = 0
        while created < 200:  # whoever looks meanwhile never sees a record vanish
            totals = processor.totals()
            assert totals.created >= created
            assert totals.inside >= 0
            created = totals.created
        processor.shutdown(patience)
        for thread in threads:
            thread.join()
        assert processor.shutdown(30) is Outcome.FLUSHED
        totals = processor.totals()
        assert totals.created == 800
        assert totals.inside == 0
        assert sum(map(len, exporter.batches)) == totals.delivered
