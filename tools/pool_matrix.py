"""The page that sets pools side by side, and says where they lose.

Numbers are facts of `benchmarks.pools`; what is left in a thing that comes back is what `check_pool`
says when the page is made. The sentences above the tables are computed from the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.facts import Fact
from tools.matrix_cells import cell, table, verdict, words
from tools.pool_checks import Verdict, trials

PAGE = "reference/pools.md"
THREADS = (1, 2, 4)
WAYS = {"plain": "none", "list": "bare list", "local": "thread-local", "locked": "locked"}
POOLED = [way for way in WAYS if way != "plain"]
STALE = {True: "yes", False: "no", None: "not seen"}


@dataclass(frozen=True, slots=True)
class Thing:
    """What is kept. `memory` is how its facts of memory are named, if it has some."""

    title: str
    unit: str
    memory: str = ""


THINGS = {
    "span": Thing("spans", "ns", "pools.object.{memory}.{way}"),
    "buffer.64": Thing("buffers of 64 bytes", "ns", "pools.{memory}.buffer.64.{way}"),
    "buffer.16k": Thing("buffers of 16 KiB", "ns", "pools.{memory}.buffer.16k.{way}"),
    "buffer.64k": Thing("buffers of 64 KiB", "ns", "pools.{memory}.buffer.64k.{way}"),
    "buffer.1m": Thing("buffers of 1 MiB", "us", "pools.{memory}.buffer.1m.{way}"),
    "buffer.4m": Thing("buffers of 4 MiB", "us", "pools.{memory}.buffer.4m.{way}"),
    "connection.http": Thing("HTTP connections", "us"),
    "connection.tls": Thing("TLS connections", "us"),
    "connection.sqlite": Thing("SQLite handles", "us"),
}
GROUPS = {"Objects": "span", "Buffers": "buffer", "Connections": "connection"}
TOLD = {
    "Objects": "512 are held at once, each gets a name and an attribute, then all are given back.",
    "Buffers": "Each is written to once. *peak* and *kept* are of four that are held at once.",
    "Connections": (
        "One request, or one query, to a server or file on this machine. Most of the memory of these"
        " is not Python's, and was not measured."
    ),
}
Known = Mapping[str, Fact]


def page(known: Known) -> str:
    """The Markdown of the page."""
    run = known["pools.use.span.plain.1"].run
    lines = [
        "# Pools, measured",
        "",
        *answer(known),
        "",
        f"`{run.command}`, {run.date}, {run.machine['cpu']}, {run.machine['cores']} cores, Python",
        f"{run.machine['python']}. When reuse pays, and why, is told in [Pools](../concepts/pools.md).",
        "",
        "The *bare list* has no lock and no bound, and does not know who holds what. *Thread-local* is",
        "`ThreadLocalPool`, *locked* is `ObjectPool`, or `BufferPool` for buffers. Times are by the clock",
        "for each use, with so many threads at it together; *hits* is the share of uses that made nothing,",
        "from the first use on. *peak* is the most memory while things are held, *kept* what stays when all",
        "have come back, in KiB.",
        "",
    ]
    for heading, group in GROUPS.items():
        lines += [f"## {heading}", "", TOLD[heading], ""]
        things = [name for name in THINGS if name.partition(".")[0] == group]
        for name in things:
            thing = THINGS[name]
            lines += (
                [f"### {thing.title[:1].upper()}{thing.title[1:]}", ""] if len(things) > 1 else []
            )
            lines += _table(known, name)
    lines += [
        "## What is left in it",
        "",
        "`check_pool` dirties every field it finds, gives the thing back and asks for one again. Is",
        "anything left? Point at an answer to see what it said.",
        "",
        *table(["", *WAYS.values()], (_row(*one) for one in trials())),
        "Where nothing is reused, nothing is left. *Not seen*: the check found no field, so it says nothing.",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def answer(known: Known) -> Iterator[str]:
    """Where the kit's own pool wins, where it loses, and what the others make of that."""
    outcomes = {
        way: {name: found for name in THINGS if (found := outcome(known, name, way))}
        for way in POOLED
    }
    for word, text in (
        ("wins", "**The locked pool wins**, on any number of threads"),
        ("loses", "**It loses**, on any number of threads"),
        ("draws", "**Neither, or not on every number of threads**"),
    ):
        names = [name for name, found in outcomes["locked"].items() if found == word]
        cases = "; ".join(_case(known, name) for name in names)
        yield f"- {text}: {cases or 'nowhere'}."
    for way, subject in (("list", "A bare list"), ("local", "A list for each thread")):
        parts = []
        for word in ("wins", "loses"):
            names = [name for name, found in outcomes[way].items() if found == word]
            parts.append(f"{word} for {_titles(names) or 'nothing'}")
        yield f"- {subject} {', and '.join(parts)}."
    yield ""
    yield "In brackets: a use on one thread, pooled against made anew."


def _titles(names: Sequence[str]) -> str:
    """`spans, buffers of 64 bytes and 16 KiB, and HTTP connections`."""
    groups: dict[str, list[str]] = {}
    for name in names:
        kind, of, size = THINGS[name].title.partition(" of ")
        groups.setdefault(kind + of, []).append(size)
    parts = [f"{kind}{words(sizes)}" for kind, sizes in groups.items()]
    return f"{', '.join(parts[:-1])}, and {parts[-1]}" if len(parts) > 2 else " and ".join(parts)


def outcome(known: Known, name: str, way: str) -> str:
    """`wins` or `loses` where the spreads are apart on every number of threads, else `draws`."""
    seen = set()
    for threads in THREADS:
        pooled = known.get(f"pools.use.{name}.{way}.{threads}")
        plain = known.get(f"pools.use.{name}.plain.{threads}")
        if pooled is None or plain is None:
            return ""
        apart = pooled.high < plain.low or pooled.low > plain.high
        seen.add(("wins" if pooled.value < plain.value else "loses") if apart else "draws")
    return seen.pop() if len(seen) == 1 else "draws"


def _case(known: Known, name: str) -> str:
    pooled, plain = (
        cell(known, f"pools.use.{name}.{way}.1", unit=True) for way in ("locked", "plain")
    )
    return f"{THINGS[name].title} ({pooled} against {plain})"


def _table(known: Known, name: str) -> Iterator[str]:
    thing = THINGS[name]
    head = [
        "",
        f"1 thread, {thing.unit}",
        *(f"{threads} threads" for threads in THREADS[1:]),
        "hits, %",
    ]
    memory = ("peak", "kept") if thing.memory else ()

    def row(way: str) -> list[str]:
        cells = [cell(known, f"pools.use.{name}.{way}.{threads}") for threads in THREADS]
        cells.append(cell(known, f"pools.hits.{name}.{way}"))
        cells += (cell(known, thing.memory.format(memory=one, way=way)) for one in memory)
        return [WAYS[way], *cells]

    yield from table([*head, *memory], (row(way) for way in WAYS))


def _row(title: str, verdicts: Mapping[str, Verdict]) -> list[str]:
    return [
        title,
        *(verdict(STALE[one.stale], one.seen) for one in map(verdicts.__getitem__, WAYS)),
    ]
