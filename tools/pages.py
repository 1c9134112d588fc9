"""The form of a page, and everything else about it that can be checked without running it.

    python -m tools.pages        check README.md and docs/, print PATH:LINE: what is wrong

A page of docs/learn, docs/howto or docs/concepts opens with front matter (`question`, `modules`,
`concepts`, `facts`, `exercise`), repeats the question as its first line of text, and has at most
900 words. Facts, numbers and quotes (`tools.facts`, `tools.numbers`, `tools.sources`) are checked
on every page. The site's hook and the tests call `problems`, so a build and a check say the same.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tools import facts, numbers, sources

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
FORMED = {"learn", "howto", "concepts"}
KEYS = ("question", "modules", "concepts", "facts", "exercise")
MOST_WORDS = 900

FRONT_MATTER = re.compile(r"\A---\n(.*?)^---\n", re.S | re.M)
STRAY_FENCE = re.compile(r"^[ \t>*+\-\d.)]*(```|~~~)", re.M)
CODE = re.compile(r"<!--.*?-->|(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)", re.S)


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong, and where a person has to look."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        near = self.path.relative_to(Path.cwd()) if self.path.is_relative_to(Path.cwd()) else None
        return f"{near or self.path}:{self.line}: {self.text}"


def problems(path: Path, *, quotes: bool = True) -> list[Problem]:
    """Everything that is wrong with the page at `path`, in order of lines.

    Without `quotes`, what the quotes hold is not compared: the docs tests do that fence by fence.
    """
    text = path.read_text(encoding="utf-8")
    prose = blank(text)
    found = [*_form(path, text, prose), *_stray_fences(prose), *facts.problems(prose)]
    found += numbers.problems(text, prose)
    found += sources.problems(text) if quotes else sources.dangling(text)
    return sorted(Problem(path, line_of(text, at), message) for at, message in found)


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def blank(text: str) -> str:
    """`text` with front matter, fences, comments and code as spaces: prose, every character in place."""

    def spaces(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    for pattern in (FRONT_MATTER, sources.FENCE, CODE):
        text = pattern.sub(spaces, text)
    return text


def is_formed(path: Path) -> bool:
    """Whether the page has to have the form: it lies in docs/learn, docs/howto or docs/concepts."""
    return path.parent.name in FORMED and path.parent.parent.name == "docs"


def front_matter(text: str) -> dict[str, Any]:
    match = FRONT_MATTER.match(text)
    meta = yaml.safe_load(match[1]) if match else None
    return meta if isinstance(meta, dict) else {}


@cache
def concepts() -> dict[str, dict[str, str]]:
    """The concepts that pages name, from docs/concepts.yaml."""
    return {one["id"]: one for one in yaml.safe_load((DOCS / "concepts.yaml").read_text("utf-8"))}


def module_path(name: str) -> Path:
    """The file of a module such as `otlp_kit.processors.buffer`, relative to the repository."""
    path = Path(*name.split("."))
    return path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")


def _form(path: Path, text: str, prose: str) -> Iterator[tuple[int, str]]:
    words = len(re.findall(r"\w[\w'\u2019-]*", numbers.ADDRESS.sub("", prose)))
    if words > MOST_WORDS:
        yield 0, f"{words} words; a page has at most {MOST_WORDS}"
    if not is_formed(path):
        return
    try:
        meta = front_matter(text)
    except yaml.YAMLError as error:
        yield 0, f"the front matter is not YAML: {error}"
        return

    def at(key: str, value: object = "") -> int:
        """Where front matter says `value`, or has `key`."""
        for part in (str(value), f"{key}:"):
            place = text.find(part) if part else -1
            if place >= 0:
                return place
        return 0

    for key in KEYS:
        if key not in meta:
            yield 0, f"the front matter has no `{key}`"
    for module in meta.get("modules") or ():
        if not (ROOT / module_path(module)).is_file():
            yield at("modules", module), f"there is no module {module}"
    for concept in meta.get("concepts") or ():
        if concept not in concepts():
            yield at("concepts", concept), f"docs/concepts.yaml has no concept {concept}"
    named, used = set(meta.get("facts") or ()), set(facts.names(prose))
    for name in sorted(named - used):
        yield at("facts", name), f"the front matter names the fact {name}; the page does not use it"
    for name in sorted((used - named) & set(facts.load())):
        yield prose.find(f"[[fact:{name}"), f"the front matter does not name the fact {name}"
    exercise = str(meta.get("exercise") or "")
    if exercise and not _exercise_exists(exercise, prose):
        yield at("exercise"), f"no heading of this page and no checker of the Lab is `{exercise}`"
    first = re.search(r"^[^#\s].*$", prose, re.M)
    if "question" in meta and (first is None or first[0].strip() != meta["question"]):
        yield first.start() if first else 0, "the first line of text is not the page's question"


def _exercise_exists(name: str, prose: str) -> bool:
    """`#some-heading` of this page, or a function of otlp_kit/lab/exercises*.py."""
    if name.startswith("#"):
        headings = re.findall(r"^#+ +(.+)$", prose, re.M)
        return name[1:] in {re.sub(r"[^\w]+", "-", h.lower()).strip("-") for h in headings}
    trees = (ast.parse(path.read_text("utf-8")) for path in ROOT.glob("otlp_kit/lab/exercises*.py"))
    nodes = (node for tree in trees for node in tree.body)
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in nodes)


def _stray_fences(prose: str) -> Iterator[tuple[int, str]]:
    for match in STRAY_FENCE.finditer(prose):
        yield match.start(), "a fence that is not closed, or stands in a quote or list item's line"


def all_pages() -> list[Path]:
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def main() -> int:
    found = [problem for path in all_pages() for problem in problems(path)]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
