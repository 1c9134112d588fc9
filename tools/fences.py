"""The docs test engine: every fence of every page is executed or checked.

pytest collects pages through `conftest.py`; each fence is one test, named by its line.

    python                  runs; blocks of a page share one namespace; `await` works
    pycon                   runs; what each `>>>` shows is compared
    text title="Output"     compared with what the block above printed; `...` matches anything
    console                 each `$ command` runs in the page's shell; output shown is compared
    bash                    runs on its own and has to succeed
    python title="a.py"     becomes the file a.py in the page's folder, for a console to use; so
                            does a fence of any language below; Python, YAML ... have to parse
    yaml, json, toml        has to parse
    mermaid                 has to begin with a kind of diagram (the browser test draws it)

A fence below a `source:` or `generated:` comment is compared by `tools.sources` instead. A
language that is not in the table fails, so nothing is left unchecked by accident. `make TARGET` in
a console is checked to be a target, not run. What a reader need not see:

    <!-- skip: next "why" -->                        counted by tests/meta
    <!-- invisible-code-block: python ... -->        runs like a fence of that language
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import inspect
import io
import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.doctest import DocTestEvaluator
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown import SkipParser
from sybil.region import Lexeme

from tools import pages, sources
from tools.page_run import ROOT, Page

Result = str | None
INVISIBLE = re.compile(
    r"^<!-- invisible-code-block: (?P<info>\w+)[ \t]*\n(?P<body>.*?)^-->", re.M | re.S
)
FILE = re.compile(r'title="(?P<name>[\w./-]+\.\w+)"')
DIAGRAMS = {"classDiagram", "erDiagram", "flowchart", "sequenceDiagram", "stateDiagram-v2",
            "timeline", "gantt", "xychart-beta"}  # fmt: skip
DOCTESTS = DocTestStringParser(DocTestEvaluator(doctest.ELLIPSIS))


def collector(root: Path) -> Callable[..., Any]:
    """What a conftest.py assigns to `pytest_collect_file`: README.md and docs/ below `root`."""
    return Sybil(
        parsers=[parse_problems, parse_fences, SkipParser()],
        path=str(root),
        patterns=["docs/**/*.md", "docs/*.md", "README.md"],
        document_types={".md": Page},
        teardown=lambda namespace: namespace["__page__"].close(),
    ).pytest()


def parse_problems(document: Document) -> Iterator[Region]:
    """One test for the form of the page, which passes, and one for each problem, at its line."""
    yield Region(0, 0, evaluator=lambda _: None)
    starts = [0, *(match.end() for match in re.finditer("\n", document.text))]
    for problem in pages.problems(Path(document.path), quotes=False):
        at = starts[problem.line - 1]
        yield Region(at, at, evaluator=lambda _, problem=problem: str(problem))


def parse_fences(document: Document) -> Iterator[Region]:
    """One test for each fence; for `pycon`, one for each prompt."""
    quotes = {quote.body_at: quote for quote in sources.quotes(document.text)}
    for pattern in (sources.FENCE, INVISIBLE):
        for fence in pattern.finditer(document.text):
            language, _, options = fence["info"].strip().partition(" ")
            body, at = fence["body"], fence.start("body")
            if language == "pycon" and at not in quotes:
                for region in DOCTESTS(body, document.path):
                    region.adjust(Region(at, fence.end("body")), Lexeme(body, 0, 0))
                    yield region
                continue
            evaluator = EVALUATORS.get(language) or unknown(language)
            file = FILE.search(options) if language in EVALUATORS else None
            if file:
                evaluator = write_file
            if quote := quotes.get(at):
                evaluator = check_quote
            indent = fence.groupdict().get("indent") or ""
            source = re.sub(rf"^{indent}", "", body, flags=re.M)
            parsed = (source, quote or (file and file["name"]) or options or language)
            yield Region(fence.start(), fence.end(), parsed, evaluator)


def at_line(example: Example, offset: int, message: str) -> str:
    """A message that begins with the page and the line `offset` lines below the fence's first."""
    return str(pages.Problem(Path(example.path), example.line + 1 + offset, message))


def check_quote(example: Example) -> Result:
    quote = example.parsed[1]
    if found := quote.difference():
        line = pages.line_of(example.document.text, found[0])
        return str(pages.Problem(Path(example.path), line, found[1]))
    return None


def run_python(example: Example) -> Result:
    page: Page = example.document
    tree = ast.parse(page.local(example.parsed[0]), example.path)
    ast.increment_lineno(tree, example.line)
    code = compile(tree, example.path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.chdir(page.folder):
        result = eval(code, page.namespace)
        if inspect.iscoroutine(result):
            page.runner.run(result)
    page.printed = page.published(printed.getvalue())
    return None


def compare_output(example: Example) -> Result:
    source, options = example.parsed
    if options != 'title="Output"':
        return at_line(example, -1, 'a text fence shows output: write ```text title="Output"')
    printed, example.document.printed = example.document.printed, None
    if printed is None:
        return at_line(example, -1, "no block above has printed anything")
    return difference(example, 0, source, printed)


def run_console(example: Example) -> Result:
    page: Page = example.document
    lines = example.parsed[0].splitlines()
    if not lines or not lines[0].startswith("$ "):
        return at_line(example, 0, "a console begins with `$ ` and a command")
    for first, command, shown in transcript(lines):
        if command.startswith("make "):
            if missing := set(command.split()[1:]) - make_targets():
                return at_line(example, first, f"no target of the Makefile: {', '.join(missing)}")
            continue
        background = len(shown) if command.rstrip().endswith("&") else 0
        printed, status = page.shell.run(page.local(command), background)
        printed = page.published(printed)
        if status:
            return at_line(example, first, f"ended with status {status}:\n{printed}")
        start = first + 1 + command.count("\n")
        if shown and (found := difference(example, start, "\n".join(shown), printed)):
            return found
    return None


def transcript(lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """(line, command, lines of output shown). `> ` continues a command, as bash shows it."""
    starts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        rest = lines[start + 1 : end]
        more = next((i for i, line in enumerate(rest) if not line.startswith("> ")), len(rest))
        command = "\n".join([lines[start][2:], *(line[2:] for line in rest[:more])])
        shown = rest[more:]
        while shown and not shown[-1].strip():
            shown.pop()
        yield start, command, shown


def make_targets() -> set[str]:
    return set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text("utf-8"), re.M))


def run_bash(example: Example) -> Result:
    page: Page = example.document
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", page.local(example.parsed[0])],
        cwd=page.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
        stdin=subprocess.DEVNULL, env=page.shell.environment, check=False,
    )  # fmt: skip
    page.printed = page.published(done.stdout)
    if done.returncode:
        return at_line(example, -1, f"ended with status {done.returncode}:\n{done.stdout}")
    return None


def write_file(example: Example) -> Result:
    page: Page = example.document
    source, name = example.parsed
    if name.endswith(".py"):
        compile("\n" * example.line + source, example.path, "exec")
    elif (parse := FILES.get(Path(name).suffix)) and (found := parse(example)):
        return found
    path = page.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page.local(source), "utf-8")
    return None


def parse_with(parser: Callable[[str], object]) -> Callable[[Example], Result]:
    """An evaluator that is content when `parser` takes the source."""

    def evaluate(example: Example) -> Result:
        try:
            parser(example.parsed[0])
        except (ValueError, yaml.YAMLError) as error:
            return at_line(example, -1, f"does not parse: {error}")
        return None

    return evaluate


def check_diagram(example: Example) -> Result:
    first = (example.parsed[0].split() or [""])[0]
    return None if first in DIAGRAMS else at_line(example, 0, f"no kind of diagram: {first!r}")


def unknown(language: str) -> Callable[[Example], Result]:
    """An evaluator that fails: what nobody can check does not belong on a page."""
    message = f"the checker does not know the language of this fence: {language!r}"
    return lambda example: at_line(example, -1, message)


def difference(example: Example, offset: int, shown: str, printed: str) -> Result:
    """None if `printed` is what the page shows, else a message at the first line that differs."""
    want, got = (
        [line.rstrip() for line in text.rstrip().splitlines()] for text in (shown, printed)
    )
    if matches(want, got):
        return None
    first = next(
        (i for i in range(len(want)) if not matches([*want[: i + 1], "..."], got)), len(want)
    )
    return at_line(
        example,
        offset + min(first, max(0, len(want) - 1)),
        f"printed otherwise:\n{chr(10).join(got)}",
    )


def matches(want: list[str], got: list[str]) -> bool:
    """Equal, but that `...` stands for anything, also for several lines."""
    checker = doctest.OutputChecker()
    return checker.check_output("\n".join(want), "\n".join(got), doctest.ELLIPSIS)


YAML, JSON, TOML = map(parse_with, (yaml.safe_load, json.loads, tomllib.loads))
FILES = {".yaml": YAML, ".yml": YAML, ".json": JSON, ".toml": TOML}
EVALUATORS: dict[str, Callable[[Example], Result]] = {
    "python": run_python,
    "text": compare_output,
    "console": run_console,
    "bash": run_bash,
    "yaml": YAML,
    "json": JSON,
    "toml": TOML,
    "mermaid": check_diagram,
}
