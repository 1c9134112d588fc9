"""What a simulation found: where every record went, how long it waited, how long the queue was.

`Tally` is told everything while it happens; `Report` is the frozen end of it. The fates are a
`Ledger`'s, as a real pipeline keeps them; what the peer took is counted where it is taken, so that
the two sides can be compared. Nothing here decides anything.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from otlp_kit.ledger import QUEUE_FULL, Ledger, Totals


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """Counts are of records unless they say otherwise; times are virtual seconds."""

    offered: int
    """Records that the programs brought: delivered + rejected + lost + unknown + inside."""
    totals: Totals
    seconds: float
    """When the last thing happened."""
    stored: int
    """Records that the peer took, each counted once, whether it could say so or not."""
    duplicates: int
    """How often it took a record that it had."""
    batches: int
    """Batches that left a queue."""
    attempts: int
    """Requests that clients sent: one for each batch, and the retries."""
    requests: Sequence[int]
    """Requests at the peer (or where it should be) in each `bucket` seconds."""
    bucket: float
    lengths: Sequence[tuple[float, int]]
    """Time, and the length of all queues together after each change of it."""
    waits: Sequence[float]
    """How long each record was queued that left its queue, shortest first."""
    peak: int
    """The most records in memory at once: queued, or being exported."""
    stood_still: float
    """How long programs waited for room, together."""

    @property
    def delivered(self) -> int:
        """Acknowledged by the peer."""
        return self.totals.delivered

    @property
    def lost(self) -> Mapping[str, int]:
        """Given up, by reason; the reasons are those of `otlp_kit.ledger`."""
        return self.totals.dropped

    @property
    def loss(self) -> float:
        """The share of what was offered that was given up, from 0 to 1."""
        return sum(self.lost.values()) / self.offered if self.offered else 0.0

    @property
    def unknown(self) -> int:
        """Sent and never answered."""
        return self.totals.unknown

    @property
    def inside(self) -> int:
        """Still queued, or on its way, when the simulation was ended."""
        return self.totals.inside

    @property
    def mean_length(self) -> float:
        """The length of all queues together, averaged over `seconds`."""
        steps = [(0.0, 0), *self.lengths, (self.seconds, 0)]
        area = sum(length * (after - at) for (at, length), (after, _) in pairwise(steps))
        return area / self.seconds if self.seconds else 0.0

    @property
    def mean_wait(self) -> float:
        """How long a record was queued on average, of those that left their queue."""
        return sum(self.waits) / len(self.waits) if self.waits else 0.0

    def wait(self, share: float) -> float:
        """The wait that so large a share of the records (0 to 1) did not exceed: 0.99 is the p99."""
        if not 0 <= share <= 1:
            raise ValueError(f"a share lies between 0 and 1, not {share}")
        return self.waits[max(0, math.ceil(share * len(self.waits)) - 1)] if self.waits else 0.0

    def __repr__(self) -> str:
        return (
            f"<Report [{self.totals} | at most {self.peak:,} in memory | queued"
            f" {self.mean_length:,.1f} on average, for {self.mean_wait:.3f} s, p99"
            f" {self.wait(0.99):.3f} s | {self.attempts:,} requests in {self.seconds:,.1f} s]>"
        )


class Tally:
    """A `pipeline.Watch` and a `server.Log` that counts."""

    def __init__(self, ledger: Ledger, bucket: float) -> None:
        if not bucket > 0:
            raise ValueError(f"bucket must be more than 0 seconds, not {bucket}")
        self._ledger, self._bucket = ledger, bucket
        self._offered = self._queued = self._peak = 0
        self._since: dict[int, float] = {}  # queued records, and when they were
        self._waits: list[float] = []
        self._lengths: list[tuple[float, int]] = []
        self._requests: Counter[int] = Counter()
        self._stored: set[int] = set()
        self._duplicates = 0
        self._exported = self._batches = 0

    def came(self, record: int, at: float) -> None:
        self._offered += 1
        self._ledger.created(1)

    def queued(self, record: int, at: float) -> None:
        self._since[record] = at
        self._lengths.append((at, len(self._since)))
        self._peak = max(self._peak, len(self._since) + self._exported)

    def gave_way(self, record: int, at: float) -> None:
        self._ledger.dropped(QUEUE_FULL, 1)
        if record in self._since:
            self._waits.append(at - self._since.pop(record))
            self._lengths.append((at, len(self._since)))

    def taken(self, batch: list[int], at: float) -> None:
        self._waits += [at - self._since.pop(record) for record in batch]
        self._lengths.append((at, len(self._since)))
        self._exported += len(batch)
        self._batches += 1

    def exported(self, batch: list[int], at: float) -> None:
        self._exported -= len(batch)

    def requested(self, at: float) -> None:
        self._requests[int(at / self._bucket)] += 1

    def stored(self, batch: list[int]) -> None:
        self._duplicates += sum(record in self._stored for record in batch)
        self._stored.update(batch)

    def report(self, *, seconds: float, attempts: int, stood_still: float) -> Report:
        """Everything so far, frozen."""
        last = max(self._requests, default=-1)
        return Report(
            offered=self._offered,
            totals=self._ledger.totals(),
            seconds=seconds,
            stored=len(self._stored),
            duplicates=self._duplicates,
            batches=self._batches,
            attempts=attempts,
            requests=tuple(self._requests[number] for number in range(last + 1)),
            bucket=self._bucket,
            lengths=tuple(self._lengths),
            waits=tuple(sorted(self._waits)),
            peak=self._peak,
            stood_still=stood_still,
        )
