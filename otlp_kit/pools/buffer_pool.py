"""A pool of byte buffers: a view of the size asked for, of memory that is there already.

    pool = BufferPool(max_bytes=64 << 20)
    with pool.borrow(n) as view:            # a memoryview of n bytes
        n = stream.readinto(view)

It pays from some tens of kilobytes on: fresh memory of that size has to be zeroed, page by page.
Smaller buffers are faster made (*concepts/pools*). It is not for what outlives the block: copy that.

**What a view holds at first.** By default, whatever its last holder wrote: write before you read, and
read no further than you wrote. `zero=True` overwrites a buffer when it is returned, for those that see
secrets, and gives back much of what the pool saves. Fresh buffers are zero either way.

**Bounds.** Lent and idle buffers together stay within `max_bytes`. Sizes are rounded up to a class;
idle buffers of other classes give way; then `acquire` waits, and says in the end who holds what. A
buffer larger than the largest class is made for the occasion, within the same bound.

**Use after release** cannot go unnoticed: the view is released, and Python raises `ValueError` for
whoever still uses it. A slice that somebody kept makes `release` raise `UsedAfterRelease`, and the
buffer is nobody's then. With `debug=True` a returned buffer is filled with `0xDB` and each holder is
known by file and line. In the child of a fork the pool is empty.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from otlp_kit.pools.budget import Budget, Clock, SystemClock
from otlp_kit.pools.forking import empty_in_child
from otlp_kit.pools.holders import Exhausted, Holders, NotHeld, UsedAfterRelease

SIZE_CLASSES = tuple(1 << bits for bits in range(6, 23))
"""64 bytes, doubled up to 4 MiB: a buffer is at most twice as large as what was asked for."""

_BLOCK = 1 << 16
_ZEROS, _POISON = bytes(_BLOCK), b"\xdb" * _BLOCK


@dataclass(frozen=True, slots=True)
class BufferStats:
    """A pool at one moment; sizes in bytes, as the classes round them."""

    max_bytes: int
    out_bytes: int
    idle_bytes: int
    out: int
    idle: int
    waiting: int
    made: int
    reused: int
    discarded: int


class BufferPool:
    """Buffers of `classes` sizes, at most `max_bytes` in all. Safe from any thread; but not from a
    destructor or a signal handler, which may run while their own thread holds the lock.

    `timeout` is how many seconds `acquire` waits for others, unless it is told otherwise. Raises
    `ValueError` for classes that do not ascend from 1 or more, and for a bound below the smallest.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        classes: Sequence[int] = SIZE_CLASSES,
        timeout: float = 5.0,
        zero: bool = False,
        debug: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._classes = tuple(classes)
        if not self._classes or self._classes[0] < 1 or sorted(set(classes)) != list(classes):
            raise ValueError(f"size classes must ascend from 1 or more, not {self._classes}")
        if max_bytes < self._classes[0]:
            raise ValueError(f"max_bytes must hold at least {self._classes[0]}, not {max_bytes}")
        if not timeout >= 0:
            raise ValueError(f"timeout must be at least 0 seconds, not {timeout}")
        self._timeout, self._zero, self._debug = timeout, zero, debug
        self._clock = clock or SystemClock()
        self._inherited: dict[int, bytearray] = {}
        self._start(max_bytes)
        empty_in_child(self)

    def _start(self, max_bytes: int) -> None:
        self._lock = threading.Lock()
        self._budget = Budget(max_bytes, self._clock)  # of what is lent
        self._holders = Holders(debug=self._debug)
        self._idle: dict[int, list[bytearray]] = {size: [] for size in self._classes}
        self._idle_bytes = self._made = self._reused = self._discarded = 0

    def acquire(self, size: int, timeout: float | None = None) -> memoryview:
        """A writable view of `size` bytes, for the caller alone, until `release`.

        Raises `ValueError` for a size below 1 or beyond `max_bytes`, and `Exhausted` when others hold
        too much for `timeout` seconds.
        """
        rounded = self._rounded(size)
        timeout = self._timeout if timeout is None else timeout
        if not self._budget.take(rounded, timeout):
            raise Exhausted(self._who_holds(size, timeout))
        try:
            buffer = self._idle_or_new(rounded)
        except BaseException:  # out of memory
            self._budget.give(rounded)
            raise
        self._holders.lent(buffer, self._clock.monotonic())
        return memoryview(buffer)[:size]

    def _rounded(self, size: int) -> int:
        if not 1 <= size <= self._budget.total:
            raise ValueError(f"size must be 1 to {self._budget.total} bytes, not {size}")
        at = bisect_left(self._classes, size)
        rounded = self._classes[at] if at < len(self._classes) else size
        return rounded if rounded <= self._budget.total else size

    def _idle_or_new(self, size: int) -> bytearray:
        with self._lock:
            if self._idle.get(size):
                self._reused += 1
                self._idle_bytes -= size
                return self._idle[size].pop()
            self._make_room()
        buffer = bytearray(size)  # not under the lock: zeroing takes its time
        with self._lock:
            self._made += 1
        return buffer

    def _make_room(self) -> None:
        """Let idle buffers go, the largest first, until they fit beside what is lent."""
        for size in reversed(self._classes):
            idle = self._idle[size]
            while idle and self._idle_bytes + self._budget.taken > self._budget.total:
                idle.pop()
                self._idle_bytes -= size
                self._discarded += 1

    def release(self, view: memoryview) -> None:
        """Return what `acquire` gave; the view is of no use afterwards.

        Raises `NotHeld` for a view that is released already or of another pool, and
        `UsedAfterRelease` if somebody still holds a slice of it.
        """
        try:
            buffer = view.obj
        except ValueError:
            raise NotHeld("this view is released already") from None
        if self._inherited.get(id(buffer)) is buffer:
            return  # the parent's: borrowed before the fork
        if not isinstance(buffer, bytearray):
            raise NotHeld(f"this view is of {type(buffer).__name__}, not of this pool")
        self._holders.back(buffer)
        kept = False
        try:
            view.release()
            _unseen(buffer)
            if self._debug or self._zero:
                _fill(buffer, _POISON if self._debug else _ZEROS)
            kept = len(buffer) in self._idle
        finally:
            self._put_back(buffer, kept)

    def _put_back(self, buffer: bytearray, kept: bool) -> None:
        with self._lock:
            if kept:
                self._idle[len(buffer)].append(buffer)
                self._idle_bytes += len(buffer)
            else:
                self._discarded += 1
        if not kept:
            self._holders.forget(buffer)
        self._budget.give(len(buffer))

    @contextmanager
    def borrow(self, size: int, timeout: float | None = None) -> Iterator[memoryview]:
        """`acquire` for a block, and `release` however it ends: bytes have no state to doubt."""
        view = self.acquire(size, timeout)
        try:
            yield view
        finally:
            self.release(view)

    def stats(self) -> BufferStats:
        with self._lock:
            idle = sum(map(len, self._idle.values()))
            return BufferStats(
                self._budget.total, self._budget.taken, self._idle_bytes,
                self._made - idle - self._discarded, idle, self._budget.waiting,
                self._made, self._reused, self._discarded,
            )  # fmt: skip

    def begin_anew(self) -> None:
        """In the child of a fork: empty. What is lent stays with its holder and is not taken back."""
        self._inherited |= {id(buffer): buffer for buffer in self._holders.things()}
        self._start(self._budget.total)

    def _who_holds(self, size: int, timeout: float) -> str:
        report = self._holders.report(self._clock.monotonic())
        return (
            f"{size:,} bytes were not free within {timeout:g} s; of {self._budget.total:,} bytes"
            f" {self._budget.taken:,} are out:\n{report}"
        )

    def __repr__(self) -> str:
        now = self.stats()
        return (
            f"<BufferPool [out {now.out_bytes:,}, idle {now.idle_bytes:,} of {now.max_bytes:,} bytes"
            f" | made {now.made}, reused {now.reused}, discarded {now.discarded}]>"
        )


def _unseen(buffer: bytearray) -> None:
    """Raise if a view of `buffer` is alive: then Python refuses to change its size."""
    try:
        buffer.append(buffer.pop())
    except BufferError:
        raise UsedAfterRelease(
            f"somebody still holds a slice of this buffer of {len(buffer):,} bytes; copy what is"
            " kept: bytes(view)"
        ) from None


def _fill(buffer: bytearray, block: bytes) -> None:
    with memoryview(buffer) as view, memoryview(block) as source:
        for start in range(0, len(view), _BLOCK):
            count = min(_BLOCK, len(view) - start)
            view[start : start + count] = source[:count]
