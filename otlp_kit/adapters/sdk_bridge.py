"""Between a class of the official SDK and the kit's processor inside it.

    bridge = Bridge(processor, official)     # official: its exporter, if it is an official one
    bridge.force_flush(timeout)              # records first, then the exporter
    bridge.shutdown(timeout)

A flush goes on to the exporter, as the specification asks, even if the records took all the time;
an official exporter may answer late or never, so it is waited for on a thread of its own. The
bridge is attached to the process's end, and detached by its shutdown.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#forceflush-1
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from otlp_kit.adapters.sdk_official import OfficialExporter
from otlp_kit.ledger import Totals
from otlp_kit.processors.outcome import Outcome, worst
from otlp_kit.runtime import lifecycle

log = logging.getLogger(__name__)


class Processor(Protocol):
    """What all processors and readers of this kit can do, whatever they take."""

    def force_flush(self, timeout: float) -> Outcome: ...
    def shutdown(self, timeout: float) -> Outcome: ...
    def totals(self) -> Totals: ...


class Bridge:
    """Flushes and ends a processor together with its exporter. Timeouts are seconds."""

    def __init__(self, processor: Processor, official: OfficialExporter[Any] | None) -> None:
        self._processor = processor
        self._official = official
        lifecycle.attach(self)

    def force_flush(self, timeout: float) -> Outcome:
        """Export what is inside, then flush the exporter, all within `timeout`."""
        last = time.monotonic() + timeout
        outcome = self._processor.force_flush(timeout)
        if self._official is None:
            return outcome
        flush, left = self._official.force_flush, max(0.0, last - time.monotonic())
        return worst([outcome, _answer(lambda: flush(left), left)])

    def shutdown(self, timeout: float = 30.0) -> Outcome:
        """Export what is inside and release the exporter, all within `timeout`."""
        if self._official is not None and self._official.release_by is None:
            self._official.release_by = time.monotonic() + timeout
        outcome = self._processor.shutdown(timeout)
        if outcome is Outcome.TIMED_OUT and self._official is not None:
            # It may sit in a retry that only its shutdown ends. Nobody waits for it any more.
            _answer(self._official.shutdown, 0.0)
        lifecycle.detach(self)
        return outcome

    def totals(self) -> Totals:
        """Where every record went so far."""
        return self._processor.totals()

    def __repr__(self) -> str:
        return f"<Bridge to {self._processor!r}>"


def _answer(call: Callable[[], object], timeout: float) -> Outcome:
    """What became of `call`, waited for at most `timeout` seconds; it runs on if it has to."""
    outcome = Outcome.TIMED_OUT

    def run() -> None:
        nonlocal outcome
        try:
            outcome = Outcome.FAILED if call() is False else Outcome.FLUSHED
        except Exception:
            # The exporter may be anybody's, and the caller is a program with work to do.
            log.exception("the exporter failed to flush or to shut down")
            outcome = Outcome.FAILED

    thread = threading.Thread(target=run, name="otlp-kit-exporter-flush", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the interpreter is ending, and starts no thread any more
        return Outcome.FAILED
    thread.join(timeout)
    return outcome
