"""What starting and ending a span costs: this kit's tracer against the official SDK's.

`python -m benchmarks.tracer` takes about two minutes, prints each ratio beside its gate, and writes
`results/tracer.json`. Both run the same lines against the API, with the default limits and a sampler
that follows the parent; where nothing else is said, their processors do nothing.
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace import TracerProvider as OfficialProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased as OfficialParentBased
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import SpanKind, Tracer

from benchmarks.harness import Fact, interleaved, judge, ratio, record
from benchmarks.processor import OfficialEncoding, Sink
from benchmarks.workload import SPANS, _attributes
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.tracing import TracerProvider
from otlp_kit.tracing.samplers import ParentBased, TraceIdRatio
from otlp_kit.wire import TRACES

ROUNDS = 60
REPEATED = 8
PACE, PACED_SECONDS, PACED_ROUNDS = 2000, 4.0, 9


class Nowhere:
    """A processor of this kit that does nothing."""

    def emit(self, record: Any) -> None:
        pass

    def force_flush(self, timeout: float) -> Any: ...
    def shutdown(self, timeout: float) -> Any: ...
    def totals(self) -> Any: ...


def official_tracer(share: float = 1.0) -> Tracer:
    sampler = OfficialParentBased(TraceIdRatioBased(share))
    provider = OfficialProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SpanProcessor())
    return provider.get_tracer("bench")


def kit_tracer(share: float = 1.0) -> Tracer:
    return TracerProvider(Nowhere(), sampler=ParentBased(TraceIdRatio(share))).get_tracer("bench")


chance = random.Random("mixed")
ATTRIBUTES = [_attributes(chance, 100) for _ in range(SPANS)]


def start_end(tracer: Tracer) -> None:
    """A server's span with its ten attributes."""
    for _ in range(REPEATED):
        for attributes in ATTRIBUTES:
            tracer.start_span("GET /users/{id}", kind=SpanKind.SERVER, attributes=attributes).end()


def one_by_one(tracer: Tracer) -> None:
    """The same, each attribute set by itself, and an event."""
    for _ in range(REPEATED):
        for attributes in ATTRIBUTES:
            span = tracer.start_span("GET /users/{id}", kind=SpanKind.SERVER)
            for key, value in attributes.items():
                span.set_attribute(key, value)
            span.add_event("cache miss", {"key": "user:1"})
            span.end()


def nested(tracer: Tracer) -> None:
    """A request's current span, in it a query's."""
    for _ in range(REPEATED):
        for attributes in ATTRIBUTES:
            with (
                tracer.start_as_current_span("GET /users/{id}", attributes=attributes),
                tracer.start_as_current_span("SELECT users"),
            ):
                pass


def paced(tracer: Tracer) -> float:
    """The 99.9th percentile, in seconds, from when a span is due until it has ended.

    Counted from the time it is due: who is late because of the one before would otherwise not count.
    """
    times: list[float] = []
    begin = time.perf_counter()
    for number in range(int(PACE * PACED_SECONDS)):
        due = begin + number / PACE
        while (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        attributes = ATTRIBUTES[number % len(ATTRIBUTES)]
        tracer.start_span("GET /users/{id}", kind=SpanKind.SERVER, attributes=attributes).end()
        times.append(time.perf_counter() - due)
    return statistics.quantiles(times, n=1000)[-1]


def paced_rounds() -> tuple[list[float], list[float]]:
    """With batch processors whose workers encode meanwhile."""
    official_times, kit_times = [], []
    for _ in range(PACED_ROUNDS):
        official = OfficialProvider(shutdown_on_exit=False)
        official.add_span_processor(BatchSpanProcessor(OfficialEncoding()))
        gc.collect()
        official_times.append(paced(official.get_tracer("bench")))
        official.shutdown()
        kit = TracerProvider(BatchProcessor(OtlpExporter(encode_spans, Sink(), TRACES)))
        gc.collect()
        kit_times.append(paced(kit.get_tracer("bench")))
        kit.shutdown()
    return official_times, kit_times


def main() -> int:
    facts: dict[str, Fact] = {}
    cases: dict[str, tuple[Callable[[Tracer], None], float, str, float | None]] = {
        "start_end": (start_end, 1.0, "starting and ending a span with ten attributes", 6.0),
        "one_by_one": (
            one_by_one, 1.0, "a span whose ten attributes are set one by one, with an event", None
        ),
        "nested": (nested, 1.0, "a current span with ten attributes and one inside it", None),
        "sampled_out": (start_end, 0.0, "a span that the sampler drops", None),
    }  # fmt: skip
    for name, (work, share, what, gate) in cases.items():
        official, kit = official_tracer(share), kit_tracer(share)
        seconds = interleaved(
            {"official": lambda o=official, w=work: w(o), "kit": lambda k=kit, w=work: w(k)},
            ROUNDS,
        )
        facts[f"tracer.{name}"] = ratio(
            seconds["official"],
            seconds["kit"],
            f"times less CPU: {what}, with limits and a sampler on, this kit's tracer against the"
            " official SDK's",
            gate,
        )
    slow, fast = paced_rounds()
    facts["tracer.paced"] = ratio(
        slow, fast,
        f"times shorter at the 99.9th percentile: starting and ending one of {PACE} spans a second"
        " while the worker encodes, this kit's pipeline against the official one", gate=5.0,
    )  # fmt: skip
    record(
        "tracer",
        facts,
        sources=[
            "benchmarks/tracer.py",
            "benchmarks/workload.py",
            "otlp_kit/tracing/ids.py",
            "otlp_kit/tracing/limits.py",
            "otlp_kit/tracing/live_span.py",
            "otlp_kit/tracing/samplers.py",
            "otlp_kit/tracing/tracer.py",
        ],
        packages=["opentelemetry-api", "opentelemetry-sdk"],
    )
    return judge(facts)


if __name__ == "__main__":
    sys.exit(main())
