"""Reads the tables of a generated page back: what stands in which cell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tools.facts import Fact

LINK = re.compile(r'\[(?P<shown>[^]]+)\]\(facts\.md#(?P<name>[^ ]+) "[^"]*"\)\{ [^}]+ \}')
VERDICT = re.compile(r'<abbr title="(?P<seen>[^"]+)">(?P<word>[^<]+)</abbr>')


def cells(page: str) -> Iterator[tuple[str, str, str, str]]:
    """(heading, row, column, cell); the empty cells are left out."""
    heading, heads = "", list[str]()
    for line in page.splitlines():
        if line.startswith("#"):
            heading = line.strip("# ")
        if not line.startswith("|"):
            heads = []
            continue
        first, *rest = [cell.strip() for cell in line.strip("|").split("|")]
        if not heads:
            heads = rest
        elif set(first) != {"-"}:
            yield from (
                (heading, first, head, cell) for head, cell in zip(heads, rest, strict=True) if cell
            )


def text(markdown: str) -> str:
    """What a reader sees of it: links and marks gone, one line."""
    return " ".join(LINK.sub(r"\g<shown>", markdown).replace("**", "").split())


def changed(known: dict[str, Fact], values: dict[str, float]) -> dict[str, Fact]:
    """The facts of another run, in which these have other values, without spread."""
    return known | {
        name: replace(known[name], value=value, low=value, high=value)
        for name, value in values.items()
    }
