"""One processor on a fake clock, and one random order of what happens to it.

The part of `check_processor` that repeats: emit, flush, ticks, failures, hangs and shutdown. Calls
that may wait run on threads of their own; the clock turns only when nothing else can wake them, so
that what times out does so because it must.

    Schedule(make, random.Random(0), concurrent=False, ordered=True).run(steps=25)
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable

from otlp_kit.ledger import ALREADY_SHUTDOWN
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.testing.processor_storm import LIMIT, Accounts, Make
from otlp_kit.testing.scripted_exporter import ANSWERS, ScriptedExporter

SHORT = 0.5
"""Seconds given to a call that has to time out."""
LONG = 1000.0
"""Seconds given to a call that must not; the clock stands still meanwhile."""
GRACE = 0.02
"""Real seconds after which a call that neither returned nor sleeps on the clock is let be."""


class SleepersClock(FakeClock):
    """A fake clock that knows which threads sleep on it."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep: set[int] = set()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        with self._turned:  # whoever is seen asleep has read the clock already
            self.asleep.add(threading.get_ident())
            try:
                return super().wait(event, timeout)
            finally:
                self.asleep.discard(threading.get_ident())


class Call(threading.Thread):
    """One call into the processor, on a thread of its own, so that it may wait."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(name="check-processor", daemon=True)
        self.work = work
        self.result: object = None
        self.error: BaseException | None = None
        self.done = threading.Event()
        self.start()

    def run(self) -> None:
        try:
            self.result = self.work()
        except BaseException as error:
            self.error = error
        self.done.set()


class Schedule(Accounts):
    """One processor on a fake clock, and one random order of what happens to it."""

    clock: SleepersClock

    def __init__(self, make: Make, rng: random.Random, *, concurrent: bool, ordered: bool) -> None:
        exporter = ScriptedExporter(concurrent=concurrent, ordered=ordered)
        super().__init__(make, exporter, SleepersClock())
        self.rng = rng
        self.began_at_close: int | None = None
        self.settled_failures = 0

    def run(self, steps: int) -> None:
        actions = [self.emit, self.tick, self.flush, self.answer, self.hang, self.shut_down]
        for _ in range(steps):
            self.rng.choices(actions, [8, 3, 3, 3, 2, 0.3])[0]()
            self.look()
        for last in (self.let_go, self.shut_down, self.emit, self.flush, self.shut_down):
            last()
            self.look()
        self.expect(self.exporter.shutdowns == 1, "the exporter shut down once",
                    f"{self.exporter.shutdowns} times")  # fmt: skip
        own, callers = self.processor.totals(), self.ledger.totals()
        self.expect(own == callers, f"the same in the ledger it was given as in totals(), {own}",
                    str(callers))  # fmt: skip

    def look(self) -> None:
        """What holds at any moment at which nobody is inside `emit`."""
        self.balanced()
        if self.began_at_close is not None and not self.exporter.concurrent:
            late = self.exporter.began - self.began_at_close
            self.expect(not late, "nothing exported after shutdown returned", f"{late} batches")

    def tick(self) -> None:
        seconds = self.rng.choice([0.1, 1.0, 10.0])
        self.done.append(f"tick {seconds}")
        self.clock.advance(seconds)

    def answer(self) -> None:
        self.exporter.answer = self.rng.choice(ANSWERS)
        self.done.append(f"answer '{self.exporter.answer}'")

    def hang(self) -> None:
        if not self.exporter.gate.is_set():
            return self.let_go()
        self.done.append("hang")
        return self.exporter.gate.clear()

    def let_go(self) -> None:
        self.done.append("let go")
        self.exporter.gate.set()

    def emit(self) -> None:
        count = self.rng.randint(1, 12)
        self.done.append(f"emit {count}")
        late = self.processor.totals().dropped.get(ALREADY_SHUTDOWN, 0)
        numbers = range(self.emitted, self.emitted + count)
        call = Call(lambda: deque(map(self.processor.emit, numbers), maxlen=0))
        last = time.monotonic() + LIMIT
        while not call.done.wait(0.0005):
            if call.ident in self.clock.asleep:
                self.clock.advance(1.0)  # it waits for room
            elif call.ident in self.exporter.held:
                self.exporter.gate.set()  # it exports itself
            self.expect(time.monotonic() < last, "emit to return", "it still waits")
        self.emitted += count
        self.expect(call.error is None, "emit never raises", repr(call.error))
        if self.began_at_close is not None:
            late = self.processor.totals().dropped.get(ALREADY_SHUTDOWN, 0) - late
            self.expect(late == count, f"{count} more dropped as already_shutdown", str(late))

    def flush(self) -> None:
        self.asked("force_flush", self.processor.force_flush)

    def shut_down(self) -> None:
        self.asked("shutdown", self.processor.shutdown)
        if self.began_at_close is None:
            self.began_at_close = self.exporter.began

    def asked(self, name: str, ask: Callable[[float], object]) -> None:
        """Flush or shut down, and judge the answer by what the exporter saw."""
        hanging = not self.exporter.gate.is_set()
        in_vain = hanging and self.processor.totals().inside > 0
        timeout = SHORT if in_vain else LONG
        self.done.append(f"{name} {timeout}")
        self.exporter.gate.clear()  # so that the exporter acts when the call is seen to wait
        call = Call(lambda: ask(timeout))
        seen = self.seen_waiting(call)
        failures = self.exporter.failures
        if not in_vain and not hanging:
            self.exporter.gate.set()
        early = in_vain and self.wait_in_vain(call, name, timeout)
        self.expect(call.done.wait(LIMIT), f"{name} to return within {timeout} seconds",
                    f"it still waits, {LIMIT} real seconds later")  # fmt: skip
        self.expect(call.error is None, f"{name} never raises", repr(call.error))
        left = self.processor.totals().inside if hanging else 0
        allowed = {"TIMED_OUT"} if left else {"FLUSHED", "FAILED"}
        if in_vain:
            allowed.add("TIMED_OUT")
        outcome = self.outcome(name, call.result, allowed, f"{left} records are inside")
        self.expect(outcome != "TIMED_OUT" or not early, f"{name} to wait for {timeout} seconds",
                    "TIMED_OUT before the clock was turned")  # fmt: skip
        if name == "shutdown" and left:
            held = sum(self.exporter.held.values())
            self.expect(left == held, f"only the {held} records that the exporter holds inside "
                        "after shutdown", f"{left}")  # fmt: skip
        if outcome == "TIMED_OUT":
            return
        if self.began_at_close is None and not hanging:
            if seen and self.exporter.failures > failures:
                self.outcome(name, call.result, {"FAILED"}, "an export failed meanwhile")
            if self.exporter.failures == self.settled_failures:
                self.outcome(name, call.result, {"FLUSHED"}, "no export failed")
        self.settled(name)
        self.settled_failures = self.exporter.failures

    def seen_waiting(self, call: Call) -> bool:
        """Wait until `call` sleeps on the clock, exports by itself or returns; False if unsure."""
        last = time.monotonic() + GRACE
        while not call.done.wait(0.0002):
            if call.ident in self.clock.asleep or call.ident in self.exporter.held:
                return True
            if time.monotonic() > last:
                return False
        return True

    def wait_in_vain(self, call: Call, name: str, timeout: float) -> bool:
        """Turn the clock for `call` once it sleeps; True if it did not wait for its time to end."""
        began = time.monotonic()
        while not call.done.wait(0.0005):
            if time.monotonic() > began + LIMIT:
                return False
            if call.ident in self.clock.asleep:
                if name == "shutdown":  # it turns when the exporter has what it will hold
                    self.await_export(began + LIMIT)
                self.clock.advance(timeout)
                return False
        return time.monotonic() < began + timeout

    def await_export(self, last: float) -> None:
        while not self.exporter.held and self.processor.totals().inside:
            now = time.monotonic()
            self.expect(now < last, "shutdown to export what is queued", "nothing came")
            time.sleep(0.0005)
