"""How long to wait before the next attempt: exponential, capped, spread by chance.

    backoff = Backoff(base=1.0, factor=2.0, cap=30.0, jitter="full")
    backoff.wait(0)                     seconds after the first failure
    backoff.wait(1, retry_after=5.0)    after the second, when the peer named a time

It is a formula. It does not sleep, count attempts, know an error or a deadline: whoever retries
compares the wait with the time that is left.

After failure number i (from 0) the wait is w = min(cap, base * factor^i), then spread:

    none     w                       all that failed together come back together
    full     U(0, w)
    equal    w/2 + U(0, w/2)
    around   U(0.8 w, 1.2 w)         what the official Python exporters do

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp-throttling
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal, TypeAlias, get_args

Jitter: TypeAlias = Literal["none", "full", "equal", "around"]

_SPREAD: dict[str, tuple[float, float]] = {
    "none": (1.0, 1.0),
    "full": (0.0, 1.0),
    "equal": (0.5, 1.0),
    "around": (0.8, 1.2),
}
"""Between which multiples of w the wait lies, evenly."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that grow by `factor` from `base` to `cap` seconds.

    The cap is set before the spread: `around` may exceed it by a fifth. Raises `ValueError` for
    numbers that are no wait.

    >>> [Backoff(base=1.0, cap=10.0, jitter="none").wait(attempt) for attempt in range(5)]
    [1.0, 2.0, 4.0, 8.0, 10.0]
    """

    base: float = 1.0
    factor: float = 2.0
    cap: float = 30.0
    jitter: Jitter = "full"

    def __post_init__(self) -> None:
        if not 0 < self.base < math.inf:
            raise ValueError(f"base must be more than 0 seconds, not {self.base}")
        if not 1 <= self.factor < math.inf:
            raise ValueError(f"factor must be at least 1, not {self.factor}")
        if not self.base <= self.cap < math.inf:
            raise ValueError(f"cap must be at least the base, not {self.cap} < {self.base}")
        if self.jitter not in _SPREAD:
            kinds = ", ".join(get_args(Jitter))
            raise ValueError(f"jitter must be one of {kinds}, not {self.jitter!r}")

    def longest(self, attempt: int) -> float:
        """The wait in seconds after failure number `attempt`, from 0, before it is spread."""
        try:
            return min(self.cap, self.base * self.factor**attempt)
        except OverflowError:
            return self.cap

    def wait(
        self,
        attempt: int,
        chance: Callable[[], float] = random.random,
        *,
        retry_after: float | None = None,
    ) -> float:
        """Seconds to wait after failure number `attempt`, from 0.

        `chance` returns a random number from 0 to 1. `retry_after` is the wait that the peer asked
        for; ours is added to it, so that nobody is early and not all come back in the same moment.
        """
        low, high = _SPREAD[self.jitter]
        spread = low + (high - low) * chance()
        return (retry_after or 0.0) + self.longest(attempt) * spread

    def waits(self, chance: Callable[[], float] = random.random) -> Iterator[float]:
        """The waits after the first failure, the second, and so on without end."""
        return (self.wait(attempt, chance) for attempt in count())
