"""The ledger: where did every record go?

One ledger accompanies one path to one destination. Its driver (a processor's worker, a receiver)
writes each record's fate exactly once, so that at any moment

    created = delivered + rejected + sum(dropped by reason) + stored + unknown + inside

and after shutdown `inside` is 0. A ledger is a counter, not a log: it does not know the records,
and it decides nothing.

    >>> ledger = Ledger()
    >>> ledger.created(3)
    >>> ledger.delivered(2)
    >>> ledger.dropped("queue_full", 1)
    >>> ledger
    <Ledger [created 3 = delivered 2 + dropped 1 (queue_full 1)]>
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# Why a record was given up on this side. The first two are names of the semantic conventions.
QUEUE_FULL = "queue_full"
ALREADY_SHUTDOWN = "already_shutdown"
EXPORT_FAILED = "export_failed"
TIMEOUT = "timeout"
TOO_LARGE = "too_large"
SAMPLED_OUT = "sampled_out"
FILTERED = "filtered"
FORK = "fork"
DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Totals:
    """A frozen reading of a ledger. All numbers count records."""

    created: int = 0
    delivered: int = 0
    """Acknowledged by the destination."""
    rejected: int = 0
    """Refused one by one by a destination that took the rest (partial success)."""
    dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Given up on this side, by reason."""
    stored: int = 0
    """Durable on this side; their further way is another ledger's."""
    unknown: int = 0
    """Sent, but the answer never came."""

    @property
    def inside(self) -> int:
        """Records whose fate is still open: queued, being encoded, or on their way."""
        settled = self.delivered + self.rejected + self.stored + self.unknown
        return self.created - settled - sum(self.dropped.values())

    def __str__(self) -> str:
        parts = [
            f"{name} {count:,}"
            for name in ("delivered", "rejected", "stored", "unknown", "inside")
            if (count := getattr(self, name))
        ]
        if self.dropped:
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in self.dropped.items())
            parts.append(f"dropped {sum(self.dropped.values()):,} ({reasons})")
        return f"created {self.created:,} = {' + '.join(parts) or '0'}"


class Ledger:
    """Counts one fate per record. Thread-safe; every call takes a count of records, 0 or more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()

    def created(self, count: int) -> None:
        """`count` records entered this path."""
        self._add("created", count)

    def delivered(self, count: int) -> None:
        """The destination acknowledged `count` records."""
        self._add("delivered", count)

    def rejected(self, count: int) -> None:
        """The destination took the batch but not these `count` records."""
        self._add("rejected", count)

    def stored(self, count: int) -> None:
        """`count` records are durable on this side."""
        self._add("stored", count)

    def unknown(self, count: int) -> None:
        """`count` records were sent and never answered."""
        self._add("unknown", count)

    def dropped(self, reason: str, count: int) -> None:
        """`count` records were given up because of `reason` (see the constants of this module)."""
        with self._lock:
            self._dropped[reason] += count

    def turned_away(self, reason: str, count: int = 1) -> None:
        """`count` records came to the door and were dropped there: created and dropped in one step."""
        with self._lock:
            self._counts["created"] += count
            self._dropped[reason] += count

    def totals(self, *, queued: int = 0) -> Totals:
        """A frozen reading. `queued` adds records that wait where entering costs no lock."""
        with self._lock:
            counts = dict(self._counts)
            counts["created"] = counts.get("created", 0) + queued
            dropped = {reason: n for reason, n in self._dropped.items() if n}
        return Totals(**counts, dropped=MappingProxyType(dropped))

    def begin_anew(self, *, queued: int = 0) -> None:
        """Count from zero, in the child of a fork.

        What was inside, `queued` among it, is the parent's to deliver: here it came and was dropped.
        """
        self._lock = threading.Lock()  # another thread of the parent may have held it
        inside = self.totals(queued=queued).inside
        self._counts.clear()
        self._dropped.clear()
        self.turned_away(FORK, inside)

    def _add(self, fate: str, count: int) -> None:
        with self._lock:
            self._counts[fate] += count

    def __repr__(self) -> str:
        return f"<Ledger [{self.totals()}]>"
