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
from typing import Generic, Literal, Protocol, TypeVar

from otlp_kit.ledger import ALREADY_SHUTDOWN, EXPORT_FAILED, QUEUE_FULL, Ledger, Totals
from otlp_kit.processors.buffer import BatchBuffer
from otlp_kit.processors.outcome import Outcome as Outcome
from otlp_kit.wire import Accepted, Unavailable

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
log = logging.getLogger(__name__)

QUIET = 60.0
"""Seconds between two log lines about the same trouble; the line tells how many it stands for."""


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


class _Quietly:
    """Logs one kind of trouble, at most once in `QUIET` seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said_at = -QUIET
        self._unsaid = 0

    def warn(self, message: str) -> None:
        now = self._clock.monotonic()
        if now - self._said_at < QUIET:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} more batches since the last report)" if self._unsaid else ""
        log.warning("%s%s", message, more)
        self._said_at, self._unsaid = now, 0


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
    (`drop_oldest`). `ledger` is one of the caller's, for this processor alone. Raises `ValueError`
    for settings that contradict each other.
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
        ledger: Ledger | None = None,
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
        self._ledger = ledger or Ledger()
        # Held while records leave the queue, until the ledger has them: `totals` is exact.
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._flushes: list[_Flush] = []
        self._failures = 0
        self._failing, self._rejecting = _Quietly(self._clock), _Quietly(self._clock)
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
        if not self._drop_oldest:
            self._ledger.turned_away(QUEUE_FULL)
            return
        with self._lock:
            # The worker, or shutdown, may have come first: then nobody has to give way, or all.
            if self._buffer.closed:
                self._ledger.turned_away(ALREADY_SHUTDOWN)
            else:
                self._ledger.turned_away(QUEUE_FULL, len(self._buffer.displace(record)))
        if self._buffer.has_full_batch and not self._wake.is_set():
            self._wake.set()

    def force_flush(self, timeout: float = 30.0) -> Outcome:
        """Export everything emitted before this call. Returns within `timeout` seconds."""
        if threading.current_thread() is self._worker:
            # An exporter that flushes its own processor would wait for itself.
            return Outcome.FAILED
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
        """Where every record went so far."""
        with self._lock:
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
        """Export what has to leave.

        A flush is answered when as much has left as it found: producers that keep filling batches
        meanwhile would otherwise make it wait for ever.
        """
        flushes, left = self._begin_flushes()
        while batch := self._take():
            self._export(batch)
            self._buffer.restart(self._clock.monotonic())
            left -= len(batch)
            if left <= 0:
                self._answer(flushes)
                flushes, left = self._begin_flushes()
        self._answer(flushes)

    def _begin_flushes(self) -> tuple[list[_Flush], int]:
        """The callers who wait now, and how many records they wait for."""
        with self._lock:
            flushes, self._flushes = self._flushes, []
            if flushes:
                self._buffer.flush()
            return flushes, len(self._buffer) if flushes else 0

    def _take(self) -> list[T]:
        with self._lock:
            batch = self._buffer.take(self._clock.monotonic())
            self._ledger.created(len(batch))
            return batch

    def _answer(self, flushes: list[_Flush]) -> None:
        for flush in flushes:
            if self._failures > flush.failures_before:
                flush.outcome = Outcome.FAILED
            flush.done.set()

    def _export(self, batch: list[T]) -> None:
        """Export one batch and write down what became of it."""
        count = len(batch)
        try:
            accepted = self._exporter.export(batch, self._clock.monotonic() + self._export_timeout)
            rejected = min(max(accepted.rejected, 0), count)
        except Unavailable as unavailable:
            if unavailable.maybe_delivered:
                self._ledger.unknown(count)
            else:
                self._ledger.dropped(EXPORT_FAILED, count)
            self._fail(count, unavailable)
        except Exception as error:
            # The exporter may be anybody's. Whatever it does, the worker and the accounts go on.
            self._ledger.dropped(EXPORT_FAILED, count)
            self._fail(count, error)
        else:
            self._ledger.delivered(count - rejected)
            self._ledger.rejected(rejected)
            if rejected or accepted.message:
                self._rejecting.warn(f"{rejected} of {count} records rejected: {accepted.message}")

    def _fail(self, count: int, error: Exception) -> None:
        self._failures += 1
        reason = str(error) or type(error).__name__
        self._failing.warn(f"export of {count} records failed: {reason}")

    def _sweep(self) -> None:
        with self._lock:
            self._ledger.turned_away(ALREADY_SHUTDOWN, len(self._buffer.clear()))
