"""The order of a waterfall: complete, consistent, and untroubled by what senders get wrong."""

from __future__ import annotations

import doctest
from collections import Counter

from hypothesis import given

from otlp_kit.model import Span
from otlp_kit.views import span_tree
from otlp_kit.views.span_tree import NO_PARENT, Row, tree_rows
from tests.views.forests import TRACE, chain, forests


def test_the_docstring_tells_the_truth() -> None:
    """What the module shows is what it does."""
    assert doctest.testmod(span_tree).failed == 0


def parent_row(rows: list[Row], i: int) -> Row | None:
    """The nearest row above that is one level up: what a reader takes for the parent."""
    return next((rows[j] for j in range(i - 1, -1, -1) if rows[j].depth == rows[i].depth - 1), None)


@given(forests)
def test_every_span_appears_exactly_once(spans: list[Span]) -> None:
    """Orphans, loops and duplicate ids included."""
    assert Counter(id(row.span) for row in tree_rows(spans)) == Counter(map(id, spans))


@given(forests)
def test_a_row_stands_below_the_span_that_it_names_as_parent(spans: list[Span]) -> None:
    """And never deeper than one level below the row before it."""
    rows = tree_rows(spans)
    for i, row in enumerate(rows):
        above = parent_row(rows, i)
        if row.depth == 0:
            assert row.orphan == (row.span.parent_span_id not in NO_PARENT)
        else:
            assert above is not None
            assert above.span.span_id == row.span.parent_span_id
            assert not row.orphan
            assert row.depth <= rows[i - 1].depth + 1


@given(forests)
def test_a_span_is_an_orphan_only_if_its_parent_is_missing_or_in_a_loop(spans: list[Span]) -> None:
    """Following the parents of an orphan ends at a missing one, or comes back to it."""
    first = {span.span_id: span for span in reversed(spans)}
    for row in tree_rows(spans):
        if not row.orphan:
            continue
        at, steps = first.get(row.span.parent_span_id), 0
        while at is not None and at is not row.span:
            assert at.parent_span_id not in NO_PARENT
            at, steps = first.get(at.parent_span_id), steps + 1
            assert steps <= len(spans), "it hangs on a loop without being part of it"


@given(forests)
def test_siblings_are_in_the_order_in_which_they_started(spans: list[Span]) -> None:
    """A span without a start counts as starting when it ended."""
    rows = tree_rows(spans)
    last: dict[int, Row] = {}
    for row in rows:
        begin = row.span.start_unix_nano or row.span.end_unix_nano
        last = {depth: r for depth, r in last.items() if depth <= row.depth}
        before = last.get(row.depth)
        if before and row.depth:
            assert begin >= (before.span.start_unix_nano or before.span.end_unix_nano)
        last[row.depth] = row


@given(forests)
def test_no_bar_has_a_negative_place_or_length(spans: list[Span]) -> None:
    """Whatever the clocks of the senders did."""
    rows = tree_rows(spans)
    assert all(row.offset_ns >= 0 and row.duration_ns >= 0 for row in rows)
    assert not rows or min(row.offset_ns for row in rows) == 0


def test_a_span_without_times_does_not_stretch_the_axis_to_1970() -> None:
    """It is drawn at the left edge, with no length."""
    now = 1_700_000_000_000_000_000
    rows = tree_rows(
        [Span("timed", TRACE, b"1" * 8, b"", now, now + 10), Span("not", TRACE, b"2" * 8)]
    )
    assert [(row.span.name, row.offset_ns, row.duration_ns) for row in rows] == [
        ("not", 0, 0),
        ("timed", 0, 10),
    ]


def test_the_parent_is_looked_for_in_the_same_trace() -> None:
    """Two traces may use one span id."""
    other = b"o" * 16
    spans = [Span("a", TRACE, b"1" * 8), Span("b", other, b"2" * 8, b"1" * 8)]
    assert [(row.span.name, row.orphan) for row in tree_rows(spans)] == [("a", False), ("b", True)]


def test_a_chain_deeper_than_the_recursion_limit_is_ordered() -> None:
    """Depth costs no stack."""
    rows = tree_rows(list(reversed(chain(20_000))))
    assert [row.depth for row in rows] == list(range(20_000))


def test_a_loop_of_parents_is_broken_at_its_earliest_span() -> None:
    """And what hangs on the loop stays below it, even if it started before."""
    a = Span("a", TRACE, b"a" * 8, b"b" * 8, 20, 30)
    b = Span("b", TRACE, b"b" * 8, b"a" * 8, 10, 30)
    tail = Span("tail", TRACE, b"t" * 8, b"a" * 8, 5, 6)
    rows = tree_rows([a, b, tail])
    assert [(row.span.name, row.depth, row.orphan) for row in rows] == [
        ("b", 0, True),
        ("a", 1, False),
        ("tail", 2, False),
    ]
