"""Each line of the specification that receiver and exporters promise has a test with its number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.receiver.conformance_lines import LINES

TESTS = Path(__file__).parents[1]
LAST_LINE = 102
"""The last number of the whole list."""
CLIENT = {3, 4, 5, 6, 7, 8, 12, 17, 18, 19, *range(27, 40), 45, 47, 48, 49, *range(51, 59), 60,
          *range(62, 68), *range(89, 103)}  # fmt: skip
"""The lines for exporters. What each says stands in `otlp_kit.testing.exporter_checks_*`, as the check
that holds any exporter to it; the tests here hold those of this kit."""


def marked(path: Path) -> Iterator[tuple[int, str]]:
    """(number, name of the test) of each mark in a file, read without importing it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for decorator in node.decorator_list:
                if ast.unparse(decorator).startswith("pytest.mark.spec("):
                    for number in re.findall(r"OTLP-(\d+)", ast.unparse(decorator)):
                        yield int(number), node.name


def all_marks() -> dict[int, list[str]]:
    marks: dict[int, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for number, name in marked(path):
            marks.setdefault(number, []).append(f"{path.relative_to(TESTS)}:{name}")
    return marks


def test_every_line_has_a_test() -> None:
    """What a receiver may do is tested too, as what this one chose."""
    marks = all_marks()
    assert [f"OTLP-{n}: {line.text}" for n, line in LINES.items() if n not in marks] == []


def test_every_line_of_a_client_has_a_test() -> None:
    """What nobody can see from outside, such as a default, is tested as well."""
    assert sorted(CLIENT - set(all_marks())) == []


def test_every_mark_names_a_line() -> None:
    """A number with a typing error would prove nothing."""
    assert [n for n in all_marks() if not 1 <= n <= LAST_LINE] == []


def test_a_mark_is_found_wherever_it_stands(tmp_path: Path) -> None:
    """The scan sees several numbers in one mark, several marks, and marks of methods."""
    source = tmp_path / "test_x.py"
    source.write_text(
        '@pytest.mark.spec("OTLP-1", "OTLP-2")\n@pytest.mark.slow\n@pytest.mark.spec("OTLP-3")\n'
        'def test_a(): ...\nclass TestB:\n    @pytest.mark.spec("OTLP-4")\n    def test_b(self): ...\n'
        '@pytest.mark.spec("OTLP-5")\ndef helper(): ...\n'
    )
    assert list(marked(source)) == [(1, "test_a"), (2, "test_a"), (3, "test_a"), (4, "test_b")]
