"""The page that sets exporters side by side, from what `benchmarks.conformance` saw.

A cell is a verdict of the suite, with what was seen where a line is missed; the numbers below come
from `benchmarks.export`. Nothing is written by hand, so a new run is a new page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from tools.facts import Fact

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks/results"
PAGE = "reference/exporters.md"
MARKS = {"pass": "✓", "fail": "✗", "n.a.": "-"}
COSTS = {
    "export.kit.http": "the kit's tracer and pipeline over HTTP",
    "export.kit.grpc": "the same over gRPC",
    "export.adapter.http": "the kit's processor and exporter under the official tracer, HTTP",
    "export.adapter.grpc": "the same over gRPC",
}


def page(known: dict[str, Fact]) -> str:
    """The Markdown of the page."""
    result = json.loads((RESULTS / "conformance.json").read_text("utf-8"))
    return "\n".join(
        [
            "# Exporters, line by line",
            "",
            "Every exporter went through the same hostile server:",
            f"`{result['command']}`, {result['date']}. Put yours through it with",
            "`otlp-kit conform exporter MODULE:FACTORY`.",
            "",
            *_table(result["exporters"]),
            "",
            f"{MARKS['fail']} tells what was seen when you point at it; {MARKS['n.a.']} is a line that",
            "does not concern this exporter, or that its interface has no place for.",
            "",
            "## What a span costs",
            "",
            "From its start to the server's answer, against the official SDK and exporter:",
            "",
            "| | times less CPU | spread |",
            "|---|---|---|",
            *(f"| {what} | {known[name].shown()} | {known[name].spread()} |"
              for name, what in COSTS.items() if name in known),
            "",
        ]
    )  # fmt: skip


def _table(exporters: dict[str, Any]) -> Iterator[str]:
    """One row for each line of the specification, one column for each exporter."""
    verdicts = {name: {one["line"]: one for one in run["lines"]} for name, run in exporters.items()}
    texts = {one["line"]: one for lines in verdicts.values() for one in lines.values()}
    yield f"| line | | {' | '.join(verdicts)} |"
    yield f"|---|---|{'---|' * len(verdicts)}"
    for number, told in sorted(texts.items()):
        cells = " | ".join(_cell(lines.get(number)) for lines in verdicts.values())
        yield f"| {number} {told['level']} | {_plain(told['text'])} | {cells} |"


def _cell(one: dict[str, Any] | None) -> str:
    if one is None:
        return MARKS["n.a."]
    mark, seen = MARKS[one["verdict"]], _plain(one["seen"])
    return f'<abbr title="{seen}">{mark}</abbr>' if seen else mark


def _plain(text: str) -> str:
    return escape(text, quote=True).replace("|", "&#124;").replace("*", "&#42;")
