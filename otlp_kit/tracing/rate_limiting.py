"""A sampler that keeps a number of traces a second, whatever comes.

    sampler = ParentBased(RateLimiting(5))

For a bill or a disk that must not grow with the load. It is not for counting: the share that it keeps
changes from second to second and is recorded nowhere. The bucket that decides is a function of its
state and the time; `RateLimiting` adds the clock and the lock.

Specification: none; Jaeger's remote sampler has one of the same kind.
https://www.jaegertracing.io/docs/2.14/architecture/sampling/
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otlp_kit.model import Value
from otlp_kit.tracing.decisions import DROP, RECORD_AND_SAMPLE, Parent, Sampling
from otlp_kit.tracing.tracestate import with_threshold


class TokenBucket:
    """`per_second` tokens a second, saved up for one second at most; not safe from two threads."""

    def __init__(self, per_second: float, now: float) -> None:
        self.per_second = per_second
        self.capacity = max(1.0, per_second)
        self._tokens = self.capacity
        self._filled_at = now

    def take(self, now: float) -> bool:
        """Whether there is a token at `now`, in seconds; it is gone then."""
        if now > self._filled_at:
            more = (now - self._filled_at) * self.per_second
            self._tokens = min(self.capacity, self._tokens + more)
            self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class RateLimiting:
    """Samples at most `per_second` spans a second, and as many at once after a quiet second.

    For roots: below `ParentBased` it limits traces. The share that is kept changes with the load, so
    nothing can be counted from it, and a threshold of the parent is erased. Safe from any thread.
    Raises `ValueError` unless `per_second` is a number above 0.
    """

    def __init__(self, per_second: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        if not (per_second > 0 and math.isfinite(per_second)):
            raise ValueError(f"{per_second} spans a second: has to be above 0; else use AlwaysOff")
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._bucket = TokenBucket(per_second, monotonic())

    def decide(
        self, parent: Parent | None, trace_id: bytes, name: str, kind: int, attributes: Mapping[str, Value],
        links: Sequence[Any],
    ) -> Sampling:  # fmt: skip
        with self._lock:
            kept = self._bucket.take(self._monotonic())
        if parent is not None:
            state = with_threshold(parent.trace_state, None)
            if state != parent.trace_state:
                return Sampling(kept, kept, None, state)
        return RECORD_AND_SAMPLE if kept else DROP

    def __str__(self) -> str:
        return f"RateLimiting{{{self._bucket.per_second:g}}}"
