"""A small processor that is right, and four that each have one fault seen in the wild.

`check_processor` passes the first and finds the fault of each of the others.
"""

from __future__ import annotations

import threading
from collections import deque

from otlp_kit.ledger import ALREADY_SHUTDOWN, QUEUE_FULL, TIMEOUT, Ledger, Totals
from otlp_kit.processors.delivery import Delivery
from otlp_kit.processors.outcome import Outcome
from otlp_kit.testing.processor_storm import Clock
from otlp_kit.testing.scripted_exporter import ScriptedExporter

CAPACITY, BATCH, DELAY = 20, 5, 5.0


class Careful:
    """Exports at the next chance, from one thread; all decisions are made under one lock."""

    def __init__(self, exporter: ScriptedExporter, ledger: Ledger, clock: Clock) -> None:
        self.queue: deque[int] = deque()
        self.ledger, self.clock = ledger, clock
        self.delivery: Delivery[int] = Delivery(exporter, ledger, clock, 30.0)
        self.lock = threading.Lock()
        self.wake, self.finished = threading.Event(), threading.Event()
        self.flushes: list[threading.Event] = []
        self.closed = False
        threading.Thread(target=self.run, daemon=True).start()

    def emit(self, record: int) -> None:
        with self.lock:
            if self.closed:
                self.ledger.turned_away(ALREADY_SHUTDOWN)
            elif len(self.queue) >= CAPACITY:
                self.queue_is_full()
            else:
                self.ledger.created(1)
                self.queue.append(record)
        self.wake.set()

    def queue_is_full(self) -> None:
        self.ledger.turned_away(QUEUE_FULL)

    def run(self) -> None:
        while not (self.closed and not self.queue):
            self.clock.wait(self.wake, DELAY)
            self.wake.clear()
            self.export_all()
        self.delivery.close()
        with self.lock:
            self.finished.set()
            for flush in self.flushes:
                flush.set()

    def export_all(self) -> None:
        with self.lock:
            flushes, self.flushes = self.flushes, []
        while batch := self.take():
            self.delivery.deliver(batch, len(batch))
        for flush in flushes:
            flush.set()

    def take(self) -> list[int]:
        with self.lock:
            return [self.queue.popleft() for _ in range(min(BATCH, len(self.queue)))]

    def force_flush(self, timeout: float) -> Outcome:
        failures, flush = self.delivery.failures, threading.Event()
        with self.lock:
            self.flushes.append(flush)
            if self.finished.is_set():
                flush.set()
        self.wake.set()
        return self.answer(self.clock.wait(flush, timeout), failures)

    def shutdown(self, timeout: float) -> Outcome:
        failures = self.delivery.failures
        with self.lock:
            self.closed = True
        self.wake.set()
        in_time = self.clock.wait(self.finished, timeout)
        with self.lock:
            self.ledger.dropped(TIMEOUT, len(self.queue) if not in_time else 0)
            if not in_time:
                self.queue.clear()
        return self.answer(in_time, failures)

    def answer(self, in_time: bool, failures: int) -> Outcome:
        if not in_time:
            return Outcome.TIMED_OUT
        return Outcome.FAILED if self.delivery.failures > failures else Outcome.FLUSHED

    def totals(self) -> Totals:
        return self.ledger.totals()


class DropsSilently(Careful):
    """PEER-1: what comes while the queue is full is gone, and no number says so."""

    def queue_is_full(self) -> None:
        pass


class FlushesInWords(Careful):
    """PEER-3: it wakes the worker, does not wait for it, and says that everything was exported."""

    def force_flush(self, timeout: float) -> Outcome:
        self.wake.set()
        return Outcome.FLUSHED


class LooksBeforeItQueues(Careful):
    """PEER-18: between the look at `closed` and the append, the worker may have gone home."""

    def emit(self, record: int) -> None:
        if self.closed:
            self.ledger.turned_away(ALREADY_SHUTDOWN)
            return
        with self.lock:
            if len(self.queue) >= CAPACITY:
                self.queue_is_full()
            else:
                self.ledger.created(1)
                self.queue.append(record)
        self.wake.set()


class ExportsOnEveryThread(Careful):
    """PEER-19: a producer that fills a batch exports it itself, whoever else is exporting."""

    def emit(self, record: int) -> None:
        super().emit(record)
        if len(self.queue) >= BATCH:
            batch = self.take()
            self.delivery.deliver(batch, len(batch))
