"""Who should export: threads, tasks of an event loop, or processes?

`python -m benchmarks.exporting` takes under two minutes, prints each ratio beside its gate, and writes
`results/exporting.json`. Every way carries the same spans, encoded by this kit and posted over HTTP, to a
server in another process that answers after 0, 5 or 20 ms. All ways run in each round, one after the
other; what is published is their ratio to one thread in the same round.

A second part looks at who else lives in the process: how late a program's event loop comes to its own
timers while something exports beside it, or in it.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks.accepting import FORK, accepting
from benchmarks.harness import Fact, judge, ratio, record
from benchmarks.workload import SPANS, kit_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.batch_async import AsyncBatchProcessor, InThread
from otlp_kit.wire import TRACES, Accepted, Unavailable

BATCHES = 24
ROUND_TRIPS = (0, 5, 20)
ROUNDS = 7
PROCESSES = 2
STALL_RATE, STALL_SECONDS, STALL_ROUNDS, TICK = 4000, 1.5, 5, 0.002
GATE = 2.3

Seconds = tuple[float, float]
"""Wall and CPU seconds of one run; CPU is that of all exporting processes together."""


class AsyncHttpExporter:
    """Encodes in the event loop and posts on connections that it keeps: the least that can do it."""

    concurrent = True

    def __init__(self, endpoint: str) -> None:
        url = urlsplit(endpoint)
        self._host, self._port = url.hostname, url.port
        self._head = f"POST {url.path}/v1/traces HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/x-protobuf\r\nContent-Length: "
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def export(self, batch: Sequence[Any], deadline: float) -> Accepted:
        body = encode_spans(batch)
        connection = self._idle.pop() if self._idle else await self._connect()
        reader, writer = connection
        writer.write(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise Unavailable(head.decode("latin-1"))
        self._idle.append(connection)
        return Accepted()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port)

    async def shutdown(self) -> None:
        for _, writer in self._idle:
            writer.close()


def exporter(endpoint: str) -> OtlpExporter[Any]:
    return OtlpExporter(encode_spans, HttpSender(endpoint), TRACES)


def check(processor: BatchProcessor[Any] | AsyncBatchProcessor[Any], count: int) -> None:
    """A way that loses spans is fast for the wrong reason."""
    totals = processor.totals()
    assert totals.delivered == totals.created == count, totals


def threads(endpoint: str, in_flight: int, batches: int = BATCHES) -> None:
    processor = BatchProcessor(
        exporter(endpoint), max_queue_size=batches * SPANS, in_flight=in_flight
    )
    for _ in range(batches):
        for span in WORK:
            processor.emit(span)
    processor.shutdown()
    check(processor, batches * SPANS)


async def tasks(make: Callable[[str], Any], endpoint: str, in_flight: int) -> None:
    processor: AsyncBatchProcessor[Any] = AsyncBatchProcessor(
        make(endpoint), max_queue_size=BATCHES * SPANS, in_flight=in_flight
    )
    for _ in range(BATCHES):
        for span in WORK:
            processor.emit(span)
    await processor.shutdown()
    check(processor, BATCHES * SPANS)


def in_asyncio(make: Callable[[str], Any], in_flight: int, endpoint: str) -> None:
    asyncio.run(tasks(make, endpoint, in_flight))


def in_uvloop(make: Callable[[str], Any], in_flight: int, endpoint: str) -> None:
    uvloop.run(tasks(make, endpoint, in_flight))


def in_thread(endpoint: str) -> InThread[Any]:
    return InThread(exporter(endpoint))


def here(run: Callable[[str], None], endpoint: str) -> Seconds:
    """One run in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    run(endpoint)
    return time.perf_counter() - wall, time.process_time() - cpu


class Workers:
    """Processes that wait for an endpoint, and then each carry their share there."""

    def __init__(self, count: int) -> None:
        self._pipes: list[Connection] = []
        self._share = BATCHES // count
        for _ in range(count):
            ours, theirs = FORK.Pipe()
            FORK.Process(target=self._work, args=(theirs,), daemon=True).start()
            self._pipes.append(ours)

    def _work(self, pipe: Connection) -> None:
        while order := pipe.recv():
            endpoint, in_flight = order
            _, cpu = here(partial(threads, in_flight=in_flight, batches=self._share), endpoint)
            pipe.send(cpu)

    def run(self, in_flight: int, endpoint: str) -> Seconds:
        wall = time.perf_counter()
        for pipe in self._pipes:
            pipe.send((endpoint, in_flight))
        cpu = sum(pipe.recv() for pipe in self._pipes)
        return time.perf_counter() - wall, cpu

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.send(None)


def ways(workers: Workers) -> dict[str, tuple[str, Callable[[str], Seconds]]]:
    """What each way is called in a sentence, and how it runs."""
    found: dict[str, tuple[str, Callable[[str], Seconds]]] = {}
    for number in (1, 2, 4, 8):
        many = "one thread" if number == 1 else f"{number} threads"
        found[f"threads.{number}"] = many, partial(here, partial(threads, in_flight=number))
    for loop, run in (("asyncio", in_asyncio), ("uvloop", in_uvloop)):
        for number in (1, 4):
            many = "one task" if number == 1 else f"{number} tasks"
            found[f"{loop}.{number}"] = (
                f"{many} of {'an asyncio' if loop == 'asyncio' else 'a uvloop'} loop",
                partial(here, partial(run, AsyncHttpExporter, number)),
            )
    found["asyncio.in_thread.4"] = (
        "4 tasks of an asyncio loop, each of which waits for a thread",
        partial(here, partial(in_asyncio, in_thread, 4)),
    )
    for number in (1, 4):
        each = "one thread" if number == 1 else f"{number} threads"
        found[f"processes.{number}"] = (
            f"{PROCESSES} processes of {each} each",
            partial(workers.run, number),
        )
    return found


def rounds(runs: Mapping[str, Callable[[], Seconds]]) -> dict[str, list[Seconds]]:
    """Every run in each round, after one round that is not counted."""
    seconds: dict[str, list[Seconds]] = {name: [] for name in runs}
    for number in range(ROUNDS + 1):
        for name, run in runs.items():
            gc.collect()
            took = run()
            if number:
                seconds[name].append(took)
    return seconds


def quartiles(values: Sequence[float], unit: str, what: str, digits: int = 0) -> Fact:
    low, value, high = (round(one, digits) for one in statistics.quantiles(values, n=4))
    return Fact(value, low, high, unit, what)


def measure(endpoint: str, workers: Workers) -> Iterator[tuple[str, Fact]]:
    found = ways(workers)
    spans = BATCHES * SPANS
    for milliseconds in ROUND_TRIPS:
        url = f"{endpoint}/{milliseconds}"
        seconds = rounds({name: partial(run, url) for name, (_, run) in found.items()})
        wall = {name: [one for one, _ in many] for name, many in seconds.items()}
        cpu = {name: [one for _, one in many] for name, many in seconds.items()}
        when = f"when the server answers after {milliseconds} ms"
        base = "threads.1"
        yield (
            f"exporting.rate.{milliseconds}",
            quartiles([spans / one for one in wall[base]], "spans per second",
                      f"exported by one thread, {when}"),
        )  # fmt: skip
        yield (
            f"exporting.cpu_ms.{milliseconds}",
            quartiles([one / spans * 1e6 for one in cpu[base]], "ms",
                      f"CPU for 1000 spans exported by one thread, {when}", 1),
        )  # fmt: skip
        for name, (whose, _) in found.items():
            if name == base:
                continue
            gate = GATE if name == "threads.4" and milliseconds == 20 else None
            yield (
                f"exporting.{name}.{milliseconds}",
                ratio(wall[base], wall[name], f"times as many spans a second as one thread: {whose}, "
                      f"{when}", gate),
            )  # fmt: skip
            yield (
                f"exporting.{name}.cpu.{milliseconds}",
                ratio(cpu[name], cpu[base], f"times the CPU of one thread for the same spans: {whose}, "
                      f"{when}", None),
            )  # fmt: skip


@contextmanager
def in_a_thread(endpoint: str) -> Iterator[Callable[[Any], None]]:
    processor = BatchProcessor(exporter(endpoint))
    yield processor.emit
    processor.shutdown()


async def lateness(kind: str, endpoint: str) -> float:
    """How late, at the 99th percentile, a timer fires while spans are emitted and exported. Seconds."""
    loop = asyncio.get_running_loop()
    late: list[float] = []
    with ExitStack() as stack:
        processor: AsyncBatchProcessor[Any] | None = None
        if kind == "nothing":
            emit: Callable[[Any], None] = [].append
        elif kind == "thread":
            emit = stack.enter_context(in_a_thread(endpoint))
        else:
            processor = AsyncBatchProcessor(AsyncHttpExporter(endpoint))
            emit = processor.emit
        begin, number = loop.time(), 0
        while (due := begin + number * TICK) < begin + STALL_SECONDS:
            await asyncio.sleep(due - loop.time())
            late.append(loop.time() - due)
            for _ in range(int(STALL_RATE * TICK)):
                emit(WORK[number % SPANS])
            number += 1
        if processor:
            await processor.shutdown()
    return statistics.quantiles(late, n=100)[-1]


def stalls(endpoint: str) -> Iterator[tuple[str, Fact]]:
    kinds = {
        "nothing": "when nothing is exported",
        "thread": "when a thread exports beside it",
        "task": "when a task of this loop exports",
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(STALL_ROUNDS):
        for kind in kinds:
            times[kind].append(asyncio.run(lateness(kind, f"{endpoint}/5")) * 1000)
    for kind, when in kinds.items():
        yield (
            f"exporting.late.{kind}",
            quartiles(times[kind], "ms", "the 99th percentile of how late an event loop comes to a "
                      f"timer, {when} ({STALL_RATE} spans a second)", 2),
        )  # fmt: skip


WORK = kit_spans("mixed")


def main() -> int:
    with accepting() as endpoint:
        workers = Workers(PROCESSES)
        facts = dict(measure(endpoint, workers))
        workers.close()
        facts |= stalls(endpoint)
    record(
        "exporting",
        facts,
        sources=[
            "benchmarks/accepting.py",
            "benchmarks/exporting.py",
            "benchmarks/workload.py",
            "otlp_kit/encoding/protobuf_common.py",
            "otlp_kit/encoding/protobuf_spans.py",
            "otlp_kit/exporters/otlp_http.py",
            "otlp_kit/processors/batch.py",
            "otlp_kit/processors/batch_async.py",
            "otlp_kit/processors/buffer.py",
        ],
        packages=["urllib3", "uvloop"],
    )
    return judge(facts)


if __name__ == "__main__":
    sys.exit(main())
