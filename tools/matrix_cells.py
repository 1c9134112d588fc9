"""What generated comparison pages share: cells that are facts, tables, and who comes first.

    cell(known, "compression.ratio.gzip-1.64")      the number, linked to its entry in reference/facts
    table(["", "smaller"], rows)                    lines of Markdown, set tightly
    first(facts_by_name, most=True)                 the best, and whoever cannot be told from it
    by_answer({64: ("zstd 9",), 512: ("zstd 9",)})  {("zstd 9",): [64, 512]}

It knows no benchmark. A cell without a fact is empty: what nothing measured is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import TypeVar

from tools import facts
from tools.facts import Fact

FACTS = "facts.md"
K = TypeVar("K")
A = TypeVar("A")


def cell(
    known: Mapping[str, Fact], name: str, *, unit: bool = False, format_: str | None = None
) -> str:
    """A fact, its unit left to the head of the column unless it is wanted; empty if there is none."""
    fact = known.get(name)
    if fact is None:
        return ""
    return facts.link(fact if unit else replace(fact, unit=""), format_, FACTS)


def verdict(text: str, seen: str) -> str:
    """A checked word, with what was seen behind it."""
    shown = escape(seen, quote=True).replace("|", "&#124;").replace("\n", "; ")
    return f'<abbr title="{shown}">{escape(text)}</abbr>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield from ('<div class="matrix" markdown>', "", f"| {' | '.join(head)} |")
    yield f"|---|{'--:|' * (len(head) - 1)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield from ("", "</div>", "")


def first(found: Mapping[K, Fact], *, most: bool) -> tuple[K, ...]:
    """The key of the largest fact (or the smallest), and those whose spread reaches into its own."""
    if not found:
        return ()
    if most:
        best = max(found.values(), key=lambda fact: fact.value)
        return tuple(key for key, fact in found.items() if fact.high >= best.low)
    best = min(found.values(), key=lambda fact: fact.value)
    return tuple(key for key, fact in found.items() if fact.low <= best.high)


def by_answer(answers: Mapping[K, A]) -> dict[A, list[K]]:
    """Who has which answer, the answer of most first."""
    found: dict[A, list[K]] = {}
    for key, answer in answers.items():
        found.setdefault(answer, []).append(key)
    return dict(sorted(found.items(), key=lambda one: -len(one[1])))


def words(items: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    *others, end = items
    return f"{', '.join(others)} {last} {end}" if others else end
