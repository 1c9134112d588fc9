"""Does a thing come back as new? `check_pool` over each way to keep one, with a reset and without.

    for title, verdicts in trials(): ...        verdicts["locked"].stale, .seen

A pool whose reset does nothing is the fixture that has to fail: where it does not, the check saw
nothing, and the verdict is None.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from otlp_kit.model import Span
from otlp_kit.pools.buffer_pool import BufferPool
from otlp_kit.pools.object_pool import ObjectPool
from otlp_kit.pools.thread_local_pool import ThreadLocalPool
from otlp_kit.testing.check_pool import check_pool

SIZE = 8
Make = Callable[[], Any]
Reset = Callable[[Any], object]


class Anew:
    """No pool: a fresh one each time."""

    def __init__(self, make: Make, reset: Reset) -> None:
        self.acquire = make

    def release(self, thing: Any) -> None:
        """Nobody gets it again."""


class BareList:
    """Neither bound nor lock, and it does not know its holders."""

    def __init__(self, make: Make, reset: Reset) -> None:
        self.make, self.reset, self.free = make, reset, list[Any]()

    def acquire(self) -> Any:
        return self.free.pop() if self.free else self.make()

    def release(self, thing: Any) -> None:
        self.reset(thing)
        self.free.append(thing)


class Buffers:
    """A `BufferPool` that lends the buffer below its view, so that one can look what comes back."""

    def __init__(self, *, zero: bool) -> None:
        self.pool, self.views = (
            BufferPool(max_bytes=4 * SIZE, classes=[SIZE], zero=zero),
            dict[int, memoryview](),
        )

    def acquire(self) -> bytearray:
        view = self.pool.acquire(SIZE)
        buffer = view.obj
        assert isinstance(buffer, bytearray)
        self.views[id(buffer)] = view
        return buffer

    def release(self, buffer: bytearray) -> None:
        self.pool.release(self.views.pop(id(buffer)))


POOLS: dict[str, Callable[[Make, Reset], Any]] = {
    "plain": Anew,
    "list": BareList,
    "local": lambda make, reset: ThreadLocalPool(make, reset),
    "locked": lambda make, reset: ObjectPool(make, reset, capacity=2),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`stale` is None where the check sees no fields; `seen` is what it said."""

    stale: bool | None
    seen: str


def trials() -> Iterator[tuple[str, dict[str, Verdict]]]:
    """What is kept and how it is reset, with a verdict for each way."""
    span_again: Reset = lambda span: span.__init__()  # noqa: E731
    yield "span, made new by `__init__`", _each(Span, span_again)
    yield "span, no reset", _each(Span, nothing)
    for title, reset, zero in (("zeroed", _zero, True), ("no reset", nothing, False)):
        locked = judged(lambda: bytearray(SIZE), reset, lambda *_, z=zero: Buffers(zero=z))
        yield f"buffer, {title}", {**_each(lambda: bytearray(SIZE), reset), "locked": locked}
    yield "HTTP connection, no reset", _each(lambda: HTTPConnection("127.0.0.1"), nothing)
    handle = lambda: sqlite3.connect(":memory:")  # noqa: E731
    yield "SQLite handle, rolled back", _each(handle, sqlite3.Connection.rollback)


def nothing(thing: Any) -> None:
    """The reset that fails."""


def _zero(buffer: bytearray) -> None:
    buffer[:] = bytes(len(buffer))


def _each(make: Make, reset: Reset) -> dict[str, Verdict]:
    return {name: judged(make, reset, pool) for name, pool in POOLS.items()}


def judged(make: Make, reset: Reset, pool: Callable[[Make, Reset], Any]) -> Verdict:
    """What `check_pool` says. That nothing is reused is a fault to it, and here an answer."""
    try:
        report = check_pool(make, reset, pool=pool)
    except AssertionError as error:
        seen = str(error)
        return Verdict("to give back what was released" not in seen, seen)
    return Verdict(False if report.places else None, str(report))
