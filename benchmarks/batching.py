"""What batching gains, and what it loses: one span a request against batches, by the peer's distance.

`python -m benchmarks.batching` takes about a minute and writes `results/batching.json`. The peer
accepts everything after a round trip that it is told, in a process of its own. The gain is in time until
all is acknowledged; beside it stands what the default queue loses when the same spans come all at once,
which nobody who only measures the time would see.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.accepting import accepting
from benchmarks.harness import Fact, judge, ratio, record
from benchmarks.workload import kit_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.model import Span
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.simple import SimpleProcessor
from otlp_kit.wire import TRACES

ROUNDS = 7
ROUND_TRIPS = (0, 1, 5, 20)
ALONE, TOGETHER = 50, 10_240
BURST = 20_000


def exporter(url: str) -> OtlpExporter[Span]:
    return OtlpExporter(encode_spans, HttpSender(url), TRACES)


def seconds_a_span(processor: Any, spans: Sequence[Span], count: int) -> float:
    """From the first span to the last acknowledgement."""
    begin = time.perf_counter()
    for number in range(count):
        processor.emit(spans[number % len(spans)])
    processor.shutdown(60)
    spent = time.perf_counter() - begin
    assert processor.totals().delivered == count
    return spent / count


def lost(url: str, spans: Sequence[Span]) -> float:
    """Percent of a burst that the default processor drops."""
    processor: BatchProcessor[Span] = BatchProcessor(exporter(url))
    for number in range(BURST):
        processor.emit(spans[number % len(spans)])
    processor.shutdown(60)
    totals = processor.totals()
    assert totals.created == BURST == totals.delivered + totals.dropped.get("queue_full", 0)
    return 100 * (1 - totals.delivered / BURST)


def main() -> int:
    facts: dict[str, Fact] = {}
    spans = kit_spans("mixed")
    with accepting() as server:
        for milliseconds in ROUND_TRIPS:
            url = f"{server}/{milliseconds}"
            alone, together, losses = [], [], []
            for _ in range(ROUNDS):
                alone.append(seconds_a_span(SimpleProcessor(exporter(url)), spans, ALONE))
                batch = BatchProcessor(exporter(url), max_queue_size=TOGETHER)
                together.append(seconds_a_span(batch, spans, TOGETHER))
                losses.append(lost(url, spans))
            away = f"{milliseconds} ms away" if milliseconds else "at once"
            facts[f"batching.gain.{milliseconds}"] = ratio(
                alone,
                together,
                f"times as many spans a second in batches of 512 as one by one, to a peer that answers {away}",
                3.0,
            )
            losses.sort()
            low, middle, high = (losses[index] for index in (1, ROUNDS // 2, -2))
            facts[f"batching.lost.{milliseconds}"] = Fact(
                round(middle, 1), round(low, 1), round(high, 1), "%",
                f"of {BURST} spans that come all at once are lost by the default queue, to a peer that"
                f" answers {away}",
            )  # fmt: skip
    record(
        "batching",
        facts,
        sources=[
            "benchmarks/accepting.py",
            "benchmarks/batching.py",
            "benchmarks/workload.py",
            "otlp_kit/exporters/otlp_http.py",
            "otlp_kit/processors/batch.py",
            "otlp_kit/processors/simple.py",
        ],
        packages=["urllib3"],
    )
    return judge(facts)


if __name__ == "__main__":
    sys.exit(main())
