"""The batch processor: worker threads around a `BatchBuffer` and an exporter.

    processor = BatchProcessor(exporter)
    processor.emit(record)              # returns at once, and never raises
    processor.force_flush(timeout=5)    # what was emitted before is exported, or the time is over
    processor.shutdown(timeout=5)
    processor.adjust(delay=1.0)         # other limits from now on, while it runs

What leaves when, and who gives way when the queue is full, is the buffer's decision; what becomes of
a batch is `Delivery`'s. This module owns the threads, the waiting and the time limits.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from otlp_kit.ledger import (
    ALREADY_SHUTDOWN,
    FORK,
    QUEUE_FULL,
    SAMPLED_OUT,
    TIMEOUT,
    Ledger,
    Totals,
)
from otlp_kit.processors.buffer import BatchBuffer, WhenFull
from otlp_kit.processors.delivery import BatchExporter, Clock, Delivery, SystemClock, wanted
from otlp_kit.processors.exporting import exporting
from otlp_kit.processors.forking import begin_anew_in_child
from otlp_kit.processors.outcome import Outcome

T = TypeVar("T")
log = logging.getLogger(__name__)


class _Flush:
    """One caller, waiting until the first `target` records are settled."""

    def __init__(self, target: int, failures: int) -> None:
        self.target = target
        self.failures = failures
        self.done = threading.Event()


class BatchProcessor(Generic[T]):
    """Queues records and exports them in batches from threads of its own.

    `max_queue_size` and `max_batch_size` count records; `delay`, `export_timeout` and
    `block_timeout` are seconds. `when_full` says who gives way (`buffer.WhenFull`); with `block`,
    `emit` waits `block_timeout` for room. `in_flight` is how many batches are exported at once, by
    as many threads; more than one only for an exporter that says `concurrent = True`. `keep` is asked
    by the worker, for each record, whether to export it; the others are counted as sampled out. Left
    out, it is what does not say `sampled = False`.
    `ledger` is one of the caller's, for this path alone. Raises `ValueError` for settings that
    contradict each other.

    In the child of a fork it has workers of its own and begins with an empty queue: what was queued
    is the parent's to send, and is counted in the child as dropped (fork).
    """

    def __init__(
        self,
        exporter: BatchExporter[T],
        *,
        max_queue_size: int = 2048,
        max_batch_size: int = 512,
        delay: float = 5.0,
        export_timeout: float = 30.0,
        when_full: WhenFull = "drop_newest",
        block_timeout: float = 1.0,
        in_flight: int = 1,
        keep: Callable[[T], bool] = wanted,
        ledger: Ledger | None = None,
        clock: Clock | None = None,
    ) -> None:
        if in_flight < 1:
            raise ValueError(f"in_flight must be at least 1, not {in_flight}")
        if in_flight > 1 and not getattr(exporter, "concurrent", False):
            raise ValueError("in_flight must be 1: the exporter does not say `concurrent = True`")
        if not block_timeout > 0:
            raise ValueError(f"block timeout must be more than 0 seconds, not {block_timeout}")
        self._clock = clock or SystemClock()
        self._buffer: BatchBuffer[T] = BatchBuffer(
            capacity=max_queue_size,
            batch_size=max_batch_size,
            delay=delay,
            when_full=when_full,
            now=self._clock.monotonic(),
        )
        self._ledger = ledger or Ledger()
        self._delivery = Delivery(exporter, self._ledger, self._clock, export_timeout)
        self._block_timeout = block_timeout if when_full == "block" else 0.0
        self._in_flight = in_flight
        self._keep = keep
        self._enough = max_batch_size  # queued records with which the worker is called
        self._start()
        begin_anew_in_child(self)

    def _start(self) -> None:
        # Held while records leave the queue, until the ledger has them: `totals` is exact.
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._finished = threading.Event()
        self._flushes: list[_Flush] = []
        self._waiting_for_room: set[threading.Event] = set()
        self._exporting: dict[int, int] = {}  # `departed` before each batch that is on its way
        self._called = self._swept = self._reported = False
        self._workers = [
            threading.Thread(target=self._run, name="otlp-kit-batch", daemon=True)
            for _ in range(self._in_flight)
        ]
        self._running = len(self._workers)
        for worker in self._workers:
            worker.start()

    def emit(self, record: T) -> None:
        """Take over `record`. Safe from any thread; waits for nothing but room, and never raises."""
        # `BatchBuffer.offer`, without the call: this runs on the thread of whoever ends a span.
        buffer = self._buffer
        queue = buffer.queue
        depth = len(queue) + 1
        if depth > buffer.room:
            self._refused(record)
            return
        queue.append(record)
        if depth >= self._enough and not self._called:
            self._call_worker()

    def _call_worker(self) -> None:
        self._called = True
        self._wake.set()
        if self._swept:
            # Shutdown overtook `emit` between its two checks: nobody else would look.
            self._called = False
            self._sweep(ALREADY_SHUTDOWN)

    def _refused(self, record: T) -> None:
        if self._buffer.closed:
            self._ledger.turned_away(ALREADY_SHUTDOWN)
        elif not (self._block_timeout and self._found_room(record)):
            self._overflow(record)

    def _found_room(self, record: T) -> bool:
        """Wait until `record` is queued; False when there is no room in time."""
        if self._is_worker():  # nobody else might make room
            return False
        last = self._clock.monotonic() + self._block_timeout
        room = threading.Event()
        while True:
            with self._lock:
                if self._buffer.offer(record):
                    return True
                room.clear()
                self._waiting_for_room.add(room)
            left = last - self._clock.monotonic()
            if self._buffer.closed or left <= 0 or not self._clock.wait(room, left):
                with self._lock:
                    self._waiting_for_room.discard(room)
                return False

    def _overflow(self, record: T) -> None:
        with self._lock:
            # Room may have come, or shutdown: then nobody has to give way, or all.
            if self._buffer.closed:
                self._ledger.turned_away(ALREADY_SHUTDOWN)
            else:
                self._ledger.turned_away(QUEUE_FULL, len(self._buffer.overflow(record)))
            enough = self._buffer.has_full_batch
        if enough:
            self._call_worker()

    def adjust(
        self, *, max_queue_size: int | None = None, max_batch_size: int | None = None,
        delay: float | None = None, export_timeout: float | None = None,
    ) -> None:  # fmt: skip
        """Change the settings that are given, at once; those of a batch on its way stay.

        No queued record is given up for it (`BatchBuffer.adjust`). Raises `ValueError` for settings
        that contradict each other, or one that stays; then nothing is changed.
        """
        delivery = self._delivery
        with self._lock:
            timeout = delivery.export_timeout if export_timeout is None else export_timeout
            delivery.checked_timeout(timeout)
            self._buffer.adjust(capacity=max_queue_size, batch_size=max_batch_size, delay=delay)
            delivery.export_timeout = timeout
            if max_batch_size is not None and not self._swept:
                self._enough = max_batch_size
            self._make_room()
        self._wake.set()  # to see how long it sleeps now

    def force_flush(self, timeout: float = 30.0) -> Outcome:
        """Export everything emitted before this call. Returns within `timeout` seconds."""
        if self._is_worker():
            # An exporter that flushes its own processor would wait for itself.
            return Outcome.FAILED
        with self._lock:
            flush = _Flush(self._buffer.departed + len(self._buffer), self._delivery.failures)
            self._buffer.flush()
            self._flushes.append(flush)
            self._answer()
        self._wake.set()
        if not self._clock.wait(flush.done, timeout):
            return Outcome.TIMED_OUT
        return self._outcome(flush.failures)

    def shutdown(self, timeout: float = 30.0) -> Outcome:
        """Take no more records, export what is queued, release the exporter.

        Returns within `timeout` seconds; what is still queued then is dropped and counted. A second
        call waits for the first.
        """
        failures = self._delivery.failures
        with self._lock:
            self._buffer.close()
            self._make_room()
        self._wake.set()
        if self._is_worker():
            return Outcome.FAILED
        if not self._clock.wait(self._finished, timeout):
            self._sweep_from_now_on(TIMEOUT)
            self._report()
            return Outcome.TIMED_OUT
        return self._outcome(failures)

    def _outcome(self, failures_before: int) -> Outcome:
        return Outcome.FAILED if self._delivery.failures > failures_before else Outcome.FLUSHED

    @property
    def queued(self) -> int:
        """How many records wait."""
        return len(self._buffer)

    def totals(self) -> Totals:
        """Where every record went so far."""
        with self._lock:
            return self._ledger.totals(queued=len(self._buffer))

    def begin_anew(self) -> None:
        """In the child of a fork: own workers, an empty queue, accounts of its own."""
        self._ledger.begin_anew(queued=len(self._buffer.clear()))
        self._start()

    def __repr__(self) -> str:
        state = self._buffer.state(self._clock.monotonic())
        depth = f"{len(self._buffer)}/{self._buffer.capacity}"
        return f"<BatchProcessor [{state} | queued {depth} | {self.totals()}]>"

    def _is_worker(self) -> bool:
        return threading.current_thread() in self._workers

    def _run(self) -> None:
        buffer, clock, workers = self._buffer, self._clock, self._workers
        exporting.set(True)  # in this thread, which does nothing else
        while not (buffer.closed and not buffer):
            clock.wait(self._wake, buffer.next_due(clock.monotonic()))
            # Cleared before the queue is looked at: a wake-up that comes later is for next time.
            self._wake.clear()
            self._called = False
            while batch := self._take():
                if records := self._chosen(batch):
                    self._delivery.deliver(records, len(records))
                if self._workers is not workers:
                    return  # the exporter forked: this is the child, and has workers of its own
                self._settled(batch)
        self._wake.set()  # another worker may have missed that the buffer was closed
        with self._lock:
            self._running -= 1
            if self._running:
                return
        self._sweep_from_now_on(ALREADY_SHUTDOWN)
        self._delivery.close()
        self._report()
        self._finished.set()

    def _take(self) -> list[T]:
        with self._lock:
            before = self._buffer.departed
            batch = self._buffer.take(self._clock.monotonic())
            if batch:
                self._ledger.created(len(batch))
                self._exporting[id(batch)] = before
                self._make_room()
                if self._running > 1 and self._buffer.has_full_batch:
                    self._wake.set()  # there is more than this worker can take
            return batch

    def _chosen(self, batch: list[T]) -> list[T]:
        keep = self._keep
        try:
            chosen = [record for record in batch if keep(record)]
        except Exception:
            # It may be anybody's. What nobody can tell from what is wanted is exported.
            log.exception("cannot tell what to keep")
            return batch
        self._ledger.dropped(SAMPLED_OUT, len(batch) - len(chosen))
        return chosen

    def _settled(self, batch: list[T]) -> None:
        with self._lock:
            del self._exporting[id(batch)]
            self._buffer.restart(self._clock.monotonic())
            self._answer()

    def _answer(self) -> None:
        """Let those flushes return whose records are settled. The lock is held."""
        settled = min(self._exporting.values(), default=self._buffer.departed)
        for flush in self._flushes:
            if flush.target <= settled:
                flush.done.set()
        self._flushes = [flush for flush in self._flushes if not flush.done.is_set()]

    def _make_room(self) -> None:
        """Let those look again who wait for room. The lock is held."""
        for room in self._waiting_for_room:
            room.set()
        self._waiting_for_room.clear()

    def _sweep_from_now_on(self, reason: str) -> None:
        # Whoever is still in `emit` looks after its record itself.
        with self._lock:
            self._swept, self._enough, self._called = True, 0, False
        self._sweep(reason)

    def _sweep(self, reason: str) -> None:
        """Give up what is queued: nobody will come for it."""
        with self._lock:
            given_up = len(self._buffer.clear())
            self._ledger.turned_away(reason, given_up)
            self._delivery.failures += bool(given_up)
            self._answer()

    def _report(self) -> None:
        """Say once what became of everything; loudly if something is missing."""
        if not self._reported:
            self._reported = True
            totals = self.totals()
            missing = totals.created > totals.delivered + totals.dropped.get(FORK, 0)
            log.log(logging.WARNING if missing else logging.INFO, "shut down: %s", totals)
