"""Any order of emitting, failing, hanging, waiting, flushing, forking and ending: the ledger balances."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from otlp_kit.ledger import ALREADY_SHUTDOWN, FORK, QUEUE_FULL, TIMEOUT
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.outcome import Outcome
from otlp_kit.testing.check_processor import check_processor
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.testing.scripted_exporter import ANSWERS, ScriptedExporter

CAPACITY, BATCH = 20, 5
LARGEST = 30
"""The most records that any limit lets wait."""


class Ended(BaseException):
    """Ends a thread that has no counterpart in the child."""


class EndableClock(FakeClock):
    """A fake clock on which threads can end, as those of a parent do in the child of a fork."""

    def __init__(self) -> None:
        super().__init__()
        self.sleepers: set[threading.Thread] = set()
        self.ended: set[threading.Thread] = set()

    def wait(self, event: Any, timeout: float) -> bool:
        clock, thread = self, threading.current_thread()

        class EventOrEnd:
            def is_set(self) -> bool:
                return bool(event.is_set()) or thread in clock.ended

        with self._turned:
            self.sleepers.add(thread)
            try:
                super().wait(EventOrEnd(), timeout)  # type: ignore[arg-type]
            finally:
                self.sleepers.discard(thread)
        if thread in self.ended:
            raise Ended
        return bool(event.is_set())

    def end(self, threads: list[threading.Thread]) -> None:
        """Let `threads` end as soon as they sleep."""
        self.ended.update(threads)
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()


class Accounts(RuleBasedStateMachine):
    """One processor, whatever happens to it."""

    @initialize(
        when_full=st.sampled_from(["drop_newest", "drop_oldest", "block", "sample"]),
        in_flight=st.sampled_from([1, 1, 2]),
    )
    def start(self, when_full: Any, in_flight: int) -> None:
        self.when_full, self.in_flight = when_full, in_flight
        self.clock = EndableClock()
        self.excepthook = threading.excepthook
        threading.excepthook = lambda args: args.exc_type is Ended or self.excepthook(args)
        self.others = set(threading.enumerate())
        self.exporter = self.new_exporter()
        self.processor: BatchProcessor[int] = BatchProcessor(
            self.exporter,
            max_queue_size=CAPACITY,
            max_batch_size=BATCH,
            when_full=when_full,
            in_flight=in_flight,
            clock=self.clock,
        )
        self.number = self.created = 0
        self.closed = False

    def new_exporter(self) -> ScriptedExporter:
        return ScriptedExporter(concurrent=self.in_flight > 1, ordered=self.when_full != "sample")

    @property
    def hanging(self) -> bool:
        return not self.exporter.gate.is_set()

    def inside(self) -> int:
        return self.processor.totals().inside

    def call(self, work: Callable[[], Any], turn: float) -> Any:
        """What `work` returns; if it sleeps and nothing but time will wake it, the clock turns."""
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(work()))
        thread.start()
        for _ in range(100_000):
            thread.join(0.0005)
            if not thread.is_alive():
                break
            if turn and thread in self.clock.sleepers:
                self.clock.advance(turn)
        assert results, "the call did not return"
        return results[0]

    @rule(count=st.integers(1, 12))
    def emit(self, count: int) -> None:
        numbers = range(self.number, self.number + count)
        late = self.processor.totals().dropped.get(ALREADY_SHUTDOWN, 0)
        self.call(lambda: [self.processor.emit(number) for number in numbers] or True, 1.0)
        self.number += count
        self.created += count
        if self.closed:
            assert self.processor.totals().dropped[ALREADY_SHUTDOWN] == late + count

    @rule(seconds=st.sampled_from([1.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(answer=st.sampled_from(ANSWERS))
    def the_exporter_changes(self, answer: str) -> None:
        self.exporter.answer = answer

    @rule()
    def the_exporter_hangs(self) -> None:
        self.exporter.gate.clear()

    @rule()
    def the_exporter_goes_on(self) -> None:
        self.exporter.gate.set()

    @rule(
        capacity=st.sampled_from([5, CAPACITY, LARGEST]),
        batch=st.integers(1, BATCH),
        delay=st.sampled_from([0.5, 5.0]),
    )
    def adjust(self, capacity: int, batch: int, delay: float) -> None:
        self.processor.adjust(max_queue_size=capacity, max_batch_size=batch, delay=delay)

    @rule()
    def flush(self) -> None:
        self.ask(self.processor.force_flush)

    @rule()
    def shut_down(self) -> None:
        self.ask(self.processor.shutdown)
        self.closed = True
        # What is still inside hangs in the exporter; nothing is queued any more.
        assert self.inside() <= BATCH * self.in_flight

    def ask(self, ask: Callable[[float], Outcome]) -> None:
        if self.hanging and self.inside():
            outcome = self.call(lambda: ask(0.1), 0.1)
            assert outcome is Outcome.TIMED_OUT or not self.inside()
        else:
            assert self.call(lambda: ask(1000), 0) is not Outcome.TIMED_OUT
            self.settled()

    @rule()
    def fork(self) -> None:
        """In the child no thread is left, and what is queued belongs to the parent."""
        self.exporter.gate.set()
        self.clock.end([t for t in threading.enumerate() if t not in self.others])
        queued = self.inside()
        assert queued <= LARGEST
        self.exporter.__dict__.update(self.new_exporter().__dict__)
        self.processor.begin_anew()
        self.created = queued
        assert self.processor.totals().dropped.get(FORK, 0) == queued
        assert self.inside() == 0

    @invariant()
    def balanced(self) -> None:
        totals = self.processor.totals()
        assert self.exporter.wrong == []
        assert totals.created == self.created
        assert 0 <= totals.inside <= LARGEST + BATCH * self.in_flight
        assert totals.delivered <= self.exporter.delivered
        assert self.exporter.shutdowns <= self.closed

    def settled(self) -> None:
        """Each fate against what the exporter itself has seen."""
        totals, seen = self.processor.totals(), self.exporter
        assert totals.inside == 0
        assert (totals.delivered, totals.rejected) == (seen.delivered, seen.rejected)
        assert totals.unknown == seen.unknown
        at_the_door = (QUEUE_FULL, ALREADY_SHUTDOWN, FORK)
        never_sent = sum(totals.dropped.get(reason, 0) for reason in at_the_door)
        assert totals.created - len(seen.finished) in range(
            never_sent, never_sent + totals.dropped.get(TIMEOUT, 0) + 1
        )

    def teardown(self) -> None:
        self.exporter.gate.set()
        assert self.call(lambda: self.processor.shutdown(1000), 0) is not Outcome.TIMED_OUT
        self.settled()
        assert self.exporter.shutdowns == 1
        threading.excepthook = self.excepthook


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)


@pytest.mark.slow
@pytest.mark.spec("PEER-18")
@pytest.mark.parametrize("queue", [1, 20])
@pytest.mark.parametrize("when_full", ["drop_newest", "drop_oldest", "block", "sample"])
def test_sixty_storms_leave_no_record_unexplained(when_full: Any, queue: int) -> None:
    """Threads that take turns every microsecond emit, flush and shut down at once."""
    interval = sys.getswitchinterval()
    check_processor(
        lambda exporter, ledger, clock: BatchProcessor(
            exporter,
            max_queue_size=queue,
            max_batch_size=min(queue, BATCH),
            when_full=when_full,
            block_timeout=0.01,
            ledger=ledger,
            clock=clock,
        ),
        schedules=0,
        storms=60,
        ordered=when_full != "sample",
    )
    assert sys.getswitchinterval() == interval
