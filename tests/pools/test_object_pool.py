"""A bounded pool lends each thing to one holder, waits to its deadline, and says who holds what."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from otlp_kit.pools.holders import Exhausted, NotHeld, PoolError, UsedAfterRelease
from otlp_kit.pools.object_pool import ObjectPool
from otlp_kit.testing.fake_clock import FakeClock


class Thing:
    """A span-like thing with slots."""

    __slots__ = ("__private", "attributes", "name")

    def __init__(self) -> None:
        self.name = ""
        self.attributes: dict[str, Any] = {}
        self.__private = 1

    def reset(self) -> None:
        self.name = ""
        self.attributes = {}

    def private(self) -> int:
        return self.__private


def things(capacity: int = 1, **settings: Any) -> ObjectPool[Thing]:
    return ObjectPool(Thing, Thing.reset, capacity=capacity, **settings)


def test_a_thing_is_used_again_as_if_new() -> None:
    """The second holder gets the same thing, without what the first one wrote."""
    pool = things()
    with pool.borrow() as first:
        first.name, first.attributes["user"] = "GET /", "alice"
    with pool.borrow() as second:
        assert second is first
        assert (second.name, second.attributes) == ("", {})
    stats = pool.stats()
    assert (stats.made, stats.reused, stats.hit_ratio) == (1, 1, 0.5)
    assert repr(pool) == (
        "<ObjectPool [out 0/1, idle 1, waiting 0 | made 1, reused 1, discarded 0]>"
    )


def test_the_latest_is_lent_first() -> None:
    """Its memory is in the cache; the others can grow old."""
    pool = things(3)
    one, two = pool.acquire(), pool.acquire()
    pool.release(one)
    pool.release(two)
    assert pool.acquire() is two


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"capacity": 0}, "capacity must be at least 1, not 0"),
        ({"capacity": 1, "timeout": -1.0}, "timeout must be at least 0 seconds, not -1.0"),
        ({"capacity": 1, "timeout": float("nan")}, "timeout must be at least 0 seconds, not nan"),
    ],
)
def test_settings_without_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    """By the constructor, not by the first thread that waits for ever."""
    with pytest.raises(ValueError, match=re.escape(message)):
        ObjectPool(Thing, Thing.reset, **arguments)


def in_thread(work: Callable[[], Any], name: str = "waiter") -> tuple[threading.Thread, list[Any]]:
    """Run `work` in a thread; the list gets what it returns or raises."""
    seen: list[Any] = []

    def run() -> None:
        try:
            seen.append(work())
        except Exception as error:
            seen.append(error)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    return thread, seen


def test_exhausted_it_waits_to_its_deadline_and_says_who_holds_what() -> None:
    """Two are out, one since 2.5 seconds longer than the other; nobody returns one."""
    clock = FakeClock()
    pool = things(2, clock=clock, timeout=5.0)
    in_thread(pool.acquire, "checkout")[0].join()
    clock.advance(2.5)
    in_thread(pool.acquire, "billing")[0].join()
    thread, seen = in_thread(pool.acquire)
    assert clock.await_sleepers(1)
    clock.advance(4.9)
    assert thread.is_alive()
    assert pool.stats().waiting == 1
    clock.advance(0.1)
    thread.join()
    assert isinstance(seen[0], Exhausted)
    assert str(seen[0]) == (
        "all 2 are out, and none came back in 5 s:\n"
        "  Thing: checkout for 7.5 s\n"
        "  Thing: billing for 5.0 s\n"
        "(debug=True names the lines where they were acquired)"
    )
    assert pool.stats().waiting == 0


def leaks_here(pool: ObjectPool[Thing]) -> Thing:
    return pool.acquire()


def leaks_in_a_block(pool: ObjectPool[Thing]) -> Any:
    block = pool.borrow()
    block.__enter__()
    return block


def test_with_debug_it_says_where_each_was_acquired() -> None:
    """The line that acquired, and who called that; not the lines of the pool itself."""
    pool = things(2, debug=True)
    leaks_here(pool)
    block = leaks_in_a_block(pool)
    with pytest.raises(Exhausted) as caught:
        pool.acquire(timeout=0.0)
    first, second = str(caught.value).splitlines()[1:]
    where = (
        r"acquired at test_object_pool.py:\d+ in {} < test_object_pool.py:\d+ in test_with_debug"
    )
    assert re.search(where.format("leaks_here"), first)
    assert re.search(where.format("leaks_in_a_block"), second)
    block.__exit__(None, None, None)


def test_who_came_first_is_served_first() -> None:
    """Whoever comes while others wait stands behind them."""
    clock = FakeClock()
    pool = things(clock=clock)
    thing = pool.acquire()
    waiters = []
    for number in range(3):
        waiters.append(in_thread(pool.acquire, f"waiter {number}"))
        assert clock.await_sleepers(number + 1)
    for thread, seen in waiters:
        pool.release(thing)
        thread.join(10)
        assert seen == [thing]


def test_who_waits_gets_what_is_made_anew_for_what_was_discarded() -> None:
    """The place of a broken thing is free, too."""
    clock = FakeClock()
    pool = things(clock=clock)
    broken = pool.acquire()
    thread, seen = in_thread(pool.acquire)
    assert clock.await_sleepers(1)
    pool.discard(broken)
    thread.join(10)
    assert isinstance(seen[0], Thing)
    assert seen[0] is not broken
    assert (pool.stats().made, pool.stats().discarded) == (2, 1)


def test_a_factory_that_raises_takes_no_place() -> None:
    """The error is the caller's; the next one may try."""
    answers = iter([ConnectionError("refused"), "a connection"])

    def connect() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pool = ObjectPool(connect, lambda _: None, capacity=1)
    with pytest.raises(ConnectionError, match="refused"):
        pool.acquire()
    assert pool.acquire(timeout=0) == "a connection"
    assert pool.stats().made == 1


def test_a_reset_that_raises_discards_the_thing() -> None:
    """Half reset it is worth nothing, and its place is free again."""
    closed: list[object] = []

    def reset(thing: object) -> None:
        raise RuntimeError("cannot be reset")

    pool = ObjectPool(object, reset, capacity=1, close=closed.append)
    thing = pool.acquire()
    with pytest.raises(RuntimeError, match="cannot be reset"):
        pool.release(thing)
    assert closed == [thing]
    assert pool.acquire(timeout=0) is not thing


def test_a_block_that_raises_discards_the_thing() -> None:
    """Nobody knows in which state a connection is then; the block's error is the caller's."""
    closed: list[Thing] = []
    pool = things(close=closed.append)
    with pytest.raises(KeyError, match="mine"), pool.borrow() as thing:
        raise KeyError("mine")
    assert closed == [thing]
    assert pool.stats().idle == 0


def test_a_database_handle_is_returned_without_its_transaction(tmp_path: Any) -> None:
    """The contract of reset with a real database: what was not committed is gone."""
    path = tmp_path / "shop.db"
    pool = ObjectPool(
        lambda: sqlite3.connect(path, check_same_thread=False),
        sqlite3.Connection.rollback, capacity=2, close=sqlite3.Connection.close,
    )  # fmt: skip
    with pool.borrow() as first:
        first.execute("create table orders (id)")
        first.execute("insert into orders values (1)")
        first.commit()
        first.execute("insert into orders values (2)")
    with pool.borrow() as second:
        assert second is first
        assert second.execute("select count(*) from orders").fetchone() == (1,)
    pool.clear()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        first.execute("select 1")
    assert pool.stats().idle == 0


def test_a_close_that_raises_loses_nothing() -> None:
    """The one is ended, the rest stays idle, and the pool can be cleared again."""
    failures = iter([OSError("cannot be closed")])

    def close(thing: Thing) -> None:
        for failure in failures:
            raise failure

    pool = things(3, close=close)
    for thing in [pool.acquire() for _ in range(3)]:
        pool.release(thing)
    with pytest.raises(OSError, match="cannot be closed"):
        pool.clear()
    assert (pool.stats().idle, pool.stats().out) == (2, 0)
    pool.clear()
    assert (pool.stats().idle, pool.stats().out, pool.stats().discarded) == (0, 0, 3)


@pytest.mark.parametrize("debug", [False, True])
def test_a_double_release_is_an_error(debug: bool) -> None:
    """Otherwise two would hold it. With debug the message names the first release."""
    pool = things(debug=debug)
    thing = pool.acquire()
    pool.release(thing)
    with pytest.raises(NotHeld, match="a Thing was returned twice") as caught:
        pool.release(thing)
    assert ("first at test_object_pool.py:" in str(caught.value)) == debug
    with pytest.raises(NotHeld):
        pool.discard(thing)
    assert pool.acquire() is thing
    with pytest.raises(Exhausted):
        pool.acquire(timeout=0)


def test_what_is_of_another_pool_is_not_taken() -> None:
    """It would be reset by the wrong rules."""
    with pytest.raises(NotHeld, match="or is of another pool"):
        things().release(things().acquire())


def test_a_returned_thing_is_poison() -> None:
    """With debug, reading it raises at the line that should not have kept it."""
    pool = things(debug=True)
    with pool.borrow() as kept:
        kept.attributes["user"] = "alice"
    for use in (
        lambda: kept.attributes["user"],
        lambda: kept.attributes.get("user"),
        lambda: kept.name + "!",
        lambda: kept.name == "",
        lambda: str(kept.name),
        lambda: [*kept.attributes],
        lambda: bool(kept.name),
        lambda: kept.private() + 1,
    ):
        with pytest.raises(UsedAfterRelease, match="had been returned to its pool"):
            use()
    assert repr(kept.name) == "<returned to its pool>"
    again = pool.acquire()
    assert (again.name, again.attributes, again.private()) == ("", {}, 1)


def test_writing_to_a_returned_thing_is_found_when_it_is_lent_again() -> None:
    """Which field, and where the thing had been returned; the thing is not lent."""
    pool = things(debug=True)
    with pool.borrow() as kept:
        pass
    kept.name = "too late"
    with pytest.raises(
        UsedAfterRelease,
        match=r"Thing.name was set after it had been returned at test_object_pool.py:\d+ in test_wri",
    ):
        pool.acquire()
    assert pool.acquire(timeout=0) is not kept
    stats = pool.stats()
    assert (stats.made, stats.reused, stats.discarded) == (2, 0, 1)


def test_a_new_attribute_on_a_returned_thing_is_found_too() -> None:
    """One with `__dict__` can be given a field that it did not have."""

    class Open:
        pass

    pool = ObjectPool(Open, lambda thing: thing.__dict__.clear(), capacity=1, debug=True)
    with pool.borrow() as kept:
        pass
    kept.surprise = 1  # type: ignore[attr-defined]
    with pytest.raises(UsedAfterRelease, match=r"Open\.surprise"):
        pool.acquire()


def test_the_errors_are_of_one_family() -> None:
    """Whoever does not care which catches `PoolError`."""
    assert all(issubclass(one, PoolError) for one in (Exhausted, NotHeld, UsedAfterRelease))


@pytest.mark.parametrize("debug", [False, True])
def test_threads_never_hold_the_same_thing(debug: bool) -> None:
    """Eight threads, three things: each holder finds it clean, and alone."""
    pool = things(3, debug=debug, timeout=30.0)
    wrong: list[str] = []

    def work() -> None:
        me = threading.current_thread().name
        for _ in range(300):
            with pool.borrow() as thing:
                if thing.name:
                    wrong.append(f"{me} found {thing.name}")
                thing.name = me
                if thing.name != me:
                    wrong.append(f"{me} is not alone")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    stats = pool.stats()
    assert stats.made == stats.idle <= 3
    assert stats.made + stats.reused == 8 * 300
    assert (stats.out, stats.waiting, stats.discarded) == (0, 0, 0)


def in_child(work: Callable[[], object]) -> str:
    """What `work` returns in the child of a fork, as text."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            answer = str(work())
        except BaseException as error:
            answer = repr(error)
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_starts_empty_and_closes_nothing_of_its_parent() -> None:
    """What the parent lent or kept is neither lent, closed nor taken back in the child."""
    closed: list[Thing] = []
    pool = things(2, close=closed.append)
    out, idle = pool.acquire(), pool.acquire()
    pool.release(idle)

    def child() -> object:
        empty = pool.stats()
        mine = [pool.acquire(timeout=0), pool.acquire(timeout=0)]
        pool.release(out)
        pool.discard(out)
        pool.clear()
        return (
            empty.idle + empty.out + empty.made,
            any(one in (out, idle) for one in mine),
            closed,
        )

    assert in_child(child) == "(0, False, [])"
    assert pool.acquire(timeout=0) is idle
    pool.release(out)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_waits_for_nobody_that_the_fork_left_behind() -> None:
    """All out, a lock held and a thread in line at the moment of the fork."""
    clock = FakeClock()
    pool = things(clock=clock)
    thing = pool.acquire()
    thread, _ = in_thread(pool.acquire)
    assert clock.await_sleepers(1)
    with pool._lock:
        assert in_child(lambda: (pool.acquire(timeout=0) is thing, pool.stats().waiting)) == (
            "(False, 0)"
        )
    pool.release(thing)
    thread.join(10)


class AnyOrder(RuleBasedStateMachine):
    """Whatever is done in whatever order, each thing is in one place, and all are counted."""

    @initialize(capacity=st.integers(1, 4), debug=st.booleans())
    def start(self, capacity: int, debug: bool) -> None:
        self.capacity = capacity
        self.closed: list[Thing] = []
        self.pool = things(capacity, debug=debug, timeout=0.0, close=self.closed.append)
        self.out: list[Thing] = []
        self.idle: list[Thing] = []
        self.inherited: list[Thing] = []
        self.made = 0

    @rule()
    def acquire(self) -> None:
        if len(self.out) == self.capacity:
            with pytest.raises(Exhausted):
                self.pool.acquire()
            return
        thing = self.pool.acquire()
        if self.idle:
            assert thing is self.idle.pop()
        else:
            self.made += 1
        assert thing not in (*self.out, *self.closed, *self.inherited)
        assert (thing.name, thing.attributes) == ("", {})
        thing.name = "dirty"
        thing.attributes["user"] = "alice"
        self.out.append(thing)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), broken=st.booleans())
    def give_back(self, data: st.DataObject, broken: bool) -> None:
        thing = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        if broken:
            self.pool.discard(thing)
            assert self.closed[-1] is thing
        else:
            self.pool.release(thing)
            self.idle.append(thing)

    @precondition(lambda self: self.idle)
    @rule()
    def give_back_again(self) -> None:
        with pytest.raises(NotHeld):
            self.pool.release(self.idle[0])

    @rule()
    def clear(self) -> None:
        self.pool.clear()
        self.idle.clear()

    @rule()
    def fork(self) -> None:
        self.pool.begin_anew()
        self.inherited += self.out + self.idle
        self.made = 0
        self.closed.clear()
        self.out, self.idle = [], []

    @precondition(lambda self: self.inherited)
    @rule()
    def give_back_the_parents(self) -> None:
        self.pool.release(self.inherited[0])

    @invariant()
    def all_are_counted(self) -> None:
        if not hasattr(self, "pool"):
            return
        stats = self.pool.stats()
        assert (stats.out, stats.idle) == (len(self.out), len(self.idle))
        assert stats.made == self.made == stats.out + stats.idle + stats.discarded
        assert stats.discarded == len(self.closed)
        assert stats.out + stats.idle <= self.capacity


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
