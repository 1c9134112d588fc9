"""The batch processor: a worker thread around a `BatchBuffer` and an exporter.

    processor = BatchProcessor(exporter)
    processor.emit(record)              # returns at once, never raises, never waits
    processor.force_flush(timeout=5)    # what was emitted before is exported, or the time is over
    processor.shutdown(timeout=5)

What leaves when is the buffer's decision; this module owns the thread, the waiting, the deadlines
and the accounts. Each record meets exactly one fate in the ledger. It does not retry: an exporter
that can try again does so within the deadline it is given.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from enum import Enum
from typing import Generic, Literal, Protocol, TypeVar

from otlp_kit.ledger import ALREADY_SHUTDOWN, EXPORT_FAILED, QUEUE_FULL, Ledger, Totals
from otlp_kit.processors.buffer import BatchBuffer
from otlp_kit.wire import Accepted, Unavailable

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
log = logging.getLogger(__name__)

QUIET = 60.0
"""Seconds between two log lines about failing exports; the line tells how many it stands for."""


class Outcome(Enum):
    """What became of a flush or a shutdown."""

    FLUSHED = "flushed"
    FAILED = "failed"
    TIMED_OUT = "timed out"


class BatchExporter(Protocol[T_contra]):
    """Where batches go. Called by one thread, one batch at a time."""

    def export(self, batch: Sequence[T_contra], deadline: float) -> Accepted:
        """Deliver `batch` before `deadline` (monotonic seconds); raise if that fails."""
        ...

    def shutdown(self) -> None:
        """Release what the exporter holds; called once, after the last batch."""
        ...


class Clock(Protocol):
    """How time passes: the system's clock, or one that a test turns by hand."""

    def monotonic(self) -> float: ...

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set (True) or `timeout` seconds have passed (False)."""
        ...


class SystemClock:
    monotonic = staticmethod(time.monotonic)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.wait(min(timeout, threading.TIMEOUT_MAX))


class _Flush:
    """One caller waiting for what was queued before."""

    def __init__(self, failures: int) -> None:
        self.failures_before = failures
        self.done = threading.Event()
        self.outcome = Outcome.FLUSHED


class BatchProcessor(Generic[T]):
    """Queues records and exports them in batches from a thread of its own.

    `max_queue_size` and `max_batch_size` count records; `delay` and `export_timeout` are seconds.
    A full queue drops the record that comes (`drop_newest`) or the one that waited longest
    (`drop_oldest`). Raises `ValueError` for settings that contradict each other.
    """

    def __init__(
        self,
        exporter: BatchExporter[T],
        *,
        max_queue_size: int = 2048,
        max_batch_size: int = 512,
        delay: float = 5.0,
        export_timeout: float = 30.0,
        when_full: Literal["drop_newest", "drop_oldest"] = "drop_newest",
        clock: Clock | None = None,
    ) -> None:
        if not export_timeout > 0:
            raise ValueError(f"export timeout must be more than 0 seconds, not {export_timeout}")
        if when_full not in ("drop_newest", "drop_oldest"):
            raise ValueError(f"when_full must be drop_newest or drop_oldest, not {when_full!r}")
        self._clock = clock or SystemClock()
        self._buffer: BatchBuffer[T] = BatchBuffer(
            capacity=max_queue_size,
            batch_size=max_batch_size,
            delay=delay,
            now=self._clock.monotonic(),
        )
        self._exporter = exporter
        self._export_timeout = export_timeout
        self._drop_oldest = when_full == "drop_oldest"
        self._ledger = Ledger()
        self._lock = threading.Lock()  # guards the queue's far ends: displacing, sweeping
        self._wake = threading.Event()
        self._flushes: list[_Flush] = []
        self._failures = 0
        self._complained_at = -QUIET
        self._unsaid = 0
        self._swept = False
        self._finished = threading.Event()
        self._worker = threading.Thread(target=self._run, name="otlp-kit-batch", daemon=True)
        self._worker.start()

    def emit(self, record: T) -> None:
        """Take over `record`. Safe from any thread; never waits for I/O and never raises."""
        if self._buffer.offer(record):
            if self._buffer.has_full_batch and not self._wake.is_set():
                self._wake.set()
            if self._swept:
                # Shutdown overtook this call between the offer and here: nobody else would look.
                self._sweep()
        elif self._buffer.closed:
            self._ledger.turned_away(ALREADY_SHUTDOWN)
        else:
            self._overflow(record)

    def _overflow(self, record: T) -> None:
        if self._drop_oldest:
            with self._lock:
                if not self._buffer.closed:
                    self._buffer.displace(record)
        self._ledger.turned_away(QUEUE_FULL)
        if self._swept:
            self._sweep()

    def force_flush(self, timeout: float = 30.0) -> Outcome:
        """Export everything emitted before this call. Returns within `timeout` seconds."""
        if threading.current_thread() is self._worker:
            return (
                Outcome.FAILED
            )  # an exporter that flushes its own processor would wait for itself
        flush = _Flush(self._failures)
        with self._lock:
            if self._finished.is_set():
                return Outcome.FLUSHED
            self._flushes.append(flush)
        self._wake.set()
        return flush.outcome if self._clock.wait(flush.done, timeout) else Outcome.TIMED_OUT

    def shutdown(self, timeout: float = 30.0) -> Outcome:
        """Take no more records, export what is queued, release the exporter.

        Returns within `timeout` seconds; what is still queued then is dropped and counted. A second
        call waits for the first.
        """
        failures = self._failures
        self._buffer.close()
        self._wake.set()
        if threading.current_thread() is self._worker:
            return Outcome.FAILED
        if not self._clock.wait(self._finished, timeout):
            self._swept = True
            self._sweep()
            return Outcome.TIMED_OUT
        return Outcome.FLUSHED if self._failures == failures else Outcome.FAILED

    def totals(self) -> Totals:
        """Where every record went so far; exact once `shutdown` has returned."""
        return self._ledger.totals(queued=len(self._buffer))

    def __repr__(self) -> str:
        state = self._buffer.state(self._clock.monotonic())
        depth = f"{len(self._buffer)}/{self._buffer.capacity}"
        return f"<BatchProcessor [{state} | queued {depth} | {self.totals()}]>"

    def _run(self) -> None:
        buffer, clock = self._buffer, self._clock
        while not (buffer.closed and not buffer):
            clock.wait(self._wake, buffer.next_due(clock.monotonic()))
            # Cleared before the queue is looked at: a wake-up that comes later is for next time.
            self._wake.clear()
            self._drain()
        self._swept = True
        self._sweep()
        try:
            self._exporter.shutdown()
        except Exception:
            log.exception("the exporter failed to shut down")
        with self._lock:
            self._finished.set()
        self._answer(self._flushes)

    def _drain(self) -> None:
        """One pass: export what has to leave, then answer the flushes that began before it."""
        with self._lock:
            flushes, self._flushes = self._flushes, []
        if flushes:
            self._buffer.flush()
        while batch := self._buffer.take(self._clock.monotonic()):
            self._export(batch)
            self._buffer.restart(self._clock.monotonic())
        self._answer(flushes)

    def _answer(self, flushes: list[_Flush]) -> None:
        for flush in flushes:
            if self._failures > flush.failures_before:
                flush.outcome = Outcome.FAILED
            flush.done.set()

    def _export(self, batch: list[T]) -> None:
        """Export one batch and write down what became of it."""
        count = len(batch)
        self._ledger.created(count)
        try:
            accepted = self._exporter.export(batch, self._clock.monotonic() + self._export_timeout)
            rejected = min(max(accepted.rejected, 0), count)
        except Unavailable as unavailable:
            if unavailable.maybe_delivered:
                self._ledger.unknown(count)
            else:
                self._ledger.dropped(EXPORT_FAILED, count)
            self._complain(count, unavailable)
        except Exception as error:
            # The exporter may be anybody's. Whatever it does, the worker and the accounts go on.
            self._ledger.dropped(EXPORT_FAILED, count)
            self._complain(count, error)
        else:
            self._ledger.delivered(count - rejected)
            self._ledger.rejected(rejected)
            if rejected or accepted.message:
                log.warning("%d of %d records rejected: %s", rejected, count, accepted.message)

    def _complain(self, count: int, error: Exception) -> None:
        self._failures += 1
        now = self._clock.monotonic()
        if now - self._complained_at < QUIET:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} more batches since the last report)" if self._unsaid else ""
        log.warning("export of %d records failed: %s%s", count, error or type(error).__name__, more)
        self._complained_at, self._unsaid = now, 0

    def _sweep(self) -> None:
        with self._lock:
            given_up = len(self._buffer.clear())
        self._ledger.turned_away(ALREADY_SHUTDOWN, given_up)
