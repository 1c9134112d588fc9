"""How a batch is carried to a peer: attempts, waits between them, and when to give up.

    retry = Retry(Backoff(base=0.5, cap=5.0), deadline=10.0, budget=0.1)
    client = Client(timeline, peer.receive, retry, random.Random(1).random, ledger)
    client.export(batch, done)          as `pipeline.Export`

One `Client` is one program; each of its batches is retried by itself, and all share the budget. It
decides as a sender with retries does, and knows of the peer only what a sender is told: a batch whose
attempt was sent and not answered is unknown, unless a later attempt is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from otlp_kit.ledger import EXPORT_FAILED, TIMEOUT, Ledger
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate.events import Event, Timeline
from otlp_kit.simulate.server import BAD_REQUEST, OK, Answer, Answered

Send: TypeAlias = Callable[[list[int], Answered], None]


@dataclass(frozen=True, slots=True)
class Retry:
    """When an attempt is followed by another. Times in seconds. Raises `ValueError` for no rule."""

    backoff: Backoff = field(default_factory=Backoff)
    attempts: float = math.inf
    """At most so many in all; 1: no retry."""
    timeout: float = 10.0
    """How long one attempt waits for its answer."""
    deadline: float = 30.0
    """For all attempts of a batch together; a wait that would end later is not begun."""
    budget: float = math.inf
    """Retries per request: each batch earns so many, each retry costs 1; up to `saved` are kept."""
    saved: float = 10.0
    heed: bool = True
    """Whether the wait that a peer asks for (Retry-After) is kept."""

    def __post_init__(self) -> None:
        if not self.attempts >= 1:
            raise ValueError(f"attempts must be at least 1, not {self.attempts}")
        if not self.timeout > 0:
            raise ValueError(f"timeout must be more than 0 seconds, not {self.timeout}")
        if not 0 < self.deadline < math.inf:
            raise ValueError(f"deadline must be more than 0 seconds, not {self.deadline}")
        if not (self.budget >= 0 and self.saved >= 0):
            raise ValueError(f"a budget must be at least 0, not {self.budget} and {self.saved}")


NEVER = Retry(attempts=1)
"""One attempt for each batch."""


class Client:
    """Exports batches by the rules of a `Retry`, and settles them in `ledger`."""

    def __init__(
        self,
        timeline: Timeline,
        send: Send,
        retry: Retry,
        chance: Callable[[], float],
        ledger: Ledger,
    ) -> None:
        self.timeline, self.send, self.retry = timeline, send, retry
        self.chance, self.ledger = chance, ledger
        self._tokens = retry.saved
        self.attempts = 0

    def export(self, batch: list[int], done: Callable[[], None]) -> None:
        """Carry `batch` to the peer, or give it up; then call `done`."""
        self._tokens = min(self._tokens + self.retry.budget, self.retry.saved)
        _Delivery(self, batch, done).attempt()

    def may_retry(self) -> bool:
        """Take a retry out of the budget, if there is one."""
        if self.retry.budget == math.inf:
            return True
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class _Delivery:
    """One batch, from its first attempt to its fate."""

    def __init__(self, client: Client, batch: list[int], done: Callable[[], None]) -> None:
        self._client, self._batch, self._done = client, batch, done
        self._deadline = client.timeline.now + client.retry.deadline
        self._attempt = 0
        self._timer: Event | None = None  # of the attempt that waits for its answer
        self._unanswered = False

    def attempt(self) -> None:
        client = self._client
        client.attempts += 1
        self._attempt += 1
        patience = min(client.timeline.now + client.retry.timeout, self._deadline)
        self._timer = timer = client.timeline.at(patience, self._no_answer)
        client.send(self._batch, lambda answer: self._answered(timer, answer))

    def _no_answer(self) -> None:
        self._timer = None
        self._unanswered = True
        self._try_again(None)

    def _answered(self, timer: Event, answer: Answer) -> None:
        if timer is not self._timer:
            return  # too late: nobody listens to this attempt any more
        timer.cancel()
        self._timer = None
        ledger, count = self._client.ledger, len(self._batch)
        if answer.status == OK:
            ledger.delivered(count - answer.rejected)
            ledger.rejected(answer.rejected)
            self._done()
        elif answer.status == BAD_REQUEST:
            ledger.dropped(EXPORT_FAILED, count)
            self._done()
        else:
            self._try_again(answer.retry_after)

    def _try_again(self, asked: float | None) -> None:
        client, retry = self._client, self._client.retry
        wait = retry.backoff.wait(
            self._attempt - 1, client.chance, retry_after=asked if retry.heed else None
        )
        in_time = client.timeline.now + wait < self._deadline
        if self._attempt < retry.attempts and in_time and client.may_retry():
            client.timeline.after(wait, self.attempt)
            return
        if self._unanswered:
            client.ledger.unknown(len(self._batch))
        elif client.timeline.now >= self._deadline:
            client.ledger.dropped(TIMEOUT, len(self._batch))
        else:
            client.ledger.dropped(EXPORT_FAILED, len(self._batch))
        self._done()
