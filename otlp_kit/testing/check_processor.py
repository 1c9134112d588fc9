"""Does a processor account for every record? A conformance check for any of them, yours too.

    def make(exporter, ledger, clock):
        return BatchProcessor(exporter, max_queue_size=20, max_batch_size=5,
                              ledger=ledger, clock=clock)

    check_processor(make)           # AssertionError: what was done, expected and found

Three ways to go wrong are tried on processors of integers, each made anew:

- schedules: emit, flush, ticks of a fake clock, failures, hangs and shutdown in random order
  (`processor_schedule`);
- pauses: a producer is put to sleep at each line of `emit` in turn, while another thread shuts down;
- storms: real threads that emit and flush while the processor ends (`processor_storm`).

The same `seed` makes the same schedules; a storm's threads take turns as the system likes. It is no
benchmark, and does not know how large a batch or a queue is.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-processor
"""

from __future__ import annotations

import itertools
import random
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from otlp_kit.testing.processor_schedule import GRACE, LONG, Call, Schedule, SleepersClock
from otlp_kit.testing.processor_storm import LIMIT, Accounts, Make, Processor, storm
from otlp_kit.testing.scripted_exporter import ScriptedExporter

__all__ = ["Processor", "Report", "check_processor"]

_NOT_PAUSED = {Path(__file__).parent, Path(threading.__file__).parent}
"""Folders whose lines a producer runs through: this one and the standard library."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `check_processor` did, in numbers."""

    schedules: int
    steps: int
    pauses: int
    storms: int
    records: int

    def __str__(self) -> str:
        return (
            f"{self.records:,} records, {self.schedules} schedules of {self.steps} steps, "
            f"{self.pauses} pauses, {self.storms} storms: every record accounted for"
        )


def check_processor(
    make: Make,
    *,
    seed: int = 0,
    schedules: int = 150,
    steps: int = 25,
    storms: int = 30,
    concurrent: bool = False,
    ordered: bool = True,
) -> Report:
    """Drive processors made by `make` to all their ends; raise `AssertionError` at the first fault.

    `make(exporter, ledger, clock)` returns a new processor of integers that exports to `exporter`,
    writes `ledger` and waits on `clock`. `schedules` of `steps` each and `storms` say how long to
    look. `concurrent` allows several exports at once; `ordered=False` allows a batch to be out of
    order, for a policy that gives up records in the middle of the queue.
    """
    records = 0
    for number in range(schedules):
        schedule = Schedule(
            make, random.Random(f"{seed}/{number}"), concurrent=concurrent, ordered=ordered
        )
        schedule.done.append(f"schedule {number} of seed {seed}:")
        schedule.run(steps)
        records += schedule.emitted
    pauses = 0
    while _paused(make, pauses + 1, concurrent, ordered):
        pauses += 1
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(storms):
            rng = random.Random(f"{seed}/storm {number}")
            records += storm(make, rng, concurrent=concurrent, ordered=ordered)
    finally:
        sys.setswitchinterval(switching)
    return Report(schedules, steps, pauses, storms, records)


def _paused(make: Make, line: int, concurrent: bool, ordered: bool) -> bool:
    """Shut down while a producer stands before the `line`-th line of `emit`; False: it has fewer."""
    exporter = ScriptedExporter(concurrent=concurrent, ordered=ordered)
    accounts = Accounts(make, exporter, SleepersClock())
    accounts.done.append(f"emit, asleep at its line {line} while another thread called shutdown")
    lines = itertools.count(1)
    endings: list[Call] = []

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        if Path(frame.f_code.co_filename).parent in _NOT_PAUSED:
            return None
        if event == "line" and next(lines) == line:
            where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
            accounts.done.append(f"({where})")
            endings.append(Call(lambda: accounts.processor.shutdown(LONG)))
            endings[0].done.wait(GRACE)  # longer than that, and it waits for this very thread
        return trace

    def emit() -> None:
        sys.settrace(trace)
        try:
            accounts.processor.emit(0)
        finally:
            sys.settrace(None)

    call = Call(emit)
    accounts.expect(call.done.wait(LIMIT), "emit to return", "it still waits")
    accounts.expect(call.error is None, "emit never raises", repr(call.error))
    accounts.emitted = 1
    ends = Call(lambda: accounts.processor.shutdown(LONG))
    for ending in (*endings, ends):
        accounts.expect(ending.done.wait(LIMIT), "shutdown to return", "it still waits")
    accounts.settled("shutdown")
    return bool(endings)
