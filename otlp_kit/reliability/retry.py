"""Send the same bytes again, later: a `Sender` around a sender that may fail for a while.

    sender = Retrying(HttpSender("http://localhost:4318"))
    sender.send(payload, deadline)

Only `Unavailable` is tried again; a refusal and a partial success are final. It does not encode,
queue or keep anything: when it gives up, the payload is the caller's again.

Three things decide when it ends, whichever comes first. The *deadline* of the call is the law: no
attempt begins after it, and a wait that would pass it is not begun, so the failure is known at once.
*Backoff* says how the time until then is spent: with the default of 1 s doubling to 30 s, and 30 s
to spend, there are some six attempts. *max_attempts* is for who would rather stop earlier; without it
time alone decides. What one attempt may take is the inner sender's `timeout`: with a timeout as long
as the deadline, a server that hangs leaves no time for a second attempt.

A wait that the peer asks for (`Retry-After`, `RetryInfo`) is kept by every send through this object,
not only by the one that was told: that is the throttling which the specification demands.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp-throttling
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from otlp_kit.reliability.backoff import Backoff
from otlp_kit.wire import Accepted, Payload, Refused, Sender, Unavailable


class Clock(Protocol):
    """How time passes: the system's clock, or one that a test turns by hand."""

    def monotonic(self) -> float: ...

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set (True) or `timeout` seconds have passed (False)."""
        ...


class SystemClock:
    monotonic = staticmethod(time.monotonic)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.wait(min(timeout, threading.TIMEOUT_MAX))


@dataclass(slots=True)
class Attempts:
    """What one payload has been through, and what follows from it. Waits for nothing."""

    backoff: Backoff
    deadline: float
    limit: int | None = None
    failed: int = 0
    asked: float = 0.0
    """The wait that the peer asked for last; what follows grows from it."""
    maybe_delivered: bool = False
    """Of any attempt: what may have arrived once is not undone by a later failure."""

    def wait_after(self, error: Unavailable, now: float, chance: Callable[[], float]) -> float:
        """Seconds until the next attempt. Raises `Unavailable` when there is to be none."""
        self.failed += 1
        self.asked = error.retry_after or self.asked
        self.maybe_delivered |= error.maybe_delivered
        wait = self.backoff.wait(self.failed - 1, chance, retry_after=self.asked)
        if self.failed == self.limit or now + wait >= self.deadline:
            raise self.last_word(error)
        return wait

    def last_word(self, error: Unavailable | Refused) -> Unavailable:
        """`error`, with what is known of the attempts before it."""
        asked = error.retry_after if isinstance(error, Unavailable) else None
        return Unavailable(str(error), retry_after=asked, maybe_delivered=self.maybe_delivered)


class Retrying:
    """Sends through `sender` until that succeeds, refuses, or time is over. Thread-safe.

    `chance` returns a random number from 0 to 1 for the spread of waits. `max_attempts` counts the
    first one too; None leaves it to the deadline. Raises `ValueError` for less than one.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        backoff: Backoff | None = None,
        max_attempts: int | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if max_attempts is not None and max_attempts < 1:
            raise ValueError(f"max_attempts must be at least 1, not {max_attempts}")
        self._sender = sender
        self._backoff = backoff or Backoff()
        self._max_attempts = max_attempts
        self._clock = clock or SystemClock()
        self._chance = chance
        self._not_before = -float("inf")
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        """A wake-up for this process: the parent's may have been locked when it forked."""
        self._closing = threading.Event()
        self._process = os.getpid()

    def send(self, payload: Payload, deadline: float) -> Accepted:
        """Send `payload`, again and again if need be; see `wire.Sender`.

        The `Unavailable` that ends it tells of the last failure; `maybe_delivered` is true if any
        attempt may have arrived.
        """
        if self._process != os.getpid():
            self._begin()
        attempts = Attempts(self._backoff, deadline, self._max_attempts)
        self._hold_back(deadline)
        while True:
            try:
                return self._sender.send(payload, deadline)
            except Unavailable as error:
                now = self._clock.monotonic()
                self._throttle(error, now)
                wait = attempts.wait_after(error, now, self._chance)
                # Another send may have been told meanwhile to stay away for longer.
                wait = max(wait, self._not_before - now)
                if now + wait >= deadline or self._pause(wait):
                    raise attempts.last_word(error) from error
            except Refused as error:
                if self._closed and attempts.maybe_delivered:
                    raise attempts.last_word(error) from error
                raise

    def close(self) -> None:
        """End every wait at once, and close the sender if it is one that holds something."""
        self._closed = True
        self._closing.set()
        close = getattr(self._sender, "close", None)
        if close:
            close()

    def _throttle(self, error: Unavailable, now: float) -> None:
        # Two threads told at once may overwrite one another: either is what the peer asked for.
        if error.retry_after:
            self._not_before = max(self._not_before, now + error.retry_after)

    def _hold_back(self, deadline: float) -> None:
        """Wait until the peer wants requests again. Raises if that is too late, or never."""
        while not self._closed:
            now = self._clock.monotonic()
            if (left := self._not_before - now) <= 0:
                return
            if self._not_before >= deadline:
                raise Unavailable(
                    "the peer asked to wait longer than there is time", retry_after=left
                )
            self._pause(left)
        raise Refused("the sender is closed")

    def _pause(self, seconds: float) -> bool:
        """Wait; True if the sender was closed meanwhile."""
        return self._clock.wait(self._closing, seconds) or self._closed
