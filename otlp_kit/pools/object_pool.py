"""A pool of things that are dear to make: connections, handles, parsers. Bounded, and it waits.

    pool = ObjectPool(connect, reset=rollback, capacity=8, close=sqlite3.Connection.close)
    with pool.borrow() as connection:
        ...

It is not for small objects: a lock and an entry for the holder cost more than Python takes to make
one (*concepts/pools* has the measurements; `thread_local_pool` is the cheaper kind).

The contract is that of `reset`: after it, nothing tells a used thing from a fresh one. It is called
when a thing is returned, so that what it refers to is free at once. `otlp_kit.testing.check_pool`
checks it over every field. What it must not do is fail: then the thing is discarded, and the error is
the caller's. A block that raises discards its thing as well: nobody knows in which state it is.

With `debug=True` each holder is known by file and line, and a returned thing is poisoned until it is
lent again (`holders`). In the child of a fork the pool is empty.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from otlp_kit.pools.budget import Budget, Clock, SystemClock
from otlp_kit.pools.forking import empty_in_child
from otlp_kit.pools.holders import Exhausted, Holders

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at one moment. Nothing is lost: made = out + idle + discarded."""

    capacity: int
    out: int
    idle: int
    waiting: int
    """Threads that want one."""
    made: int
    reused: int
    """How often one was lent that had been made for somebody else."""
    discarded: int

    @property
    def hit_ratio(self) -> float:
        """The share of acquisitions for which nothing had to be made; 0 before the first."""
        return self.reused / lent if (lent := self.made + self.reused) else 0.0


class ObjectPool(Generic[T]):
    """At most `capacity` things, lent to one holder each. Safe from any thread; but not from a
    destructor or a signal handler, which may run while their own thread holds the lock.

    `factory()` makes one; `reset(thing)` makes it as if new; `close(thing)` ends one that is not kept.
    `timeout` is how many seconds `acquire` waits when all are out, unless it is told otherwise.
    Raises `ValueError` for a capacity below 1 and a timeout below 0.
    """

    def __init__(
        self,
        factory: Callable[[], T],
        reset: Callable[[T], object],
        *,
        capacity: int,
        timeout: float = 5.0,
        close: Callable[[T], object] | None = None,
        debug: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        if not timeout >= 0:
            raise ValueError(f"timeout must be at least 0 seconds, not {timeout}")
        self._factory, self._reset, self._close = factory, reset, close
        self._timeout = timeout
        self._clock = clock or SystemClock()
        self._debug = debug
        self._inherited: dict[int, T] = {}
        self._start(capacity)
        empty_in_child(self)

    def _start(self, capacity: int) -> None:
        self._lock = threading.Lock()
        # Whoever has a unit of it may take an idle thing, or make one if none is idle. A thing is
        # idle before its unit is given back: so there are never more things than units.
        self._budget = Budget(capacity, self._clock)
        self._holders = Holders(debug=self._debug)
        self._idle: list[T] = []
        self._made = self._reused = self._discarded = 0

    def acquire(self, timeout: float | None = None) -> T:
        """One thing, as if new, for the caller alone, until `release` or `discard`.

        Waits for `timeout` seconds (the pool's, if None) in the order of arrival, then raises
        `Exhausted`. What `factory` raises is the caller's.
        """
        timeout = self._timeout if timeout is None else timeout
        if not self._budget.take(1, timeout):
            raise Exhausted(self._who_holds(timeout))
        try:
            thing = self._idle_or_new()
        except BaseException:
            self._budget.give(1)
            raise
        self._holders.lent(thing, self._clock.monotonic())
        return thing

    def _idle_or_new(self) -> T:
        with self._lock:
            idle = self._idle.pop() if self._idle else None  # the latest, whose memory is warm
            self._reused += idle is not None
        if idle is None:
            thing = self._factory()  # not under the lock: it may take its time
            with self._lock:
                self._made += 1
            return thing
        try:
            self._holders.unseal(idle)
        except BaseException:
            with self._lock:
                self._reused -= 1
            self._end(idle)
            raise
        return idle

    def release(self, thing: T) -> None:
        """Return `thing`. Raises `NotHeld` if it is not out, and whatever `reset` raises."""
        if self._inherited.get(id(thing)) is thing:
            return  # the parent's: borrowed before the fork
        self._holders.back(thing)
        kept = False
        try:
            self._reset(thing)
            if self._debug:
                self._holders.seal(thing)
            with self._lock:
                self._idle.append(thing)
            kept = True
        finally:
            try:
                if not kept:
                    self._end(thing)
            finally:
                self._budget.give(1)

    def discard(self, thing: T) -> None:
        """Return a `thing` that nobody shall get again: it is broken, or nobody knows."""
        if self._inherited.get(id(thing)) is thing:
            return
        self._holders.back(thing)
        try:
            self._end(thing)
        finally:
            self._budget.give(1)

    @contextmanager
    def borrow(self, timeout: float | None = None) -> Iterator[T]:
        """`acquire` for a block; then `release`, or `discard` if the block raises."""
        thing = self.acquire(timeout)
        try:
            yield thing
        except BaseException:
            self.discard(thing)
            raise
        self.release(thing)

    def clear(self) -> None:
        """Close what is idle. What is out is not touched, and can be returned.

        What `close` raises is the caller's; the rest is idle then, as before.
        """
        while True:
            with self._lock:
                if not self._idle:
                    return
                thing = self._idle.pop()
            self._end(thing)

    def stats(self) -> PoolStats:
        with self._lock:
            return PoolStats(
                self._budget.total, self._made - len(self._idle) - self._discarded,
                len(self._idle), self._budget.waiting, self._made, self._reused, self._discarded,
            )  # fmt: skip

    def begin_anew(self) -> None:
        """In the child of a fork: empty. What the parent has stays referenced and is not closed,
        since a destructor that says goodbye would say it in the parent's name."""
        for thing in (*self._idle, *self._holders.things()):
            self._inherited[id(thing)] = thing
        self._start(self._budget.total)

    def _end(self, thing: T) -> None:
        self._holders.forget(thing)
        with self._lock:
            self._discarded += 1
        if self._close:
            self._close(thing)

    def _who_holds(self, timeout: float) -> str:
        capacity, report = self._budget.total, self._holders.report(self._clock.monotonic())
        hint = "" if self._debug else "\n(debug=True names the lines where they were acquired)"
        return f"all {capacity} are out, and none came back in {timeout:g} s:\n{report}{hint}"

    def __repr__(self) -> str:
        now = self.stats()
        return (
            f"<ObjectPool [out {now.out}/{now.capacity}, idle {now.idle}, waiting {now.waiting}"
            f" | made {now.made}, reused {now.reused}, discarded {now.discarded}]>"
        )
