"""Exporters side by side: time, size, and what becomes of spans when the peer dies.

`python -m benchmarks.exporters` takes less than two minutes and writes `results/exporters.json`, from
which `reference/exporters` is made. `python -m benchmarks.exporters http grpc` measures these rows
only (and the one that others are compared with), prints them, and writes nothing.

Time: every exporter gets batches of the same spans, all of them in each round, and every span has to
be there at the end. Network rows send to a process of its own (`exporters_sink`), which decodes
nothing. A fan-out is timed until both peers have answered. Consoles write to the null device.

The dying peer is in `exporters_faults`, lines and packages are in `exporters_size`. What
`benchmarks.conformance` says of an exporter is not measured again.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import exporters_size as size
from benchmarks.exporters_faults import Death, dies, over, too_large
from benchmarks.exporters_rows import ROWS, Place, Row
from benchmarks.exporters_sink import Sink, sink
from benchmarks.harness import RESULTS, ROOT, Fact, judge, ratio, record
from benchmarks.workload import SPANS, kit_spans, sdk_spans

ROUNDS = 8
BATCHES = 20
BASE = "official-http"
RESAMPLES = 200
REPEATS = 3
"""Of what waits more than it computes."""
THREADS = 12
RETURNS = 8.0
"""Seconds that an export has when the peer comes back: the official ones try again after 1, 3, 7."""
STAYS_AWAY = 4.0
LIMIT = 65_536
"""Bytes of a request that a batch of `SPANS` spans is several times larger than."""

Times = list[list[float]]
"""Seconds of each batch, by round."""


def timed(rows: Mapping[str, Row], peer: Sink, folder: Path) -> dict[str, Times]:
    """Every row in each round, after one round that is not counted."""
    batches: dict[bool, Sequence[Any]] = {True: sdk_spans("mixed"), False: kit_spans("mixed")}
    times: dict[str, Times] = {name: [] for name in rows}
    for number in range(ROUNDS + 1):
        for name, row in rows.items():
            place = Place(peer.http, peer.grpc, folder=folder / f"{name}-{number}")
            place.folder.mkdir()
            took = turn(row, place, batches[row.official], peer)
            if number:
                times[name].append(took)
    return times


def turn(row: Row, place: Place, batch: Sequence[Any], peer: Sink) -> list[float]:
    """A new exporter's batches; its first one, which connects or opens, is not timed."""
    running = row.make(place)
    gc.collect()
    took = []
    for number in range(BATCHES + 1):
        if not row.official:
            batch[0].end_unix_nano += 1  # a store knows a batch that it has by its bytes
        begin = time.perf_counter()
        told = running.export(batch, place.timeout)
        if number:
            took.append(time.perf_counter() - begin)
        if told.delivered != SPANS:
            raise RuntimeError(f"{row.title} lost spans: {told}")
    came, due = peer.requests(), row.peers * (BATCHES + 1)
    here = running.arrived() if running.arrived else due
    running.close()
    if came != due or here != (SPANS * (BATCHES + 1) if running.arrived else due):
        raise RuntimeError(f"{row.title}: {came} requests and {here} spans came")
    return took


def p99(rounds: Times) -> float:
    return statistics.quantiles([one for took in rounds for one in took], n=100)[-1]


def resampled(rounds: Times) -> list[float]:
    """The 99th percentile of as many rounds, drawn again and again from those that there were."""
    chance = random.Random(len(rounds))
    return [p99(chance.choices(rounds, k=len(rounds))) for _ in range(RESAMPLES)]


def speed(rows: Mapping[str, Row], times: Mapping[str, Times]) -> Iterator[tuple[str, Fact]]:
    totals = {name: [sum(took) for took in rounds] for name, rounds in times.items()}
    for name, row in rows.items():
        of = f"a batch of {SPANS} spans: {row.title}"
        low, median, high = statistics.quantiles(map(statistics.median, times[name]), n=4)
        yield f"exporters.{name}.p50", _milliseconds(median, low, high, f"to export {of}; median")
        low, _, high = statistics.quantiles(resampled(times[name]), n=4)
        what = f"to export {of}; 99th percentile of all rounds, its spread by drawing rounds again"
        yield f"exporters.{name}.p99", _milliseconds(p99(times[name]), low, high, what)
        if name == BASE:
            rates = [BATCHES * SPANS / total for total in totals[name]]
            low, median, high = (round(one) for one in statistics.quantiles(rates, n=4))
            what = f"exported one batch after the other: {row.title}"
            yield (
                f"exporters.{name}.spans_per_second",
                Fact(median, low, high, "spans per second", what),
            )
        else:
            what = f"times as many spans a second as the official exporter over HTTP: {row.title}"
            yield f"exporters.{name}.rate", ratio(totals[BASE], totals[name], what, None)


def _milliseconds(value: float, low: float, high: float, what: str) -> Fact:
    return Fact(round(value * 1e3, 2), round(low * 1e3, 2), round(high * 1e3, 2), "ms", what)


def faults(rows: Mapping[str, Row]) -> Iterator[tuple[str, Fact]]:
    """The network rows and their dying peers. They wait, so many of them can do it at once."""
    batches: dict[bool, Sequence[Any]] = {True: sdk_spans("mixed"), False: kit_spans("mixed")}
    network = {name: row for name, row in rows.items() if row.peers}

    def jobs(work: Callable[..., Any], count: int = SPANS, **how: Any) -> dict[str, list[Any]]:
        with ThreadPoolExecutor(THREADS) as pool:
            waiting = {
                name: [pool.submit(work, row.make, grpc=over_grpc(row),
                                   batch=batches[row.official][:count], **how)
                       for _ in range(REPEATS)]
                for name, row in network.items()
            }  # fmt: skip
            return {name: [one.result() for one in each] for name, each in waiting.items()}

    back = jobs(dies, seconds=RETURNS, returns=True)
    away = jobs(dies, seconds=STAYS_AWAY, returns=False)
    silent = jobs(over, 1, seconds=STAYS_AWAY, listens=True)
    refused = jobs(over, 1, seconds=STAYS_AWAY, listens=False)
    for name, row in network.items():
        yield from deaths(name, row.title, back[name], away[name])
        late = [max(pair) for pair in zip(silent[name], refused[name], strict=True)]
        what = (
            f"seconds past the {STAYS_AWAY:g} asked for, at which an export to a peer ends that takes"
            f" the request and never answers, or refuses the connection: {row.title}"
        )
        yield f"exporters.{name}.over", _several(late, "s", what, 3)


def deaths(
    name: str, title: str, back: Sequence[Death], away: Sequence[Death]
) -> Iterator[tuple[str, Fact]]:
    """The facts of a peer that comes back, and of one that does not."""
    of = f"of {back[0].emitted} spans, when the peer dies after it has read the request and"
    for which, values, what in (
        ("duplicates", [one.duplicates for one in back],
         f"{of} comes back: read by it more than once"),
        ("lost", [one.lost for one in back],
         f"{of} comes back: in no request that it answered"),
        ("silent", [max(one.silent, other.silent) for one, other in zip(back, away, strict=True)],
         f"{of} comes back or not: called delivered though no answer covered them"),
        ("unknown", [one.told.unknown for one in away],
         f"{of} stays away: told to be of unknown fate"),
        ("failed", [one.told.failed for one in away],
         f"{of} stays away: told to have failed, though it had read them"),
    ):  # fmt: skip
        yield f"exporters.{name}.{which}", _several(values, "spans", f"{what}: {title}")


def _several(values: Sequence[float], unit: str, what: str, digits: int | None = None) -> Fact:
    return Fact(
        round(statistics.median(values), digits),
        round(min(values), digits), round(max(values), digits), unit, what,
    )  # fmt: skip


def over_grpc(row: Row) -> bool:
    return row.conformance.endswith("grpc")


def sizes(rows: Mapping[str, Row], folder: Path) -> Iterator[tuple[str, Fact]]:
    """Lines, packages and limits: what is the same in every repetition."""
    for name, row in rows.items():
        once = partial(_once, title=row.title)
        if count := size.lines(row):
            yield f"exporters.{name}.lines", once(count, "lines", "of code that are its own")
        needed = len(size.distributions(row))
        yield (
            f"exporters.{name}.packages",
            once(needed, "packages", "that have to be installed, its own included"),
        )
        if limit := size.default_limit(row):
            what = "in one request before compression, if nothing else is said"
            yield f"exporters.{name}.max_request", once(limit // 2**20, "MiB", what)
        if row.limited:
            what = f"that arrive, of {SPANS} in a batch that is larger than a request may be"
            yield f"exporters.{name}.oversize", once(oversize(name, row, folder), "spans", what)


def _once(value: float, unit: str, what: str, title: str) -> Fact:
    return Fact(value, value, value, unit, f"{unit} {what}: {title}")


def oversize(name: str, row: Row, folder: Path) -> int:
    """How many spans of a batch arrive if a request may have `LIMIT` bytes."""
    batch = sdk_spans("mixed") if row.official else kit_spans("mixed")
    if row.peers:
        arrived, largest = too_large(row.make, batch=batch, limit=LIMIT, grpc=over_grpc(row))
        if largest > LIMIT:
            raise RuntimeError(f"{row.title} sent {largest} bytes")
        return arrived
    place = Place(folder=folder / f"{name}-limited", max_request=LIMIT)
    place.folder.mkdir()
    running = row.make(place)
    assert running.arrived
    running.export(batch, place.timeout)
    arrived = running.arrived()
    running.close()
    return arrived


def sources() -> list[str]:
    """What is measured, and what measures."""
    found = {
        path.relative_to(ROOT).as_posix() for row in ROWS.values() for path in size.sources(row)
    }
    found |= {path.relative_to(ROOT).as_posix() for path in ROOT.glob("benchmarks/exporters*.py")}
    return [
        *found,
        "benchmarks/accepting.py",
        "benchmarks/workload.py",
        "otlp_kit/adapters/sdk_conformance.py",
        "otlp_kit/cli/conform_exporters.py",
    ]


PACKAGES = [
    "grpcio",
    "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-sdk",
    "urllib3",
    "uvloop",
]


def keep(facts: Mapping[str, Fact]) -> None:
    """Write the facts, and beside them what the rows are called."""
    record("exporters", facts, sources=sources(), packages=PACKAGES)
    path = RESULTS / "exporters.json"
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    result["rows"] = {
        name: {"title": row.title, "conformance": row.conformance} for name, row in ROWS.items()
    }
    path.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


def main(wanted: Sequence[str] = ()) -> int:
    if unknown := set(wanted) - set(ROWS):
        print(f"no rows {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    rows = {name: row for name, row in ROWS.items() if not wanted or name in {*wanted, BASE}}
    os.environ["GRPC_VERBOSITY"] = "NONE"
    logging.disable(logging.CRITICAL)  # of troubles that are made for them
    gc.freeze()  # the imports of all candidates are nobody's garbage
    with tempfile.TemporaryDirectory() as folder:
        facts = dict(sizes(rows, Path(folder)))
        with sink() as peer:
            facts |= speed(rows, timed(rows, peer, Path(folder)))
    facts |= faults(rows)
    facts = {name: facts[name] for row in rows for name in facts if name.split(".")[1] == row}
    if not wanted:
        keep(facts)
    return judge(facts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
