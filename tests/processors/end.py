"""The end of a path, for tests of what stands before it."""

from __future__ import annotations

from typing import Any

from otlp_kit.ledger import Ledger, Totals
from otlp_kit.processors.outcome import Outcome


class End:
    """Keeps what arrives, and answers what it is told to."""

    def __init__(self, ledger: Ledger | None = None, outcome: Outcome = Outcome.FLUSHED) -> None:
        self.records: list[Any] = []
        self.ledger = ledger or Ledger()
        self.outcome = outcome
        self.asked: list[tuple[str, float]] = []

    def emit(self, record: Any) -> None:
        self.records.append(record)

    def force_flush(self, timeout: float) -> Outcome:
        self.asked.append(("force_flush", timeout))
        return self.outcome

    def shutdown(self, timeout: float) -> Outcome:
        self.asked.append(("shutdown", timeout))
        return self.outcome

    def totals(self) -> Totals:
        return self.ledger.totals()
