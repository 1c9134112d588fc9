"""The page of the exporters shows facts and verdicts, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.exporters_rows import ROWS
from tools import exporter_matrix, facts
from tools.exporter_numbers import DEATH, KEEPS, LIMITS, LINES, MARKS, TIME, tables

KNOWN = facts.load()
CONFORMANCE = json.loads((facts.RESULTS / "conformance.json").read_text("utf-8"))
EXPORTERS = json.loads((facts.RESULTS / "exporters.json").read_text("utf-8"))
VERDICTS = {
    name: {one["line"]: one for one in run["lines"]}
    for name, run in CONFORMANCE["exporters"].items()
}

LINK = re.compile(r'\[(?P<shown>[^]]+)\]\(facts\.md#(?P<name>[^ ]+) "[^"]*"\)\{ [^}]+ \}')
VERDICT = re.compile(r'<a href="#line-(?P<line>\d+)">(?:<abbr title="[^"]*">)?(?P<mark>.)(?:</abbr>)?</a>')  # fmt: skip


def cells(page: str) -> Iterator[tuple[str, str, str]]:
    """(row, column, cell) of the tables of the exporters, the empty cells left out."""
    heads: list[str] = []
    for line in page.partition("## Line by line")[0].splitlines():
        if not line.startswith("|"):
            heads = []
            continue
        first, *rest = [cell.strip() for cell in line.strip("|").split("|")]
        if not heads:
            heads = rest
        elif set(first) != {"-"}:
            for head, cell in zip(heads, rest, strict=True):
                if cell:
                    yield first, head, cell


NAMES = {row["title"]: name for name, row in EXPORTERS["rows"].items()}
COLUMNS = TIME | DEATH | LIMITS
JUDGED = LINES | KEEPS


def test_every_cell_is_a_fact_or_a_verdict_of_its_own_row() -> None:
    """A link to a fact that shows its value, or the mark that the suite gave; no third kind."""
    seen = set()
    for title, head, cell in cells(exporter_matrix.page(KNOWN)):
        name = NAMES[title]
        if fact := LINK.fullmatch(cell):
            assert fact["name"] in {f"exporters.{name}.{one}" for one in COLUMNS[head]}
            value = KNOWN[fact["name"]]
            assert fact["shown"] in {value.shown(), replace(value, unit="").shown()}
            seen.add(fact["name"])
        else:
            verdict = VERDICT.fullmatch(cell)
            assert verdict, (title, head, cell)
            lines = VERDICTS[EXPORTERS["rows"][name]["conformance"]]
            told = [lines[number]["verdict"] for number in JUDGED[head] if number in lines]
            worst = next(one for one in ("fail", "pass", "n.a.") if one in told)
            assert verdict["mark"] == MARKS[worst]
            assert lines[int(verdict["line"])]["verdict"] == worst
    assert seen == {name for name in KNOWN if name.startswith("exporters.")}


def test_every_verdict_leads_to_a_line_of_the_same_page() -> None:
    """Each link's target is there, once."""
    page = exporter_matrix.page(KNOWN)
    targets = re.findall(r'id="(line-\d+)"', page)
    assert set(re.findall(r'href="#(line-\d+)"', page)) <= set(targets)
    assert len(targets) == len(set(targets))


def test_another_run_is_another_page() -> None:
    """A value that changes in the results changes in its cell and in no other."""
    name = "exporters.http.lost"
    changed = KNOWN | {name: replace(KNOWN[name], value=77)}
    before = list(cells(exporter_matrix.page(KNOWN)))
    after = list(cells(exporter_matrix.page(changed)))
    [(title, head, cell)] = set(after) - set(before)
    assert (NAMES[title], head) == ("http", "lost")
    assert cell.startswith("[77](")


def test_what_nobody_measured_is_an_empty_cell() -> None:
    """Without its facts and verdicts an exporter has no row at all: nothing is filled in."""
    kept = {name: one for name, one in KNOWN.items() if ".sqlite." not in name}
    without = {name: lines for name, lines in VERDICTS.items() if name != "kit-grpc"}
    page = "\n".join(tables(EXPORTERS["rows"], without, kept))
    found = list(cells(page))
    assert "sqlite" not in {NAMES[title] for title, _, _ in found}
    assert not {head for title, head, _ in found if NAMES[title] == "grpc"} & set(JUDGED)


def test_a_miss_of_one_line_is_a_miss_of_the_column() -> None:
    """Two lines of one column, one of them failed: the mark is that of the failed one."""
    lines = {29: {"line": 29, "verdict": "fail", "seen": 'said "yes" | no'},
             98: {"line": 98, "verdict": "n.a.", "seen": ""},
             31: {"line": 31, "verdict": "pass", "seen": ""},
             32: {"line": 32, "verdict": "fail", "seen": "2 requests"}}  # fmt: skip
    row = {"one": {"title": "one", "conformance": "planted"}}
    found = {
        head: cell for _, head, cell in cells("\n".join(tables(row, {"planted": lines}, KNOWN)))
    }
    title = "said &quot;yes&quot; &#124; no"
    assert (
        found["tells a partial success"] == f'<a href="#line-29"><abbr title="{title}">✗</abbr></a>'
    )
    assert '"#line-32"' in found["retries what it must, no more"]
    assert found["ends by its timeout"] == '<a href="#line-98">-</a>'
    assert "RetryInfo" not in found


def test_the_results_are_of_the_rows_there_are() -> None:
    """Names, titles and the exporters of the suite that the benchmark would write today."""
    assert EXPORTERS["rows"] == {
        name: {"title": row.title, "conformance": row.conformance} for name, row in ROWS.items()
    }
    assert {row.conformance for row in ROWS.values()} - {""} == set(VERDICTS)


@pytest.mark.parametrize("missing", ["conformance.json", "exporters.json"])
def test_without_results_there_is_no_page(tmp_path: Path, missing: str) -> None:
    """No run, no page: it is not filled from elsewhere."""
    for name in {"conformance.json", "exporters.json"} - {missing}:
        (tmp_path / name).write_bytes((facts.RESULTS / name).read_bytes())
    with pytest.raises(FileNotFoundError, match=missing):
        exporter_matrix.page(KNOWN, tmp_path)
