"""What sizing asks and what it answers: a `Scenario`, an `Advice`, or a `Contradiction`.

    scenario = Scenario(rate=1000, burst=5000, outage=16.0, latency=2.0)
    for setting, value, why in size(scenario).settings():
        print(setting, value, why.bound, why.text)

Plain values, with units. How one follows from the other is `sizing`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace

from otlp_kit.simulate.clients import Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is known, and what is wished. Raises `ValueError` for what cannot be.

    >>> Scenario(rate=0)
    Traceback (most recent call last):
    ValueError: rate must be more than 0 records a second, not 0
    """

    rate: float
    """Records a second, the most that lasts: a peak hour's, not a day's average."""
    burst: int = 0
    """Records that come at once on top of it, now and then."""
    record_bytes: int = 500
    """Of one record in memory (`processors.span_size` counts a span's)."""
    outage: float = 0.0
    """Seconds that the peer may be away, with nothing lost."""
    latency: float = 5.0
    """Seconds within which a record has to be delivered, while the peer is there."""
    memory: int = 50_000_000
    """Bytes that records may take, queued and on their way."""
    round_trip: float = 0.02
    """Seconds from a request to its answer, besides `per_record`."""
    per_record: float = 0.0
    """Seconds that each record adds: the peer's work or a slow link, one request at a time."""
    recovery: float = 30.0
    """Seconds after which the backlog of an outage has to be gone, and the next may come."""
    retry: Retry = field(default_factory=Retry)
    """Its waits and attempts count; its two timeouts are part of the advice."""

    def __post_init__(self) -> None:
        for name, unit in (
            ("rate", "records a second"), ("latency", "seconds"), ("recovery", "seconds"),
            ("record_bytes", "bytes"), ("memory", "bytes"),
        ):  # fmt: skip
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be more than 0 {unit}, not {getattr(self, name)}")
        for name in ("burst", "outage", "round_trip", "per_record"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")


class Contradiction(ValueError):
    """Not all wishes can be had together. `remedies` says what would do, one sentence each."""

    def __init__(self, bound: str, problem: str, *remedies: str) -> None:
        super().__init__(f"{problem}: {', or '.join(remedies)}")
        self.bound, self.problem, self.remedies = bound, problem, remedies


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a setting has its value."""

    setting: str
    bound: str
    """throughput, latency, outage, burst, memory; or default, where no bound asks for another value."""
    text: str
    step: float = 0.0
    """What one step worse is, to be added; 0 where no bound is that near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Settings for a `BatchProcessor` and its sender: counts of records and batches, and seconds."""

    max_queue_size: int
    max_batch_size: int
    delay: float
    in_flight: int
    export_timeout: float
    request_timeout: float
    shutdown_timeout: float
    memory: int
    """Bytes that records take at most."""
    disk: int
    """Bytes that the backlog of the outage would take on a disk."""
    gone: float
    """Seconds that the outage lasts for the queue at worst: nothing leaves it for so long."""
    reasons: tuple[Reason, ...] = field(repr=False)

    def settings(self) -> Iterator[tuple[str, float, Reason]]:
        """Each setting with its value and its reason."""
        return ((why.setting, getattr(self, why.setting), why) for why in self.reasons)

    def one_step_worse(self, reason: Reason) -> Advice:
        """This advice with one setting a step below, or above, what its bound asks for."""
        value = round(getattr(self, reason.setting) + reason.step, 3)
        if reason.setting == "max_queue_size":
            return replace(self, max_queue_size=max(value, self.max_batch_size))
        return replace(self, **{reason.setting: value})

    def __str__(self) -> str:
        return "\n".join(
            f"{name:16} {value:>9,}  {why.text}" for name, value, why in self.settings()
        )


SETTINGS = tuple(one.name for one in fields(Advice) if one.name != "reasons")
"""The names of all numbers in an `Advice`."""
