"""The ends of a process: who must hear of them, and how long they may take.

    attach(processor)                    # shut down when the interpreter exits
    exit_on_sigterm()                    # SIGTERM ends the program as sys.exit does
    flush_before_exit()                  # in a child that will end in os._exit
    with stop_on_signals(stop.set): ...  # a server: SIGINT and SIGTERM ask it to stop

Everything attached is shut down once, the latest first, within one time limit for all of it: a dead
destination must not hold a process that has to end. A child of a fork inherits what is attached;
children of `multiprocessing` end without the interpreter's exit, and are taken care of here. What
begins anew after a fork (workers, queues, sockets) is each owner's own business.

No line of code runs at SIGKILL, or at an os._exit that nobody announced.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#shutdown
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import multiprocessing.util
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

log = logging.getLogger(__name__)

EXIT_TIMEOUT = 10.0
"""Seconds that everything attached may take together. Supervisors usually wait 30 before SIGKILL."""


class Ends(Protocol):
    """What can be attached: a processor, a pipeline."""

    def shutdown(self, timeout: float) -> object:
        """Deliver what is inside and release what is held, within `timeout` seconds."""
        ...


class _Attached:
    """What is shut down at the end, in order of arrival. One for each process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._things: list[Ends] = []
        atexit.register(self.shutdown_all)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)
        # The children of multiprocessing clear their finalizers first, then call this.
        multiprocessing.util.register_after_fork(self, _Attached._finish_with_child)

    def add(self, thing: Ends) -> None:
        with self._lock:
            if not any(thing is other for other in self._things):
                self._things.append(thing)

    def remove(self, thing: Ends) -> None:
        with self._lock:
            self._things = [other for other in self._things if other is not thing]

    def shutdown_all(self, timeout: float | None = None) -> None:
        last = time.monotonic() + (EXIT_TIMEOUT if timeout is None else timeout)
        with self._lock:
            things, self._things = self._things, []
        for thing in reversed(things):
            try:
                thing.shutdown(max(0.0, last - time.monotonic()))
            except Exception:
                # One that fails must not keep the others from delivering.
                log.exception("%r failed to shut down", thing)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()  # another thread of the parent may have held it

    def _finish_with_child(self) -> None:
        multiprocessing.util.Finalize(None, self.shutdown_all, exitpriority=0)


_attached = _Attached()


def attach(thing: Ends) -> None:
    """Have `thing` shut down when this process ends. Attaching twice is attaching once."""
    _attached.add(thing)


def detach(thing: Ends) -> None:
    """Leave `thing` to its owner again. What is not attached may be detached."""
    _attached.remove(thing)


def flush_before_exit(timeout: float = EXIT_TIMEOUT) -> None:
    """Shut down everything attached, now: for a process that is about to end in `os._exit`.

    Prefork servers end their children so; most have a hook for it. Returns within `timeout` seconds
    as far as what is attached keeps its own. What is emitted afterwards is counted as dropped.
    """
    _attached.shutdown_all(timeout)


def exit_on_sigterm() -> None:
    """Let SIGTERM end the program by `SystemExit`, so that what is attached is shut down.

    Without this, SIGTERM ends Python at once, with no line of code. A handler that the program set
    itself is left alone: it decides. Must be called from the main thread; raises `ValueError` if not.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)  # what a shell shows of a program that a signal ended


@contextmanager
def stop_on_signals(stop: Callable[[], Any]) -> Iterator[None]:
    """While the context lasts, SIGINT and SIGTERM call `stop` in the running event loop."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # None: one that Python did not set, and cannot set again
                signal.signal(number, handler)
