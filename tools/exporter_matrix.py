"""The page that sets exporters side by side: numbers first, then the lines of the specification.

Numbers are facts of `benchmarks.exporters` and `benchmarks.export` (`exporter_numbers` has their
tables); a verdict is what `benchmarks.conformance` saw. Nothing is written by hand, so a new run is a
new page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.exporter_numbers import MARKS, Verdicts, mark, plain, tables
from tools.facts import Fact

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks/results"
PAGE = "reference/exporters.md"
COSTS = {
    "export.kit.http": "the kit's tracer and pipeline over HTTP",
    "export.kit.grpc": "the same over gRPC",
    "export.adapter.http": "the kit's processor and exporter under the official tracer, HTTP",
    "export.adapter.grpc": "the same over gRPC",
}


def page(known: dict[str, Fact], results: Path = RESULTS) -> str:
    """The Markdown of the page."""
    seen = json.loads((results / "conformance.json").read_text("utf-8"))
    rows = json.loads((results / "exporters.json").read_text("utf-8"))["rows"]
    verdicts = _verdicts(seen["exporters"])
    return "\n".join(
        [
            "# Exporters, line by line",
            "",
            *tables(rows, verdicts, known),
            "",
            "## Line by line",
            "",
            "Every exporter went through the same hostile server:",
            f"`{seen['command']}`, {seen['date']}. Put yours through it with",
            "`otlp-kit conform exporter MODULE:FACTORY`.",
            "",
            *_table(verdicts),
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


def _verdicts(exporters: dict[str, Any]) -> Verdicts:
    return {name: {one["line"]: one for one in run["lines"]} for name, run in exporters.items()}


def _table(verdicts: Verdicts) -> Iterator[str]:
    """One row for each line of the specification, one column for each exporter."""
    texts = {one["line"]: one for lines in verdicts.values() for one in lines.values()}
    yield f"| line | | {' | '.join(verdicts)} |"
    yield f"|---|---|{'---|' * len(verdicts)}"
    for number, told in sorted(texts.items()):
        cells = " | ".join(
            mark(lines[number]) if number in lines else MARKS["n.a."] for lines in verdicts.values()
        )
        anchor = f'<span id="line-{number}"></span>'
        yield f"| {anchor}{number} {told['level']} | {plain(told['text'])} | {cells} |"
