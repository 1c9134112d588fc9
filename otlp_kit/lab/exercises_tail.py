"""A checker for the exercise on tail sampling: the page *concepts/tail-sampling*.

    affinity(route)      does a balancer of the reader send whole traces to one instance each?

`INSTANCES` tail samplers are played behind two balancers, and judged by the traces that come out. As
in `exercises`, a checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from otlp_kit.lab.exercises import Verdict
from otlp_kit.ledger import Ledger, Totals
from otlp_kit.model import Resource, Scope, Span, StatusCode
from otlp_kit.processors.outcome import Outcome
from otlp_kit.processors.tail_policies import Error
from otlp_kit.processors.tail_sampling import TailSampling

INSTANCES = 4
TRACES = 800
SERVICES = [Resource({"service.name": name}) for name in ("shop", "cart", "bank")]
_SCOPE = Scope()
_AT = 1_790_000_000
_MOST = 1.5
"""How many times its fair share an instance may get."""

Route = Callable[[Span, int], int]


def affinity(route: Route) -> Verdict:
    """`route(span, instances)` says which instance, from 0, gets a span.

    Two balancers call it, each a process of its own, for the spans of three services in the order of
    their arrival. Behind them 4 tail samplers keep what holds an error. Each trace with an error has
    to come out whole, and no instance may get much more than its share. Some traces have ids that
    begin with the time, as some vendors make them.
    """
    instances = [_Instance() for _ in range(INSTANCES)]
    spans = list(arriving(random.Random(3)))
    load: Counter[int] = Counter()
    for span in spans:
        try:
            chosen = route(span, INSTANCES)
        except Exception as error:
            return _not_yet(
                f"route raised {type(error).__name__}: {error}.",
                "It is called with a Span and a number, and a trace id is 16 bytes.",
            )
        if isinstance(chosen, bool) or not isinstance(chosen, int):
            return _not_yet(f"route returned {chosen!r}.", "An instance is a whole number.")
        if not 0 <= chosen < INSTANCES:
            return _not_yet(
                f"route returned {chosen}; there are {INSTANCES} instances.",
                "The first one is 0. What remains after a division is never too large.",
            )
        load[chosen] += 1
        instances[chosen].receive(span)
    failed, torn = _torn(spans, {span_id for one in instances for span_id in one.decide()})
    if torn:
        return _not_yet(
            f"of {failed} traces with an error, {torn} came out torn.", _why_torn(route, spans)
        )
    busiest = max(load.values()) / (len(spans) / INSTANCES)
    if busiest > _MOST:
        return _not_yet(
            f"one instance gets {busiest:.1f} times its share of the spans.",
            "Not every byte of a trace id is random, in every id. Which are, says the specification"
            " of trace context; or mix them all.",
        )
    return Verdict(passed=True)


def arriving(rng: random.Random) -> Iterator[Span]:
    """The spans that come to both balancers, in the order of their arrival."""
    spans: list[tuple[float, int, Span]] = []
    for number in range(TRACES):
        trace_id = rng.randbytes(16)
        if number % 2:
            trace_id = struct.pack(">I", _AT + number // 10) + trace_id[4:]
        failing = rng.randrange(9) if rng.random() < 0.2 else None
        for place in range(rng.randint(3, 9)):
            span = Span(
                f"operation {place}",
                # Python's hash of bytes is another one in every process: here, behind each balancer.
                _Salted(trace_id, balancer=rng.randrange(2)),
                rng.randbytes(8),
                start_unix_nano=_AT * 10**9,
                end_unix_nano=_AT * 10**9 + rng.randrange(10**9),
                status_code=StatusCode.ERROR if place == failing else StatusCode.UNSET,
                resource=SERVICES[place % 3],
                scope=_SCOPE,
            )
            spans.append((number / 100 + rng.random(), len(spans), span))
    return (span for _, _, span in sorted(spans))


class _Salted(bytes):
    """An id as it is in the process of one balancer."""

    _salt: int

    def __new__(cls, value: bytes, balancer: int) -> _Salted:
        made = super().__new__(cls, value)
        made._salt = balancer
        return made

    def __hash__(self) -> int:
        return hash((self._salt, bytes(self)))


class _Instance:
    """One tail sampler, and the ids of the spans that come out of it."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self._sampling = TailSampling(
            self, [Error()], baseline=2.0**-50, ledger=Ledger(), decision_wait=60, thread=False
        )

    def receive(self, span: Span) -> None:
        """What comes over the network are plain bytes."""
        self._sampling.emit(replace(span, trace_id=bytes(span.trace_id)))

    def decide(self) -> Sequence[bytes]:
        """Judge everything; the ids of the spans that are kept."""
        self._sampling.shutdown()
        return self.kept

    # The end of the sampler's path.

    def emit(self, record: Span) -> None:
        self.kept.append(record.span_id)

    def force_flush(self, timeout: float) -> Outcome:
        return Outcome.FLUSHED

    def shutdown(self, timeout: float) -> Outcome:
        return Outcome.FLUSHED

    def totals(self) -> Totals:
        return Totals()


def _torn(spans: Sequence[Span], kept: set[bytes]) -> tuple[int, int]:
    """How many traces have an error, and how many of them did not come out whole."""
    traces: dict[bytes, list[Span]] = {}
    for span in spans:
        traces.setdefault(bytes(span.trace_id), []).append(span)
    failed = [
        trace
        for trace in traces.values()
        if any(span.status_code == StatusCode.ERROR for span in trace)
    ]
    return len(failed), sum(any(span.span_id not in kept for span in trace) for trace in failed)


def _why_torn(route: Route, spans: Sequence[Span]) -> str:
    """Asked twice about the same trace: is it the balancers that disagree, or the spans?"""
    for span in spans:
        here, there = (
            replace(span, trace_id=_Salted(span.trace_id, balancer)) for balancer in (0, 1)
        )
        if route(here, INSTANCES) != route(here, INSTANCES):
            return "The same span, asked for twice, goes to two instances: look at the span alone."
        if route(here, INSTANCES) != route(there, INSTANCES):
            return (
                "The two balancers, asked about the same span, disagree. What is the same in every"
                " process, and what is not?"
            )
    return "Which part of a span do all spans of its trace have in common?"


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
