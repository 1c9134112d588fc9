"""A peer that takes time, has so many hands, and is away now and then.

    model = Server(round_trip=0.1, per_item=0.0001, parallel=4, outages=(Outage(3.0, 5.0),))
    peer = Peer(model, timeline, random.Random(1).random, tally)
    peer.receive(batch, answered)       `answered(Answer)` is called later, or never

`Server` says what the peer is like, and is only numbers; `Peer` is one of them at work on virtual
time. It knows nothing of who asks, and reads no bytes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from otlp_kit.simulate.events import Timeline

Away: TypeAlias = Literal["refused", "silent", "unanswered"]
"""How a peer is away: nothing listens, which the caller learns after a round trip; requests vanish;
or they are taken, and the answers vanish."""

UNREACHABLE, OK, BAD_REQUEST, TOO_MANY, UNAVAILABLE = 0, 200, 400, 429, 503


@dataclass(frozen=True, slots=True)
class Outage:
    """From `begins` until just before `ends` (seconds) the peer is away. What came before is served."""

    begins: float
    ends: float
    how: Away = "refused"


@dataclass(frozen=True, slots=True)
class Server:
    """What a peer is like. Times in seconds; by default it answers everything at once.

    Raises `ValueError` for what no peer is like.
    """

    round_trip: float = 0.0
    """On the wire, half of it each way."""
    per_request: float = 0.0
    per_item: float = 0.0
    by_chance: bool = False
    """The time for a request is random (exponential), with the mean that the two above give."""
    parallel: float = math.inf
    """How many requests are served at once; others wait for their turn."""
    backlog: float = math.inf
    """How many may wait; to the next it says 503."""
    limit: float = math.inf
    """Requests a second that it allows, over any second; to the next it says 429."""
    retry_after: float | None = None
    """The wait that a 429 or 503 asks for."""
    reject_every: int = 0
    """It takes a batch without each so-manieth record (partial success); 0: it takes all."""
    refuse_over: float = math.inf
    """A larger batch is answered 400."""
    outages: tuple[Outage, ...] = ()

    def __post_init__(self) -> None:
        times = self.round_trip, self.per_request, self.per_item, self.retry_after or 0.0
        if not all(0 <= time < math.inf for time in times):
            raise ValueError(f"times must be at least 0 seconds, not {times}")
        if not (self.parallel >= 1 and self.limit >= 1):
            raise ValueError(f"nothing is served {self.parallel} at once, or {self.limit} a second")

    def away(self, at: float) -> Away | None:
        """How it is away at that time, if it is."""
        return next((one.how for one in self.outages if one.begins <= at < one.ends), None)

    def seconds(self, items: int) -> float:
        """How long the service of a request with so many records takes, on average."""
        return self.per_request + self.per_item * items


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back: an HTTP status (0: nothing listens), and what goes with it."""

    status: int
    retry_after: float | None = None
    rejected: int = 0


Answered: TypeAlias = Callable[[Answer], None]


class Log(Protocol):
    """Is told what happens at the peer."""

    def requested(self, at: float) -> None:
        """A request came to where the peer is, or should be."""

    def stored(self, batch: list[int]) -> None:
        """The peer took these records."""


class Peer:
    """One `Server` at work."""

    def __init__(
        self, model: Server, timeline: Timeline, chance: Callable[[], float], log: Log
    ) -> None:
        self._model, self._timeline = model, timeline
        self._chance, self._log = chance, log
        self._serving = 0
        self._waiting: deque[tuple[list[int], Answered]] = deque()
        self._allowed: deque[float] = deque()  # when the requests of the last second came

    def receive(self, batch: list[int], answered: Answered) -> None:
        """A request leaves its sender now. `batch` is what it carries."""
        half = self._model.round_trip / 2

        def answer(what: Answer) -> None:
            self._timeline.after(half, lambda: answered(what))

        self._timeline.after(half, lambda: self._arrived(batch, answer))

    def _arrived(self, batch: list[int], answer: Answered) -> None:
        model, now = self._model, self._timeline.now
        self._log.requested(now)
        away = model.away(now)
        if away == "silent":
            return
        if away == "refused":
            answer(Answer(UNREACHABLE))
        elif not self._within_limit(now):
            answer(Answer(TOO_MANY, model.retry_after))
        elif len(batch) > model.refuse_over:
            answer(Answer(BAD_REQUEST))
        elif self._serving >= model.parallel and len(self._waiting) >= model.backlog:
            answer(Answer(UNAVAILABLE, model.retry_after))
        else:
            self._waiting.append((batch, _nobody if away else answer))
            self._serve()

    def _within_limit(self, now: float) -> bool:
        if self._model.limit == math.inf:
            return True
        while self._allowed and self._allowed[0] <= now - 1.0:
            self._allowed.popleft()
        if len(self._allowed) >= self._model.limit:
            return False
        self._allowed.append(now)
        return True

    def _serve(self) -> None:
        while self._waiting and self._serving < self._model.parallel:
            batch, answer = self._waiting.popleft()
            self._serving += 1
            seconds = self._model.seconds(len(batch))
            if self._model.by_chance:
                seconds *= -math.log(1.0 - self._chance())
            self._timeline.after(seconds, lambda b=batch, a=answer: self._served(b, a))  # type: ignore[misc]

    def _served(self, batch: list[int], answer: Answered) -> None:
        self._serving -= 1
        every = self._model.reject_every
        rejected = len(batch) // every if every else 0
        self._log.stored(batch[: len(batch) - rejected])
        answer(Answer(OK, rejected=rejected))
        self._serve()


def _nobody(answer: Answer) -> None:
    """The answer vanishes."""
