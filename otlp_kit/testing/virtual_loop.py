"""An event loop whose time jumps: asyncio code that sleeps is tested without sleeping.

    assert run_virtual(main()) == ...       # an hour of `asyncio.sleep` takes no time

When nothing is ready to run, the clock is set to the next timer. Work in other threads does not move
it, so what waits for a thread must not have a timer beside it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0; `time()` is what timers, `wait_for` and `sleep` go by."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._now


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:  # no timer: only another thread or a socket can go on
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self._loop._now += max(0.0, timeout)
        return ready


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on a `VirtualLoop`."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
