"""A client that reacts as it should passes; each wrong reaction is named with its answer."""

from __future__ import annotations

import itertools
import time
from http.client import HTTPConnection
from typing import Any

import pytest

from otlp_kit.encoding.answers import read_http_answer
from otlp_kit.lab.exercises_answers import ANSWERS, react
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.testing.hostile_answers import failure, success
from otlp_kit.testing.hostile_server import HostileServer
from otlp_kit.wire import Accepted, Refused, Unavailable


def right(post: Any, wait: Any, read: Any = read_http_answer, backoff: Any = Backoff) -> Accepted:
    """Reads each answer, and comes again after those that allow it."""
    for attempt in itertools.count():
        try:
            return read(*post(), time.time())
        except Unavailable as error:
            asked = error.retry_after
        except OSError:
            asked = None
        wait(backoff().wait(attempt, retry_after=asked))
    raise AssertionError


def test_a_client_that_does_what_each_answer_means_passes() -> None:
    """The kit's own reading of answers and its backoff are enough."""
    assert repr(react(right)) == "Solved."
    assert len(ANSWERS) == 13


def test_the_same_client_works_against_a_server() -> None:
    """What the exercise hands in has the shape of a real request."""
    with HostileServer([failure(503), success(3, "too old")]) as server:
        connection = HTTPConnection(server.endpoint.removeprefix("http://"))

        def post() -> tuple[int, dict[str, str], bytes]:
            connection.request("POST", "/v1/traces", b"")
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()

        assert right(post, lambda seconds: None) == Accepted(3, "too old")
        connection.close()
    assert server.count == 2


def stock(post: Any, wait: Any) -> Accepted:
    status, _, _ = post()
    if status < 400:
        return Accepted()
    raise Refused(f"HTTP {status}")


def follows_no_body(status: int, headers: Any, body: bytes, now: float) -> Accepted:
    read_http_answer(status, headers, body, now)
    return Accepted()


def redirected(status: int, headers: Any, body: bytes, now: float) -> Accepted:
    return read_http_answer(200 if status == 302 else status, headers, body, now)


def retries(*statuses: int) -> Any:
    def read(status: int, headers: Any, body: bytes, now: float) -> Accepted:
        return read_http_answer(503 if status in statuses else status, headers, body, now)

    return read


def only_200(status: int, headers: Any, body: bytes, now: float) -> Accepted:
    return read_http_answer(status if status == 200 else max(status, 400), headers, body, now)


def words_count(status: int, headers: Any, body: bytes, now: float) -> Accepted:
    answer = read_http_answer(status, headers, body, now)
    return Accepted(answer.rejected or 5 * bool(answer.message), answer.message)


class Ignoring(Backoff):
    def wait(self, attempt: int, *chance: Any, retry_after: float | None = None) -> float:
        return super().wait(attempt)


class Steady(Backoff):
    def wait(self, attempt: int, *chance: Any, retry_after: float | None = None) -> float:
        return (retry_after or 0) + 1


class AtOnce(Backoff):
    def wait(self, attempt: int, *chance: Any, retry_after: float | None = None) -> float:
        return 0.0


def reads_once(post: Any, wait: Any) -> Accepted:
    """Believes that the second answer can only be a good one."""
    try:
        return read_http_answer(*post(), time.time())
    except (OSError, Unavailable) as error:
        wait(getattr(error, "retry_after", None) or 1)
        post()
        return Accepted()


def comes_early(post: Any, wait: Any) -> Accepted:
    """Does not wait longer than it has, and comes back in the last second instead."""
    return right(post, lambda seconds: wait(min(seconds, 10.0)))


@pytest.mark.parametrize(
    ("client", "difference"),
    [
        (stock, "some: the client says that 0 were rejected."),
        (lambda p, w: right(p, w, follows_no_body), "some: the client says that 0"),
        (lambda p, w: right(p, w, words_count), "warning: the client says that 5"),
        (lambda p, w: right(p, w, only_200), "other: the client raised Refused"),
        (lambda p, w: right(p, w, redirected), "login: the client says success"),
        (lambda p, w: right(p, w, retries(400)), "bad: "),
        (lambda p, w: right(p, w, retries(500)), "broken: "),
        (lambda p, w: read_http_answer(*p(), 0.0), "busy: the client gives up after 1 request(s)"),
        (lambda p, w: right(p, w, backoff=AtOnce), "busy: the client comes back at once."),
        (lambda p, w: right(p, w, backoff=lambda: Ignoring(cap=5)), "slower: the client comes"),
        (reads_once, "both: the client says that 0 were rejected."),
        (lambda p, w: right(p, w, backoff=Steady), "gone: 31 requests within 30 s, and no end."),
        (comes_early, "away: "),
        (lambda p, w: "sent", "all: the client returned 'sent', which is no Accepted."),
        (lambda p, w: 1 / 0, "all: the client raised ZeroDivisionError"),
    ],
)  # fmt: skip
def test_each_wrong_reaction_has_its_own_reason(client: Any, difference: str) -> None:
    """It names the answer, and what the client made of it."""
    verdict = react(client)
    assert not verdict.passed
    assert verdict.difference.startswith(difference)
    assert verdict.hint


def test_a_client_without_an_ear_for_broken_connections_is_told() -> None:
    """An `OSError` is an answer too."""

    def deaf(post: Any, wait: Any) -> Accepted:
        for attempt in itertools.count():
            try:
                return read_http_answer(*post(), time.time())
            except Unavailable as error:
                wait(Backoff().wait(attempt, retry_after=error.retry_after))
        raise AssertionError

    assert react(deaf).difference.startswith("hung up: the client raised ConnectionResetError")
