"""The page of the pools shows facts and verdicts, and its first lines say what they say."""

from __future__ import annotations

import pytest

from benchmarks import pools_grid
from tests.tools.matrix_pages import LINK, VERDICT, cells, changed, text
from tools import facts
from tools.pool_checks import POOLS, trials
from tools.pool_matrix import STALE, THINGS, THREADS, WAYS, answer, outcome, page

KNOWN = facts.load()
ROWS = {shown: way for way, shown in WAYS.items()}
TITLES = {thing.title.capitalize().lower(): name for name, thing in THINGS.items()}


def run(name: str, way: str, value: float) -> dict[str, float]:
    return {f"pools.use.{name}.{way}.{threads}": value for threads in THREADS}


def said(known: dict[str, facts.Fact]) -> list[str]:
    return [text(line) for line in answer(known)]


def test_every_number_is_the_fact_of_its_row_column_and_thing() -> None:
    """No cell shows another's fact, and no time or hit ratio that was measured is left out."""
    seen = set()
    for heading, row, head, cell in cells(page(KNOWN)):
        if row not in ROWS:
            continue
        fact = LINK.fullmatch(cell)
        assert fact, (heading, row, head, cell)
        name, way = TITLES["spans" if heading == "Objects" else heading.lower()], ROWS[row]
        if "thread" in head:
            assert fact["name"] == f"pools.use.{name}.{way}.{head[0]}"
            assert KNOWN[fact["name"]].unit == THINGS[name].unit
        elif head == "hits, %":
            assert fact["name"] == f"pools.hits.{name}.{way}"
        else:
            assert fact["name"] == THINGS[name].memory.format(memory=head, way=way)
            assert KNOWN[fact["name"]].unit == "KiB"
        seen.add(fact["name"])
    measured = {
        one for one in KNOWN if one.startswith(("pools.use.", "pools.hits.", "pools.peak."))
    }
    assert {one for one in measured - seen if "queue" not in one} == set()


def test_the_rest_is_what_check_pool_said() -> None:
    """Each word is the verdict of its own trial, with what was seen behind it."""
    found = dict(trials())
    rest = [one for one in cells(page(KNOWN)) if one[1] not in ROWS]
    assert len(rest) == len(found) * len(WAYS)
    for _, title, head, cell in rest:
        shown = VERDICT.fullmatch(cell)
        assert shown
        assert shown["word"] == STALE[found[title][ROWS[head]].stale]


def test_the_rows_are_those_that_are_measured_and_checked() -> None:
    """A way added to the benchmark has to be added to the page."""
    made = pools_grid.ways(list, reset=list.clear, keep=1)
    assert set(made) == set(WAYS) == set(POOLS)
    sizes = {name for name in THINGS if name.startswith("buffer.")}
    assert sizes == {f"buffer.{name}" for name in pools_grid.GRID_SIZES}


@pytest.mark.parametrize("way", [way for way in WAYS if way != "plain"])
def test_what_wins_and_loses_is_apart_from_plain_on_every_number_of_threads(way: str) -> None:
    """By spreads, thing by thing."""
    for name in THINGS:
        pairs = [
            (KNOWN[f"pools.use.{name}.{way}.{threads}"], KNOWN[f"pools.use.{name}.plain.{threads}"])
            for threads in THREADS
        ]
        wins = all(pooled.high < plain.low for pooled, plain in pairs)
        loses = all(pooled.low > plain.high for pooled, plain in pairs)
        assert outcome(KNOWN, name, way) == ("wins" if wins else "loses" if loses else "draws")


def test_other_numbers_are_another_answer() -> None:
    """Let spans win and TLS lose in the locked pool: each moves to the other line."""
    known = changed(KNOWN, run("span", "locked", 1.0) | run("connection.tls", "locked", 1e9))
    wins, loses, *_ = said(known)
    assert "wins" in wins
    assert "spans (1 ns against" in wins
    assert "TLS connections (1,000,000,000 us against" in loses
    assert "spans" not in loses


def test_one_number_of_threads_is_not_all() -> None:
    """What wins on one thread and loses on four is neither."""
    known = changed(KNOWN, run("span", "locked", 1.0) | {"pools.use.span.locked.4": 1e9})
    assert outcome(known, "span", "locked") == "draws"
    assert "spans (" in said(known)[2]


def test_the_others_are_judged_by_their_own_numbers() -> None:
    """A bare list that loses everywhere is said to win for nothing."""
    values = {one: value for name in THINGS for one, value in run(name, "list", 1e12).items()}
    line = next(one for one in said(changed(KNOWN, values)) if one.startswith("- A bare list"))
    assert line == (
        "- A bare list wins for nothing, and loses for spans, buffers of 64 bytes, 16 KiB, 64 KiB,"
        " 1 MiB and 4 MiB, HTTP connections, TLS connections, and SQLite handles."
    )


def test_without_facts_nothing_is_filled_in() -> None:
    """What nobody measured has no outcome."""
    kept = {name: one for name, one in KNOWN.items() if ".tls." not in name}
    assert outcome(kept, "connection.tls", "locked") == ""
    assert not [one for one in cells(page(kept)) if one[0] == "TLS connections"]
