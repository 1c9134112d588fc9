"""Any exporter behind one small shape: it is told to export, and what it said is kept.

An exporter of this kit takes a batch and a deadline, and returns `Accepted` or raises; one of the
official SDK takes a batch and returns a result called SUCCESS or FAILURE. Which it is shows in the
signature of `export`. Exports run on threads of their own: one that never returns is an outcome.

Used by `check_exporter`, which says what the outcomes ought to be.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from otlp_kit.model import Span
from otlp_kit.wire import Accepted, SendError

GRACE = 5.0
"""Seconds after its deadline in which an export must have returned: for busy machines."""

Make: TypeAlias = Callable[..., Any]
"""`make(endpoint, **settings)` returns a new exporter; see `check_exporter`."""

Records: TypeAlias = Callable[[int, int], Sequence[Any]]
"""`records(count, size)`: a batch of `count` spans with an attribute of `size` characters each."""


def kit_spans(count: int, size: int = 0) -> list[Span]:
    """The batch for exporters of this kit."""
    text = {"text": "x" * size} if size else {}
    return [
        Span(f"span {i}", b"\1" * 16, (i + 1).to_bytes(8, "big"), attributes=dict(text))
        for i in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one export."""

    returned: bool
    """Whether it did, within `GRACE` of its deadline."""
    success: bool
    rejected: int | None
    """How many records it says the server rejected; None where its interface cannot say."""
    said: str
    """What it returned or raised, for a message."""
    patience: float
    """Seconds that it had."""
    crashed: bool = False
    """Whether it raised something that its interface does not name."""


class Call(threading.Thread):
    """A call on a thread of its own, so that it may wait for ever."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(name="check-exporter", daemon=True)
        self._work = work
        self.result: object = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:
            self.error = error

    def ended(self, timeout: float) -> bool:
        """Wait for its end; False if it still runs after `timeout` seconds."""
        self.join(timeout)
        return not self.is_alive()


def takes_deadline(exporter: Any) -> bool:
    """Whether it is one of this kit, and not one of the official SDK: its `export` takes two."""
    parameters = inspect.signature(exporter.export).parameters.values()
    needed = [one for one in parameters if one.default is one.empty]
    return len([one for one in needed if one.kind not in (one.VAR_KEYWORD, one.KEYWORD_ONLY)]) > 1


class Subject:
    """One exporter under test, whose exports get `patience` seconds each.

    `obeys` says whether it was told so: an official exporter whose factory takes no timeout was not.
    """

    def __init__(
        self, exporter: Any, records: Records | None, patience: float, timeout_taken: bool
    ) -> None:
        self.exporter = exporter
        self._records = records or kit_spans
        self._patience = patience
        self.takes_deadline = takes_deadline(exporter)
        self.obeys = self.takes_deadline or timeout_taken

    def begin(self, count: int = 1, size: int = 0) -> Call:
        """Start to export a batch."""
        batch = self._records(count, size)
        if self.takes_deadline:
            deadline = time.monotonic() + self._patience
            return Call(lambda: self.exporter.export(batch, deadline))
        return Call(lambda: self.exporter.export(batch))

    def outcome(self, call: Call) -> Outcome:
        """What came of a call that `begin` returned."""
        patience = self._patience
        if not call.ended(patience + GRACE):
            late = f"nothing {GRACE:g} s after its deadline of {patience:g} s"
            return Outcome(False, False, None, late, patience)
        result, error = call.result, call.error
        if error is not None:
            said, crashed = f"{type(error).__name__}: {error}", not isinstance(error, SendError)
            return Outcome(True, False, None, said, patience, crashed)
        if isinstance(result, Accepted):
            return Outcome(True, True, result.rejected, str(result), patience)
        success = getattr(result, "name", None) == "SUCCESS"
        return Outcome(True, success, None, str(result), patience)

    def export(self, count: int = 1, size: int = 0) -> Outcome:
        """Export a batch and wait for what comes of it."""
        return self.outcome(self.begin(count, size))

    def shut_down(self, timeout: float = GRACE) -> bool:
        """Whether `shutdown` returned within `timeout` seconds."""
        return Call(self.exporter.shutdown).ended(timeout)
