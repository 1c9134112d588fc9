"""The simple processor: every record is exported at once, on the thread that emits it.

    processor = SimpleProcessor(exporter)
    processor.emit(record)              # returns when the exporter has; never raises

For a console, a test, a short script: whoever emits pays for the export, and waits while another
thread exports, since an exporter is called by one at a time. No one waits longer than the export
timeout for a turn: then the record is dropped and counted.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#simple-processor
"""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

from otlp_kit.ledger import ALREADY_SHUTDOWN, SAMPLED_OUT, TIMEOUT, Ledger, Totals
from otlp_kit.processors.delivery import BatchExporter, Clock, Delivery, SystemClock, wanted
from otlp_kit.processors.forking import begin_anew_in_child
from otlp_kit.processors.outcome import Outcome

T = TypeVar("T")


class _Turn:
    """A lock whose waiting is bounded by the processor's clock; one thread has it at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[threading.Event] = []
        self._taken = False
        self.holder: threading.Thread | None = None

    def take(self, timeout: float) -> bool:
        """Wait for the turn; False if it does not come in `timeout` seconds."""
        last = self._clock.monotonic() + timeout
        mine = threading.Event()
        with self._lock:
            if not self._taken:
                self._taken, self.holder = True, threading.current_thread()
                return True
            self._waiting.append(mine)
        if not self._clock.wait(mine, max(0.0, last - self._clock.monotonic())):
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    return False
                # It came in the same instant.
        self.holder = threading.current_thread()
        return True

    def give(self) -> None:
        """Pass the turn on to whoever has waited longest."""
        with self._lock:
            self.holder = None  # until the next one has woken up
            if self._waiting:
                self._waiting.pop(0).set()
            else:
                self._taken = False


class SimpleProcessor(Generic[T]):
    """Exports each record by itself, one after the other.

    `export_timeout` is in seconds: the deadline of an export, and how long one waits for a turn.
    `ledger` is one of the caller's, for this path alone. Raises `ValueError` for a timeout of 0.
    """

    def __init__(
        self,
        exporter: BatchExporter[T],
        *,
        export_timeout: float = 30.0,
        ledger: Ledger | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._ledger = ledger or Ledger()
        self._delivery = Delivery(exporter, self._ledger, self._clock, export_timeout)
        self._export_timeout = export_timeout
        self._turn = _Turn(self._clock)
        self._closed = self._released = False
        begin_anew_in_child(self)

    def emit(self, record: T) -> None:
        """Export `record` and account for it. Safe from any thread."""
        if self._closed:
            self._ledger.turned_away(ALREADY_SHUTDOWN)
        elif self._holds_turn() or not self._turn.take(self._export_timeout):
            # An exporter that emits into its own processor would wait for itself.
            self._ledger.turned_away(TIMEOUT)
        else:
            turn = self._turn
            try:
                if self._released:
                    self._ledger.turned_away(ALREADY_SHUTDOWN)
                    return
                self._ledger.created(1)
                if wanted(record):
                    self._delivery.deliver([record], 1)
                else:
                    self._ledger.dropped(SAMPLED_OUT, 1)
            finally:
                turn.give()

    def force_flush(self, timeout: float = 30.0) -> Outcome:
        """Wait until every `emit` that began before has ended, at most `timeout` seconds."""
        failures = self._delivery.failures
        if self._holds_turn():
            return Outcome.FAILED
        if not self._turn.take(timeout):
            return Outcome.TIMED_OUT
        self._turn.give()
        return Outcome.FAILED if self._delivery.failures > failures else Outcome.FLUSHED

    def shutdown(self, timeout: float = 30.0) -> Outcome:
        """Take no more records, wait for those on their way, release the exporter.

        Returns within `timeout` seconds; the exporter is not released while it is still exporting.
        """
        self._closed = True
        failures = self._delivery.failures
        if self._holds_turn():
            return Outcome.FAILED
        if not self._turn.take(timeout):
            return Outcome.TIMED_OUT
        try:
            if not self._released:
                self._released = True
                self._delivery.close()
        finally:
            self._turn.give()
        return Outcome.FAILED if self._delivery.failures > failures else Outcome.FLUSHED

    def _holds_turn(self) -> bool:
        return self._turn.holder is threading.current_thread()

    def totals(self) -> Totals:
        """Where every record went so far."""
        return self._ledger.totals()

    def begin_anew(self) -> None:
        """In the child of a fork: whoever was exporting is the parent's."""
        self._ledger.begin_anew()
        self._turn = _Turn(self._clock)

    def __repr__(self) -> str:
        return f"<SimpleProcessor [{'closed' if self._closed else 'open'} | {self.totals()}]>"
