"""Faults planted into a copy of a real page: the check fails at each one's line, and says why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import pages

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/concepts/processor.md"
CONFTEST = """
from pathlib import Path
from tools.fences import collector
pytest_collect_file = collector(Path(__file__).parent)
"""
SKIPPED_FENCES = 0
"""How many fences of all pages are not run, each with its reason. Raise it with a reason, too."""

# What stands on the page, what is planted instead, what the check says at its line. The line is
# that of the mark, a piece of what was planted; all faults are on the page at once.
FAULTS = {
    "one character of what a command printed":
        ("delivered 8 + dropped 6", "delivered 8 + dropped 7", "dropped 7", "printed otherwise"),
    "one character of what a block printed":
        ("not drawn: none", "not drawn: nine", "nine", "printed otherwise"),
    "one line of a synced source":
        ("    queue.append(record)\n    return depth", "    queue.appendleft(record)\n    return depth", "appendleft",
         "differs from otlp_kit/processors/buffer.py:BatchBuffer.offer; `python -m tools.sources"),
    "a quoted symbol that does not exist":
        ("buffer.py:BatchBuffer.take -->", "buffer.py:BatchBuffer.give -->", "BatchBuffer.give",
         "otlp_kit/processors/buffer.py has no BatchBuffer.give"),
    "a diagram that its table does not draw":
        ("draining --> closed: take", "draining --> filling: take", "draining --> filling",
         "differs from tools.figures:processor_states"),
    "one bare number":
        ("Dropping is allowed", "It takes 12 ms. Dropping is allowed", "12 ms",
         "bare number '12 ms'"),
    "a fact that nobody measured":
        ("## The machine\n", "## The machine\n\n[[fact:never.measured]]\n", "never.measured",
         "unknown fact 'never.measured'"),
    "a language that nobody can check":
        ("## Lose some", '```cobol title="LOSE.COB"\nSTOP RUN.\n```\n\n## Lose some', "```cobol",
         "the checker does not know the language of this fence: 'cobol'"),
    "code that raises":
        ("## Who turns", "```python\n1 / 0\n```\n\n## Who turns", "1 / 0", "in <module>"),
    "a module that does not exist":
        ("otlp_kit.processors.batch,", "otlp_kit.processors.butch,", "processors.butch",
         "there is no module otlp_kit.processors.butch"),
    "a page without its question":
        ("\nWhat stands between", "\nSo what stands between", "So what stands",
         "the first line of text is not the page's question"),
}  # fmt: skip


def copied(folder: Path) -> Path:
    """The page in a folder that pytest collects as it collects the repository."""
    (folder / "conftest.py").write_text(CONFTEST)
    page = folder / PAGE
    page.parent.mkdir(parents=True)
    shutil.copy(ROOT / PAGE, page)
    return page


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the docs tests of `folder` as `make check` does."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
         "--rootdir", str(folder), "docs"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def plant(page: Path, old: str, new: str) -> None:
    text = page.read_text("utf-8")
    assert text.count(old) >= 1, f"the page has no {old!r}: choose another place for this fault"
    page.write_text(text.replace(old, new, 1), "utf-8")


def line_of(page: Path, mark: str) -> int:
    text = page.read_text("utf-8")
    return text.count("\n", 0, text.index(mark)) + 1


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The page with every fault of the table, and the report of one check of it."""
    folder = tmp_path_factory.mktemp("faulty")
    page = copied(folder)
    for old, new, _, _ in FAULTS.values():
        plant(page, old, new)
    return page, check(folder).stdout


def test_the_page_as_it_is_passes(tmp_path: Path) -> None:
    """Without a fault the copy passes, so that each failure below is the fault's."""
    copied(tmp_path)
    done = check(tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_fails_at_the_line(faulty: tuple[Path, str], fault: str) -> None:
    """Each planted fault is reported as PATH:LINE, with what is wrong."""
    page, report = faulty
    *_, mark, message = FAULTS[fault]
    assert f"{PAGE}:{line_of(page, mark)}: {message}" in report


def test_nothing_else_fails(faulty: tuple[Path, str]) -> None:
    """One failure for each fault: a fault does not hide another, nor drag others along."""
    _, report = faulty
    failed = re.findall(r"^FAILED (\S+)", report, re.M)
    assert len(failed) == len(FAULTS), report


def test_one_character_of_what_a_prompt_shows(tmp_path: Path) -> None:
    """A doctest fails at the line of its prompt."""
    page = copied(tmp_path)
    plant(page, "(1, 'filling', [])", "(1, 'fulling', [])")
    failed = re.findall(r"^FAILED (\S+)", check(tmp_path).stdout, re.M)
    assert failed == [f"{PAGE}::line:{line_of(page, 'fulling') - 1},column:1"]


@pytest.mark.parametrize(
    "number",
    ["12 ms", "3 times", "40%", "40 percent", "1.5 GB", "2-3 seconds", "9,000 spans per second",
     "8x", "100 MB/s"],
)  # fmt: skip
def test_every_measured_unit_is_seen(tmp_path: Path, number: str) -> None:
    """Times, sizes, ratios and rates are measured numbers."""
    page = copied(tmp_path)
    plant(page, "Dropping is allowed", f"It takes {number}. Dropping is allowed")
    [problem] = pages.problems(page)
    assert "bare number" in problem.text
    assert problem.line == line_of(page, number)


@pytest.mark.parametrize(
    "words",
    [
        "It holds 12 spans and 3 records",
        "It takes `12 ms`",
        "It waits 5 seconds, as the [specification](https://opentelemetry.io/docs/specs/otlp/) says",
        "See [this page](https://example.org/12ms/3s)",
    ],
)
def test_what_is_no_bare_number(tmp_path: Path, words: str) -> None:
    """Counts, code, addresses, and what a specification sets in the same sentence."""
    page = copied(tmp_path)
    plant(page, "Dropping is allowed", f"{words}. Dropping is allowed")
    assert pages.problems(page) == []


def test_a_specification_excuses_its_own_sentence_only(tmp_path: Path) -> None:
    """The link of one sentence does not cover the number of the next."""
    page = copied(tmp_path)
    link = "As [it](https://www.w3.org/TR/trace-context/) says."
    plant(page, "Dropping is allowed", f"{link} We took 12 ms. Dropping is allowed")
    assert len(pages.problems(page)) == 1


def test_a_page_that_is_too_long(tmp_path: Path) -> None:
    """At most 900 words."""
    page = copied(tmp_path)
    plant(page, "Dropping is allowed", "word " * 900 + "Dropping is allowed")
    [problem] = pages.problems(page)
    assert re.fullmatch(r"1\d+ words; a page has at most 900", problem.text)


def test_the_build_of_the_site_refuses_the_same(tmp_path: Path) -> None:
    """`mkdocs build` fails with the same path, line and words."""
    page = copied(tmp_path)
    plant(page, "Dropping is allowed", "It takes 12 ms. Dropping is allowed")
    config = tmp_path / "mkdocs.yml"
    config.write_text(
        f"site_name: copy\nnav: [concepts/processor.md]\nplugins: []\n"
        f"hooks: [{ROOT / 'tools/site_hooks.py'}]\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-f", str(config)], cwd=tmp_path,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert f"{PAGE}:{line_of(page, '12 ms')}: bare number '12 ms'" in done.stdout + done.stderr


def test_few_fences_are_skipped() -> None:
    """A skip is allowed with a reason, and counted."""
    skips = [
        skip
        for page in pages.all_pages()
        for skip in re.findall(r"<!-- skip:.*", page.read_text("utf-8"))
    ]
    assert len(skips) == SKIPPED_FENCES, skips
