"""Checkers for the exercises on sampling: the page *concepts/sampling*.

    estimate(count)      does a function of the reader tell how many spans there were before sampling?

The spans are made by the samplers that the page is about, from fixed seeds. As in `exercises`, a
checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence

from otlp_kit.lab.exercises import Verdict
from otlp_kit.model import Resource, Span, SpanKind, StatusCode
from otlp_kit.tracing.consistent import Probability, randomness
from otlp_kit.tracing.tracestate import encoded, probability_of, read

DAYS = {
    "even": "every service keeps a tenth of its spans",
    "mixed": "the front keeps one of fifty, the stock one of ten, payments every second",
    "errors": "all spans that failed are kept, and a tenth of the others",
    "vendors": "as even; others write into the tracestate too, and some spans have no threshold",
}
"""What `estimate` plays, by name; `arrived(name)` are the spans that arrive then."""

_SHARES = {
    "even": {"front": 0.1, "stock": 0.1, "payments": 0.1},
    "mixed": {"front": 0.02, "stock": 0.1, "payments": 0.5},
    "errors": {"front": 0.1},
    "vendors": {"front": 0.1},
}
_EACH = 20_000
_FAILED = 0.05
_UNKNOWN = 400

Count = Callable[[Sequence[Span]], float]


def estimate(count: Count) -> Verdict:
    """`count(spans)` says how many spans there were, given those that were kept.

    It is asked about four days (`DAYS`), and on one of them about the failed spans alone. A twentieth
    off is near enough. A span without a threshold stands for nobody knows how many: leave it out or
    count it once. `arrived("even")` is what arrives on the first day.
    """
    for day in DAYS:
        spans = arrived(day)
        given = _asked(count, spans, day)
        if isinstance(given, Verdict):
            return given
        if verdict := _total(given, spans, day):
            return verdict
        if day == "errors":
            failed = [span for span in spans if span.status_code == StatusCode.ERROR]
            share = _asked(count, failed, day)
            if isinstance(share, Verdict):
                return share
            if not math.isclose(share / given, _FAILED, rel_tol=0.15):
                return _not_yet(
                    f"errors: by that count {share / given:.0%} of the spans failed.",
                    "A failed span was kept for certain, so it stands for fewer than the others.",
                )
    return Verdict(passed=True)


def arrived(day: str) -> list[Span]:
    """The spans that were kept on `day`, one of `DAYS`."""
    dice = random.Random(day)
    spans = [
        span for service, share in _SHARES[day].items() for span in _kept(dice, service, share, day)
    ]
    if day == "vendors":
        spans += [_span(dice, "front", dice.randbytes(16)) for _ in range(_UNKNOWN)]
    return spans


def _kept(dice: random.Random, service: str, share: float, day: str) -> Iterator[Span]:
    usual, certain = Probability(share), Probability(1.0)
    for number in range(_EACH):
        trace_id = dice.randbytes(16)
        failed = number < _EACH * _FAILED
        sampler = certain if failed and day == "errors" else usual
        if randomness(trace_id) < sampler.threshold:
            continue
        span = _span(dice, service, trace_id)
        span.status_code = StatusCode.ERROR if failed else StatusCode.UNSET
        field = f"th:{encoded(sampler.threshold)}"
        span.trace_state = f"ot={field}"
        if day == "vendors":
            span.trace_state = f"congo=t61rcWkgMzE,ot=p:8;{field};rv:{trace_id.hex()[-14:]}"
        yield span


def _span(dice: random.Random, service: str, trace_id: bytes) -> Span:
    return Span(
        name="request",
        trace_id=trace_id,
        span_id=dice.randbytes(7) + b"\x01",
        kind=SpanKind.SERVER,
        resource=Resource({"service.name": service}),
    )


def _asked(count: Count, spans: list[Span], day: str) -> float | Verdict:
    try:
        given = count(spans)
    except Exception as error:
        return _not_yet(
            f"{day}: count raised {type(error).__name__}: {error}.",
            f"{DAYS[day].capitalize()}. Print a few of arrived({day!r}): what is in trace_state?",
        )
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        return _not_yet(
            f"{day}: count returned {given!r}, not a number.", "One number for all spans."
        )
    return given


def _total(given: float, spans: list[Span], day: str) -> Verdict | None:
    """What is wrong with `given`, or None."""
    unknown = sum(not span.trace_state for span in spans)
    real = _EACH * len(_SHARES[day])
    if 0.95 * real <= given <= 1.05 * (real + unknown):
        return None
    shares = [
        probability_of(threshold)
        for span in spans
        if (threshold := read(span.trace_state)[0]) is not None
    ]
    if math.isclose(given, len(spans), rel_tol=0.01):
        return _not_yet(f"{day}: so many spans arrived.", "Each stands for others, which did not.")
    if math.isclose(given, sum(share for share in shares), rel_tol=0.01):
        return _not_yet(
            f"{day}: that is less than arrived.",
            "A span kept with one in ten stands for more than one.",
        )
    if math.isclose(given, sum(1 / (1 - share) for share in shares if share < 1), rel_tol=0.01):
        return _not_yet(
            f"{day}: that takes the share that was rejected for the share that was kept.",
            "The larger a threshold, the fewer spans reach it.",
        )
    if math.isclose(given, len(shares) ** 2 / sum(shares), rel_tol=0.01) and day != "even":
        return _not_yet(
            f"{day}: that divides by the mean probability of what arrived.",
            "What is kept rarely is rare among what arrived, and counts most. Which spans are added?",
        )
    return _not_yet(
        f"{day}: there were {'fewer' if given > real else 'more'} than that, though {DAYS[day]}.",
        "How many a span stands for is said by the span itself, not by the day.",
    )


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
