"""Buffers come in classes, stay within their bound, and cannot be used after they were returned."""

from __future__ import annotations

import io
import os
import re
import threading
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from otlp_kit.pools.buffer_pool import SIZE_CLASSES, BufferPool
from otlp_kit.pools.holders import Exhausted, NotHeld, UsedAfterRelease
from otlp_kit.testing.fake_clock import FakeClock

MIB = 1 << 20


def test_a_view_has_the_size_that_was_asked_for() -> None:
    """Whatever the class behind it; a stream can read into it."""
    pool = BufferPool(max_bytes=MIB)
    with pool.borrow(100) as view:
        assert (len(view), view.readonly, bytes(view)) == (100, False, bytes(100))
        assert io.BytesIO(b"x" * 1000).readinto(view) == 100
        assert pool.stats().out_bytes == 128
    assert (pool.stats().out_bytes, pool.stats().idle_bytes) == (0, 128)


def test_the_classes_double_from_64_bytes_to_4_mib() -> None:
    """So at most half of a buffer lies idle."""
    assert (SIZE_CLASSES[0], SIZE_CLASSES[-1]) == (64, 4 * MIB)
    assert {b // a for a, b in pairwise(SIZE_CLASSES)} == {2}


def test_a_buffer_of_the_class_is_used_again() -> None:
    """By any size of the class, and by none of another."""
    pool = BufferPool(max_bytes=MIB)
    with pool.borrow(100) as view:
        first = view.obj
    with pool.borrow(65) as view:
        assert view.obj is first
    with pool.borrow(64) as view:
        assert view.obj is not first
    assert (pool.stats().made, pool.stats().reused) == (2, 1)


def test_a_view_is_useless_after_its_block() -> None:
    """Python itself refuses."""
    pool = BufferPool(max_bytes=MIB)
    with pool.borrow(100) as view:
        pass
    with pytest.raises(ValueError, match="released memoryview"):
        view[0] = 1


def test_a_slice_that_somebody_kept_is_found() -> None:
    """It would show the next holder's bytes; the buffer is not lent again."""
    pool = BufferPool(max_bytes=MIB)
    view = pool.acquire(100)
    kept, buffer = view[10:20], view.obj
    with pytest.raises(UsedAfterRelease, match="still holds a slice of this buffer of 128 bytes"):
        pool.release(view)
    with pool.borrow(100) as other:
        assert other.obj is not buffer
    assert (pool.stats().discarded, pool.stats().out_bytes, len(kept)) == (1, 0, 10)


def test_the_check_for_slices_leaves_the_buffer_as_it_was() -> None:
    """It changes its size and changes it back; a pointer into it stays good."""
    pool = BufferPool(max_bytes=16 * MIB)
    for size in (64, 4096, 4 * MIB):
        with pool.borrow(size) as view:
            view[:] = os.urandom(size)
            written = bytes(view)
        with pool.borrow(size) as view:
            assert bytes(view) == written


@pytest.mark.parametrize(
    ("settings", "found"),
    [({}, b"secret"), ({"zero": True}, bytes(6)), ({"debug": True}, b"\xdb" * 6)],
)
def test_what_the_next_holder_finds(settings: dict[str, bool], found: bytes) -> None:
    """The policy on zeroing: as it was left, zero, or poison."""
    pool = BufferPool(max_bytes=4 * MIB, **settings)
    for size in (6, 200_000):
        with pool.borrow(size) as view:
            view[:3], view[-3:] = b"sec", b"ret"
        with pool.borrow(size) as view:
            assert bytes(view[:3]) + bytes(view[-3:]) == found


def test_idle_buffers_give_way() -> None:
    """The bound holds for both together; the largest idle ones go first."""
    pool = BufferPool(max_bytes=1024, timeout=0.0)
    for size in (512, 256, 128):
        views = [pool.acquire(size), pool.acquire(64)]
        for view in views:
            pool.release(view)
    assert pool.stats().idle_bytes == 512 + 256 + 128 + 64
    with pool.borrow(1000):
        assert (pool.stats().idle_bytes, pool.stats().out_bytes) == (0, 1024)


def test_what_is_larger_than_the_classes_is_made_for_the_occasion() -> None:
    """It counts as long as it is out, and is not kept."""
    pool = BufferPool(max_bytes=1000, classes=(64,), timeout=0.0)
    with pool.borrow(900) as view:
        assert len(view) == 900
        with pytest.raises(Exhausted):
            pool.acquire(200)
    stats = pool.stats()
    assert (stats.idle_bytes, stats.discarded) == (0, 1)


def test_a_bound_that_is_no_class_can_be_used_up() -> None:
    """Rounding up never asks for more than there is."""
    pool = BufferPool(max_bytes=100)
    with pool.borrow(100) as view:
        assert len(view) == 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_bytes": 10}, "max_bytes must hold at least 64, not 10"),
        ({"max_bytes": 100, "classes": ()}, "must ascend from 1 or more, not ()"),
        ({"max_bytes": 100, "classes": (0, 1)}, "must ascend from 1 or more, not (0, 1)"),
        ({"max_bytes": 100, "classes": (2, 1)}, "must ascend from 1 or more, not (2, 1)"),
        ({"max_bytes": 100, "timeout": -1}, "timeout must be at least 0 seconds, not -1"),
    ],
)
def test_settings_without_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    """By the constructor."""
    with pytest.raises(ValueError, match=re.escape(message)):
        BufferPool(**arguments)


@pytest.mark.parametrize("size", [0, -1, 101])
def test_a_size_that_can_never_be_had_is_refused_at_once(size: int) -> None:
    """Waiting would not help."""
    with pytest.raises(ValueError, match=f"size must be 1 to 100 bytes, not {size}"):
        BufferPool(max_bytes=100).acquire(size)


def test_exhausted_it_waits_to_its_deadline_and_says_who_holds_what() -> None:
    """With debug, each line that acquired is named."""
    clock = FakeClock()
    pool = BufferPool(max_bytes=MIB, clock=clock, timeout=5.0, debug=True)
    view = pool.acquire(MIB)
    seen: list[str] = []

    def wait() -> None:
        try:
            pool.acquire(100)
        except Exhausted as error:
            seen.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    assert clock.await_sleepers(1)
    clock.advance(5.0)
    thread.join(10)
    assert re.fullmatch(
        r"100 bytes were not free within 5 s; of 1,048,576 bytes 1,048,576 are out:\n"
        r"  bytearray: MainThread for 5.0 s, acquired at test_buffer_pool.py:\d+ in test_exhausted.*",
        seen[0],
    )
    pool.release(view)


def test_who_waits_is_served_when_enough_comes_back() -> None:
    """Not when something does."""
    clock = FakeClock()
    pool = BufferPool(max_bytes=256, clock=clock)
    views = [pool.acquire(64) for _ in range(4)]
    got: list[int] = []

    def wait() -> None:
        with pool.borrow(128) as view:
            got.append(len(view))

    thread = threading.Thread(target=wait)
    thread.start()
    assert clock.await_sleepers(1)
    pool.release(views[0])
    assert (got, pool.stats().waiting) == ([], 1)
    pool.release(views[1])
    thread.join(10)
    assert got == [128]


def test_a_view_that_is_not_out_is_not_taken() -> None:
    """Released already, of another pool, or of something else."""
    pool, other = BufferPool(max_bytes=MIB), BufferPool(max_bytes=MIB)
    view = pool.acquire(10)
    with pytest.raises(NotHeld, match="or is of another pool"):
        other.release(view)
    pool.release(view)
    with pytest.raises(NotHeld, match="released already"):
        pool.release(view)
    with pytest.raises(NotHeld, match="this view is of bytes"):
        pool.release(memoryview(b"mine"))


def test_threads_never_share_a_buffer() -> None:
    """Each writes its mark over the whole view, and reads it back."""
    pool = BufferPool(max_bytes=4096, timeout=30.0)
    wrong: list[str] = []

    def work(mark: int) -> None:
        for number in range(200):
            with pool.borrow(1 + (mark * 37 + number * 101) % 1024) as view:
                view[:] = bytes([mark]) * len(view)
                if view.tobytes().strip(bytes([mark])):
                    wrong.append(f"{mark} is not alone")

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = pool.stats()
    assert wrong == []
    assert (stats.out, stats.out_bytes, stats.waiting) == (0, 0, 0)
    assert stats.idle_bytes <= 4096


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_starts_empty() -> None:
    """Memory is copied by a fork, so nothing is shared; but nobody there returns the parent's."""
    pool = BufferPool(max_bytes=128, timeout=0.0)
    view = pool.acquire(128)
    with pool._lock:
        if (child := os.fork()) == 0:
            code = 1
            try:
                mine = pool.acquire(128)
                pool.release(view)
                pool.release(mine)
                code = 0 if pool.stats().made == pool.stats().idle == 1 else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
    pool.release(view)
    assert pool.stats().idle_bytes == 128


class AnyOrder(RuleBasedStateMachine):
    """Whatever is lent and returned: within the bound, each byte with one holder, all counted."""

    @initialize(max_bytes=st.integers(64, 2000), mode=st.sampled_from(["", "zero", "debug"]))
    def start(self, max_bytes: int, mode: str) -> None:
        self.max_bytes = max_bytes
        self.pool = BufferPool(max_bytes=max_bytes, timeout=0.0, **({mode: True} if mode else {}))
        self.out: list[tuple[memoryview, int]] = []
        self.zero = mode == "zero"
        self.mark = 0

    def intact(self) -> None:
        for view, mark in self.out:
            assert not view.tobytes().strip(bytes([mark]))

    @rule(size=st.integers(1, 2500))
    def acquire(self, size: int) -> None:
        try:
            view = self.pool.acquire(size)
        except ValueError:
            assert size > self.max_bytes
            return
        except Exhausted:
            assert self.out
            assert self.pool.stats().out_bytes + 2 * max(size, 64) > self.max_bytes
            return
        assert len(view) == size
        if self.zero:
            assert bytes(view) == bytes(size)
        self.mark = self.mark % 255 + 1
        view[:] = bytes([self.mark]) * size
        self.out.append((view, self.mark))

    @precondition(lambda self: self.out)
    @rule(data=st.data(), keep=st.booleans())
    def release(self, data: st.DataObject, keep: bool) -> None:
        self.intact()
        view, _ = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        if keep:
            kept = view[:]
            with pytest.raises(UsedAfterRelease):
                self.pool.release(view)
            kept.release()
        else:
            self.pool.release(view)
        with pytest.raises(NotHeld):
            self.pool.release(view)

    @invariant()
    def all_is_counted(self) -> None:
        if not hasattr(self, "pool"):
            return
        self.intact()
        stats = self.pool.stats()
        assert stats.out == len(self.out)
        assert stats.made == stats.out + stats.idle + stats.discarded
        assert stats.out_bytes + stats.idle_bytes <= self.max_bytes
        assert stats.out_bytes >= sum(len(view) for view, _ in self.out)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
