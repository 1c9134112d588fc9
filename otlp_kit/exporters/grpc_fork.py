"""Forks beside gRPC calls: hold a fork back for a moment, and begin with a new lock in the child.

gRPC's core survives a fork if no thread is inside it at that moment; if one is, the child may crash
or hang. `calling` marks the time that a thread spends there. A fork waits until the last of them
has left, for at most `PATIENCE` seconds, and nobody enters meanwhile. It knows only of the calls
that are marked, and does not import gRPC.

    with calling(deadline):
        call(...)                   # a fork waits for the end of this block
    with lock():
        ...                         # never held by another thread at the moment of a fork
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 1.0
"""Seconds that a fork waits: longer than most exports last, short beside the start of a worker."""


class _State:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        """Its lock guards the two below; it is notified when either falls back."""
        self.inside = 0
        self.forking = False


_state = _State()


def lock() -> threading.Condition:
    """The lock that a fork takes before it happens: hold it shortly, and make no call inside."""
    return _state.changed


@contextmanager
def calling(deadline: float) -> Iterator[None]:
    """The time that this thread spends inside gRPC.

    It begins after a fork that is under way, but does not wait for one past `deadline`, a time of
    `time.monotonic()` in seconds.
    """
    state = _state
    with state.changed:
        state.changed.wait_for(lambda: not state.forking, max(0.0, deadline - time.monotonic()))
        state.inside += 1
    try:
        yield
    finally:
        with state.changed:
            state.inside -= 1
            state.changed.notify_all()


def _before() -> None:
    _state.changed.acquire()
    _state.forking = True  # waiting lets go of the lock
    _state.changed.wait_for(lambda: not _state.inside, PATIENCE)


def _in_parent() -> None:
    _state.forking = False
    _state.changed.notify_all()
    _state.changed.release()


def _in_child() -> None:
    global _state
    _state = _State()  # the lock is held, and whoever was inside exists in the parent only


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
