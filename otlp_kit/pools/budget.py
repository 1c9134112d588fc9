"""So much and no more: a budget that threads take from, and wait for in the order they came.

    budget = Budget(total=8, clock=SystemClock())
    budget.take(1, timeout=5.0)         # True, or False when the time is over
    budget.give(1)

Unlike `threading.Semaphore` it is fair, counts in any unit (things, bytes), and waits on a clock that
a test can turn. Fair means that who asks for much is not overtaken for ever by those who ask for
little, at the price that they stand behind it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Protocol


class Clock(Protocol):
    """How time passes: `SystemClock`, or one that a test turns."""

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set (True) or `timeout` seconds have passed (False)."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, never backwards."""
        ...


class SystemClock:
    """The real one."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.wait(timeout)


class _Waiter:
    __slots__ = ("amount", "served")

    def __init__(self, amount: int) -> None:
        self.amount = amount
        self.served = threading.Event()


class Budget:
    """`total` units; nobody is served while somebody who came earlier still waits."""

    def __init__(self, total: int, clock: Clock) -> None:
        self.total = total
        self.taken = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: deque[_Waiter] = deque()

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._queue)

    def take(self, amount: int, timeout: float) -> bool:
        """Take `amount`, waiting for at most `timeout` seconds; False if it did not become free."""
        with self._lock:
            if not self._queue and self.taken + amount <= self.total:
                self.taken += amount
                return True
            if timeout <= 0:
                return False
            waiter = _Waiter(amount)
            self._queue.append(waiter)
        try:
            if self._clock.wait(waiter.served, timeout):
                return True
        except BaseException:  # Ctrl-C while waiting: what came in that instant is not lost
            if not self._leave(waiter):
                self.give(amount)
            raise
        return not self._leave(waiter)

    def give(self, amount: int) -> None:
        """Return `amount`, and serve who waits for it."""
        with self._lock:
            self.taken -= amount
            self._serve()

    def _leave(self, waiter: _Waiter) -> bool:
        """Out of the line; False if it was served in the same instant."""
        with self._lock:
            if waiter.served.is_set():
                return False
            self._queue.remove(waiter)
            self._serve()  # those behind it may want less
            return True

    def _serve(self) -> None:
        while self._queue and self.taken + self._queue[0].amount <= self.total:
            waiter = self._queue.popleft()
            self.taken += waiter.amount
            waiter.served.set()
