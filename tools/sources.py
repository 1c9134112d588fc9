"""Quotes on pages, kept equal to what they quote.

    python -m tools.sources            check every page
    python -m tools.sources --write    renew every quote in place

A comment directly above a fence says where its text comes from:

    <!-- source: otlp_kit/ledger.py:Ledger.dropped -->     the source of a symbol, dedented
    <!-- generated: tools.figures:processor_states -->     what a function returns

So a page shows the code that runs, and a diagram the table that the code decides by.
"""

from __future__ import annotations

import ast
import difflib
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<ticks>`{3,}|~{3,})(?P<info>[^\n`]*)\n"
    r"(?P<body>(?:.*\n)*?)(?P=indent)(?P=ticks)[ \t]*$",
    re.M,
)
COMMENT = re.compile(r"^[ \t]*<!-- (?P<kind>source|generated): *(?P<what>\S+) -->[ \t]*$", re.M)


class NoSource(Exception):
    """A comment points at something that is not there."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A fence and the comment above it. Positions count characters of the page."""

    at: int
    """Where the comment begins."""
    kind: str
    what: str
    body: str
    body_at: int
    indent: str

    def wanted(self) -> str:
        """What the fence should hold, indented as it is on the page. Raises `NoSource`."""
        text = quoted(self.what) if self.kind == "source" else generated(self.what)
        return textwrap.indent(text.rstrip("\n") + "\n", self.indent)

    def difference(self) -> tuple[int, str] | None:
        """Position and description of the first difference, or None."""
        try:
            wanted = self.wanted()
        except NoSource as error:
            return self.at, str(error)
        if wanted == self.body:
            return None
        old, new = self.body.splitlines(keepends=True), wanted.splitlines(keepends=True)
        same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
        first = min(len(old), len(new)) if same is None else same
        change = "".join(difflib.unified_diff(old, new, "page", self.what, n=1))
        return (
            self.body_at + sum(map(len, old[:first])),
            f"differs from {self.what}; `python -m tools.sources --write` renews it\n{change}",
        )


def quotes(text: str) -> Iterator[Quote]:
    """Each comment with the fence that follows it on the next line."""
    fences = {match.start(): match for match in FENCE.finditer(text)}
    for comment in _comments(text):
        if fence := fences.get(comment.end() + 1):
            yield Quote(
                comment.start(),
                comment["kind"],
                comment["what"],
                fence["body"],
                fence.start("body"),
                fence["indent"],
            )


def dangling(text: str) -> Iterator[tuple[int, str]]:
    """(position, message) for each comment that no fence follows."""
    paired = {quote.at for quote in quotes(text)}
    for comment in _comments(text):
        if comment.start() not in paired:
            yield comment.start(), "no fence follows on the next line"


def problems(text: str) -> Iterator[tuple[int, str]]:
    """(position, message) for each comment without a fence, and each fence that differs."""
    yield from dangling(text)
    for quote in quotes(text):
        if found := quote.difference():
            yield found


def quoted(what: str) -> str:
    """The source of `PATH:SYMBOL`, or the whole file for `PATH`."""
    path, _, symbol = what.partition(":")
    if not (ROOT / path).is_file():
        raise NoSource(f"there is no file {path}")
    if not symbol:
        return (ROOT / path).read_text("utf-8")
    first, last, lines = _find(path, symbol)
    return textwrap.dedent("\n".join(lines[first - 1 : last]))


def first_line(what: str) -> int:
    """The line of its file on which the symbol of `PATH:SYMBOL` begins."""
    path, _, symbol = what.partition(":")
    return _find(path, symbol)[0] if symbol else 1


def generated(what: str) -> str:
    """What the function `MODULE:FUNCTION` returns."""
    module, _, function = what.partition(":")
    try:
        return str(getattr(import_module(module), function)())
    except (ImportError, AttributeError) as error:
        raise NoSource(f"{what}: {error}") from error


def _comments(text: str) -> Iterator[re.Match[str]]:
    """Comments outside fences: a page that shows how to write one is no quote."""
    inside = [fence.span() for fence in FENCE.finditer(text)]
    for comment in COMMENT.finditer(text):
        if not any(start <= comment.start() < end for start, end in inside):
            yield comment


def _find(path: str, symbol: str) -> tuple[int, int, list[str]]:
    """First line (of the first decorator), last line, and all lines of the file."""
    lines, tree = _parsed(ROOT / path)
    body, node = tree.body, None
    for name in symbol.split("."):
        node = next((one for one in body if name in _names(one)), None)
        if node is None:
            raise NoSource(f"{path} has no {symbol}")
        body = getattr(node, "body", [])
    assert node is not None
    decorators = getattr(node, "decorator_list", [])
    return min(one.lineno for one in [node, *decorators]), node.end_lineno or node.lineno, lines


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


@cache
def _parsed(path: Path) -> tuple[list[str], ast.Module]:
    text = path.read_text("utf-8")
    return text.splitlines(), ast.parse(text)


def renew(text: str) -> str:
    """The page with every quote as it should be. Raises `NoSource`."""
    for quote in reversed(list(quotes(text))):
        end = quote.body_at + len(quote.body)
        text = text[: quote.body_at] + quote.wanted() + text[end:]
    return text


def main(arguments: list[str]) -> int:
    from tools.pages import Problem, all_pages, line_of

    failed = False
    for path in all_pages():
        text = path.read_text("utf-8")
        try:
            new = renew(text) if "--write" in arguments else text
        except NoSource:
            new = text
        if new != text:
            path.write_text(new, "utf-8")
            print(f"renewed {path.relative_to(ROOT)}")
        for at, message in problems(new):
            failed = True
            print(Problem(path, line_of(new, at), message))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
