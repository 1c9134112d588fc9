"""The checker for the exercise on profiles and requests in flight: the page *concepts/runtime*.

    profile(laptop="...", shop="...", gateway="...", in_flight=...)

Each answer is held against what the service needs, by the formulas of the page. As in `exercises`, a
checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from otlp_kit.lab.exercises import Verdict
from otlp_kit.runtime.profiles import PRODUCTION, PROFILES, Profile

EACH = 20e-6
"""Seconds that the interpreter takes to encode a span."""


@dataclass(frozen=True, slots=True)
class _Service:
    text: str
    rate: float
    """Spans per second, before any sampler."""
    round_trip: float
    outage: float = 0.0
    """Seconds without a collector in which nothing may be lost."""
    soon: float = inf
    """Seconds after its end by which a span has to be acknowledged."""
    end: float = inf
    """Seconds that the end of the process may be held up."""
    every_trace: bool = False


_SERVICES = {
    "laptop": _Service(
        "one developer and a collector on the same machine: every trace has to be seen half a second"
        " after the click, and Ctrl-C has to work within 5 s",
        rate=50, round_trip=0.002, soon=0.5, end=5.0, every_trace=True,
    ),
    "shop": _Service(
        "900 spans a second, a collector 0.02 s away that is gone for 12 s when it restarts:"
        " every trace is wanted, and nothing may be lost",
        rate=900, round_trip=0.02, outage=12.0, every_trace=True,
    ),
    "gateway": _Service(
        "40,000 spans a second, a collector that answers after 0.2 s: some of the traces will do,"
        " but of those no span may be missing",
        rate=40_000, round_trip=0.2,
    ),
}  # fmt: skip
SERVICES = {name: service.text for name, service in _SERVICES.items()}
"""What needs a profile, and what it needs."""

WANTED, ROUND_TRIP = 10_000, 0.2


def bound(in_flight: int, batch_size: int, round_trip: float) -> float:
    """The most spans a second that can leave: k * B / (RTT + S), and what one interpreter encodes."""
    return min(in_flight * batch_size / (round_trip + EACH * batch_size), 1 / EACH)


def profile(*, laptop: str, shop: str, gateway: str, in_flight: int) -> Verdict:
    """The profile for each of `SERVICES`, and a number of requests in flight.

    `in_flight`: how many does the profile `production` need at least, to carry 10,000 spans a second
    for as long as you like to a collector that answers after 0.2 s? To encode a span takes the
    interpreter 20 microseconds.
    """
    for name, choice in (("laptop", laptop), ("shop", shop), ("gateway", gateway)):
        if choice not in PROFILES:
            return _not_yet(
                f"{name}: there is no profile {choice!r}.", f"They are: {', '.join(PROFILES)}."
            )
        if fault := _fault(name, _SERVICES[name], PROFILES[choice]):
            return fault
    return _in_flight(in_flight) or Verdict(passed=True)


def _fault(name: str, service: _Service, chosen: Profile) -> Verdict | None:
    kept = 1.0 if chosen.sampler_argument is None else chosen.sampler_argument
    if service.every_trace and kept < 1:
        return _not_yet(
            f"{name}: of ten traces, {10 - 10 * kept:.0f} are not even recorded.",
            "A profile is more than a queue. Print its settings, and their reasons.",
        )
    rate = service.rate * kept
    leaving = bound(chosen.in_flight, chosen.max_batch_size, service.round_trip)
    if rate > leaving:
        return _not_yet(
            f"{name}: {rate:,.0f} spans a second come, and at most {leaving:,.0f} can leave.",
            "k * B / (RTT + S). What makes that larger, and what makes fewer spans come?",
        )
    room = chosen.max_queue_size / rate
    if service.outage > room:
        return _not_yet(
            f"{name}: after {room:.1f} s without a collector the queue is full.",
            "Room, divided by what comes each second, is how long it lasts.",
        )
    latest = chosen.delay + service.round_trip + EACH * chosen.max_batch_size
    if latest > service.soon:
        return _not_yet(
            f"{name}: a span is acknowledged up to {latest:.2f} s after its end.",
            "So few spans fill no batch. What do they wait for?",
        )
    if chosen.shutdown_timeout > service.end:
        return _not_yet(
            f"{name}: its end may be held up for {chosen.shutdown_timeout:g} s.",
            "If the collector is away, shutdown takes as long as it may.",
        )
    return None


def _in_flight(number: int) -> Verdict | None:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        return _not_yet(f"in_flight is {number!r}, not a number of requests.", "1, 2, 3 ...")
    leaving = bound(number, PRODUCTION.max_batch_size, ROUND_TRIP)
    if leaving < WANTED:
        missing = WANTED - leaving
        full = PRODUCTION.max_queue_size / missing
        nearly = "the queue hides it for a while: " if full > 30 else ""
        return _not_yet(
            f"in_flight: {nearly}{missing:,.0f} spans a second more come than leave, and after"
            f" {full:.0f} s they are lost.",
            "A request takes the round trip and the time to encode its spans.",
        )
    if bound(number - 1, PRODUCTION.max_batch_size, ROUND_TRIP) >= WANTED:
        return _not_yet(
            f"in_flight: {number} are enough, but so are fewer.",
            "Each is a thread, a connection, and one more batch that a crash takes along.",
        )
    return None


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
