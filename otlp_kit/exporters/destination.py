"""One destination of a fan-out: what waits for it, and what became of the rest.

    destination.has_room(size)              may another payload wait here?
    destination.offer(payload, context)     it waits
    payload, context = destination.take()   it is on its way
    destination.settle(outcome, ...)        it is over, and in the ledger
    destination.give_up(reason)             nobody will come for what waits

Plain state: no thread, no lock, no clock. Whoever owns it calls one method at a time.
"""

from __future__ import annotations

import logging
from collections import deque
from contextvars import Context

from otlp_kit.ledger import EXPORT_FAILED, QUEUE_FULL, TIMEOUT, Ledger
from otlp_kit.wire import Accepted, Payload, Sender, Unavailable

log = logging.getLogger(__name__)

QUIET = 60.0
"""Seconds between two log lines about the same destination."""


class Destination:
    """A bounded queue of payloads before `sender`, and the ledger of their records.

    `max_payloads` and `max_bytes` bound what waits; one more payload may be on its way.
    """

    def __init__(self, name: str, sender: Sender, max_payloads: int, max_bytes: int) -> None:
        self.name, self.sender = name, sender
        self.ledger = Ledger()
        self._max_payloads, self._max_bytes = max_payloads, max_bytes
        self._said_at = -QUIET
        self._clear()

    def _clear(self) -> None:
        self.queue: deque[tuple[Payload, Context]] = deque()
        self._bytes = 0
        self._flying: Payload | None = None
        self.settled = 0
        """Payloads that were queued and are over."""
        self.failures = 0
        """Payloads that did not arrive here, those without room included."""

    @property
    def inside(self) -> int:
        """Payloads that wait or are on their way."""
        return len(self.queue) + (self._flying is not None)

    def has_room(self, size: int) -> bool:
        """Whether a payload of `size` bytes may wait here."""
        return len(self.queue) < self._max_payloads and self._bytes + size <= self._max_bytes

    def offer(self, payload: Payload, context: Context) -> None:
        """Queue `payload`, to be sent in `context`; there must be room."""
        self.ledger.created(payload.items)
        self.queue.append((payload, context))
        self._bytes += len(payload.body)

    def turn_away(self, payload: Payload) -> None:
        """There was no room for `payload`."""
        self.ledger.turned_away(QUEUE_FULL, payload.items)
        self.failures += 1

    def take(self) -> tuple[Payload, Context]:
        """The payload whose turn it is; the next may be taken when this one is settled."""
        self._flying, context = self.queue.popleft()
        self._bytes -= len(self._flying.body)
        return self._flying, context

    def settle(self, outcome: object, deadline: float, now: float) -> None:
        """Write the fate of the payload on its way: `outcome` is what `send` returned or raised."""
        assert self._flying is not None, "settle without take"
        count, self._flying = self._flying.items, None
        self.settled += 1
        if isinstance(outcome, Accepted) and isinstance(outcome.rejected, int):
            rejected = min(max(outcome.rejected, 0), count)
            self.ledger.delivered(count - rejected)
            self.ledger.rejected(rejected)
            if rejected or outcome.message:
                self._say(f"{rejected} of {count} records rejected: {outcome.message}", now)
            return
        self.failures += 1
        if isinstance(outcome, Unavailable) and outcome.maybe_delivered:
            self.ledger.unknown(count)
        else:
            self.ledger.dropped(TIMEOUT if now >= deadline else EXPORT_FAILED, count)
        if isinstance(outcome, BaseException):
            reason = str(outcome) or type(outcome).__name__
        else:
            reason = f"the sender returned {outcome!r}, not Accepted"
        self._say(f"sending {count} records failed: {reason}", now)

    def give_up(self, reason: str) -> None:
        """Drop what waits, because of `reason`."""
        self.ledger.dropped(reason, sum(payload.items for payload, _ in self.queue))
        self.settled += len(self.queue)
        self.failures += len(self.queue)
        self.queue.clear()
        self._bytes = 0

    def begin_anew(self) -> None:
        """In the child of a fork: an empty queue; what was inside is the parent's to send."""
        self.ledger.begin_anew()
        self._clear()

    def close_sender(self) -> None:
        """Release what the sender holds."""
        close = getattr(self.sender, "close", None)
        if close is None:
            return
        try:
            close()
        except Exception:
            log.exception("%s failed to close", self.name)

    def _say(self, trouble: str, now: float) -> None:
        if now - self._said_at >= QUIET:
            self._said_at = now
            log.warning("%s: %s", self.name, trouble)
