"""Requests through five services, each with a tracer of its own: what the benchmark of samplers samples.

    shop = Shop(lambda service, clock: Probability(0.1), seed=1)
    for request in requests(1, 6000):
        shop.serve(request)
    shop.arrived                        # the spans that were sampled, as the exporters got them
    shop.requests[span.trace_id]        # what really happened

Spans are started by `TracerProvider`s, their context travels in W3C headers, and they leave through a
processor. Only the time is not real: it is the requests' own, so that every run is the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span, Value
from otlp_kit.processors.delivery import Clock
from otlp_kit.processors.simple import SimpleProcessor
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.tracing import TracerProvider
from otlp_kit.tracing.samplers import DROP, RECORD_AND_SAMPLE, Parent, Sampler, Sampling
from otlp_kit.wire import Accepted

SERVICES = 5
DEPTHS = (1, 3, 5)
RATE = 100
"""Requests per second, on average."""
BUSY = 4
"""How many times as many come in the middle third of the time as in the others."""
FAILED, SLOW = 0.02, 0.03
SLOW_FROM = 1.0
"""Seconds from which on a request is called slow."""
EXPORT_DELAY = 5.0
"""Seconds that a span waits at most in the batch processor of its service."""
_BEGIN = 1_790_000_000
_STEP = 0.01
_HEADERS = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class Request:
    """One request: through the services 0 to `depth` - 1."""

    at: float
    depth: int
    seconds: float
    failing: int | None
    """The service whose span ends in an error."""

    @property
    def slow(self) -> bool:
        return self.seconds >= SLOW_FROM


def requests(seed: int, number: int, depths: Sequence[int] = DEPTHS) -> Iterator[Request]:
    """`number` requests of all `depths` alike, busier in the middle."""
    dice = random.Random(seed)
    thirds = number / RATE / 3
    quiet = RATE * 3 / (2 + BUSY)
    at = 0.0
    for place in range(number):
        busy = thirds <= at < 2 * thirds
        at += dice.expovariate(quiet * BUSY if busy else quiet)
        depth = depths[place % len(depths)]
        slow = dice.random() < SLOW
        seconds = dice.uniform(2.0, 4.0) if slow else dice.uniform(0.1, 0.5)
        failing = dice.randrange(depth) if dice.random() < FAILED else None
        yield Request(at, depth, seconds, failing)


class Dice:
    """A sampler that asks nobody: each service keeps the share `p` of its spans, by its own dice."""

    def __init__(self, p: float, seed: int) -> None:
        self._p = p
        self._random = random.Random(seed).random

    def decide(
        self, parent: Parent | None, trace_id: bytes, name: str, kind: int,
        attributes: Mapping[str, Value], links: Sequence[Any],
    ) -> Sampling:  # fmt: skip
        return RECORD_AND_SAMPLE if self._random() < self._p else DROP


class SeededIds:
    """Ids of the official shape: as random as those of a tracer, and every time the same."""

    def __init__(self, seed: str) -> None:
        self._bits = random.Random(seed).getrandbits

    def generate_trace_id(self) -> int:
        return self._bits(128)

    def generate_span_id(self) -> int:
        return self._bits(64)

    def is_trace_id_random(self) -> bool:
        return True


class Shop:
    """The services. `sampler(service, clock)` makes the sampler of each."""

    def __init__(self, sampler: Callable[[int, Clock], Sampler], seed: int) -> None:
        self.arrived: list[Span] = []
        self.requests: dict[bytes, Request] = {}
        """What happened, by trace id."""
        self._clock = FakeClock()
        self._providers = [
            TracerProvider(
                SimpleProcessor(self),
                resource={"service.name": f"service-{service}"},
                sampler=sampler(service, self._clock),
                ids=SeededIds(f"{seed} {service}"),
            )
            for service in range(SERVICES)
        ]
        self._tracers = [provider.get_tracer("benchmark") for provider in self._providers]

    def serve(self, request: Request) -> None:
        """Run one request, at its own time."""
        self._clock.advance(request.at - self._clock.monotonic())
        trace_id = self._call(0, request, {})
        self.requests[trace_id] = request

    def _call(self, service: int, request: Request, headers: dict[str, str]) -> bytes:
        begin = request.at + service * _STEP
        end = request.at + request.seconds - service * _STEP
        span = self._tracers[service].start_span(
            f"operation {service}",
            context=_HEADERS.extract(headers, Context()),
            kind=SpanKind.SERVER,
            attributes={"http.route": f"/{service}/{{id}}", "http.response.status_code": 200},
            start_time=_nanoseconds(begin),
        )
        if service + 1 < request.depth:
            onward: dict[str, str] = {}
            _HEADERS.inject(onward, set_span_in_context(span, Context()))
            self._call(service + 1, request, onward)
        if service == request.failing:
            span.set_status(StatusCode.ERROR, "it failed")
        span.end(_nanoseconds(end))
        return span.get_span_context().trace_id.to_bytes(16, "big")

    # The exporter of all services.

    def export(self, batch: Sequence[Span], deadline: float) -> Accepted:
        self.arrived += batch
        return Accepted()

    def shutdown(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Shut the providers down: they are many."""
        for provider in self._providers:
            provider.shutdown()


@dataclass(frozen=True, slots=True)
class Message:
    """One span on its way to a collector: when it comes there, and its bytes."""

    at: float
    body: bytes


def on_the_way(
    spans: Sequence[Span], seed: int, *, late: float = 0.0, twice: float = 0.0
) -> list[Message]:
    """`spans` in the order in which a collector gets them, some much too late, some twice.

    Each waits in the batch of its service for up to `EXPORT_DELAY`, so parents come before children
    and after them. `late` and `twice` are shares: of spans 15 to 30 s later, and of copies up to 20 s
    after the original, as a sender makes them that repeats what was not answered.
    """
    dice = random.Random(seed)
    messages = []
    for span in spans:
        at = span.end_unix_nano / 1e9 - _BEGIN + dice.uniform(0, EXPORT_DELAY)
        if dice.random() < late:
            at += dice.uniform(15, 30)
        body = encode_spans([span])
        messages.append(Message(at, body))
        if dice.random() < twice:
            messages.append(Message(at + dice.uniform(0, 20), body))
    return sorted(messages, key=lambda message: message.at)


def _nanoseconds(at: float) -> int:
    return _BEGIN * 10**9 + round(at * 1e9)
