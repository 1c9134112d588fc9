"""The periodic reader: asks for metrics at intervals and exports what it is given.

    reader = PeriodicReader(collect, exporter, interval=60)
    reader.force_flush(timeout=5)       # collects and exports now
    reader.shutdown(timeout=5)          # once more, and no more

Spans and logs are emitted; metrics are collected, since the state of an instrument is worth
exporting only now and then. One thread collects and exports, one after the other, so exports never
overlap, and an export that takes longer than the interval delays the next.

Specification: https://opentelemetry.io/docs/specs/otel/metrics/sdk/#periodic-exporting-metricreader
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from otlp_kit.ledger import Ledger, Totals
from otlp_kit.processors.delivery import BatchExporter, Clock, Delivery, SystemClock
from otlp_kit.processors.forking import begin_anew_in_child
from otlp_kit.processors.outcome import Outcome

T = TypeVar("T")
log = logging.getLogger(__name__)


class _Request:
    """One caller who waits for a collection that begins after the call."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.outcome = Outcome.FLUSHED


class PeriodicReader(Generic[T]):
    """Collects from `collect` every `interval` seconds and exports the result.

    `collect` returns records, metrics as a rule; `count` says how many items the ledger counts for
    them: data points for metrics. An empty collection is not exported. `export_timeout` is in
    seconds. Raises `ValueError` for an interval or timeout that is not more than 0.

    In the child of a fork it has a thread of its own.
    """

    def __init__(
        self,
        collect: Callable[[], Sequence[T]],
        exporter: BatchExporter[T],
        *,
        interval: float = 60.0,
        export_timeout: float = 30.0,
        count: Callable[[Sequence[T]], int] = len,
        ledger: Ledger | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not interval > 0:
            raise ValueError(f"interval must be more than 0 seconds, not {interval}")
        self._clock = clock or SystemClock()
        self._ledger = ledger or Ledger()
        self._delivery = Delivery(exporter, self._ledger, self._clock, export_timeout)
        self._collect = collect
        self._count = count
        self._interval = interval
        self._closed = False
        self._start()
        begin_anew_in_child(self)

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._finished = threading.Event()
        self._requests: list[_Request] = []
        self._worker = threading.Thread(target=self._run, name="otlp-kit-periodic", daemon=True)
        self._worker.start()

    def force_flush(self, timeout: float = 30.0) -> Outcome:
        """Collect and export now. Returns within `timeout` seconds."""
        if threading.current_thread() is self._worker:
            return Outcome.FAILED
        request = _Request()
        with self._lock:
            if self._finished.is_set():
                return Outcome.FLUSHED
            self._requests.append(request)
        self._wake.set()
        return request.outcome if self._clock.wait(request.done, timeout) else Outcome.TIMED_OUT

    def shutdown(self, timeout: float = 30.0) -> Outcome:
        """Collect and export a last time, release the exporter. Returns within `timeout` seconds.

        A second call waits for the first.
        """
        failures = self._delivery.failures
        self._closed = True
        self._wake.set()
        if threading.current_thread() is self._worker:
            return Outcome.FAILED
        if not self._clock.wait(self._finished, timeout):
            return Outcome.TIMED_OUT
        return Outcome.FAILED if self._delivery.failures > failures else Outcome.FLUSHED

    def totals(self) -> Totals:
        """Where every item went so far."""
        return self._ledger.totals()

    def begin_anew(self) -> None:
        """In the child of a fork: an own thread; what was on its way is the parent's."""
        self._ledger.begin_anew()
        self._start()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"every {self._interval:g} s"
        return f"<PeriodicReader [{state} | {self.totals()}]>"

    def _run(self) -> None:
        worker = self._worker
        due = self._clock.monotonic() + self._interval
        while not self._closed:
            self._clock.wait(self._wake, max(0.0, due - self._clock.monotonic()))
            # Cleared before anybody is asked: a wake-up that comes later is for next time.
            self._wake.clear()
            with self._lock:
                requests, self._requests = self._requests, []
            if self._closed:
                self._requests += requests
                break
            if requests or self._clock.monotonic() >= due:
                due = self._clock.monotonic() + self._interval
                self._collect_and_export(requests)
                if self._worker is not worker:
                    return  # the exporter forked: this is the child, and has a thread of its own
        with self._lock:
            last, self._requests = self._requests, []
        self._collect_and_export(last)
        self._delivery.close()
        log.info("shut down: %s", self.totals())
        with self._lock:
            self._finished.set()
            for request in self._requests:  # it came after the last collection
                request.done.set()

    def _collect_and_export(self, requests: list[_Request]) -> None:
        failures = self._delivery.failures
        try:
            records = self._collect()
            items = self._count(records)
        except Exception:
            # The instruments' callbacks are anybody's. The next collection may succeed.
            log.exception("cannot collect metrics")
            self._delivery.failures += 1
        else:
            if items:
                self._ledger.created(items)
                self._delivery.deliver(records, items)
        for request in requests:
            if self._delivery.failures > failures:
                request.outcome = Outcome.FAILED
            request.done.set()
