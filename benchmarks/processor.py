"""What a batch processor costs whoever ends a span: this kit's against the official one.

`python -m benchmarks.processor` takes about two minutes, prints each ratio beside its gate, and writes
`results/processor.json`. Both export to nothing: what is measured is the way in, and how the
worker's encoding disturbs it.
"""

from __future__ import annotations

import gc
import statistics
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official_encode
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from benchmarks.harness import Fact, judge, ratio, record
from benchmarks.workload import kit_spans, sdk_spans
from otlp_kit import adapters
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.wire import TRACES, Accepted

PER_ROUND = 48_000
ROUNDS = 15
THREADS = (1, 4, 16)
PACE, PACED_SECONDS, PACED_ROUNDS = 2000, 4.0, 5


class Nothing(SpanExporter):
    """The official kind of exporter, which takes everything and does nothing."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class OfficialEncoding(Nothing):
    def export(self, spans: Any) -> SpanExportResult:
        official_encode(spans).SerializeToString()
        return SpanExportResult.SUCCESS


class Sink:
    """An exporter, and a sender, that takes everything."""

    def export(self, batch: Sequence[Any], deadline: float) -> Accepted:
        return Accepted()

    def send(self, payload: Any, deadline: float) -> Accepted:
        return Accepted()

    def shutdown(self) -> None:
        pass


Way = tuple[Callable[[Any], None], Callable[[], Any], Sequence[Any]]
"""How a span goes in, how it all ends, and spans to use."""


def ways_in() -> dict[str, Way]:
    """Fresh processors with room for a whole round: nothing is dropped."""
    room = 2 * PER_ROUND
    official = BatchSpanProcessor(Nothing(), max_queue_size=room)
    kit: BatchProcessor[Any] = BatchProcessor(Sink(), max_queue_size=room)
    adapter = adapters.BatchSpanProcessor(Nothing(), max_queue_size=room)
    readable = sdk_spans("mixed")
    return {
        "official": (official.on_end, official.shutdown, readable),
        "kit": (kit.emit, kit.shutdown, kit_spans("mixed")),
        "adapter": (adapter.on_end, adapter.shutdown, readable),
    }


def way_in_seconds(enter: Callable[[Any], None], spans: Sequence[Any], threads: int) -> float:
    """CPU seconds that `threads` producers spend on a round of spans between them."""
    spent: list[float] = []
    together = threading.Barrier(threads)

    def produce() -> None:
        work = [spans[n % len(spans)] for n in range(PER_ROUND // threads)]
        together.wait()
        begin = time.thread_time()
        for span in work:
            enter(span)
        spent.append(time.thread_time() - begin)

    producers = [threading.Thread(target=produce) for _ in range(threads)]
    for producer in producers:
        producer.start()
    for producer in producers:
        producer.join()
    return sum(spent)


def way_in(threads: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {"official": [], "kit": [], "adapter": []}
    for number in range(ROUNDS + 1):
        for name, (enter, end, spans) in ways_in().items():
            gc.collect()
            spent = way_in_seconds(enter, spans, threads)
            end()
            if number:
                seconds[name].append(spent)
    return seconds


def queued_bytes(make: Callable[[], Sequence[Any]]) -> float:
    """Bytes a span takes while it waits, what it shares with the others left out."""
    make()
    gc.collect()
    tracemalloc.start()
    spans = make()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(spans)


def paced(enter: Callable[[Any], None], spans: Sequence[Any]) -> float:
    """The 99.9th percentile, in seconds, from when a span is due until it is handed over.

    Counted from the time it is due: who is late because of the one before would otherwise not count.
    """
    times: list[float] = []
    begin = time.perf_counter()
    for number in range(int(PACE * PACED_SECONDS)):
        due = begin + number / PACE
        while (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        enter(spans[number % len(spans)])
        times.append(time.perf_counter() - due)
    return statistics.quantiles(times, n=1000)[-1]


def paced_rounds() -> tuple[list[float], list[float]]:
    official_times, kit_times = [], []
    readable, records = sdk_spans("mixed"), kit_spans("mixed")
    for _ in range(PACED_ROUNDS):
        official = BatchSpanProcessor(OfficialEncoding())
        official_times.append(paced(official.on_end, readable))
        official.shutdown()
        kit: BatchProcessor[Any] = BatchProcessor(OtlpExporter(encode_spans, Sink(), TRACES))
        kit_times.append(paced(kit.emit, records))
        kit.shutdown()
    return official_times, kit_times


def main() -> int:
    facts: dict[str, Fact] = {}
    for threads in THREADS:
        seconds = way_in(threads)
        many = "one thread" if threads == 1 else f"{threads} threads"
        for name, whose, gate in (
            ("kit", "this kit's record into its processor", 4.5),
            ("adapter", "the official SDK's span into this kit's adapter", 3.5),
        ):
            facts[f"processor.{name}.{threads}"] = ratio(
                seconds["official"],
                seconds[name],
                f"times less CPU on {many} that end spans: {whose}, against the official on_end",
                gate,
            )
    sdk, kit = queued_bytes(lambda: sdk_spans("mixed")), queued_bytes(lambda: kit_spans("mixed"))
    saved = round(sdk / kit, 2)
    facts["processor.memory"] = Fact(
        saved, saved, saved, "x", "times less memory for a span that waits: a record of this kit"
        " against a span of the official SDK, with the same attributes", gate=2.5,
    )  # fmt: skip
    for name, size in (("sdk", sdk), ("kit", kit)):
        whole = round(size)
        facts[f"processor.bytes.{name}"] = Fact(
            whole, whole, whole, "bytes", f"memory of one waiting span ({name}), mixed cardinality"
        )
    slow, fast = paced_rounds()
    facts["processor.paced"] = ratio(
        slow, fast,
        f"times shorter at the 99.9th percentile: handing over one of {PACE} spans a second while the"
        " worker encodes, this kit against the official processor and encoder", gate=5.0,
    )  # fmt: skip
    record(
        "processor",
        facts,
        sources=[
            "benchmarks/processor.py",
            "benchmarks/workload.py",
            "otlp_kit/adapters/sdk_processors.py",
            "otlp_kit/encoding/protobuf_common.py",
            "otlp_kit/processors/batch.py",
            "otlp_kit/processors/buffer.py",
        ],
        packages=["opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-common"],
    )
    return judge(facts)


if __name__ == "__main__":
    sys.exit(main())
