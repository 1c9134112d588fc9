"""Who comes first is told with its spread, and a cell without a fact is empty."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools import facts
from tools.matrix_cells import by_answer, cell, first, table, verdict, words

KNOWN = facts.load()
ONE = KNOWN["compression.ratio.gzip-1.64"]


def spread(value: float, low: float, high: float) -> facts.Fact:
    return replace(ONE, value=value, low=low, high=high)


@pytest.mark.parametrize(
    ("most", "expected"), [(True, ("much",)), (False, ("little", "hardly more"))]
)
def test_those_that_cannot_be_told_apart_share_the_first_place(
    most: bool, expected: tuple[str, ...]
) -> None:
    """A spread that reaches into that of the best is no difference that was measured."""
    found = {"little": spread(1, 0.9, 1.2), "hardly more": spread(1.3, 1.1, 1.4),
             "much": spread(3, 2.9, 3.1)}  # fmt: skip
    assert first(found, most=most) == expected


def test_among_none_nobody_is_first() -> None:
    """Without facts there is no answer, not a wrong one."""
    assert first({}, most=True) == ()


def test_a_cell_is_the_fact_or_empty() -> None:
    """The number with a link to its entry; nothing where nothing was measured."""
    assert cell({}, ONE.name) == ""
    assert cell(KNOWN, ONE.name).startswith(
        f"[{replace(ONE, unit='').shown()}](facts.md#{ONE.name} "
    )
    assert cell(KNOWN, ONE.name, unit=True).startswith(f"[{ONE.shown()}](")


def test_a_verdict_keeps_its_cell() -> None:
    """Whatever a check said: it neither ends the cell nor the attribute."""
    shown = verdict("no", 'found "a|b"\ndone: c')
    assert shown == '<abbr title="found &quot;a&#124;b&quot;; done: c">no</abbr>'
    assert f"| x | {shown} |" in list(table(["", "y"], [["x", shown]]))


def test_answers_are_grouped_the_most_frequent_first() -> None:
    """Sizes with one answer stand together."""
    assert by_answer({1: "a", 64: "b", 512: "b"}) == {"b": [64, 512], "a": [1]}
    assert list(by_answer({1: "a", 64: "b", 512: "b"})) == ["b", "a"]


@pytest.mark.parametrize(
    ("items", "expected"), [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")]
)
def test_words(items: str, expected: str) -> None:
    """As one says it."""
    assert words(items) == expected
