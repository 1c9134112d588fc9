"""The page that sets compression methods side by side, and says which one to take.

Numbers are facts of `benchmarks.compression`; what servers must read is cited; whether a method is in
the standard library, and whether this kit's receiver reads it, is tried when the page is made. The
sentences above the tables are computed from the same numbers: a new run is a new answer.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from otlp_kit.exporters.compression import igzip, zstd
from otlp_kit.receiver.limits import UnsupportedEncoding, decompress
from tools.facts import Fact
from tools.matrix_cells import by_answer, cell, first, table, verdict, words

PAGE = "reference/compression.md"
BATCHES = (1, 64, 512, 4096)
GIGABIT = 125.0
"""Megabytes a second: 10^9 bits, of eight a byte."""

MUST = "https://opentelemetry.io/docs/specs/otlp/#protocol-details"
"""All servers have to support `none` and `gzip`; nothing else is named there."""
SINCE = {
    "compression.zstd": ("from 3.14", "https://docs.python.org/3/library/compression.zstd.html")
}
"""Modules that came later than the oldest Python which the kit runs on."""


@dataclass(frozen=True, slots=True)
class Method:
    """One row. `encoding` is the value of Content-Encoding, `module` what does it in Python."""

    name: str
    encoding: str
    module: str
    pack: Callable[[bytes], Any] | None

    @property
    def required(self) -> bool:
        return self.encoding in ("none", "gzip")

    @property
    def standard(self) -> bool:
        return self.module.partition(".")[0] in sys.stdlib_module_names


def _zstd(level: int) -> Callable[[bytes], Any] | None:
    return (lambda body: zstd.compress(body, level)) if zstd else None


METHODS = {
    "gzip-1": Method("gzip 1", "gzip", "zlib", lambda body: gzip.compress(body, 1)),
    "gzip-6": Method("gzip 6", "gzip", "zlib", lambda body: gzip.compress(body, 6)),
    "gzip-9": Method("gzip 9", "gzip", "zlib", lambda body: gzip.compress(body, 9)),
    "isal-1": Method("isal 1", "gzip", "isal",
                     (lambda body: igzip.compress(body, 1)) if igzip else None),
    "zstd-1": Method("zstd 1", "zstd", "compression.zstd", _zstd(1)),
    "zstd-3": Method("zstd 3", "zstd", "compression.zstd", _zstd(3)),
    "zstd-9": Method("zstd 9", "zstd", "compression.zstd", _zstd(9)),
    "deflate-6": Method("deflate 6", "deflate", "zlib", lambda body: zlib.compress(body, 6)),
}  # fmt: skip
REQUIRED = [name for name, method in METHODS.items() if method.required]
ZLIB = [name for name in REQUIRED if METHODS[name].module == "zlib"]

COLUMNS = {
    "times smaller": "ratio",
    "pack, us": "pack",
    "unpack, us": "unpack",
    "ms per MB": "price",
    "pays below": "line",
}
Known = Mapping[str, Fact]


def page(known: Known) -> str:
    """The Markdown of the page."""
    run = known["compression.bytes.none.1"].run
    lines = [
        "# Compression, measured",
        "",
        *answer(known),
        "",
        f"`{run.command}`, {run.date}, {run.machine['cpu']}, Python {run.machine['python']}: requests",
        "of spans with ten attributes and an event. How it works is told in",
        "[Compression](../concepts/compression.md).",
        "",
        "*pack* and *unpack* are CPU for each span. *ms per MB* is the CPU of both ends for each",
        "megabyte that is saved. *pays below* is a line's speed, in megabytes per second: (bytes before -",
        "bytes after) / seconds to pack. On a slower line the request arrives earlier compressed. To count",
        "unpacking as well, divide 1,000 by *ms per MB*. † is not named in the specification.",
        "",
    ]
    for batch in BATCHES:
        lines += [
            f"## {_spans(batch).capitalize()}",
            "",
            *told(known, batch),
            "",
            *_table(known, batch),
        ]
    lines += [
        "## Who reads it, and where it comes from { #who-reads-it }",
        "",
        "What a server must read is what the specification says; the rest was tried when this page was",
        "made.",
        "",
        *table(["", "every server", "this kit's receiver", "standard library"], _origins()),
    ]
    return "\n".join(lines)


def answer(known: Known) -> Iterator[str]:
    """What to do, in a few lines."""
    one, more = _facts(known, "ratio", 1), _facts(known, "ratio", 64)
    best = max(one, key=lambda name: one[name].value)
    worst = min(more, key=lambda name: more[name].value)
    least, most = (
        cell(known, f"compression.ratio.{name}.{batch}", unit=True)
        for name, batch in ((best, 1), (worst, 64))
    )
    if one[best].high < more[worst].low:
        yield f"**Batch first**: the best method makes one span {least} smaller, the worst makes 64 of"
        yield f"them {most} smaller. Then:"
    else:
        yield f"The best method makes one span {least} smaller, the worst makes 64 of them {most}"
        yield "smaller."
    yield ""
    yield f"- **Least CPU for a megabyte saved**, of what every server must read: {_winners(known, 'price', REQUIRED)}."
    yield f"  With zlib alone: {_winners(known, 'price', ZLIB)}."
    yield f"- **Fewest bytes**, of what every server must read: {_winners(known, 'ratio', REQUIRED)}."
    yield f"- **If the server reads everything**: least CPU by {_winners(known, 'price', list(METHODS))}."
    yield f"  Fewest bytes by {_winners(known, 'ratio', list(METHODS))}."


def told(known: Known, batch: int) -> Iterator[str]:
    """What one table says."""
    raw = cell(known, f"compression.bytes.none.{batch}", unit=True, format_=".0f")
    lines = _facts(known, "line", batch)
    pays = [METHODS[name].name for name, fact in lines.items() if fact.value > GIGABIT]
    yield f"Not compressed, a span has {raw}. On gigabit Ethernet, {GIGABIT:.0f} megabytes per second, a"
    if pays:
        slower = "all of them" if len(pays) == len(lines) else words(pays)
        yield f"request arrives earlier by {slower}."
    else:
        yield "request arrives earlier by none of them."


def _winners(known: Known, measure: str, names: list[str]) -> str:
    """`isal 1 at 64 and 512 spans, gzip 1 at one span`; at every size if it is the same."""
    most = measure == "ratio"
    answers = {}
    for batch in BATCHES:
        among = {
            name: fact for name, fact in _facts(known, measure, batch).items() if name in names
        }
        answers[batch] = tuple(METHODS[name].name for name in first(among, most=most))
    grouped = by_answer(answers)
    if len(grouped) == 1:
        return f"{words(next(iter(grouped)), 'or')} at every size"
    return "; ".join(
        f"{words(who, 'or')} at {_spans(*batches)}" for who, batches in grouped.items()
    )


def _facts(known: Known, measure: str, batch: int) -> dict[str, Fact]:
    found = {name: known.get(f"compression.{measure}.{name}.{batch}") for name in METHODS}
    return {name: fact for name, fact in found.items() if fact is not None}


def _table(known: Known, batch: int) -> Iterator[str]:
    def row(name: str, title: str) -> list[str]:
        bytes_ = cell(known, f"compression.bytes.{name}.{batch}", format_=",.0f")
        numbers = (cell(known, f"compression.{one}.{name}.{batch}") for one in COLUMNS.values())
        return [title, bytes_, *numbers]

    rows = [row("none", "none")]
    for name, method in METHODS.items():
        mark = "" if method.required else " [†](#who-reads-it)"
        rows.append(row(name, method.name + mark))
    yield from table(["", "bytes", *COLUMNS], rows)


def _origins() -> Iterator[list[str]]:
    """One row for each encoding and what makes it."""
    must = f"[MUST]({MUST})"
    yield ["none", must, reads(Method("none", "", "", bytes)), ""]
    seen = set()
    for method in METHODS.values():
        name = method.name.rpartition(" ")[0]
        if name not in seen:
            seen.add(name)
            accepted = must if method.required else f"[not named]({MUST})"
            yield [name, accepted, reads(method), in_library(method)]


def reads(method: Method) -> str:
    """Whether a body comes out of the receiver as it went in."""
    body = b"a span, and a span, and a span" * 20
    if method.pack is None:
        return ""
    try:
        same = decompress(method.pack(body), method.encoding, len(body)) == body
    except UnsupportedEncoding:
        return verdict("no", "otlp_kit.receiver.limits.decompress: UnsupportedEncoding")
    return verdict(
        "yes" if same else "no", "packed, then read by otlp_kit.receiver.limits.decompress"
    )


def in_library(method: Method) -> str:
    """By the list of its modules that Python has, or, for what came later, by its documentation."""
    if method.module in SINCE:
        since, link = SINCE[method.module]
        return f"[{since}]({link})"
    python = ".".join(map(str, sys.version_info[:2]))
    has = "has" if method.standard else "has not"
    seen = f"sys.stdlib_module_names of Python {python} {has} {method.module}"
    return verdict("yes" if method.standard else f"no, package {method.module}", seen)


def _spans(*batches: int) -> str:
    return "one span" if batches == (1,) else f"{words(f'{one:,}' for one in batches)} spans"
