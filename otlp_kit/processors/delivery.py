"""From a batch to its fate: one export within its deadline, written into the ledger.

`Delivery` is what every processor with threads does with a batch, however it waits for one;
`Accounts` is the half of it that does not wait. Each record meets
exactly one fate: acknowledged, rejected one by one, given up with a reason, or unknown (sent, never
answered). It does not retry: an exporter that can try again does so within the deadline.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-exporter
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from otlp_kit.ledger import EXPORT_FAILED, TIMEOUT, Ledger
from otlp_kit.processors.exporting import exporting
from otlp_kit.wire import Accepted, Unavailable

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
log = logging.getLogger(__name__)


def wanted(record: object) -> bool:
    """Whether to export `record`: not what says `sampled = False`, and was recorded for other ends."""
    return getattr(record, "sampled", True) is not False


QUIET = 60.0
"""Seconds between two log lines about the same trouble; the line tells how many it stands for."""


class BatchExporter(Protocol[T_contra]):
    """Where batches go. Called by one thread, one batch at a time.

    An exporter that may be called by several at once says so: `concurrent = True`.
    """

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


class Accounts:
    """Settles batches by how their export ended. `failures` counts those that failed so far.

    Whoever takes a batch out of a queue has counted its records as created; here they are settled.
    """

    def __init__(self, ledger: Ledger, monotonic: Callable[[], float]) -> None:
        self._ledger = ledger
        self._monotonic = monotonic
        self._failing, self._rejecting = Quietly(monotonic), Quietly(monotonic)
        self.failures = 0

    @staticmethod
    def checked_timeout(seconds: float) -> float:
        """`seconds` for one export. Raises `ValueError` unless they are more than 0."""
        if not seconds > 0:
            raise ValueError(f"export timeout must be more than 0 seconds, not {seconds}")
        return seconds

    def answered(self, count: int, answer: Any) -> None:
        """Settle a batch of `count` records by what the exporter returned."""
        if not (isinstance(answer, Accepted) and isinstance(answer.rejected, int)):
            self.failed(count, TypeError(f"the exporter returned {answer!r}, not Accepted"))
            return
        rejected = min(max(answer.rejected, 0), count)
        self._ledger.delivered(count - rejected)
        self._ledger.rejected(rejected)
        if rejected or answer.message:
            self._rejecting.warn(f"{rejected} of {count} records rejected: {answer.message}")

    def failed(self, count: int, error: BaseException, deadline: float | None = None) -> None:
        """Settle a batch of `count` records that failed with `error`, perhaps after its deadline."""
        if isinstance(error, Unavailable) and error.maybe_delivered:
            self._ledger.unknown(count)
        elif deadline is not None and self._monotonic() >= deadline:
            self._ledger.dropped(TIMEOUT, count)
        else:
            self._ledger.dropped(EXPORT_FAILED, count)
        self.failures += 1
        reason = str(error) or type(error).__name__
        self._failing.warn(f"export of {count} records failed: {reason}")


class Delivery(Accounts, Generic[T]):
    """Exports batches through an exporter that blocks, and settles them."""

    def __init__(
        self, exporter: BatchExporter[T], ledger: Ledger, clock: Clock, export_timeout: float
    ) -> None:
        super().__init__(ledger, clock.monotonic)
        self._exporter = exporter
        self.export_timeout = self.checked_timeout(export_timeout)

    def deliver(self, batch: Sequence[T], count: int) -> None:
        """Export a batch of `count` records and settle it. Raises nothing but `KeyboardInterrupt`."""
        deadline = self._monotonic() + self.export_timeout
        process = os.getpid()
        answer: Any = None
        error: BaseException | None = None
        before = exporting.set(True)
        try:
            answer = self._exporter.export(batch, deadline)
        except BaseException as raised:
            # The exporter may be anybody's. Whatever it does, the worker and the accounts go on.
            error = raised
        finally:
            exporting.reset(before)
        if os.getpid() != process:
            return  # it forked: the batch is the parent's to account for
        if error is None:
            self.answered(count, answer)
        else:
            self.failed(count, error, deadline)
        if isinstance(error, KeyboardInterrupt):
            raise error

    def close(self) -> None:
        """Release the exporter."""
        before = exporting.set(True)
        try:
            self._exporter.shutdown()
        except Exception:
            log.exception("the exporter failed to shut down")
        finally:
            exporting.reset(before)


class Quietly:
    """Logs one kind of trouble, at most once in `QUIET` seconds; the others are counted in `of`."""

    def __init__(self, monotonic: Callable[[], float], of: str = "batches") -> None:
        self._monotonic, self._of = monotonic, of
        self._said_at = -QUIET
        self._unsaid = 0

    def warn(self, message: str) -> None:
        now = self._monotonic()
        if now - self._said_at < QUIET:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} more {self._of} since the last report)" if self._unsaid else ""
        log.warning("%s%s", message, more)
        self._said_at, self._unsaid = now, 0
