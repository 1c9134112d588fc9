"""The tables with one row for each exporter: time and size, a dying peer, answers and limits.

    tables(rows, verdicts, known)       lines of Markdown

A cell is a fact of `benchmarks.exporters`, linked to its entry, or a verdict of
`benchmarks.conformance`, linked to its line further down the page. What neither has is left empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any, TypeAlias

from tools import facts
from tools.facts import Fact

FACTS = "facts.md"
MARKS = {"pass": "✓", "fail": "✗", "n.a.": "-"}

Verdicts: TypeAlias = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""By exporter and by line: the entries of `conformance.json`."""
Cell: TypeAlias = Callable[[str, Mapping[str, str]], str]
"""The cell of one row, by its name and what the benchmark says of it."""

COUNTS = {"spans", "lines", "packages"}
"""Units that the head of the column names."""

TIME = {
    "median": ("p50",),
    "99th percentile": ("p99",),
    "spans a second": ("rate", "spans_per_second"),
    "lines of code": ("lines",),
    "packages": ("packages",),
}
DEATH = {
    "read twice": ("duplicates",),
    "lost": ("lost",),
    "silent": ("silent",),
    "told as unknown": ("unknown",),
    "told as failed": ("failed",),
    "ends late by": ("over",),
}
LINES = {
    "tells a partial success": (29,),
    "retries what it must, no more": (31, 32, 47, 48, 49),
    "Retry-After": (51, 53),
    "RetryInfo": (33, 34, 35),
    "waits differ": (101,),
    "ends by its timeout": (98,),
}
KEEPS = {"keeps to it": (17,)}
LIMITS = {"a request holds": ("max_request",), "arrive of 512": ("oversize",)}


def tables(
    rows: Mapping[str, Mapping[str, str]], verdicts: Verdicts, known: Mapping[str, Fact]
) -> Iterator[str]:
    """The four tables, with what their columns mean."""

    def fact(names: Sequence[str]) -> Cell:
        return lambda name, _: _fact(known, [f"exporters.{name}.{one}" for one in names])

    def verdict(lines: Sequence[int]) -> Cell:
        return lambda _, row: _verdict(verdicts.get(row["conformance"], {}), lines)

    def numbers(named: Mapping[str, Sequence[str]]) -> dict[str, Cell]:
        return {head: fact(names) for head, names in named.items()}

    def judged(named: Mapping[str, Sequence[int]]) -> dict[str, Cell]:
        return {head: verdict(lines) for head, lines in named.items()}

    runs = {one.run.script: one.run for one in known.values()}
    yield from (
        "## Time and size",
        "",
        f"A batch of 512 spans, from finished spans to the answer; `{runs['exporters'].command}`,",
        f"{runs['exporters'].date}. Network rows send to a process on loopback that decodes nothing;",
        "consoles write to the null device; a fan-out is done when both peers have answered. Spans a",
        "second are a ratio to the official exporter over HTTP in the same round. Lines are the",
        "exporter's own, without comments, the records and, of the official ones, the SDK and",
        "generated code. Packages are all that pip has to install.",
        "",
    )
    yield from _table(rows, numbers(TIME))
    yield from (
        "",
        "## When the peer dies",
        "",
        "The peer reads a request whole, and its process ends before it answers. Then it comes back:",
        "of 512 spans, how many did it read twice, and how many were in no request that it answered?",
        "*Silent* are those called delivered though no answer covered them. Or it stays away: what",
        "does the exporter say of the 512 that were read? Last, how long after its timeout does an",
        "export end, to a peer that never answers or refuses the connection?",
        "",
    )
    yield from _table(rows, numbers(DEATH))
    yield from (
        "",
        "## What a peer answers",
        "",
        "A verdict leads to its line below, where a miss tells what was seen.",
        "",
    )
    yield from _table(rows, judged(LINES))
    yield from (
        "",
        "## How large a request may be",
        "",
        "Before compression, unless something else is set; and how many spans arrive of a batch of 512",
        "that is larger than that. A batch may be split, or dropped whole.",
        "",
    )
    yield from _table(rows, numbers(LIMITS) | judged(KEEPS))


def _table(rows: Mapping[str, Mapping[str, str]], columns: Mapping[str, Cell]) -> Iterator[str]:
    """One row for each exporter that has anything to show."""
    yield f"| | {' | '.join(columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    for name, row in rows.items():
        cells = [cell(name, row) for cell in columns.values()]
        if any(cells):
            yield f"| {row['title']} | {' | '.join(cells)} |"


def _fact(known: Mapping[str, Fact], names: Sequence[str]) -> str:
    """The first of the facts that there is."""
    found = next((known[name] for name in names if name in known), None)
    if found is None:
        return ""
    return facts.link(replace(found, unit="") if found.unit in COUNTS else found, None, FACTS)


def _verdict(lines: Mapping[int, Mapping[str, Any]], wanted: Sequence[int]) -> str:
    """One mark for several lines: a miss of one is a miss of all."""
    here = [lines[number] for number in wanted if number in lines]
    for verdict in ("fail", "pass", "n.a."):
        for one in here:
            if one["verdict"] == verdict:
                return f'<a href="#line-{one["line"]}">{mark(one)}</a>'
    return ""


def mark(one: Mapping[str, Any]) -> str:
    """A verdict, with what was seen behind it."""
    sign, seen = MARKS[one["verdict"]], plain(one["seen"])
    return f'<abbr title="{seen}">{sign}</abbr>' if seen else sign


def plain(text: str) -> str:
    """Text that neither Markdown nor HTML takes for its own."""
    return escape(text, quote=True).replace("|", "&#124;").replace("*", "&#42;")
