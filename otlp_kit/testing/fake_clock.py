"""A clock to turn by hand, for code that waits: deadlines are tested without waiting for them.

    clock = FakeClock()
    processor = BatchProcessor(exporter, delay=5, clock=clock)
    clock.advance(5)        # the worker wakes, as if five seconds had passed

Threads sleep in `wait` until their event is set or the clock has been turned past their time.
"""

from __future__ import annotations

import threading

POLL = 0.001
"""Real seconds between two looks at an event, which somebody else sets."""


class FakeClock:
    """Starts at 0 and moves only when it is told to."""

    def __init__(self) -> None:
        self._now = 0.0
        self._turned = threading.Condition()
        self._sleepers: list[float] = []

    def monotonic(self) -> float:
        return self._now

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Sleep until `event` is set (True) or the clock stands `timeout` seconds later (False)."""
        with self._turned:
            until = self._now + timeout
            self._sleepers.append(until)
            self._turned.notify_all()
            try:
                while not event.is_set() and self._now < until:
                    self._turned.wait(POLL)
            finally:
                self._sleepers.remove(until)
                self._turned.notify_all()
            return event.is_set()

    def advance(self, seconds: float) -> None:
        """Turn the clock; returns when every thread whose time has come has woken up."""
        with self._turned:
            self._now += seconds
            self._turned.notify_all()
            self._turned.wait_for(lambda: all(until > self._now for until in self._sleepers))

    def await_sleepers(self, count: int, timeout: float = 10.0) -> bool:
        """Wait (real time) until `count` threads sleep on this clock; False if that never happens."""
        with self._turned:
            return self._turned.wait_for(lambda: len(self._sleepers) >= count, timeout)
