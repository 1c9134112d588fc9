"""A program that emits, its queue, and the workers that carry batches away, on virtual time.

    pipeline = Pipeline(timeline, buffer, export, watch)
    pipeline.feed([0.0, 0.1, 0.2])      a record comes at each of these times
    timeline.run()

It is `BatchProcessor` without threads, around the same `BatchBuffer`: what leaves when, and who gives
way, is the buffer's decision here as there. How long an export takes, and how it ends, is decided by
`export`, which calls `done` when it is over. What happened is told to a `Watch`. Records are numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from typing import Protocol, TypeAlias

from otlp_kit.processors.buffer import BatchBuffer
from otlp_kit.simulate.events import ARRIVE, Event, Timeline

Export: TypeAlias = Callable[[list[int], Callable[[], None]], None]
"""Carries a batch away and calls its second argument when it is done with it, now or later."""


class Watch(Protocol):
    """Is told what happens to each record, at the time when it does (seconds)."""

    def came(self, record: int, at: float) -> None:
        """The program brings it; it may have to wait for room."""

    def queued(self, record: int, at: float) -> None:
        """It has a place in the queue."""

    def gave_way(self, record: int, at: float) -> None:
        """It is dropped, out of the queue or at its door."""

    def taken(self, batch: list[int], at: float) -> None:
        """They leave the queue together."""

    def exported(self, batch: list[int], at: float) -> None:
        """Their export is over, however it went."""


class Pipeline:
    """Feeds `buffer` and lets `in_flight` workers export from it, each one batch at a time.

    `block_timeout` is how long the program waits for room before a record gives way: more than 0
    for the policy `block`. `numbers` numbers the records, if several pipelines share a server.
    """

    def __init__(
        self,
        timeline: Timeline,
        buffer: BatchBuffer[int],
        export: Export,
        watch: Watch,
        *,
        in_flight: int = 1,
        block_timeout: float = 0.0,
        numbers: Iterator[int] | None = None,
    ) -> None:
        if in_flight < 1:
            raise ValueError(f"in_flight must be at least 1, not {in_flight}")
        self._timeline, self._buffer = timeline, buffer
        self._export, self._watch = export, watch
        self._free = in_flight
        self._block_timeout = block_timeout
        self._numbers = numbers or count()
        self._arrivals: Iterator[float] = iter(())
        self._coming = False
        self._wake: Event | None = None  # when a free worker looks into the queue next
        self._standing: tuple[int, float, Event] | None = None  # record, since when, until when
        self.waited = 0.0
        """How long the program stood still, waiting for room."""

    def feed(self, arrivals: Iterable[float]) -> None:
        """Bring a record at each of `arrivals` (increasing); the pipeline ends when all have left.

        A program that had to wait is late with what comes next.
        """
        self._arrivals = iter(arrivals)
        self._coming = True
        self._await_arrival()
        self._look()

    def _await_arrival(self) -> None:
        at = next(self._arrivals, None)
        if at is None:
            self._coming = False
        else:
            self._timeline.at(at, self._arrive, ARRIVE)

    def _arrive(self) -> None:
        now, record = self._timeline.now, next(self._numbers)
        self._watch.came(record, now)
        if self._buffer.offer(record):
            self._watch.queued(record, now)
        elif self._block_timeout:
            event = self._timeline.after(self._block_timeout, self._give_up, ARRIVE)
            self._standing = record, now, event
            return
        else:
            self._overflow(record)
        self._go_on()

    def _give_up(self) -> None:
        """The program waited for room, until there was some or its patience was over."""
        assert self._standing
        record, since, _ = self._standing
        self._standing = None
        self.waited += self._timeline.now - since
        self._overflow(record)
        self._go_on()

    def _overflow(self, record: int) -> None:
        given_up = self._buffer.overflow(record)
        for loser in given_up:
            self._watch.gave_way(loser, self._timeline.now)
        if record not in given_up:
            self._watch.queued(record, self._timeline.now)

    def _go_on(self) -> None:
        self._await_arrival()
        if self._free and self._buffer.has_full_batch:
            self._look()

    def _look(self) -> None:
        """What `BatchProcessor._run` does: take what is due, else sleep until something is."""
        buffer, timeline = self._buffer, self._timeline
        while self._free and (batch := buffer.take(timeline.now)):
            self._free -= 1
            self._watch.taken(batch, timeline.now)
            self._export(batch, partial(self._done, batch))
            if self._standing:
                record, since, patience = self._standing
                patience.cancel()
                self._standing = record, since, timeline.after(0.0, self._give_up, ARRIVE)
        if self._free and (self._coming or buffer):
            if self._wake is None:  # else it looks again then: a delay is only ever put off
                self._wake = timeline.after(buffer.next_due(timeline.now), self._woken)
        elif self._free and self._wake:
            self._wake.cancel()  # nothing will come

    def _woken(self) -> None:
        self._wake = None
        self._look()

    def _done(self, batch: list[int]) -> None:
        self._watch.exported(batch, self._timeline.now)
        self._free += 1
        self._buffer.restart(self._timeline.now)
        self._look()
