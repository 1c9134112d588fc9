"""An exporter that answers as it is told, hangs when it is told, and notices what is wrong.

    exporter = ScriptedExporter()
    exporter.answer = "refused"         # one of ANSWERS, for every batch from now on
    exporter.gate.clear()               # whoever exports now hangs until gate.set()
    exporter.delivered, exporter.failed, exporter.wrong     # what a ledger is held against

It is the other side of a processor under test (`check_processor`). Records are integers; a producer
numbers its own upwards from a multiple of `STRIDE`, so that order can be told from any record.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-exporter
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import pairwise

from otlp_kit.wire import Accepted, Refused, Unavailable

STRIDE = 1_000_000
"""Records of one producer lie between two multiples of this."""

ANSWERS = (
    "accepted",
    "one rejected",
    "more rejected than sent",
    "unavailable",
    "maybe delivered",
    "refused",
    "exception",
    "sys.exit",
    "garbage",
)
"""What an exporter may do with a batch besides hanging."""

PATIENCE = 30.0
"""Real seconds after which a hanging export gives up, should nobody open the gate."""


class ScriptedExporter:
    """Counts records by the fate that it gave them; `wrong` says what no exporter should see.

    `answer` is one of `ANSWERS`; `choose`, if given, picks one per batch instead. `concurrent` says
    that it may be called by several threads at once. `dwell` is called during each export.
    """

    def __init__(
        self,
        *,
        concurrent: bool = False,
        ordered: bool = True,
        choose: Callable[[], str] | None = None,
        dwell: Callable[[], None] = lambda: None,
    ) -> None:
        self.concurrent = concurrent
        self.answer = "accepted"
        self.gate = threading.Event()
        self.gate.set()
        self.delivered = self.rejected = self.unknown = self.failed = 0
        self.failures = 0
        """Batches that were not accepted."""
        self.began = self.shutdowns = 0
        self.finished: set[int] = set()
        """Records whose export is over, however it went."""
        self.held: dict[int, int] = {}
        """Thread that exports now, and the size of its batch."""
        self.wrong: list[str] = []
        self._seen: set[int] = set()
        self._ordered = ordered
        self._choose = choose or (lambda: self.answer)
        self._dwell = dwell
        self._lock = threading.Lock()

    def export(self, batch: Sequence[int], deadline: float) -> Accepted:
        """Take `batch` as the script says. Thread-safe, so that it can witness who is not."""
        records, thread = list(batch), threading.get_ident()
        with self._lock:
            self.began += 1
            self.held[thread] = len(records)
            self._look_at(records)
        try:
            self._dwell()
            if not self.gate.wait(PATIENCE):
                self.wrong.append("an export was held and never let go")
            with self._lock:
                return self._answer(self._choose(), len(records))
        finally:
            with self._lock:
                self.finished.update(records)
                del self.held[thread]

    def shutdown(self) -> None:
        """Count the call; it must be the only one, after the last batch."""
        with self._lock:
            self.shutdowns += 1
            if self.shutdowns > 1:
                self.wrong.append("the exporter was shut down twice")
            if self.held:
                self.wrong.append("the exporter was shut down during an export")

    def _look_at(self, records: list[int]) -> None:
        if len(self.held) > 1 and not self.concurrent:
            self.wrong.append(f"Export was called by {len(self.held)} threads at once")
        if self.shutdowns:
            self.wrong.append(f"exported {_short(records)} after the exporter was shut down")
        if not records:
            self.wrong.append("exported an empty batch")
        if again := sorted(self._seen.intersection(records)):
            self.wrong.append(f"exported {_short(again)} twice")
        if len(set(records)) < len(records):
            self.wrong.append(f"exported a record twice in one batch: {_short(records)}")
        self._seen.update(records)
        by_producer = sorted(records, key=lambda record: record // STRIDE)  # a stable sort
        if self._ordered and any(late > early for late, early in pairwise(by_producer)):
            self.wrong.append(f"the order within a batch was not kept: {_short(records)}")

    def _answer(self, answer: str, size: int) -> Accepted:
        rejected = {"accepted": 0, "one rejected": 1, "more rejected than sent": 99_999}.get(answer)
        if rejected is not None:
            self.rejected += min(rejected, size)
            self.delivered += max(size - rejected, 0)
            return Accepted(rejected, "as told" if rejected else "")
        self.failures += 1
        if answer == "maybe delivered":
            self.unknown += size
            raise Unavailable("as told", maybe_delivered=True)
        self.failed += size
        if answer == "garbage":
            return "garbage"  # type: ignore[return-value]
        errors = {"unavailable": Unavailable, "refused": Refused, "sys.exit": SystemExit}
        raise errors.get(answer, RuntimeError)("as told")


def _short(records: Sequence[int]) -> str:
    more = f" and {len(records) - 8} more" if len(records) > 8 else ""
    return ", ".join(map(str, records[:8])) + more
