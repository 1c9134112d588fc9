"""The waits between attempts that hurt most, of all that a `Backoff` allows.

    Unkind(base, factor, cap, jitter, now=clock, ends=19.0, round_trip=0.02)

A backoff spreads its waits by chance, and chance does not know when an outage ends. This one does, so
that a simulation with it is as bad as any can be. It is no backoff to send with.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from otlp_kit.reliability.backoff import Backoff

COUNTED = 1000
"""Attempts that are planned ahead, and unkind."""


@dataclass(frozen=True)
class Unkind(Backoff):
    """A `Backoff` whose chance knows when the peer is back: at `ends`, and what hurts most.

    Short waits first, until they have grown as far as they do in the time that is left; then an
    attempt that fails at the very end; then the longest wait.
    """

    now: Callable[[], float] = field(kw_only=True)
    ends: float = field(kw_only=True)
    round_trip: float = field(kw_only=True)

    def wait(
        self,
        attempt: int,
        chance: Callable[[], float] = random.random,
        *,
        retry_after: float | None = None,
    ) -> float:
        shortest, longest = self._spread(attempt)
        left = self.ends - self.now() - self.round_trip / 2
        if left < shortest or attempt >= COUNTED:  # waits of 0 might never end
            return longest
        early, late = shortest, 0.0  # when the attempt after `following` may fail, and its waits
        for following in range(attempt + 1, attempt + COUNTED):
            grown = self.factor == 1 or self.longest(following) == self.cap
            low, high = self._spread(following)
            if (grown and longest + late >= left) or early + self.round_trip + low > left:
                break
            early += self.round_trip + low
            late += self.round_trip + high
        return min(max(left - late, shortest), longest)

    def _spread(self, attempt: int) -> tuple[float, float]:
        return super().wait(attempt, lambda: 0.0), super().wait(attempt, lambda: 1.0)
