"""Does a reset leave nothing behind? A check of a pool's contract over every field of its things.

    check_pool(Span, reset_span)            # AssertionError: which field, what was done, what is left

A pooled span that still carries the attributes, ids or times of another request is worse than a slow
one: nothing fails, and one customer's data shows up in the trace of another. A test with two spans
does not find the field that somebody adds next year; this one asks the thing itself which it has.

What is tried, each on what the pool gives a second time, against what the factory makes:

- every slot, dataclass field, entry of `__dict__` and element of a container, and the same inside of
  what these hold, is changed in place and replaced, one at a time and then many at once;
- attributes that a fresh one does not have are added (slots would not allow it), and slots set that
  start out empty;
- two things are lent at once, and a change to one must not show in the other.

What all fresh ones share (a lock of the class, an enum member) is not changed inside, only replaced;
a mutable container that they share is a fault. What differs between two fresh ones (a random id, a
time) has to differ from what was left there, too. Who holds what is not looked at: `debug=True` of a
pool does that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from otlp_kit.pools.object_pool import ObjectPool
from otlp_kit.testing.pool_places import (
    ABSENT,
    CONTAINERS,
    Dirt,
    Path,
    Places,
    Way,
    dirty,
    name_of,
    same,
    shown,
)

T = TypeVar("T")


class Pool(Protocol[T]):
    """What is checked."""

    def acquire(self) -> T: ...

    def release(self, thing: T, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Report:
    """What `check_pool` did, in numbers."""

    places: int
    trials: int

    def __str__(self) -> str:
        return f"{self.places} places, {self.trials} trials: as good as new after each"


def check_pool(
    factory: Callable[[], T],
    reset: Callable[[T], object],
    *,
    pool: Callable[[Callable[[], T], Callable[[T], object]], Pool[T]] | None = None,
    ignore: Collection[str] = (),
    seed: int = 0,
    trials: int = 50,
) -> Report:
    """Dirty, release, acquire, compare; raise `AssertionError` at the first difference.

    `pool(factory, reset)` makes the pool, an `ObjectPool` by default; it has to give back what was
    released. `ignore` names fields that may differ, such as a count of uses. `trials` are those in which
    many places are changed at once; the same `seed` changes the same.
    """
    make = pool or (lambda factory, reset: ObjectPool(factory, reset, capacity=2))
    check = _Check(factory, lambda: make(factory, reset), ignore)
    check.nothing_shared()
    ways = list(check.places.ways(check.fresh))
    for way in ways:
        check.reused([way])
    for number in range(trials if ways else 0):
        chance = random.Random(f"{seed}/{number}")
        check.reused(chance.sample(ways, chance.randint(1, len(ways))))
    for way in ways:
        check.apart(way)
    return Report(len({path for path, _ in ways}), len(ways) * 2 + (trials if ways else 0))


class _Check(Generic[T]):
    def __init__(
        self, factory: Callable[[], T], pool: Callable[[], Pool[T]], ignore: Collection[str]
    ) -> None:
        self.factory, self.pool = factory, pool
        fresh, other = factory(), factory()
        _expect(fresh is not other, "the factory to make one each time", "the same one", "made two")
        whole = Places(ignore)
        shared = {id(v) for _, v in whole.walk(fresh)} & {id(v) for _, v in whole.walk(other)}
        self.places = Places(ignore, shared)
        self.fresh, self.other = fresh, other  # kept: an id is only good while its object lives
        self.expected, again = self.places.picture(fresh), self.places.picture(other)
        self.varying = {p for p, v in self.expected.items() if not same(v, again.get(p, ABSENT))}

    def nothing_shared(self) -> None:
        for path, value in self.places.walk(self.fresh):
            _expect(
                not (isinstance(value, CONTAINERS) and id(value) in self.places.shared),
                f"a {type(value).__name__} of its own at {name_of(path)} of each fresh one",
                "the same one in all of them", "made two",
            )  # fmt: skip

    def dirty(self, thing: T, ways: list[Way]) -> str:
        """Do it, deepest first: what is replaced takes along what it holds."""
        done = []
        for path, how in sorted(ways, key=lambda way: -len(way[0])):
            if dirty(thing, path, how):
                done.append(f"{how} {name_of(path)}")
        return ", ".join(done)

    def reused(self, ways: list[Way]) -> None:
        pool = self.pool()
        thing = pool.acquire()
        done = self.dirty(thing, ways)
        left = self.places.picture(thing)
        pool.release(thing)
        again = pool.acquire()
        _expect(again is thing, "the pool to give back what was released", "a new one", done)
        self.as_new(again, f"{done}; released, acquired", left)

    def apart(self, way: Way) -> None:
        """Two that were used before, lent at once."""
        pool = self.pool()
        used = [pool.acquire(), pool.acquire()]
        for thing in used:
            self.dirty(thing, [way])
        for thing in used:
            pool.release(thing)
        one, other = pool.acquire(), pool.acquire()
        done = self.dirty(one, [way])
        self.as_new(other, f"released two, acquired two, {done} of the other one")
        self.as_new(self.factory(), f"released two, acquired two, {done}; made a fresh one")

    def as_new(self, thing: T, done: str, left: Mapping[Path, object] | None = None) -> None:
        found = self.places.picture(thing)
        for path in (*self.expected, *found):
            before, now = self.expected.get(path, ABSENT), found.get(path, ABSENT)
            if path not in self.varying:
                fine, wanted = same(before, now), f"{shown(before)}, as in a fresh one"
            else:
                stale = isinstance(now, str | bytes | int | float) and same(
                    now, (left or {}).get(path)
                )
                fine = not isinstance(now, Dirt) and type(now) is type(before) and not stale
                wanted = "another one, as in each fresh one"
            _expect(fine, f"{name_of(path)} to be {wanted}", shown(now), done)


def _expect(fine: bool, expected: str, found: str, done: str) -> None:
    if not fine:
        raise AssertionError(f"expected {expected}; found {found}\ndone: {done}")
