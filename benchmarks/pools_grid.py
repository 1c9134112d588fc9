"""Ways to get a thing, side by side: made each time, or kept in pools of three kinds.

    per_use(facts, "span", threads, seconds, uses)      pools.use.span.{way}.{threads}
    hits(facts, "span", make, build, use, uses)         pools.hits.span.{way}
    held(facts, "buffer.64k", ways, count)              pools.peak.buffer.64k.{way}, and kept

A use is: get a thing, do with it what it is for, give it back. Threads stay from round to round, as a
program's do, so that what a thread keeps for itself is still there. It is a part of `benchmarks.pools`.
"""

from __future__ import annotations

import gc
import statistics
import threading
import time
import tracemalloc
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, NamedTuple

from benchmarks.harness import Fact
from otlp_kit.pools.buffer_pool import BufferPool
from otlp_kit.pools.object_pool import ObjectPool
from otlp_kit.pools.thread_local_pool import ThreadLocalPool

ROUNDS = 15
THREADS = (1, 2, 4)
COUNTED = 100
"""Uses on each thread of which it is counted how many made something."""
GRID_SIZES = {"64": 64, "16k": 1 << 14, "64k": 1 << 16, "1m": 1 << 20, "4m": 1 << 22}

Work = Callable[[], object]
Spent = dict[str, tuple[list[float], list[float]]]
"""Wall and CPU seconds of each candidate, round by round."""


class Way(NamedTuple):
    """How a thing is got and given back."""

    acquire: Callable[[], Any]
    release: Callable[[Any], object]
    made: Callable[[], int] | None = None
    """How many have been made, if it is not the caller's `make` that makes them."""


Build = Callable[[Callable[[], Any]], Mapping[str, Way]]
"""The ways to get what the argument makes, with nothing in them yet."""


def spent(candidates: Mapping[str, Work], rounds: int = ROUNDS) -> Spent:
    """Run the candidates in turn, `rounds` times after once for nothing."""
    found: Spent = {name: ([], []) for name in candidates}
    for number in range(rounds + 1):
        for name, work in candidates.items():
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if number:
                found[name][0].append(wall)
                found[name][1].append(cpu)
    return found


@cache
def _crew(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def in_threads(threads: int, work: Work) -> None:
    """`work` on so many threads at once, the same ones each time."""
    if threads == 1:
        work()
        return
    together = threading.Barrier(threads)

    def run() -> None:
        together.wait()
        work()

    for running in [_crew(threads).submit(run) for _ in range(threads)]:
        running.result()


def repeat(count: int, work: Work) -> None:
    for _ in range(count):
        work()


def memory(make: Work) -> tuple[int, int, int]:
    """Bytes that stay, most bytes at once, and objects that the collector tracks of what stays."""
    gc.collect()
    before = len(gc.get_objects())
    tracemalloc.start()
    kept = make()
    gc.collect()
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    tracked = len(gc.get_objects()) - before
    del kept
    return size, peak, max(0, tracked)


def ways(
    make: Callable[[], Any],
    *,
    reset: Callable[[Any], object],
    end: Callable[[Any], object] | None = None,
    keep: int,
) -> dict[str, Way]:
    """Made and ended each time; a bare list; a list for each thread; a pool that knows its holders."""
    free: list[Any] = []

    def from_list() -> Any:
        try:
            return free.pop()  # atomic: no other thread gets the same one
        except IndexError:
            return make()

    def to_list(thing: Any) -> None:
        reset(thing)
        free.append(thing)

    local = ThreadLocalPool(make, reset, keep=keep)
    locked = ObjectPool(make, reset, capacity=keep * max(THREADS), close=end)
    return {
        "plain": Way(make, end or (lambda thing: None)),
        "list": Way(from_list, to_list),
        "local": Way(local.acquire, local.release),
        "locked": Way(locked.acquire, locked.release),
    }


def per_use(
    facts: dict[str, Fact], thing: str, threads: int, seconds: Spent, uses: int, unit: str = "ns"
) -> None:
    """What a use takes by the clock, when all threads together do `uses` of them."""
    scale = {"ns": 1e9, "us": 1e6}[unit]
    for way, (wall, _) in seconds.items():
        low, value, high = statistics.quantiles([one / uses * scale for one in wall], n=4)
        facts[f"pools.use.{thing}.{way}.{threads}"] = Fact(
            *(float(f"{one:.4g}") for one in (value, low, high)), unit,
            f"time for each use of a {_said(thing)} on {threads} thread(s), {way}",
        )  # fmt: skip


def hits(
    facts: dict[str, Fact], thing: str, make: Callable[[], Any], build: Build,
    use: Callable[[Way], object], uses: int,
) -> None:  # fmt: skip
    """The share of `uses` on four threads that made nothing; pools are empty at first."""
    threads = max(THREADS)
    for name in build(make):
        made: list[None] = []

        def counted(made: list[None] = made) -> Any:
            made.append(None)
            return make()

        way = build(counted)[name]
        in_threads(threads, partial(use, way))
        share = round(100 * (1 - (way.made() if way.made else len(made)) / uses), 1)
        facts[f"pools.hits.{thing}.{name}"] = Fact(
            share, share, share, "%",
            f"share of {uses:,} uses of a {_said(thing)} on {threads} threads that made nothing, {name}",
        )  # fmt: skip


def held(facts: dict[str, Fact], thing: str, found: Mapping[str, Way], count: int) -> None:
    """Memory while so many are held at once, and after; pools are empty at first."""

    def run(one: Way) -> object:
        for thing in [one.acquire() for _ in range(count)]:
            one.release(thing)
        return one

    for way, one in found.items():
        kept, peak, _ = memory(partial(run, one))
        for name, size, when in (
            ("peak", peak, "most memory while"),
            ("kept", kept, "memory after"),
        ):
            value = round(size / 1024, 1)
            facts[f"pools.{name}.{thing}.{way}"] = Fact(
                value, value, value, "KiB",
                f"{when} {count} of a {_said(thing)} are held at once, {way}",
            )  # fmt: skip


def _said(thing: str) -> str:
    return thing.replace(".", " ")


def buffer_grid(facts: dict[str, Fact]) -> None:
    """Each buffer is written to once. The locked pool is `BufferPool`; the others keep one size."""
    for name, size in GRID_SIZES.items():
        source = memoryview(bytes(size))

        def use(way: Way, source: memoryview = source) -> None:
            view = way.acquire()
            view[:] = source
            way.release(view)

        def make(size: int = size) -> memoryview:
            return memoryview(bytearray(size))

        build = partial(_buffer_ways, size)
        count = max(32, min(8000, (64 << 20) // size))
        grid(facts, f"buffer.{name}", make, build, use, count, "ns" if size < 1 << 20 else "us")
        held(facts, f"buffer.{name}", build(make), max(THREADS))


def _buffer_ways(size: int, make: Callable[[], Any]) -> dict[str, Way]:
    pool = BufferPool(max_bytes=64 << 20)
    locked = Way(partial(pool.acquire, size), pool.release, lambda: pool.stats().made)
    return {**ways(make, reset=lambda view: None, keep=max(THREADS)), "locked": locked}


def grid(
    facts: dict[str, Fact], thing: str, make: Callable[[], Any], build: Build,
    use: Callable[[Way], object], count: int, unit: str,
) -> None:  # fmt: skip
    """Time and hits of `use` by each way, on 1, 2 and 4 threads, `count` uses a round."""
    for threads in THREADS:
        share = count // threads
        seconds = spent({
            name: partial(in_threads, threads, partial(repeat, share, partial(use, way)))
            for name, way in build(make).items()
        })  # fmt: skip
        per_use(facts, thing, threads, seconds, share * threads, unit)
    hits(facts, thing, make, build, lambda way: repeat(COUNTED, partial(use, way)),
         COUNTED * max(THREADS))  # fmt: skip
