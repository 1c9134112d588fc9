"""Which sampler keeps what: whole traces, errors, slow requests, totals; and what deciding costs.

`python -m benchmarks.sampling` takes about a minute, and writes `results/sampling.json`. The traffic is
`sampling_traffic`'s: tracers, headers and processors of this kit, on the requests' own time and from
fixed seeds, so all but the cost is the same on every machine. Each row of the matrix has a target of a
tenth of the spans; a round is other requests, and the spread is over rounds.

A tail sampler gets every span, as bytes, in the order in which a collector would.
"""

from __future__ import annotations

import gc
import logging
import random
import statistics
import sys
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.harness import Fact, interleaved, judge, record
from benchmarks.sampling_traffic import (
    DEPTHS,
    SLOW_FROM,
    Dice,
    Message,
    Request,
    Shop,
    on_the_way,
    requests,
)
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.ledger import Ledger, Totals
from otlp_kit.model import Span, SpanKind, StatusCode
from otlp_kit.processors.delivery import Clock
from otlp_kit.processors.simple import SimpleProcessor
from otlp_kit.processors.tail_buffer import TailStats
from otlp_kit.processors.tail_policies import Error, Latency
from otlp_kit.processors.tail_sampling import TailSampling
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.tracing.composite import Composite, ParentThreshold
from otlp_kit.tracing.consistent import Probability, adjusted_count
from otlp_kit.tracing.samplers import AlwaysOn, ParentBased, RateLimiting, Sampler, TraceIdRatio
from otlp_kit.wire import Accepted

TARGET = 0.1
REQUESTS, ROUNDS = 6000, 4
SHARES = (0.9, 0.5, 0.1)
WAITS = (1, 3, 10)
BASELINE = 0.05
TAIL_TRACES, TAIL_WAIT = 10_000, 10.0
TIGHT_BYTES, TIGHT_REMEMBER = 2 * 1024 * 1024, 10_000
DECISIONS, COST_ROUNDS = 10_000, 7


@dataclass(frozen=True, slots=True)
class Row:
    """A head sampler: what each service is given."""

    name: str
    title: str
    sampler: Callable[[int, Clock], Sampler]


ROWS = (
    Row("always", "AlwaysOn", lambda service, clock: AlwaysOn()),
    Row("dice", "own dice at every service", lambda service, clock: Dice(TARGET, service)),
    Row("ratio", "TraceIdRatio at every service", lambda service, clock: TraceIdRatio(TARGET)),
    Row("threshold", "Probability at every service", lambda service, clock: Probability(TARGET)),
    Row("parent_ratio", "ParentBased(TraceIdRatio)",
        lambda service, clock: ParentBased(TraceIdRatio(TARGET))),
    Row("parent_threshold", "Composite(ParentThreshold(Probability))",
        lambda service, clock: Composite(ParentThreshold(Probability(TARGET)))),
    Row("rate", "ParentBased(RateLimiting(10))",
        lambda service, clock: ParentBased(RateLimiting(10, clock.monotonic))),
)  # fmt: skip
TAILS = {f"tail_{wait}": f"TailSampling, wait {wait} s" for wait in WAITS}
TITLES = {row.name: row.title for row in ROWS} | TAILS
COUNTABLE = ("always", "threshold", "parent_threshold", *TAILS)
"""Rows whose spans say for how many they stand."""
CONSISTENT = ("always", "ratio", "threshold", "parent_ratio", "parent_threshold", "rate", *TAILS)
"""Rows that keep a trace whole or not at all."""


def measures(arrived: Sequence[Span], happened: Mapping[bytes, Request]) -> dict[str, float]:
    """What can be seen in what arrived, in percent, against what happened.

    `off` is how far the number of requests is off, counted by what the kept spans say they stand for,
    a span that says nothing once; `naive_off` counts every span once.
    """
    spans_of: dict[bytes, list[Span]] = defaultdict(list)
    for span in arrived:
        spans_of[span.trace_id].append(span)
    seen, whole = Counter[int](), Counter[int]()
    for trace_id, spans in spans_of.items():
        depth = happened[trace_id].depth
        seen[depth] += 1
        whole[depth] += len({span.span_id for span in spans}) == depth
    failures = {span.trace_id for span in arrived if span.status_code == StatusCode.ERROR}
    roots = [span for span in arrived if not span.parent_span_id]
    failed = {key for key, request in happened.items() if request.failing is not None}
    slow = {key for key, request in happened.items() if request.slow}
    estimate = sum(adjusted_count(span.trace_state) or 1 for span in roots)
    found = {
        "kept": len(arrived) / sum(request.depth for request in happened.values()),
        "errors": len(failures & failed) / len(failed),
        "slow": len(slow & {span.trace_id for span in roots}) / len(slow),
        "off": estimate / len(happened) - 1,
        "naive_off": len(roots) / len(happened) - 1,
    }
    found |= {f"complete{d}": whole[d] / seen[d] for d in DEPTHS if seen[d]}
    return {name: 100 * share for name, share in found.items()}


def head(
    sampler: Callable[[int, Clock], Sampler], seed: int, asked: Sequence[Request]
) -> tuple[list[Span], dict[bytes, Request]]:
    """The spans that arrive of `asked`, and what happened, by trace id."""
    shop = Shop(sampler, seed)
    for request in asked:
        shop.serve(request)
    shop.close()
    return shop.arrived, shop.requests


class Tail:
    """A collector with one tail sampler, on the time of the messages."""

    def __init__(self, *, wait: float, baseline: float = BASELINE, **bounds: Any) -> None:
        self.kept: list[Span] = []
        self.handed_on: list[float] = []
        """When each of `kept` left."""
        self.failed: set[bytes] = set()
        """Traces of which a failed span left."""
        self.keep = True
        self._clock = FakeClock()
        ledger = Ledger()
        self.sampling = TailSampling(
            SimpleProcessor(self, ledger=ledger),
            [Error(), Latency(SLOW_FROM)],
            ledger=ledger,
            baseline=baseline,
            decision_wait=wait,
            thread=False,
            clock=self._clock,
            **bounds,
        )

    def take(self, messages: Sequence[Message]) -> tuple[Totals, TailStats]:
        """Receive them all, each at its time, and shut down."""
        for message in messages:
            self._clock.advance(message.at - self._clock.monotonic())
            self.sampling.tick()
            for span in decode_spans(message.body):
                self.sampling.emit(span)
        self._clock.advance(TAIL_WAIT)
        self.sampling.tick()
        stats = self.sampling.stats()
        self.sampling.shutdown()
        return self.sampling.totals(), stats

    def export(self, batch: Sequence[Span], deadline: float) -> Accepted:
        self.failed |= {span.trace_id for span in batch if span.status_code == StatusCode.ERROR}
        if self.keep:
            self.kept += batch
            self.handed_on += [self._clock.monotonic()] * len(batch)
        return Accepted()

    def shutdown(self) -> None:
        """Nothing is open."""


def matrix() -> dict[str, Fact]:
    """`sampling.ROW.MEASURE`: every sampler under the same requests."""
    results: dict[str, list[dict[str, float]]] = defaultdict(list)
    for seed in range(ROUNDS):
        asked = list(requests(seed, REQUESTS))
        for row in ROWS:
            arrived, happened = head(row.sampler, seed, asked)
            results[row.name].append(measures(arrived, happened))
            if row.name == "always":
                messages, everything = on_the_way(arrived, seed), happened
        for wait in WAITS:
            tail = Tail(wait=wait)
            tail.take(messages)
            results[f"tail_{wait}"].append(measures(tail.kept, everything))
    what = {
        "kept": "of the spans are kept, where a tenth is wanted",
        "errors": "of the failed requests are kept with the span that failed",
        "slow": "of the requests of a second or more are kept",
        "off": "more requests than there were, counted by what the kept spans of all rounds stand for",
        "complete1": "of the traces of which something is kept are whole, of one service",
        "complete3": "of the traces of which something is kept are whole, of three services",
        "complete5": "of the traces of which something is kept are whole, of five services",
    }
    found = {}
    for name, rounds in results.items():
        for measure, sentence in what.items():
            gate = None
            if measure.startswith("complete") and name in CONSISTENT:
                gate = 100.0
            if measure in ("errors", "slow") and name == "tail_10":
                gate = 100.0
            values = [one[measure] for one in rounds]
            # All rounds have as many requests, so their mean is the error over all of them.
            middle = statistics.mean if measure == "off" else statistics.median
            found[f"sampling.{name}.{measure}"] = percent(
                values, f"{sentence}: {TITLES[name]}", gate, middle
            )
    found["sampling.accuracy"] = percent(
        [100 - abs(found[f"sampling.{name}.off"].value) for name in COUNTABLE],
        f"100 less the error of the estimated number of requests, over {ROUNDS * REQUESTS} requests:"
        " the worst, and the spread, of the samplers whose spans say for how many they stand",
        95.0,
        min,
    )
    found["sampling.naive.off"] = percent(
        [one["naive_off"] for one in results["threshold"]],
        f"more requests than there were, counting each kept span once: {TITLES['threshold']}",
    )
    return found


def _keeping(kind: str, p: float, service: int, clock: Clock) -> Sampler:
    return Dice(p, service) if kind == "dice" else Probability(p)


def hops() -> dict[str, Fact]:
    """Whole traces over five services, by own dice and by threshold; the dice against their formula."""
    found, distance = {}, 0.0
    for p in SHARES:
        asked = list(requests(99, 4000, depths=(5,)))
        for kind in ("dice", "threshold"):
            whole = measures(*head(partial(_keeping, kind, p), 99, asked))["complete5"]
            found[f"sampling.hops.{kind}.{100 * p:.0f}"] = percent(
                [whole],
                f"of the traces of which something is kept are whole, over five services that each"
                f" keep {p:.0%} by {'dice of their own' if kind == 'dice' else 'the same threshold'}",
                100.0 if kind == "threshold" else None,
            )
            if kind == "dice":
                distance = max(distance, abs(whole - 100 * p**5 / (1 - (1 - p) ** 5)))
    found["sampling.hops.formula"] = percent(
        [100 - distance],
        "100 less the largest distance, in percentage points, of the dice to p^5 / (1 - (1 - p)^5)",
        98.0,
    )
    return found


def tail() -> dict[str, Fact]:
    """Ten thousand traces of three services, with spans that come late, disordered and twice."""
    arrived, happened = head(
        lambda service, clock: AlwaysOn(), 7, list(requests(7, TAIL_TRACES, depths=(3,)))
    )
    messages = on_the_way(arrived, 7, late=0.01, twice=0.01)
    collector = Tail(wait=TAIL_WAIT, baseline=TARGET)
    gc.collect()
    begin = time.process_time()
    totals, stats = collector.take(messages)
    microseconds = 1e6 * (time.process_time() - begin) / len(messages)
    seen = measures(collector.kept, happened)

    first: dict[bytes, float] = {}
    came: dict[bytes, float] = {}
    in_time = set()
    for message in messages:
        (span,) = decode_spans(message.body)
        begins = first.setdefault(span.trace_id, message.at)
        came.setdefault(span.span_id, message.at)
        if span.status_code == StatusCode.ERROR and message.at < begins + TAIL_WAIT:
            in_time.add(span.trace_id)
    sizes = Counter(span.trace_id for span in collector.kept)
    kept_of_those = sum(sizes[trace_id] > 0 for trace_id in in_time) / len(in_time)
    delays = sorted(
        at - came[span.span_id]
        for span, at in zip(collector.kept, collector.handed_on, strict=True)
    )
    known = totals.delivered + sum(totals.dropped.values())
    unexplained = abs(len(messages) - known) + abs(len(collector.kept) - totals.delivered)
    failed = [span for span in collector.kept if span.status_code == StatusCode.ERROR]
    counted = sum(adjusted_count(span.trace_state) for span in failed)
    roots = [span for span in collector.kept if not span.parent_span_id]
    estimate = sum(adjusted_count(span.trace_state) for span in roots)
    late = stats.late_kept + stats.late_dropped
    copies = totals.dropped.get("duplicate", 0)

    tight = Tail(wait=TAIL_WAIT, max_bytes=TIGHT_BYTES, remember=TIGHT_REMEMBER)
    tight.keep = False
    bound = tight.sampling.most_bytes
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    _, squeezed = tight.take(messages)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()

    of = f"of {TAIL_TRACES} traces of three services"
    return {
        "sampling.tail.errors_in_time": percent(
            [100 * kept_of_those],
            f"of the failed traces are kept, where the failed span came within the wait, {of}",
            100.0,
        ),
        "sampling.tail.errors": percent(
            [seen["errors"]], f"of all failed traces are kept with the span that failed, {of}"
        ),
        "sampling.tail.slow": percent([seen["slow"]], f"of the slow traces are kept, {of}", 99.0),
        "sampling.tail.complete": percent(
            [seen["complete3"]], f"of the kept traces are whole, late spans included, {of}"
        ),
        "sampling.tail.kept": percent(
            [100 * len(collector.kept) / len(arrived)], f"of the spans are kept, {of}"
        ),
        "sampling.tail.accounted": percent(
            [100 - 100 * unexplained / len(messages)],
            f"of the spans that came are delivered or dropped for a reason, {of}",
            100.0,
        ),
        "sampling.tail.accuracy": percent(
            [100 - abs(seen["off"])], f"100 less the error of the estimated number of requests, {of}", 95.0
        ),
        "sampling.tail.failed_really": percent(
            [100 * sum(one.failing is not None for one in happened.values()) / len(happened)],
            f"of the requests failed, {of}",
        ),
        "sampling.tail.failed_naive": percent(
            [100 * len(failed) / len(roots)], f"of the requests failed, counting what is kept, {of}"
        ),
        "sampling.tail.failed_estimated": percent(
            [100 * counted / estimate],
            f"of the requests failed, by what the kept spans stand for, {of}",
        ),
        "sampling.tail.late": one(late, "", f"spans came after the decision, {of}"),
        "sampling.tail.copies": one(copies, "", f"copies were recognised and dropped, {of}"),
        "sampling.tail.delay": Fact(
            round(delays[len(delays) // 2], 1),
            round(delays[len(delays) // 4], 1),
            round(delays[len(delays) * 3 // 4], 1),
            "s",
            f"between a kept span's arrival and its leaving, with a wait of {TAIL_WAIT:g} s: median,"
            " quartiles of the spans",
        ),
        "sampling.tail.delay_p99": one(
            round(delays[len(delays) * 99 // 100], 1), "s", "the same, of a hundred spans the slowest"
        ),
        "sampling.tail.cost": one(
            round(microseconds, 1), "us", "CPU time of decoding and tail sampling one span"
        ),
        "sampling.tail.tight.early": one(
            squeezed.early, "", f"traces judged early, with room for {TIGHT_BYTES >> 20} MiB, {of}"
        ),
        "sampling.tail.tight.errors": percent(
            [100 * len(tight.failed) / len(collector.failed)],
            "of the failed traces that are kept with enough room are kept then",
        ),
        "sampling.tail.tight.bound": one(
            round(bound / 2**20, 2), "MiB", "what that sampler says it may take in memory"
        ),
        "sampling.tail.tight.room": one(
            round(bound / peak, 2), "x",
            "what it may take in memory over the most that tracemalloc saw it take", 1.0,
        ),
    }  # fmt: skip


def costs() -> dict[str, Fact]:
    """`sampling.ROW.cost`: CPU time of one decision about a root, in a loop that also costs a little."""
    dice = random.Random(1)
    ids = [dice.randbytes(16) for _ in range(DECISIONS)]
    clock = FakeClock()

    def loop(sampler: Sampler) -> Callable[[], None]:
        decide = sampler.decide

        def run() -> None:
            for trace_id in ids:
                decide(None, trace_id, "GET /", SpanKind.SERVER, {}, ())

        return run

    seconds = interleaved({row.name: loop(row.sampler(0, clock)) for row in ROWS}, COST_ROUNDS)
    found = {}
    for name, rounds in seconds.items():
        low, value, high = statistics.quantiles([1e9 * spent / DECISIONS for spent in rounds], n=4)
        found[f"sampling.{name}.cost"] = Fact(
            round(value), round(low), round(high), "ns", f"CPU time of a decision: {TITLES[name]}"
        )
    return found


def percent(
    values: Sequence[float],
    what: str,
    gate: float | None = None,
    middle: Callable[[Sequence[float]], float] = statistics.median,
) -> Fact:
    """The middle, least and most over the rounds."""
    value, low, high = middle(values), min(values), max(values)
    return Fact(round(value, 2), round(low, 2), round(high, 2), "%", what, gate)


def one(value: float, unit: str, what: str, gate: float | None = None) -> Fact:
    """A number without a spread."""
    return Fact(value, value, value, unit, what, gate)


def table(facts: Mapping[str, Fact]) -> str:
    """The matrix as text."""
    columns = ("kept", "complete1", "complete3", "complete5", "errors", "slow", "off")
    lines = [f"{'%':42}" + "".join(f"{column:>11}" for column in columns) + f"{'ns':>8}"]
    for name, title in TITLES.items():
        cells = "".join(f"{facts[f'sampling.{name}.{column}'].value:11.1f}" for column in columns)
        cost = facts.get(f"sampling.{name}.cost")
        lines.append(f"{title:42}{cells}{cost.value if cost else '-':>8}")
    return "\n".join(lines)


def main() -> int:
    logging.disable(logging.WARNING)  # samplers that are asked what they should not be say so
    facts = matrix() | hops() | tail() | costs()
    print(table(facts))
    record(
        "sampling",
        facts,
        sources=[
            "benchmarks/sampling.py",
            "benchmarks/sampling_traffic.py",
            "otlp_kit/processors/simple.py",
            "otlp_kit/processors/span_size.py",
            "otlp_kit/processors/tail_buffer.py",
            "otlp_kit/processors/tail_policies.py",
            "otlp_kit/processors/tail_sampling.py",
            "otlp_kit/processors/tail_threshold.py",
            "otlp_kit/tracing/composite.py",
            "otlp_kit/tracing/consistent.py",
            "otlp_kit/tracing/decisions.py",
            "otlp_kit/tracing/provider.py",
            "otlp_kit/tracing/rate_limiting.py",
            "otlp_kit/tracing/samplers.py",
            "otlp_kit/tracing/tracer.py",
            "otlp_kit/tracing/tracestate.py",
        ],
        packages=["opentelemetry-api"],
    )
    shown = {
        name: fact
        for name, fact in facts.items()
        if fact.gate is not None or ".tail." in name or ".hops." in name or "naive" in name
    }
    return judge(shown)


if __name__ == "__main__":
    sys.exit(main())
