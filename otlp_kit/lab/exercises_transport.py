"""The checker for the exercise on requests in flight: notebook 07, *concepts/grpc-or-http*.

    bound(in_flight=..., batch_size=...)        do 20,000 spans a second reach a peer that is 0.05 s away?

The answer is held against the formula of the page, `most`. As in `exercises`, a checker says what is
wrong and never prints the answer.
"""

from __future__ import annotations

from otlp_kit.lab.exercises import Verdict

RATE, ROUND_TRIP, EACH = 20_000, 0.05, 20e-6
CONNECTIONS, CRASH, REQUESTS = 8, 1_600, 50


def most(in_flight: int, batch_size: int, round_trip: float, each: float = EACH) -> float:
    """X, the most spans a second that can leave: k * B / (RTT + S), where S is `each` * B seconds."""
    return in_flight * batch_size / (round_trip + each * batch_size)


def bound(*, in_flight: int, batch_size: int) -> Verdict:
    """Carry 20,000 spans a second to a peer whose answer takes 0.05 s.

    To encode and send a span takes 0.00002 s of a request's time. Choose how many requests are in
    flight and how many spans a request has, so that

    - as many spans can leave as come;
    - no request waits for a connection: over HTTP/1.1 the sender opens 8;
    - the peer gets at most 50 requests a second;
    - at most 1,600 spans are on their way, for a crash takes them along.
    """
    for name, value in (("in_flight", in_flight), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            return _not_yet(
                f"{name} is {value!r}, not a number of 1 or more.", "Two whole numbers."
            )
    return (
        _connections(in_flight)
        or _rate(in_flight, batch_size)
        or _requests(batch_size)
        or _crash(in_flight, batch_size)
        or Verdict(passed=True)
    )


def _connections(in_flight: int) -> Verdict | None:
    if in_flight <= CONNECTIONS:
        return None
    return _not_yet(
        f"of {in_flight} requests, {in_flight - CONNECTIONS} wait for a connection.",
        "k is what the peer is working on, not what the program would like it to.",
    )


def _rate(in_flight: int, batch_size: int) -> Verdict | None:
    leaving = most(in_flight, batch_size, ROUND_TRIP)
    if leaving >= RATE:
        return None
    if most(in_flight, batch_size, ROUND_TRIP, each=0.0) >= RATE:
        return _not_yet(
            f"{leaving:,.0f} spans a second leave; it would be enough if spans encoded themselves.",
            "A request takes the round trip *and* the time for its spans.",
        )
    if in_flight == 1:
        return _not_yet(
            f"{leaving:,.0f} spans a second leave, one batch each round trip.",
            "While one request waits for its answer, the next could be on its way.",
        )
    return _not_yet(
        f"{leaving:,.0f} spans a second leave.",
        "X <= k * B / (RTT + S). Which of the four are yours?",
    )


def _requests(batch_size: int) -> Verdict | None:
    if (requests := RATE / batch_size) <= REQUESTS:
        return None
    return _not_yet(
        f"the peer gets {requests:,.0f} requests a second.", "Spans a second, divided by what?"
    )


def _crash(in_flight: int, batch_size: int) -> Verdict | None:
    if (away := in_flight * batch_size) <= CRASH:
        return None
    return _not_yet(
        f"{away:,} spans are on their way at once.",
        "Little's law says how many have to be: the rate, times how long a request takes.",
    )


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
