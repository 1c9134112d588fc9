"""A processor's accounts against what its exporter saw, and a storm of threads to shake them.

`Accounts` holds one processor, its exporter and its ledger, and raises when they contradict one
another. `storm` is the part of `check_processor` that runs on real threads and real time: producers
emit and one thread flushes, while another shuts down in time or out of time.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn, Protocol, TypeAlias

from otlp_kit.ledger import Ledger, Totals
from otlp_kit.testing.scripted_exporter import ANSWERS, STRIDE, ScriptedExporter

LIMIT = 10.0
"""Real seconds after which a call that should have returned is called stuck."""
OUTCOMES = ("FLUSHED", "FAILED", "TIMED_OUT")


class Clock(Protocol):
    """How time passes for a processor: see `fake_clock`."""

    def monotonic(self) -> float: ...

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set (True) or `timeout` seconds have passed (False)."""
        ...


class Processor(Protocol):
    """What is checked. The calls are `force_flush(timeout)` and `shutdown(timeout)`, in seconds;
    each returns an outcome called FLUSHED, FAILED or TIMED_OUT: an enum member, or its name."""

    def emit(self, record: int, /) -> None: ...

    def force_flush(self, timeout: float, /) -> object: ...

    def shutdown(self, timeout: float, /) -> object: ...

    def totals(self) -> Totals: ...


Make: TypeAlias = Callable[[ScriptedExporter, Ledger, Clock], Processor]


def name_of(result: object) -> str:
    """What an outcome is called, be it a member of somebody's enum or its name."""
    return str(getattr(result, "name", result)).upper().replace(" ", "_")


class Accounts:
    """One processor and all that is known about it. `done` tells, in words, what was done so far."""

    def __init__(self, make: Make, exporter: ScriptedExporter, clock: Clock) -> None:
        self.exporter = exporter
        self.clock = clock
        self.ledger = Ledger()
        self.processor = make(exporter, self.ledger, clock)
        self.emitted = 0
        self.done: list[str] = []

    def expect(self, holds: bool, expected: str, found: str) -> None:
        if not holds:
            self.fail(expected, found)

    def fail(self, expected: str, found: str) -> NoReturn:
        done = " ".join(self.done[:1]) + " " + ", ".join(self.done[1:][-30:])
        raise AssertionError(f"expected {expected}; found {found}\ndone: {done.strip()}")

    def outcome(self, name: str, result: object, allowed: set[str], because: str) -> str:
        """The name of a flush's outcome, which must be among `allowed`."""
        outcome = name_of(result)
        self.expect(outcome in OUTCOMES, f"{name} to return one of {', '.join(OUTCOMES)}",
                    repr(result))  # fmt: skip
        if outcome == "FLUSHED":
            self.nothing_missing(name, set(range(self.emitted)))
        expected = f"{name} to say {' or '.join(sorted(allowed))}, since {because}"
        self.expect(outcome in allowed, expected, outcome)
        return outcome

    def nothing_missing(self, name: str, before: set[int]) -> None:
        """FLUSHED is a claim about all records emitted `before` the call."""
        missing = len(before - self.exporter.finished)
        dropped = sum(self.processor.totals().dropped.values())
        self.expect(missing <= dropped, f"{name} to say FLUSHED only when all was exported",
                    f"{missing - dropped} records neither exported nor counted as dropped")  # fmt: skip

    def balanced(self) -> None:
        """No record was lost from the accounts, and none settled better than the exporter did."""
        totals, exporter = self.processor.totals(), self.exporter
        if exporter.wrong:
            self.fail("an exporter to be treated as the specification says", exporter.wrong[0])
        missing = self.emitted - totals.created
        found = f"{missing} missing without a count" if missing > 0 else f"{-missing} too many"
        self.expect(
            not missing, f"all {self.emitted} emitted records created", f"{found}: {totals}"
        )
        self.expect(totals.inside >= 0, "no record with two fates", f"inside {totals.inside}")
        for fate in ("delivered", "rejected", "unknown"):
            said, saw = getattr(totals, fate), getattr(exporter, fate)
            self.expect(said <= saw, f"at most the {saw} records {fate} that the exporter saw",
                        f"{said}")  # fmt: skip

    def settled(self, name: str) -> None:
        """After a flush or shutdown that came to its end: each record has the fate it really had."""
        self.balanced()
        totals = self.processor.totals()
        self.expect(not totals.inside, f"nothing inside after {name}",
                    f"{totals.inside} stranded: {totals}")  # fmt: skip
        for fate in ("delivered", "rejected", "unknown"):
            said, saw = getattr(totals, fate), getattr(self.exporter, fate)
            self.expect(said == saw, f"{saw} records {fate}, as the exporter saw", f"{said}")
        # With these equal, what was dropped is what failed or never reached the exporter.


class _RealClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.wait(min(timeout, threading.TIMEOUT_MAX))


def storm(
    make: Make,
    rng: random.Random,
    *,
    concurrent: bool,
    ordered: bool,
    producers: int = 4,
    each: int = 60,
) -> int:
    """Let `producers` threads emit `each` records while others flush and shut down.

    Returns the number of records. Set a short switch interval around it.
    """
    exporter = ScriptedExporter(
        concurrent=concurrent,
        ordered=ordered,
        choose=lambda: rng.choice(("accepted", "accepted", *ANSWERS)),
        dwell=lambda: time.sleep(0.0002),
    )
    accounts = Accounts(make, exporter, _RealClock())
    accounts.done.append(
        f"{producers} threads emitted {each} records each, racing flush and shutdown"
    )
    progress = [0] * producers
    start = threading.Barrier(producers + 2)
    errors: list[BaseException] = []
    over = threading.Event()

    def run(work: Callable[[], None]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    def produce(producer: int) -> None:
        for number in range(each):
            accounts.processor.emit(producer * STRIDE + number)
            progress[producer] = number + 1

    def flush() -> None:
        while not over.is_set():
            before = {p * STRIDE + n for p, count in enumerate(progress) for n in range(count)}
            if name_of(accounts.processor.force_flush(LIMIT)) == "FLUSHED":
                accounts.nothing_missing("force_flush", before)

    works = [partial(produce, producer) for producer in range(producers)]
    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in (*works, flush)]
    for thread in threads:
        thread.start()
    start.wait()
    time.sleep(rng.uniform(0, 0.004))
    first = accounts.processor.shutdown(rng.choice((LIMIT, LIMIT, 0.0)))
    began = exporter.began
    over.set()
    for thread in threads:
        thread.join(LIMIT)
        accounts.expect(not thread.is_alive(), "emit and force_flush to return", "one still waits")
    if errors:
        accounts.fail("emit and force_flush never raise", f"{errors[0]!r}")
    accounts.emitted = producers * each
    accounts.processor.shutdown(LIMIT)
    accounts.settled("shutdown")
    if name_of(first) != "TIMED_OUT":
        late = exporter.began - began
        accounts.expect(not late, "nothing exported after shutdown returned", f"{late} batches")
    return accounts.emitted
