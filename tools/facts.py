"""Measured numbers: read from benchmarks/results, shown with where they come from.

A benchmark writes `benchmarks/results/SCRIPT.json` (benchmarks/harness.py). A page names a fact:

    [[fact:encode.ratio.low]]         value and unit, a link to its entry in reference/facts
    [[fact:encode.ratio.low|.0f]]     the value in another format of Python

A fact is stale when a source that it measured has changed since.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results"
REFERENCE = re.compile(r"\[\[fact:(?P<name>[^\]|]*)(?:\|(?P<format>[^\]]*))?\]\]")
JOINED = {"%", "x"}
"""Units that stand directly behind their number."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a benchmark: what every fact of it shares."""

    script: str
    command: str
    date: str
    machine: dict[str, Any]
    sources: dict[str, str]

    def changed(self) -> list[str]:
        """The measured sources that are not what they were."""
        return [path for path, seen in self.sources.items() if _sha256(ROOT / path) != seen]


@dataclass(frozen=True, slots=True)
class Fact:
    """One number, with its spread over the repetitions of the run."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    what: str
    run: Run
    gate: float | None = None

    def shown(self, format_: str | None = None) -> str:
        return self.with_unit(self.value, format_)

    def spread(self) -> str:
        if self.low == self.high:
            return "the same in every repetition"
        return f"{self.with_unit(self.low)} to {self.with_unit(self.high)}"

    def with_unit(self, value: float, format_: str | None = None) -> str:
        number = format(value, format_) if format_ else _plain(value)
        return f"{number}{'' if self.unit in JOINED else ' '}{self.unit}".rstrip()


def load(results: Path | None = None) -> dict[str, Fact]:
    """Every fact by name. A name that two scripts write raises ValueError."""
    found: dict[str, Fact] = {}
    for path in sorted((results or RESULTS).glob("*.json")):
        data = json.loads(path.read_text("utf-8"))
        run = Run(path.stem, data["command"], data["date"], data["machine"], data["sources"])
        for name, one in data["facts"].items():
            if name in found:
                raise ValueError(f"{path.name} and {found[name].run.script}.json both have {name}")
            found[name] = Fact(
                name, one["value"], one["low"], one["high"], one["unit"], one["what"], run,
                one.get("gate"),
            )  # fmt: skip
    return found


def names(prose: str) -> Iterator[str]:
    """The facts that a page names."""
    for match in REFERENCE.finditer(prose):
        yield match["name"]


def problems(prose: str) -> Iterator[tuple[int, str]]:
    """(position, message) for each unknown name and each format that does not fit."""
    known = load()
    for match in REFERENCE.finditer(prose):
        fact = known.get(match["name"])
        if fact is None:
            yield (
                match.start(),
                f"unknown fact {match['name']!r}: no file of benchmarks/results has it",
            )
            continue
        try:
            fact.shown(match["format"])
        except ValueError:
            yield match.start(), f"{match['format']!r} is not a format of {fact.name}"


def link(fact: Fact, format_: str | None, reference: str) -> str:
    """The fact in Markdown: its value, linked to its entry on the page `reference`."""
    stale = " .fact--stale" if fact.run.changed() else ""
    title = f"{fact.spread()}, measured {fact.run.date} by {fact.run.command}"
    return f'[{fact.shown(format_)}]({reference}#{fact.name} "{title}"){{ .fact{stale} }}'


def page(known: dict[str, Fact]) -> str:
    """The reference page, in Markdown."""
    parts = [
        "# Facts",
        "Every measured number on this site, with what measured it. A benchmark wrote it; nobody "
        "typed it. The spread is over the interleaved repetitions of one run, and your machine "
        "will differ: run the command yourself.",
    ]
    if not known:
        parts.append("No benchmark has been run yet. `make bench` runs them.")
    runs = {fact.run.script: fact.run for fact in known.values()}
    for script, run in runs.items():
        parts += [f"## {script} {{ #{script} }}", *_run(run)]
        parts += [_entry(fact) for fact in known.values() if fact.run.script == script]
    return "\n\n".join(parts) + "\n"


def _run(run: Run) -> Iterator[str]:
    machine, packages = run.machine, run.machine.get("packages", {})
    rows = {
        "Command": f"<code>{escape(run.command)}</code>",
        "Date": run.date,
        "Machine": escape(f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"),
        "Python": machine["python"],
        "Packages": ", ".join(f"{name} {version}" for name, version in packages.items()) or "none",
        "Measured": " ".join(f"<code>{escape(path)}</code>" for path in run.sources),
    }
    body = "".join(
        f"<div><span>{name}</span><div>{text}</div></div>" for name, text in rows.items()
    )
    yield f'<div class="about">{body}</div>'
    if changed := run.changed():
        listed = ", ".join(f"`{path}`" for path in changed)
        yield (
            '!!! warning "Stale"\n'
            f"    Changed since this was measured: {listed}. `{run.command}` measures again."
        )


def _entry(fact: Fact) -> str:
    gate = f" `make bench` wants at least {fact.with_unit(fact.gate)}." if fact.gate else ""
    stale = " **Stale.**" if fact.run.changed() else ""
    what = fact.what[:1].upper() + fact.what[1:].rstrip(".")
    return (
        f"### {fact.name} {{ #{fact.name} }}\n\n"
        f"**{fact.shown()}** ({fact.spread()}){stale}\n\n{what}.{gate}"
    )


def _plain(value: float) -> str:
    """Three digits that count, thousands separated."""
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
