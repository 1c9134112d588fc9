"""A peer answers when its numbers say, in turn, and is away when it is."""

from __future__ import annotations

import random
from statistics import mean

import pytest

from otlp_kit.simulate.events import Timeline
from otlp_kit.simulate.server import Answer, Away, Outage, Peer, Server


class Log:
    def __init__(self) -> None:
        self.requests: list[float] = []
        self.taken: list[int] = []

    def requested(self, at: float) -> None:
        self.requests.append(at)

    def stored(self, batch: list[int]) -> None:
        self.taken += batch


def asked(model: Server, *sent: float, size: int = 10) -> tuple[list[tuple[float, Answer]], Log]:
    """A batch of `size` records leaves at each time in `sent`: (when, which answer), in order."""
    timeline, log, answers = Timeline(), Log(), []
    peer = Peer(model, timeline, random.Random(1).random, log)

    def send() -> None:
        peer.receive(
            list(range(size)), lambda answer: answers.append((round(timeline.now, 9), answer))
        )

    for at in sent:
        timeline.at(at, send)
    timeline.run()
    return answers, log


def statuses(answers: list[tuple[float, Answer]]) -> list[tuple[float, int]]:
    return [(at, answer.status) for at, answer in answers]


def test_an_answer_takes_the_way_and_the_work() -> None:
    """Half a round trip, the request, each item, half a round trip."""
    answers, log = asked(Server(round_trip=0.2, per_request=0.5, per_item=0.01), 1.0)
    assert statuses(answers) == [(1.8, 200)]
    assert log.requests == [1.1]
    assert log.taken == list(range(10))


def test_more_requests_than_hands_wait_in_turn() -> None:
    """Two are served at once, the third after the first."""
    answers, _ = asked(Server(per_request=1.0, parallel=2), 0.0, 0.5, 0.6, 0.7)
    assert statuses(answers) == [(1.0, 200), (1.5, 200), (2.0, 200), (2.5, 200)]


def test_a_full_backlog_is_turned_away() -> None:
    """With 503, and the wait that it asks for."""
    model = Server(per_request=1.0, parallel=1, backlog=1, retry_after=4.0)
    answers, log = asked(model, 0.0, 0.1, 0.2)
    assert answers[0] == (0.2, Answer(503, retry_after=4.0))
    assert statuses(answers)[1:] == [(1.0, 200), (2.0, 200)]
    assert len(log.requests) == 3


def test_no_second_sees_more_than_the_limit() -> None:
    """The fourth within a second is told 429; a second after the first there is room again."""
    answers, _ = asked(Server(limit=3, retry_after=1.0), 0.0, 0.4, 0.8, 0.9, 1.0, 1.3)
    assert statuses(answers) == [
        (0.0, 200), (0.4, 200), (0.8, 200), (0.9, 429), (1.0, 200), (1.3, 429)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "got", "taken"), [("refused", [(2.2, 0)], 0), ("silent", [], 0), ("unanswered", [], 10)]
)
def test_a_peer_is_away_in_three_ways(how: Away, got: list[tuple[float, int]], taken: int) -> None:
    """Known after a round trip; never known, not taken; never known, and taken."""
    answers, log = asked(Server(round_trip=0.2, outages=(Outage(2.0, 3.0, how),)), 2.0)
    assert statuses(answers) == got
    assert len(log.taken) == taken
    assert log.requests == [2.1]


def test_an_outage_begins_and_ends_when_it_says() -> None:
    """The first instant belongs to it, the last does not; what is being served is finished."""
    model = Server(per_request=0.5, outages=(Outage(1.0, 2.0),))
    answers, _ = asked(model, 0.9, 1.0, 1.999, 2.0)
    assert statuses(answers) == [(1.0, 0), (1.4, 200), (1.999, 0), (2.5, 200)]


def test_parts_and_wholes_are_rejected() -> None:
    """A partial success counts what it did not take; a batch that is too large is refused."""
    answers, log = asked(Server(reject_every=3), 0.0)
    assert answers == [(0.0, Answer(200, rejected=3))]
    assert len(log.taken) == 7
    answers, log = asked(Server(refuse_over=9), 0.0)
    assert answers == [(0.0, Answer(400))]
    assert log.taken == []


def test_service_by_chance_has_the_mean_of_the_fixed_one() -> None:
    """Exponential times: the mean is the deviation."""
    answers, _ = asked(Server(per_request=2.0, by_chance=True), *[0.0] * 5000)
    times = [at for at, _ in answers]
    assert mean(times) == pytest.approx(2.0, rel=0.05)
    assert mean(at * at for at in times) == pytest.approx(8.0, rel=0.1)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"round_trip": -0.1}, "times must be at least 0 seconds"),
        ({"per_item": float("inf")}, "times must be at least 0 seconds"),
        ({"parallel": 0}, "nothing is served 0 at once"),
        ({"limit": 0.5}, "or 0.5 a second"),
    ],
)
def test_what_no_peer_is_like_is_refused(settings: dict[str, float], problem: str) -> None:
    """Time that goes backwards, nobody to serve."""
    with pytest.raises(ValueError, match=problem):
        Server(**settings)  # type: ignore[arg-type]
