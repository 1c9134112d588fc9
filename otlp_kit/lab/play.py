"""A batch buffer played on virtual time: what comes when, what leaves when, and what is lost.

    buffer = BatchBuffer(capacity=8, batch_size=4, delay=1.0)
    run = play(buffer, arrivals=[0.0, 0.1, 0.2], seconds=lambda count, at: 0.05)
    run.exports     [Export(at=1.0, done=1.05, records=[0, 1, 2])]
    run.lost, run.waited, run.mean_length

It is a `BatchProcessor` without threads: one program that emits, one worker that exports one batch
at a time, and no clock, so a minute of traffic takes no minute and every run is the same. It is no
measurement: how long an export takes is what you say it takes. Records are numbers, in the order in
which they come. The engine is `simulate.pipeline`; `simulate` has peers, retries and many programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from otlp_kit.processors.buffer import BatchBuffer
from otlp_kit.simulate.events import Timeline
from otlp_kit.simulate.pipeline import Pipeline

Seconds: TypeAlias = Callable[[int, float], float]
"""How long the export of so many records takes that begins at such a time."""


@dataclass(frozen=True, slots=True)
class Export:
    """One batch: taken from the queue `at`, acknowledged when `done` (seconds)."""

    at: float
    done: float
    records: list[int]


@dataclass(slots=True)
class Played:
    """What happened. All times are in virtual seconds."""

    came: list[float] = field(default_factory=list)
    """When each record was emitted; later than it should have been if the program had to wait."""
    exports: list[Export] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    """The records that gave way, in the order in which they did."""
    lost_at: list[float] = field(default_factory=list)
    waited: float = 0.0
    """How long the program stood still, waiting for room."""
    lengths: list[tuple[float, int]] = field(default_factory=list)
    """The length of the queue after each change of it."""

    @property
    def delivered(self) -> list[int]:
        return [record for export in self.exports for record in export.records]

    @property
    def busy(self) -> float:
        """How long the exporter was at work."""
        return sum(export.done - export.at for export in self.exports)

    @property
    def mean_length(self) -> float:
        """The queue's length, averaged over time from 0 to its last change."""
        area, before, length = 0.0, 0.0, 0
        for at, now in self.lengths:
            area += length * (at - before)
            before, length = at, now
        return area / before if before else 0.0

    @property
    def mean_wait(self) -> float:
        """How long a delivered record was queued, on average."""
        waits = [
            export.at - self.came[record] for export in self.exports for record in export.records
        ]
        return sum(waits) / len(waits) if waits else 0.0

    @property
    def latest(self) -> tuple[float, int]:
        """The longest way from emitted to acknowledged, and the first record that had it."""
        ways = (
            (export.done - self.came[record], -record)
            for export in self.exports
            for record in export.records
        )
        seconds, record = max(ways, default=(0.0, 0))
        return seconds, -record


def play(
    buffer: BatchBuffer[int],
    arrivals: Iterable[float],
    seconds: Seconds,
    *,
    block_timeout: float = 0.0,
) -> Played:
    """Emit a record at each of `arrivals` (increasing), and export until none is left.

    `block_timeout` is how long the program waits for room before a record gives way: more than 0
    for the policy `block`.
    """
    run, timeline = Played(), Timeline()

    def export(batch: list[int], done: Callable[[], None]) -> None:
        begins = timeline.now
        ends = begins + seconds(len(batch), begins)
        run.exports.append(Export(begins, ends, batch))
        timeline.at(ends, done)

    pipeline = Pipeline(timeline, buffer, export, _Notes(run, buffer), block_timeout=block_timeout)
    pipeline.feed(arrivals)
    timeline.run()
    run.waited = pipeline.waited
    return run


class _Notes:
    """Writes down what a `Pipeline` tells its `Watch`."""

    def __init__(self, run: Played, buffer: BatchBuffer[int]) -> None:
        self._run, self._buffer = run, buffer

    def came(self, record: int, at: float) -> None:
        self._run.came.append(at)

    def queued(self, record: int, at: float) -> None:
        self._run.lengths.append((at, len(self._buffer)))

    def gave_way(self, record: int, at: float) -> None:
        self._run.lost.append(record)
        self._run.lost_at.append(at)

    def taken(self, batch: list[int], at: float) -> None:
        self._run.lengths.append((at, len(self._buffer)))

    def exported(self, batch: list[int], at: float) -> None:
        pass
