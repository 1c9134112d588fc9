"""A free list for each thread: the cheapest pool there is, without lock, bound or waiting.

    pool = ThreadLocalPool(Parser, Parser.reset, keep=16)
    with pool.borrow() as parser:
        ...

Each thread keeps up to `keep` idle things of its own; who finds none makes one, so nobody ever waits.
What one thread acquires and another releases stays with the other: a pipeline whose producer only
takes and whose worker only returns reuses nothing, and such a program wants no pool at all.

The contract of `reset` is that of `object_pool`, and so is `debug`; without it nobody is followed, and
a thing returned twice is given to two. Things of a thread end with it. In the child of a fork the pool
is empty, but what is lent at that moment is not known: for what holds a socket, take `ObjectPool`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar
from weakref import WeakSet

from otlp_kit.pools.forking import empty_in_child
from otlp_kit.pools.holders import Holders

T = TypeVar("T")


class _Mine(Generic[T]):
    """What one thread has; written by it alone."""

    __slots__ = ("__weakref__", "idle", "made", "reused")

    def __init__(self) -> None:
        self.idle: list[T] = []
        self.made = self.reused = 0


@dataclass(frozen=True, slots=True)
class ThreadLocalStats:
    """The sums over all threads that live."""

    threads: int
    idle: int
    made: int
    reused: int


class ThreadLocalPool(Generic[T]):
    """`factory()` makes a thing, `reset(thing)` makes it as if new, `keep` is how many each thread
    keeps. Raises `ValueError` for a `keep` below 1."""

    def __init__(
        self,
        factory: Callable[[], T],
        reset: Callable[[T], object],
        *,
        keep: int = 16,
        debug: bool = False,
    ) -> None:
        if keep < 1:
            raise ValueError(f"keep must be at least 1, not {keep}")
        self._factory, self._reset, self._keep = factory, reset, keep
        self._debug = debug
        self._inherited: dict[int, T] = {}
        self._start()
        empty_in_child(self)

    def _start(self) -> None:
        self._local = threading.local()
        self._everyone: WeakSet[_Mine[T]] = WeakSet()
        self._lock = threading.Lock()
        self._holders = Holders(debug=True) if self._debug else None

    def _mine(self) -> _Mine[T]:
        try:
            mine: _Mine[T] = self._local.mine
        except AttributeError:
            mine = self._local.mine = _Mine()
            with self._lock:
                self._everyone.add(mine)
        return mine

    def acquire(self) -> T:
        """A thing, as if new. Never waits; what `factory` raises is the caller's."""
        mine = self._mine()
        if mine.idle:
            thing = mine.idle.pop()
            if self._holders is not None:
                self._holders.unseal(thing)
            mine.reused += 1
        else:
            thing = self._factory()
            mine.made += 1
        if self._holders is not None:
            self._holders.lent(thing, time.monotonic())
        return thing

    def release(self, thing: T) -> None:
        """Return `thing` to the thread that calls. With debug, raises `NotHeld` if it is not out."""
        if self._inherited.get(id(thing)) is thing:
            return
        if self._holders is not None:
            self._holders.back(thing)
        self._reset(thing)
        mine = self._mine()
        if len(mine.idle) < self._keep:
            if self._holders is not None:
                self._holders.seal(thing)
            mine.idle.append(thing)
        elif self._holders is not None:
            self._holders.forget(thing)

    @contextmanager
    def borrow(self) -> Iterator[T]:
        """`acquire` for a block, and `release` if the block does not raise."""
        thing = self.acquire()
        try:
            yield thing
        except BaseException:
            if self._holders is not None:
                self._holders.back(thing)
                self._holders.forget(thing)
            raise
        self.release(thing)

    def stats(self) -> ThreadLocalStats:
        with self._lock:
            all_of = list(self._everyone)
        return ThreadLocalStats(
            len(all_of), sum(len(one.idle) for one in all_of),
            sum(one.made for one in all_of), sum(one.reused for one in all_of),
        )  # fmt: skip

    def begin_anew(self) -> None:
        """In the child of a fork: empty, as `ObjectPool.begin_anew` tells."""
        held = self._holders.things() if self._holders is not None else []
        for thing in (*held, *(one for mine in list(self._everyone) for one in mine.idle)):
            self._inherited[id(thing)] = thing
        self._start()
