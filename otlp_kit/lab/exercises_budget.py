"""The checker for the exercise on tail sampling within a budget: notebook 12.

    budget([Error()], baseline=0.05, wait=10, count=len)     all errors, few spans, right totals?

A day of `traffic()` is played through a real `TailSampling`, on its own time. As in `exercises`, a
checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from otlp_kit.lab.exercises import Verdict
from otlp_kit.ledger import Ledger, Totals
from otlp_kit.model import Resource, Scope, Span, SpanKind, StatusCode
from otlp_kit.processors.outcome import Outcome
from otlp_kit.processors.tail_buffer import TailStats
from otlp_kit.processors.tail_policies import Policy, Probability
from otlp_kit.processors.tail_sampling import TailSampling
from otlp_kit.tracing.consistent import adjusted_count

TRACES, RATE = 4000, 50
"""Requests, and how many come in a second."""
SHARE, NEAR = 0.10, 0.05
ROOM = 2500
"""How many spans may wait at once."""
SERVICES = tuple(Resource({"service.name": name}) for name in ("front", "cart", "stock", "bank", "mail"))  # fmt: skip
_FAILED, _SLOW, _DELAY = 0.03, 0.15, 8.0
_SCOPE = Scope()
_BEGIN = 1_790_000_000
_EVENLY = (0.7548776662466927, 0.5698402909980532)
"""Multiples of these, without what is before the point, spread evenly over a square: powers of 1 / g,
where g is the root of g^3 = g + 1."""

Count = Callable[[Sequence[Span]], float]


class Coming(NamedTuple):
    """A span on its way, and when it comes, in seconds from the beginning."""

    at: float
    span: Span


class Played(NamedTuple):
    """What came of a day."""

    spans: int
    """That came."""
    failed: set[bytes]
    """The traces in which a span failed."""
    kept: list[Span]
    most: int
    """Spans that waited at once."""
    stats: TailStats


def budget(policies: Sequence[Policy], *, baseline: float, wait: float, count: Count) -> Verdict:
    """Keep all errors, in a tenth of the spans, and still know how many there were.

    Fifty requests a second pass five services; a few fail, somewhere, and more of them are slow. Each
    service sends what it has every 8 s, so the spans of a trace come in any order. Choose the
    `policies` of a tail sampler, its `baseline` and its decision `wait` in seconds, and write
    `count(spans)`, so that

    - every failed request is kept, with all its spans;
    - no more than 10 % of the spans are kept;
    - at most 2,500 spans wait at once;
    - `count`, given the spans that are kept, says how many requests there were, to 5 %; and given
      those of them that are slow (the root took a second or more), how many slow ones, to 25 %.
    """
    try:
        day = play(policies, baseline, wait)
    except (TypeError, ValueError, AttributeError) as error:
        return _not_yet(f"nothing starts with that: {error}.", "The message names the rule.")
    return (
        _errors(day, policies)
        or _too_much(day)
        or _too_long(day)
        or _counted(day, baseline, count)
        or Verdict(passed=True)
    )


def play(policies: Sequence[Policy], baseline: float, wait: float) -> Played:
    """Let the day pass through a tail sampler, without a thread: its clock is the spans'."""
    clock, end = _Clock(), _End()
    sampling = TailSampling(
        end,
        policies,
        baseline=baseline,
        decision_wait=wait,
        ledger=Ledger(),
        thread=False,
        clock=clock,
    )
    failed, most, coming = set(), 0, traffic()
    for at, span in coming:
        clock.now = at
        sampling.emit(span)
        most = max(most, sampling.stats().spans)
        if span.status_code == StatusCode.ERROR:
            failed.add(span.trace_id)
    stats = sampling.stats()
    sampling.shutdown()
    return Played(len(coming), failed, end.kept, most, stats)


def traffic() -> list[Coming]:
    """The spans of the day, in the order in which they come. The root of a trace has no parent.

    The random bits are spread evenly, in no order: luck plays little part in whether an estimate is
    near.
    """
    dice = random.Random(12)
    return sorted(_spans(dice), key=lambda coming: coming.at)


def _spans(dice: random.Random) -> Iterator[Coming]:
    places = list(range(TRACES))
    dice.shuffle(places)
    for number, place in enumerate(places):
        bits, slowness = (place * step % 1 for step in _EVENLY)
        trace_id = dice.randbytes(9) + int(bits * 2**56).to_bytes(7, "big")
        begin = number / RATE
        failed, slow = dice.random() < _FAILED, slowness < _SLOW
        seconds = dice.uniform(1.0, 3.0) if slow else dice.uniform(0.05, 0.6)
        failing = dice.randrange(len(SERVICES)) if failed else None
        parent = b""
        for depth, service in enumerate(SERVICES):
            span = Span(
                f"step {depth}",
                trace_id,
                dice.randbytes(7) + b"\x01",
                parent_span_id=parent,
                kind=SpanKind.SERVER,
                start_unix_nano=_nanoseconds(begin + depth * 0.005),
                end_unix_nano=_nanoseconds(begin + seconds - depth * 0.005),
                status_code=StatusCode.ERROR if depth == failing else StatusCode.UNSET,
                resource=service,
                scope=_SCOPE,
            )
            parent = span.span_id
            yield Coming(begin + seconds + dice.uniform(0, _DELAY), span)


def slow_requests(spans: Sequence[Span]) -> list[Span]:
    """The spans of those traces whose root took a second or more."""
    slow = {
        span.trace_id
        for span in spans
        if not span.parent_span_id and span.end_unix_nano - span.start_unix_nano >= 10**9
    }
    return [span for span in spans if span.trace_id in slow]


def _errors(day: Played, policies: Sequence[Policy]) -> Verdict | None:
    sizes = Counter(span.trace_id for span in day.kept)
    lost = sum(sizes[trace_id] < len(SERVICES) for trace_id in day.failed)
    if not lost:
        return None
    difference = f"of {len(day.failed)} failed requests, {lost} are not kept whole."
    if all(isinstance(policy, Probability) for policy in policies):
        return _not_yet(difference, "Who draws lots does not look at the spans.")
    if any(policy.spends for policy in policies):
        return _not_yet(difference, "A rate keeps as many as it has room for, and the rest not.")
    if day.stats.late_dropped:
        return _not_yet(
            f"{difference} {day.stats.late_dropped:,} spans came after a decision, and were dropped.",
            "An error that comes after the decision cannot change it.",
        )
    return _not_yet(difference, "Which policy keeps a trace in which a span failed?")


def _too_much(day: Played) -> Verdict | None:
    share = len(day.kept) / day.spans
    if share <= SHARE:
        return None
    reasons = ", ".join(f"{name}: {traces:,}" for name, traces in day.stats.kept.items())
    return _not_yet(
        f"{share:.1%} of the spans are kept.",
        f"These kept traces: {reasons}. Which of them did anybody ask for?",
    )


def _too_long(day: Played) -> Verdict | None:
    if day.most <= ROOM:
        return None
    return _not_yet(
        f"{day.most:,} spans wait at once.",
        "That many are in it: what comes in a second, times the seconds that it stays.",
    )


def _counted(day: Played, baseline: float, count: Count) -> Verdict | None:
    everything = [span for _, span in traffic()]
    for what, kept, came, near in (
        ("requests", day.kept, everything, NEAR),
        ("slow requests", slow_requests(day.kept), slow_requests(everything), 5 * NEAR),
    ):
        real = sum(not span.parent_span_id for span in came)
        if verdict := _one_count(what, kept, real, near, baseline, count):
            return verdict
    return None


def _one_count(
    what: str, kept: list[Span], real: int, near: float, baseline: float, count: Count
) -> Verdict | None:
    try:
        given = count(kept)
    except Exception as error:
        return _not_yet(
            f"{what}: count raised {type(error).__name__}: {error}.",
            "It is given a list of spans, and returns one number.",
        )
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        return _not_yet(f"{what}: count returned {given!r}.", "One number, for all spans.")
    if math.isclose(given, real, rel_tol=near):
        return None
    difference = f"{what}: count says {given:,.0f}, and that is {given / real - 1:+.0%} off."
    roots = [span for span in kept if not span.parent_span_id]
    if math.isclose(given, sum(adjusted_count(root.trace_state) for root in roots)):
        return _not_yet(difference, "That was counted well, but of too few: what keeps the others?")
    arrived = len(roots)
    if math.isclose(given, arrived, rel_tol=0.01) or given == len(kept):
        return _not_yet(difference, "So many were kept. Each stands for others, which were not.")
    if math.isclose(given, arrived / baseline, rel_tol=0.01):
        return _not_yet(
            difference, "Not all of them came through the baseline: some were kept for certain."
        )
    if math.isclose(given, sum(adjusted_count(span.trace_state) for span in kept), rel_tol=0.01):
        return _not_yet(difference, "Those are spans. How do you find one span for each request?")
    return _not_yet(difference, "Print trace_state: each span says for how many it stands.")


class _Clock:
    """Stands where the last span came."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, event: object, timeout: float) -> bool:
        raise RuntimeError("nobody waits without a thread")


class _End:
    """What comes out of the sampler."""

    def __init__(self) -> None:
        self.kept: list[Span] = []

    def emit(self, record: Span) -> None:
        self.kept.append(record)

    def force_flush(self, timeout: float) -> Outcome:
        return Outcome.FLUSHED

    def shutdown(self, timeout: float) -> Outcome:
        return Outcome.FLUSHED

    def totals(self) -> Totals:
        return Totals()


def _nanoseconds(at: float) -> int:
    return _BEGIN * 10**9 + round(at * 1e9)


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
