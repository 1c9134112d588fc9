"""How small do spans become, and what does it cost?

`python -m benchmarks.compression` takes under a minute, prints each fact beside its gate, and writes
`results/compression.json`. Requests of 1, 64, 512 and 4,096 spans, encoded by this kit, go through each
method and back. Sizes are the same in each run; CPU is the ratio to gzip of level 6 in the same round,
and microseconds for each span; each method is unpacked by the library that packed it.

What a method saves and what it takes meet at one speed: on a slower line than that, the request arrives
earlier compressed. What both ends spend for a megabyte that does not travel is the price.
"""

from __future__ import annotations

import gzip
import random
import statistics
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from backports import zstd
from isal import igzip

from benchmarks.harness import Fact, interleaved, judge, ratio, record
from benchmarks.workload import REPEATS, _attributes, kit_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span

BATCHES = (1, 64, 512, 4096)
TRACE = 8
"""Spans that share a trace id, each the child of the one before."""
ROUNDS = 15
CALLS = 2048
"""Spans that each measured run compresses at least, in as many requests as that takes. No two are the
same: a processor that has just seen a request guesses its branches, and takes half the time."""

Method = Callable[[bytes], Any]
METHODS: dict[str, Method] = {
    "gzip-1": partial(gzip.compress, compresslevel=1, mtime=0),
    "gzip-6": partial(gzip.compress, compresslevel=6, mtime=0),
    "gzip-9": partial(gzip.compress, compresslevel=9, mtime=0),
    "isal-1": partial(igzip.compress, compresslevel=1, mtime=0),
    "deflate-6": partial(zlib.compress, level=6),
    "zstd-1": lambda body: zstd.compress(body, 1),
    "zstd-3": lambda body: zstd.compress(body, 3),
    "zstd-9": lambda body: zstd.compress(body, 9),
}
UNPACKED: dict[str, Method] = {
    "gzip": gzip.decompress,
    "isal": igzip.decompress,
    "deflate": zlib.decompress,
    "zstd": zstd.decompress,
}
COMPARED_WITH = "gzip-6"


def spans(count: int) -> list[Span]:
    """The workload's spans with ids, times and attributes of their own, the same in each run."""
    chance = random.Random(count)
    models = kit_spans("mixed")
    now, made = 1_700_000_000_000_000_000, list[Span]()
    for number in range(count):
        first = number % TRACE == 0
        now += chance.randrange(1_000, 3_000_000)
        model = models[number % len(models)]
        span = replace(
            model,
            trace_id=chance.randbytes(16) if first else made[-1].trace_id,
            span_id=chance.randbytes(8),
            parent_span_id=b"" if first else made[-1].span_id,
            start_unix_nano=now,
            end_unix_nano=now + chance.randrange(1_000, 90_000_000),
            attributes=_attributes(chance, REPEATS["mixed"]),
            events=[replace(event, time_unix_nano=now) for event in model.events],
        )
        made.append(span)
    return made


def each(method: Method, bodies: list[bytes]) -> None:
    for body in bodies:
        method(body)


def measure(batch: int) -> Iterator[tuple[str, Fact]]:
    made = spans(max(batch, CALLS))
    bodies = [encode_spans(made[at : at + batch]) for at in range(0, len(made), batch)]
    packed = {name: [method(body) for body in bodies] for name, method in METHODS.items()}
    seconds = interleaved(
        {name: partial(each, method, bodies) for name, method in METHODS.items()}, ROUNDS
    )
    back = interleaved(
        {name: partial(each, UNPACKED[name.partition("-")[0]], small)
         for name, small in packed.items()}, ROUNDS
    )  # fmt: skip
    before, count = sum(map(len, bodies)), len(made)
    of = f"a request of {batch} spans" if batch > 1 else "a request of one span"
    yield f"compression.bytes.none.{batch}", _size(before, count, f"{of}, not compressed")
    for name in METHODS:
        size = sum(map(len, packed[name]))
        yield f"compression.bytes.{name}.{batch}", _size(size, count, f"{of} by {name}")
        smaller = round(before / size, 2)
        yield (
            f"compression.ratio.{name}.{batch}",
            Fact(smaller, smaller, smaller, "x", f"times smaller is {of} by {name}", _least(name, batch)),
        )  # fmt: skip
        if name != COMPARED_WITH:
            yield (
                f"compression.cpu.{name}.{batch}",
                ratio(
                    seconds[COMPARED_WITH],
                    seconds[name],
                    f"times less CPU than {COMPARED_WITH} takes {name} for {of}",
                    2.0 if (name, batch) == ("isal-1", 512) else None,
                ),
            )
        speeds = [(before - size) / spent / 1e6 for spent in seconds[name]]
        low, middle, high = (round(speed, 1) for speed in statistics.quantiles(speeds, n=4))
        yield (
            f"compression.line.{name}.{batch}",
            Fact(middle, low, high, "MB per second",
                 f"the speed of a line on which {of} takes as long to arrive by {name} as without",
                 None),
        )  # fmt: skip
        for way, runs in (("pack", seconds[name]), ("unpack", back[name])):
            yield (
                f"compression.{way}.{name}.{batch}",
                _median([spent / count * 1e6 for spent in runs], "us",
                        f"CPU to {way} one span, its share of {of} by {name}"),
            )  # fmt: skip
        both = [one + other for one, other in zip(seconds[name], back[name], strict=True)]
        if size < before:
            yield (
                f"compression.price.{name}.{batch}",
                _median([spent / (before - size) * 1e9 for spent in both], "ms",
                        f"CPU to pack and unpack {of} by {name}, for each megabyte it saves"),
            )  # fmt: skip


def _median(values: list[float], unit: str, what: str) -> Fact:
    low, middle, high = (float(f"{value:.4g}") for value in statistics.quantiles(values, n=4))
    return Fact(middle, low, high, unit, what)


def _size(size: int, count: int, what: str) -> Fact:
    one = round(size / count, 1)
    return Fact(one, one, one, "bytes", f"size of one span, its share of {what}", None)


def _least(name: str, batch: int) -> float | None:
    return 3.0 if (name, batch) == ("gzip-1", 512) else None


def main() -> int:
    facts = {name: fact for batch in BATCHES for name, fact in measure(batch)}
    record(
        "compression",
        facts,
        sources=[
            "benchmarks/compression.py",
            "benchmarks/workload.py",
            "otlp_kit/encoding/protobuf_common.py",
            "otlp_kit/encoding/protobuf_spans.py",
        ],
        packages=["isal", "backports.zstd"],
    )
    return judge(facts)


if __name__ == "__main__":
    sys.exit(main())
