"""How a process ends, and what becomes of the spans that were still inside.

Each row is a real process that emits a known number of spans and ends in its way, once with the
official batch processor and once with the kit's; the exporter is the official one both times. A
receiver of this process counts what arrives. What a side says that it gave up is read from its log:
the kit's last line has the totals. The rest is unexplained:

    unexplained = emitted - delivered - dropped

The kit must leave nothing unexplained wherever a line of code can still run.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from benchmarks.exit_program import RUN
from benchmarks.harness import ROOT, Fact, judge, record
from otlp_kit.receiver.http_server import bind, otlp_app, serve
from otlp_kit.receiver.service import Service
from otlp_kit.wire import Signal

SPANS = 100
ROUNDS = 2
SIDES = ("official", "kit")
SEEN_OUTSIDE = ("delivered", "unexplained")
"""All that can be known of a side that does not say what it dropped."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to end. `bursts` counts those of all its processes; `kept` those that the kit delivers."""

    name: str
    title: str
    bursts: int = 1
    kept: int = 0
    runs: bool = True
    """Whether a line of code can still run in every process that emitted."""


ROWS = (
    Row("end", "normal end", kept=1),
    Row("exception", "unhandled exception", kept=1),
    Row("sys_exit", "sys.exit", kept=1),
    Row("sigint", "SIGINT, as by Ctrl-C", kept=1),
    Row("sigterm", "SIGTERM", kept=1),
    Row("os_exit", "os._exit", runs=False),
    Row("sigkill", "SIGKILL", runs=False),
    Row("fork_sys_exit", "forked child ends by sys.exit", 2, kept=2),
    Row("fork_os_exit", "forked child ends by os._exit", 2, kept=1, runs=False),
    Row("fork_flushed", "the same, flushed before", 2, kept=2),
    Row("mp_fork", "multiprocessing child, fork", 2, kept=2),
    Row("mp_spawn", "multiprocessing child, spawn", 2, kept=2),
    Row("prefork", "prefork pool, flushed before", 3, kept=3),
    Row("gunicorn", "gunicorn --preload, worker", 2, kept=2),
    Row("full_queue", "normal end, queue full", 4, kept=2),
    Row("dead_collector", "normal end, collector dead"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the spans of one row on one side."""

    emitted: int
    delivered: int
    dropped: int
    """What the side itself says that it gave up, or does not know the fate of."""

    @property
    def unexplained(self) -> int:
        return self.emitted - self.delivered - self.dropped


class Collector:
    """A receiver on a free port that counts the spans of each run; slow for a queue to fill."""

    def __init__(self) -> None:
        self.arrived: Counter[str] = Counter()

    def put(self, signal: Signal, records: Sequence[Any], batch_id: str) -> int:
        if any(span.resource.attributes[RUN].endswith("full_queue") for span in records):
            time.sleep(1)
        self.arrived.update(span.resource.attributes[RUN] for span in records)
        return len(records)

    @contextmanager
    def listening(self) -> Iterator[str]:
        """The address, for as long as the context lasts."""
        listener = bind("127.0.0.1", 0)
        loop, stop = asyncio.new_event_loop(), asyncio.Event()
        served = serve([(otlp_app(Service(self.put)), listener)], stop)
        thread = threading.Thread(target=loop.run_until_complete, args=(served,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()


def rows() -> list[Row]:
    """Those that can be run here: gunicorn is not a package of every installation."""
    return [row for row in ROWS if row.name != "gunicorn" or find_spec("gunicorn")]


def run(row: Row, side: str, spans: int = SPANS) -> Result:
    """Run one row of one side, with bursts of `spans` spans."""
    collector = Collector()
    with collector.listening() as address, socket.socket() as deaf:
        if row.name == "dead_collector":
            deaf.bind(("127.0.0.1", 0))  # does not listen, and keeps the port from others
            address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        arguments = (side, row.name, address, str(spans))
        log = _gunicorn(arguments) if row.name == "gunicorn" else _python(arguments)
    delivered = collector.arrived.pop(f"{side}.{row.name}", 0)
    if collector.arrived:
        raise RuntimeError(f"spans of nobody: {collector.arrived}")
    return Result(row.bursts * spans, delivered, said_to_be_lost(log))


def said_to_be_lost(log: str) -> int:
    """The spans that the totals of a log explain. Copies that a fork made are not spans emitted."""
    lost = 0
    for totals in re.findall(r"shut down: created [\d,]+ = (.*)", log):
        outside, _, inside = totals.partition("(")
        counts = re.findall(r"(rejected|unknown) ([\d,]*\d)", outside)
        counts += re.findall(r"(\w+) ([\d,]*\d)", inside)
        lost += sum(int(number.replace(",", "")) for name, number in counts if name != "fork")
    return lost


def _python(arguments: Sequence[str]) -> str:
    """What the program and its children log."""
    command = [sys.executable, "-m", "benchmarks.exit_program", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    return done.stderr


def _gunicorn(arguments: Sequence[str]) -> str:
    """One request to one worker, then SIGTERM to the master, as a supervisor would."""
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "1",
               "--bind", "127.0.0.1:0", "benchmarks.exit_gunicorn"]  # fmt: skip
    environment = {**os.environ, "EXIT_PROGRAM": " ".join(arguments)}
    master = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert master.stderr
        seen = []
        for line in master.stderr:
            seen.append(line)
            if found := re.search(r"Listening at: http://(\S+)", line):
                connection = http.client.HTTPConnection(found[1], timeout=30)
                connection.request("GET", "/")
                connection.getresponse().read()
                connection.close()
                break
        master.send_signal(signal.SIGTERM)
        _, rest = master.communicate(timeout=60)
        return "".join(seen) + rest
    finally:
        if master.poll() is None:
            os.killpg(master.pid, signal.SIGKILL)
            master.communicate()


def facts(results: dict[tuple[str, str], list[Result]]) -> dict[str, Fact]:
    """`exit.SIDE.ROW.delivered`, `.unexplained`, the kit's `.dropped`; the share explained by each."""
    found: dict[str, Fact] = {}
    for side in SIDES:
        emitted = unexplained = 0
        for row in rows():
            several = results[side, row.name]
            what = f"of {several[0].emitted} spans, {side} batch processor, {row.title}"
            names = ("delivered", "dropped", "unexplained") if side == "kit" else SEEN_OUTSIDE
            for name in names:
                values = [getattr(result, name) for result in several]
                found[f"exit.{side}.{row.name}.{name}"] = Fact(
                    round(statistics.median(values)), min(values), max(values), "", f"{name} {what}"
                )
            if row.runs:
                emitted += sum(result.emitted for result in several)
                unexplained += sum(abs(result.unexplained) for result in several)
        share = round(100 * (1 - unexplained / emitted), 1)
        found[f"exit.{side}.explained"] = Fact(
            share, share, share, "%",
            f"of the spans, {side} batch processor: delivered, or said to be dropped, over all ends"
            " of a process at which a line of code can still run",
            gate=100.0 if side == "kit" else None,
        )  # fmt: skip
    return found


def table(values: Mapping[str, float]) -> str:
    """The matrix as text, of the facts' values: zeros are dashes, so that losses stand out."""
    lines = [
        f"{'':38}{'official':19}kit",
        f"{'the process ends by':29}{'spans':>7}{'arrived':>9}{'missing':>9}"
        f"  {'arrived':>8}{'dropped':>9}{'missing':>9}",
    ]
    for row in ROWS:
        if f"exit.kit.{row.name}.delivered" not in values:
            continue
        kit = [int(values[f"exit.kit.{row.name}.{name}"]) for name in
               ("delivered", "dropped", "unexplained")]  # fmt: skip
        official = [int(values[f"exit.official.{row.name}.{name}"]) for name in SEEN_OUTSIDE]
        cells = [format(n or "-", f">{width}") for n, width in
                 zip([sum(kit), *official, *kit], (7, 9, 9, 10, 9, 9), strict=True)]  # fmt: skip
        lines.append(f"{row.title:29}{''.join(cells)}")
    return "\n".join(lines)


def main() -> int:
    jobs = [(side, row) for _ in range(ROUNDS) for row in rows() for side in SIDES]
    results: dict[tuple[str, str], list[Result]] = {}
    with ThreadPoolExecutor(2) as pool:
        for (side, row), result in zip(
            jobs, pool.map(lambda job: run(job[1], job[0]), jobs), strict=True
        ):
            results.setdefault((side, row.name), []).append(result)
    measured = facts(results)
    print(table({name: fact.value for name, fact in measured.items()}))
    record(
        "exit_matrix",
        measured,
        sources=[
            "benchmarks/exit_matrix.py",
            "benchmarks/exit_program.py",
            "otlp_kit/adapters/sdk_batch.py",
            "otlp_kit/adapters/sdk_official.py",
            "otlp_kit/adapters/sdk_processors.py",
            "otlp_kit/processors/batch.py",
            "otlp_kit/processors/delivery.py",
            "otlp_kit/processors/forking.py",
            "otlp_kit/runtime/lifecycle.py",
        ],
        packages=[
            "opentelemetry-sdk",
            "opentelemetry-exporter-otlp-proto-http",
            *(["gunicorn"] if find_spec("gunicorn") else []),
        ],
    )
    return judge({name: fact for name, fact in measured.items() if fact.unit == "%"})


if __name__ == "__main__":
    sys.exit(main())
