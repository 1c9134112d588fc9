"""How the benchmarks measure, and how they write it down.

Candidates run interleaved in one process, so that a noisy machine disturbs all of them alike; what
is published is the ratio of CPU times within each round: its median, and its quartiles as spread.
A result names its command, machine, packages and date, and the hash of each source it measured, so
that a page can tell when the code has changed since.
"""

from __future__ import annotations

import datetime
import gc
import hashlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Fact:
    """One number that pages may name. `low` and `high` are its quartiles over the rounds."""

    value: float
    low: float
    high: float
    unit: str
    what: str
    """One sentence: what was measured against what."""
    gate: float | None = None
    """The value below which the benchmark fails."""


def interleaved(candidates: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each candidate in each of `rounds` rounds, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for round_number in range(rounds + 1):
        for name, run in candidates.items():
            gc.collect()
            begin = time.process_time()
            run()
            spent = time.process_time() - begin
            if round_number:
                seconds[name].append(spent)
    return seconds


def ratio(slow: Sequence[float], fast: Sequence[float], what: str, gate: float | None) -> Fact:
    """How many times less CPU `fast` took than `slow`, round by round."""
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    low, value, high = statistics.quantiles(ratios, n=4)
    return Fact(round(value, 2), round(low, 2), round(high, 2), "x", what, gate)


def record(
    script: str, facts: Mapping[str, Fact], *, sources: Sequence[str], packages: Sequence[str]
) -> None:
    """Write `results/<script>.json`. `sources` are paths from the root of the repository."""
    result = {
        "command": f"python -m benchmarks.{script}",
        "date": datetime.date.today().isoformat(),
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "packages": {name: version(name) for name in packages},
        },
        "sources": {
            name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in sorted(sources)
        },
        "facts": {name: asdict(fact) for name, fact in facts.items()},
    }
    path = RESULTS / f"{script}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


def judge(facts: Mapping[str, Fact]) -> int:
    """Print each fact beside its gate; returns 1 if one was missed, else 0."""
    missed = 0
    for name, fact in facts.items():
        gate = "" if fact.gate is None else f"  gate {fact.gate:g}"
        failed = fact.gate is not None and fact.value < fact.gate
        missed += failed
        spread = f"{fact.low:g} to {fact.high:g}"
        print(f"{name:24} {fact.value:8g} {fact.unit:6} ({spread}){gate}{'  MISSED' * failed}")
    return int(missed > 0)


def _cpu() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
