"""Faults planted into a copy of a real page: the check fails at the very line, and says why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/concepts/processor.md"
CONFTEST = """
from pathlib import Path
from tools.fences import collector
pytest_collect_file = collector(Path(__file__).parent)
"""
SKIPPED_FENCES = 0
"""How many fences of all pages are not run, each with its reason. Raise it with a reason, too."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the page, collected as in the repository."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / PAGE).parent.mkdir(parents=True)
    shutil.copy(ROOT / PAGE, tmp_path / PAGE)
    return tmp_path


def check(folder: Path, select: str = "") -> subprocess.CompletedProcess[str]:
    """Run the docs tests of `folder` as `make check` does."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
         "--rootdir", str(folder), "docs", "-k", select],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def plant(folder: Path, old: str, new: str) -> int:
    """Replace the first `old` on the page; the line where it stands."""
    text = (folder / PAGE).read_text("utf-8")
    assert old in text
    (folder / PAGE).write_text(text.replace(old, new, 1), "utf-8")
    return text.count("\n", 0, text.index(old)) + 1


def failures(report: str) -> list[str]:
    return re.findall(r"^FAILED (\S+)", report, re.M)


def test_the_page_as_it_is_passes(copy: Path) -> None:
    """Without a fault the copy passes, so that each failure below is the fault's."""
    done = check(copy)
    assert done.returncode == 0, done.stdout


def test_one_changed_character_in_a_printed_output(copy: Path) -> None:
    """A page that shows `dropped 6` where 6 were dropped may not show `dropped 7`."""
    line = plant(copy, "delivered 8 + dropped 6", "delivered 8 + dropped 7")
    done = check(copy)
    assert f"{PAGE}:{line}: printed otherwise" in done.stdout
    assert len(failures(done.stdout)) == 1


def test_one_changed_character_in_an_output_fence(copy: Path) -> None:
    """The same for what a Python block printed."""
    line = plant(copy, "not drawn: none", "not drawn: nine")
    done = check(copy)
    assert f"{PAGE}:{line}: printed otherwise" in done.stdout
    assert len(failures(done.stdout)) == 1


def test_one_changed_character_in_a_doctest(copy: Path) -> None:
    """The same for what a prompt shows."""
    line = plant(copy, "(True, 'filling', [])", "(True, 'fulling', [])")
    done = check(copy)
    [failed] = failures(done.stdout)
    assert failed == f"{PAGE}::line:{line - 1},column:1"


def test_one_changed_line_in_a_synced_source(copy: Path) -> None:
    """A quote that is not what the file says fails, and names the command that renews it."""
    line = plant(copy, "self._queue.append(record)", "self._queue.appendleft(record)")
    done = check(copy)
    assert f"{PAGE}:{line}: differs from otlp_kit/processors/buffer.py" in done.stdout
    assert "tools.sources --write" in done.stdout
    assert len(failures(done.stdout)) == 1


def test_a_changed_diagram(copy: Path) -> None:
    """A generated diagram that its table does not draw fails."""
    line = plant(copy, "draining --> closed: take", "draining --> filling: take")
    assert f"{PAGE}:{line}: differs from tools.figures" in check(copy).stdout


def test_a_quoted_symbol_that_does_not_exist(copy: Path) -> None:
    """A quote of something that was renamed or removed fails at its comment."""
    line = plant(copy, "buffer.py:BatchBuffer.take -->", "buffer.py:BatchBuffer.give -->")
    done = check(copy)
    assert f"{PAGE}:{line}: otlp_kit/processors/buffer.py has no BatchBuffer.give" in done.stdout


@pytest.mark.parametrize("number", ["12 ms", "3 times", "40%", "1.5 GB", "9,000 spans per second"])
def test_one_bare_number(copy: Path, number: str) -> None:
    """A measured number that nobody can trace fails where it stands."""
    line = plant(copy, "Dropping is allowed", f"It takes {number}. Dropping is allowed")
    done = check(copy)
    assert f"{PAGE}:{line}: bare number '{number.split(' ')[0]}" in done.stdout
    assert len(failures(done.stdout)) == 1


def test_an_unknown_fact(copy: Path) -> None:
    """A fact that no benchmark has written fails where it is named."""
    line = plant(copy, "Dropping is allowed", "[[fact:never.measured]]. Dropping is allowed")
    assert f"{PAGE}:{line}: unknown fact 'never.measured'" in check(copy).stdout


def test_an_unknown_language(copy: Path) -> None:
    """A fence that nobody can check fails at its first line; attributes do not hide it."""
    line = plant(copy, "## Lose some", '```cobol title="LOSE"\nSTOP RUN.\n```\n\n## Lose some')
    done = check(copy)
    assert f"{PAGE}:{line}: the checker does not know the language" in done.stdout
    assert "'cobol'" in done.stdout


def test_code_that_raises(copy: Path) -> None:
    """An exception fails with a traceback into the page itself."""
    line = plant(copy, "start = BatchBuffer(capacity=3", "start = BatchBuffer(capacity=0")
    done = check(copy)
    assert f"{PAGE}:{line}: in <module>" in done.stdout


def test_a_page_without_its_question(copy: Path) -> None:
    """The first line of text has to be the question of the front matter."""
    line = plant(copy, "\nWhat stands between", "\nSo what stands between")
    done = check(copy)
    assert f"{PAGE}:{line + 1}: the first line of text is not the page's question" in done.stdout


def test_a_module_that_does_not_exist(copy: Path) -> None:
    """Front matter may name only what is there."""
    line = plant(copy, "otlp_kit.processors.batch,", "otlp_kit.processors.butch,")
    assert f"{PAGE}:{line}: there is no module otlp_kit.processors.butch" in check(copy).stdout


def test_a_page_that_is_too_long(copy: Path) -> None:
    """At most 900 words."""
    plant(copy, "Dropping is allowed", "word " * 900 + "Dropping is allowed")
    assert re.search(rf"{PAGE}:1: 1[\d]+ words; a page has at most 900", check(copy).stdout)


def test_the_build_of_the_site_refuses_the_same(copy: Path) -> None:
    """What the tests refuse, `mkdocs build` refuses with the same words."""
    from tools.pages import problems

    line = plant(copy, "Dropping is allowed", "It takes 12 ms. Dropping is allowed")
    [problem] = problems(copy / PAGE)
    assert problem.line == line
    hook = (ROOT / "tools/site_hooks.py").read_text("utf-8")
    assert "pages.problems" in hook


def test_few_fences_are_skipped() -> None:
    """A skip is allowed with a reason, and counted."""
    from tools.pages import all_pages

    skips = [
        s for page in all_pages() for s in re.findall(r"<!-- skip:.*", page.read_text("utf-8"))
    ]
    assert len(skips) == SKIPPED_FENCES, skips
