"""Each thread has a free list of its own, and nobody waits."""

from __future__ import annotations

import os
import threading

import pytest

from otlp_kit.pools.holders import NotHeld, UsedAfterRelease
from otlp_kit.pools.thread_local_pool import ThreadLocalPool


class Thing:
    __slots__ = ("__weakref__", "name")

    def __init__(self) -> None:
        self.name = ""

    def reset(self) -> None:
        self.name = ""


@pytest.mark.parametrize("debug", [False, True])
def test_a_thread_gets_its_own_thing_again(debug: bool) -> None:
    """And no other thread does."""
    pool = ThreadLocalPool(Thing, Thing.reset, debug=debug)
    with pool.borrow() as first:
        first.name = "dirty"
    with pool.borrow() as second:
        assert second is first
        assert second.name == ""
    elsewhere: list[Thing] = []
    thread = threading.Thread(target=lambda: elsewhere.append(pool.acquire()))
    thread.start()
    thread.join()
    assert elsewhere[0] is not first
    stats = pool.stats()
    assert (stats.threads, stats.idle, stats.made, stats.reused) == (1, 1, 1, 1)


def test_it_keeps_no_more_than_it_may() -> None:
    """The rest is left to Python."""
    pool = ThreadLocalPool(Thing, Thing.reset, keep=2)
    for thing in [pool.acquire() for _ in range(5)]:
        pool.release(thing)
    assert pool.stats().idle == 2
    with pytest.raises(ValueError, match="keep must be at least 1, not 0"):
        ThreadLocalPool(Thing, Thing.reset, keep=0)


def test_who_only_takes_reuses_nothing() -> None:
    """The thread that returns keeps what it gets: a producer and a worker want no pool."""
    pool = ThreadLocalPool(Thing, Thing.reset)
    for _ in range(5):
        thing = pool.acquire()
        thread = threading.Thread(target=pool.release, args=(thing,))
        thread.start()
        thread.join()
    assert (pool.stats().made, pool.stats().reused) == (5, 0)


def test_with_debug_a_fault_is_named() -> None:
    """A double release, and a write after it."""
    pool = ThreadLocalPool(Thing, Thing.reset, debug=True)
    thing = pool.acquire()
    pool.release(thing)
    with pytest.raises(NotHeld, match="first at test_thread_local_pool"):
        pool.release(thing)
    thing.name = "late"
    with pytest.raises(UsedAfterRelease, match="name was set"):
        pool.acquire()


@pytest.mark.parametrize("debug", [False, True])
def test_a_block_that_raises_does_not_keep_its_thing(debug: bool) -> None:
    """Nobody knows in which state it is."""
    pool = ThreadLocalPool(Thing, Thing.reset, debug=debug)
    with pytest.raises(KeyError), pool.borrow():
        raise KeyError
    assert pool.stats().idle == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("debug", [False, True])
def test_a_child_starts_empty(debug: bool) -> None:
    """Things of the parent are not lent in the child, and the parent keeps them."""
    pool = ThreadLocalPool(Thing, Thing.reset, debug=debug)
    with pool.borrow() as kept:
        pass
    if (child := os.fork()) == 0:
        os._exit(0 if pool.stats().idle == 0 and pool.acquire() is not kept else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert pool.acquire() is kept
