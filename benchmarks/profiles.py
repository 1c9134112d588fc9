"""What does the choice of a profile give? Three loads, each with every profile and with none.

`python -m benchmarks.profiles` takes about two minutes, and writes `results/profiles.json`. Spans end at
fixed times, whether or not the ones before are done (an open loop): who is late because of the one
before counts as late. Each run has a process of its own, which encodes and posts over HTTP to a server in
another one. Measured are how long the caller was held up, how long after its end a span was
acknowledged, what was lost, and what it cost.

The profiles' samplers are left out: a span that is not recorded costs nothing in any of them.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.accepting import FORK, accepting
from benchmarks.harness import Fact, judge, ratio, record
from benchmarks.workload import kit_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.model import Span
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.simple import SimpleProcessor
from otlp_kit.runtime.profiles import PROFILES
from otlp_kit.wire import TRACES, Accepted, Sender


@dataclass(frozen=True, slots=True)
class Load:
    rate: int
    """Spans per second."""
    seconds: float
    round_trip: int
    """Milliseconds until the server answers."""
    rounds: int

    def __str__(self) -> str:
        return f"{self.rate} spans a second, answered after {self.round_trip} ms"


LOADS = {
    "quiet": Load(rate=100, seconds=7.0, round_trip=5, rounds=3),
    "steady": Load(rate=2000, seconds=2.0, round_trip=20, rounds=5),
    "flood": Load(rate=4000, seconds=2.5, round_trip=200, rounds=4),
}
BATCHING = ("default", *PROFILES)
"""`default` is a `BatchProcessor` and an `HttpSender` without any argument."""
EXTREMES = {"quiet": ("nothing", "simple"), "steady": ("nothing",)}
"""For comparison: a pipeline that forgets, and one that exports each span on its caller's thread."""


class Due(Span):
    """A span that knows when it should have ended."""

    __slots__ = ("due",)
    due: float


class Timed:
    """An exporter that notes how long after its end each span was acknowledged."""

    concurrent = True

    def __init__(self, sender: Sender) -> None:
        self._exporter: OtlpExporter[Any] = OtlpExporter(encode_spans, sender, TRACES)
        self.delays: list[float] = []

    def export(self, batch: Sequence[Any], deadline: float) -> Accepted:
        answer = self._exporter.export(batch, deadline)
        now = time.perf_counter()
        self.delays += [now - span.due for span in batch]
        return answer

    def shutdown(self) -> None:
        self._exporter.shutdown()


class Nothing:
    """A pipeline that takes spans and forgets them: how late the loop itself is."""

    def emit(self, span: Any) -> None:
        pass

    def shutdown(self, timeout: float) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Run:
    """What one run showed. Times in seconds, memory in bytes."""

    caller: list[float]
    delivery: list[float]
    lost: float
    """The share of all spans."""
    cpu: float
    memory: int


def pipeline(setup: str, endpoint: str) -> tuple[Any, Timed, float]:
    """The processor, its exporter, and how long its shutdown may take."""
    profile = PROFILES.get(setup)
    timed = Timed(HttpSender(endpoint, **(profile.sender() if profile else {})))
    if setup == "nothing":
        return Nothing(), timed, 0.0
    if setup == "simple":
        return SimpleProcessor(timed), timed, 30.0
    arguments = profile.batch() if profile else {}
    return BatchProcessor(timed, **arguments), timed, profile.shutdown_timeout if profile else 30.0


def run(setup: str, load: Load, endpoint: str) -> Run:
    processor, timed, patience = pipeline(setup, f"{endpoint}/{load.round_trip}")
    gc.collect()
    memory, cpu = status("VmRSS"), time.process_time()
    caller: list[float] = []
    begin = time.perf_counter() + 0.01
    for number in range(count := int(load.rate * load.seconds)):
        span = fresh(number)
        span.due = due = begin + number / load.rate
        while (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        processor.emit(span)
        caller.append(time.perf_counter() - due)
    processor.shutdown(patience)
    spent = time.process_time() - cpu
    lost = 1 - len(timed.delays) / count
    return Run(caller, timed.delays, lost, spent, status("VmHWM") - memory)


def fresh(number: int) -> Due:
    """A span of the workload with attributes of its own, as a program makes it."""
    like = WORK[number % len(WORK)]
    return Due(
        name=like.name,
        trace_id=like.trace_id,
        span_id=number.to_bytes(8, "big"),
        kind=like.kind,
        start_unix_nano=like.start_unix_nano,
        end_unix_nano=like.end_unix_nano,
        attributes={**like.attributes, "url.path": f"/users/{number}"},
        links=like.links,
        events=like.events,
        resource=like.resource,
        scope=like.scope,
    )


def status(name: str) -> int:
    """A row of Linux's account of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no {name}")


def apart(jobs: Sequence[Callable[[], Run]]) -> list[Run]:
    """The results of `jobs`, each in a process of its own, all at once."""

    def work(job: Callable[[], Run], pipe: Connection) -> None:
        pipe.send(job())

    pipes = []
    for job in jobs:
        ours, theirs = FORK.Pipe()
        FORK.Process(target=work, args=(job, theirs), daemon=True).start()
        pipes.append(ours)
    return [pipe.recv() for pipe in pipes]


def rounds(name: str, load: Load, endpoint: str) -> dict[str, list[Run]]:
    """Every setup in each round: one after the other, or side by side where little happens."""
    setups = [*EXTREMES.get(name, ()), *BATCHING]
    found: dict[str, list[Run]] = {setup: [] for setup in setups}
    for _ in range(load.rounds):
        jobs = [partial(run, setup, load, endpoint) for setup in setups]
        together = [jobs] if name == "quiet" else [[job] for job in jobs]
        results = [result for group in together for result in apart(group)]
        for setup, result in zip(setups, results, strict=True):
            found[setup].append(result)
    return found


def percentile(values: Sequence[float], permille: int) -> float:
    """In milliseconds, of values in seconds."""
    return 1000 * statistics.quantiles(values, n=1000)[permille - 1]


def quartiles(values: Sequence[float], unit: str, what: str, digits: int) -> Fact:
    low, value, high = (round(one, digits) for one in statistics.quantiles(values, n=4))
    return Fact(value, low, high, unit, what)


PERCENTILES = {"p50": (500, "median"), "p99": (990, "99th percentile"), "p999": (999, "99.9th percentile")}  # fmt: skip
WAYS: Mapping[str, str] = {
    "caller": "from when a span was due to end until its caller could go on",
    "delivery": "from when a span was due to end until the server had acknowledged it",
}


def facts_of(
    name: str, load: Load, found: Mapping[str, Sequence[Run]]
) -> Iterator[tuple[str, Fact]]:
    for setup, runs in found.items():
        key, how = f"profiles.{name}.{setup}", f"setup {setup}: {load}"
        for way, (short, (permille, words)) in product(WAYS, PERCENTILES.items()):
            # The 999th of a thousand is not to be found among seven hundred.
            enough = len(runs[0].caller) >= 1000 or permille < 999
            if enough and (way == "caller" or setup != "nothing"):
                times = [percentile(getattr(one, way), permille) for one in runs]
                yield (
                    f"{key}.{way}.{short}",
                    quartiles(times, "ms", f"{words} {WAYS[way]} ({how})", 2),
                )
        spans = load.rate * load.seconds
        cpu = [1e6 * one.cpu / spans for one in runs]
        yield (
            f"{key}.cpu",
            quartiles(cpu, "ms", f"CPU for 1000 spans, making them included ({how})", 1),
        )
        if setup != "nothing":
            lost = [100 * one.lost for one in runs]
            yield (
                f"{key}.lost",
                quartiles(lost, "%", f"share of the spans that was lost ({how})", 1),
            )
            memory = [one.memory / 1e6 for one in runs]
            yield (
                f"{key}.memory",
                quartiles(memory, "MB", f"growth to the peak of memory ({how})", 1),
            )
    for way, setup in product(WAYS, PROFILES):
        what = f"times shorter {WAYS[way]}, at the 99th percentile: {setup} against the defaults ({load})"
        yield f"profiles.{name}.{setup}.{way}.gain", gain(found["default"], found[setup], way, what)
    if "simple" in found:
        what = f"times shorter {WAYS['caller']}, at the 99th percentile: any batching against none ({load})"
        yield "profiles.batching.gain", gain(found["simple"], found["default"], "caller", what)


def gain(before: Sequence[Run], after: Sequence[Run], way: str, what: str) -> Fact:
    slow, fast = ([percentile(getattr(one, way), 990) for one in runs] for runs in (before, after))
    return ratio(slow, fast, what, None)


WORK = kit_spans("mixed")


def main() -> int:
    facts: dict[str, Fact] = {}
    with accepting() as endpoint:
        for name, load in LOADS.items():
            facts |= facts_of(name, load, rounds(name, load, endpoint))
    record(
        "profiles",
        facts,
        sources=[
            "benchmarks/accepting.py",
            "benchmarks/profiles.py",
            "benchmarks/workload.py",
            "otlp_kit/encoding/protobuf_common.py",
            "otlp_kit/encoding/protobuf_spans.py",
            "otlp_kit/exporters/otlp_http.py",
            "otlp_kit/processors/batch.py",
            "otlp_kit/processors/buffer.py",
            "otlp_kit/runtime/profiles.py",
        ],
        packages=["urllib3"],
    )
    return judge(facts)


if __name__ == "__main__":
    sys.exit(main())
