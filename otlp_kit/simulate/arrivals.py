"""When records come: lists of times in seconds, increasing.

    steady(1000, 10)                        a thousand a second, evenly, for 10 s
    poisson(1000, 10, seed=1)               as many on average, by chance
    bursts(200, every=2.0, seconds=10)      200 at once, every 2 s
    trace([3.2, 0.1, 0.1])                  what somebody wrote down
    merged(steady(10, 5), bursts(...))      several sources, one program

They are plain lists: take the times of a log, add what you like, and sort.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from heapq import merge


def steady(rate: float, seconds: float, *, start: float = 0.0) -> list[float]:
    """`rate` records a second, evenly spaced, from `start` on for `seconds`.

    >>> steady(4, 1)
    [0.0, 0.25, 0.5, 0.75]
    """
    return [start + n / rate for n in range(round(_positive(rate) * seconds))]


def poisson(rate: float, seconds: float, *, start: float = 0.0, seed: int = 0) -> list[float]:
    """`rate` records a second on average, each independent of all others.

    >>> len(poisson(100, 10, seed=1))
    968
    """
    chance, times, at = random.Random(seed), [], 0.0
    while (at := at + chance.expovariate(_positive(rate))) < seconds:
        times.append(start + at)
    return times


def bursts(
    size: int, *, every: float, seconds: float, within: float = 0.0, start: float = 0.0
) -> list[float]:
    """`size` records at once, or evenly `within` so many seconds; again `every` so many seconds.

    >>> bursts(2, every=5.0, seconds=10.0, within=1.0)
    [0.0, 0.5, 5.0, 5.5]
    """
    if not 0 <= within <= _positive(every):
        raise ValueError(f"a burst must be over before the next: {within} > {every} s")
    return [
        start + number * every + record * within / size
        for number in range(math.ceil(seconds / every))
        for record in range(size)
    ]


def trace(times: Iterable[float]) -> list[float]:
    """Times that somebody wrote down, in any order; the first of them is 0.

    >>> trace([1003.5, 1000.0, 1001.0])
    [0.0, 1.0, 3.5]
    """
    known = sorted(times)
    if not all(map(math.isfinite, known)):
        raise ValueError("a time must be a finite number of seconds")
    return [at - known[0] for at in known]


def merged(*arrivals: Iterable[float]) -> list[float]:
    """All of `arrivals` (each increasing) as those of one program.

    >>> merged([0.0, 2.0], [1.0])
    [0.0, 1.0, 2.0]
    """
    return list(merge(*arrivals))


def _positive(number: float) -> float:
    if not number > 0:
        raise ValueError(f"must be more than 0, not {number}")
    return number
