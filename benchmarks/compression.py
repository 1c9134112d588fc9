"""How small do spans become, and what does it cost?

`python -m benchmarks.compression` takes under a minute, prints each fact beside its gate, and writes
`results/compression.json`. Requests of 1, 64, 512 and 4,096 spans, encoded by this kit, go through each
method. Sizes are the same in each run; CPU is the ratio to gzip of level 6 in the same round.

What a method saves and what it takes meet at one speed: on a slower line than that, the request arrives
earlier compressed.
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
"""Spans that each measured run compresses at least, in as many requests as that takes."""

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


def repeated(method: Method, body: bytes, times: int) -> None:
    for _ in range(times):
        method(body)


def measure(batch: int) -> Iterator[tuple[str, Fact]]:
    body = encode_spans(spans(batch))
    times = max(1, CALLS // batch)
    seconds = interleaved(
        {name: partial(repeated, method, body, times) for name, method in METHODS.items()}, ROUNDS
    )
    of = f"a request of {batch} spans" if batch > 1 else "a request of one span"
    yield f"compression.bytes.none.{batch}", _size(len(body), batch, f"{of}, not compressed")
    for name, method in METHODS.items():
        size = len(method(body))
        yield f"compression.bytes.{name}.{batch}", _size(size, batch, f"{of} by {name}")
        smaller = round(len(body) / size, 2)
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
        speeds = [(len(body) - size) * times / spent / 1e6 for spent in seconds[name]]
        low, middle, high = (round(speed, 1) for speed in statistics.quantiles(speeds, n=4))
        yield (
            f"compression.line.{name}.{batch}",
            Fact(middle, low, high, "MB per second",
                 f"the speed of a line on which {of} takes as long to arrive by {name} as without",
                 None),
        )  # fmt: skip


def _size(size: int, batch: int, what: str) -> Fact:
    each = round(size / batch, 1)
    return Fact(each, each, each, "bytes", f"size of one span, its share of {what}", None)


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
