"""Trying again: the same bytes, only after `Unavailable`, never past the deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.reliability.backoff import Backoff
from otlp_kit.reliability.retry import Retrying
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.wire import TRACES, Accepted, Payload, Refused, Unavailable

PAYLOAD = Payload(TRACES, b"bytes", items=3)
EVEN = Backoff(base=1.0, factor=2.0, cap=8.0, jitter="none")
Answer = Accepted | Exception


class Scripted:
    """A sender that answers from a list, at no cost of time; it notes when it was asked."""

    def __init__(self, now: Callable[[], float], answers: Iterable[Answer]) -> None:
        self._now = now
        self._answers = iter(answers)
        self.attempts: list[float] = []
        self.payloads: list[Payload] = []
        self.deadlines: set[float] = set()
        self.closed = 0

    def send(self, payload: Payload, deadline: float) -> Accepted:
        self.attempts.append(self._now())
        self.payloads.append(payload)
        self.deadlines.add(deadline)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed += 1


class Jumping:
    """A clock that stands at the end of a wait at once."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, event: threading.Event, timeout: float) -> bool:
        if event.is_set():
            return True
        self.now += timeout
        return False


def outcome(
    answers: Iterable[Answer], deadline: float = 100.0, **settings: object
) -> tuple[Scripted, Answer]:
    """What became of one payload, on virtual time that begins at 0."""
    clock = Jumping()
    inner = Scripted(clock.monotonic, answers)
    sender = Retrying(inner, backoff=EVEN, clock=clock, **settings)  # type: ignore[arg-type]
    try:
        return inner, sender.send(PAYLOAD, deadline)
    except Exception as error:
        return inner, error


@pytest.mark.spec("OTLP-54", "OTLP-55", "OTLP-101")
def test_the_same_bytes_are_sent_until_they_are_taken() -> None:
    """With waits that grow, and one deadline for all attempts."""
    inner, answer = outcome([*(Unavailable("503") for _ in range(4)), Accepted(1, "one was bad")])
    assert answer == Accepted(1, "one was bad")
    assert inner.attempts == [0, 1, 3, 7, 15]
    assert all(payload is PAYLOAD for payload in inner.payloads)
    assert inner.deadlines == {100.0}


@pytest.mark.spec("OTLP-38", "OTLP-48", "OTLP-49")
def test_what_is_refused_is_never_sent_again() -> None:
    """Nor is anything else that is not `Unavailable`: it is no peer's word."""
    for error in (Refused("HTTP 400"), RuntimeError("a defect")):
        inner, answer = outcome([error])
        assert answer is error
        assert len(inner.attempts) == 1


@pytest.mark.spec("OTLP-27")
def test_a_partial_success_is_a_success() -> None:
    """It is never tried again."""
    inner, answer = outcome([Accepted(3, "all of them")])
    assert answer == Accepted(3, "all of them")
    assert len(inner.attempts) == 1


@pytest.mark.spec("OTLP-53")
def test_no_wait_begins_that_would_end_too_late() -> None:
    """Whoever waits for the answer has it while there still is time for something else."""
    inner, answer = outcome((Unavailable(f"{n}") for n in range(99)), deadline=10.0)
    assert isinstance(answer, Unavailable)
    assert (str(answer), inner.attempts) == ("3", [0, 1, 3, 7])
    inner, answer = outcome([Unavailable("later", retry_after=3600.0)], deadline=10.0)
    assert isinstance(answer, Unavailable)
    assert (answer.retry_after, inner.attempts) == (3600.0, [0])


@pytest.mark.spec("OTLP-34", "OTLP-51")
def test_nobody_comes_back_before_the_time_that_the_peer_named() -> None:
    """Its time, and ours on top, so that not all come back in one moment."""
    inner, _ = outcome([Unavailable("503", retry_after=5.0), Accepted()])
    assert inner.attempts == [0, 6]


@pytest.mark.spec("OTLP-37")
def test_the_peers_time_holds_for_other_payloads_too() -> None:
    """Who was told to wait does not send something else meanwhile."""
    clock = Jumping()
    inner = Scripted(clock.monotonic, [Unavailable("503", retry_after=30.0), Accepted()])
    sender = Retrying(inner, backoff=EVEN, clock=clock)
    with pytest.raises(Unavailable):
        sender.send(PAYLOAD, deadline=10.0)
    with pytest.raises(Unavailable, match="asked to wait longer"):
        sender.send(PAYLOAD, deadline=20.0)
    assert inner.attempts == [0]
    assert sender.send(PAYLOAD, deadline=100.0) == Accepted()
    assert inner.attempts == [0, 30]


def test_what_may_have_arrived_once_stays_so() -> None:
    """A later attempt that did not reach the peer does not undo an earlier one that may have."""
    inner, answer = outcome(
        [Unavailable("no answer", maybe_delivered=True), Unavailable("cannot connect")],
        deadline=2.0,
    )
    assert isinstance(answer, Unavailable)
    assert (str(answer), answer.maybe_delivered) == ("cannot connect", True)
    assert len(inner.attempts) == 2


def test_attempts_may_be_bounded() -> None:
    """Besides the deadline."""
    inner, answer = outcome((Unavailable(f"{n}") for n in range(9)), max_attempts=3)
    assert (str(answer), len(inner.attempts)) == ("2", 3)
    with pytest.raises(ValueError, match="max_attempts"):
        Retrying(inner, max_attempts=0)


def test_closing_ends_a_wait_at_once() -> None:
    """A shutdown does not wait for a peer that is away."""
    clock = FakeClock()
    inner = Scripted(clock.monotonic, [Unavailable("503")])
    sender = Retrying(inner, backoff=EVEN, clock=clock)
    caught: list[Exception] = []

    def send() -> None:
        try:
            sender.send(PAYLOAD, deadline=100.0)
        except Unavailable as error:
            caught.append(error)

    sending = threading.Thread(target=send)
    sending.start()
    while not clock._sleepers:
        pass
    sender.close()
    sending.join(20)
    assert [str(error) for error in caught] == ["503"]
    assert (len(inner.attempts), inner.closed) == (1, 1)
    with pytest.raises(Refused, match="closed"):
        sender.send(PAYLOAD, deadline=100.0)


def test_a_sender_that_holds_nothing_need_not_be_closed() -> None:
    """One method makes a sender."""

    class Bare:
        def send(self, payload: Payload, deadline: float) -> Accepted:
            return Accepted()

    Retrying(Bare()).close()


@given(
    st.lists(
        st.one_of(
            st.just(Accepted()),
            st.builds(
                Unavailable,
                st.just("503"),
                retry_after=st.none() | st.floats(0, 50),
                maybe_delivered=st.booleans(),
            ),
            st.builds(Refused, st.just("400")),
        ),
        max_size=12,
    ),
    st.floats(0.001, 200),
    st.floats(0, 1, exclude_max=True),
)
def test_whatever_the_peer_answers_the_rules_hold(
    answers: list[Answer], deadline: float, luck: float
) -> None:
    """No attempt after the deadline, none before its time, none after an answer that is final."""
    clock = Jumping()
    inner = Scripted(clock.monotonic, [*answers, Accepted()])
    sender = Retrying(inner, backoff=Backoff(), clock=clock, chance=lambda: luck)
    final: Answer
    try:
        final = sender.send(PAYLOAD, deadline)
    except (Unavailable, Refused) as error:
        final = error
    given_so_far = [*answers, Accepted()][: len(inner.attempts)]
    assert all(isinstance(answer, Unavailable) for answer in given_so_far[:-1])
    assert all(at < deadline for at in inner.attempts)
    for answer, before, after in zip(
        given_so_far, inner.attempts, inner.attempts[1:], strict=False
    ):
        assert isinstance(answer, Unavailable)
        assert after - before >= (answer.retry_after or 0) - 1e-6
    if isinstance(final, Unavailable):
        assert final.maybe_delivered == any(
            isinstance(answer, Unavailable) and answer.maybe_delivered for answer in given_so_far
        )
    else:
        assert final == given_so_far[-1]
