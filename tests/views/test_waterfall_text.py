"""A waterfall in a terminal: one line a span, none too wide, none that does harm."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.model import Resource, Span, StatusCode
from otlp_kit.views.plain_text import columns
from otlp_kit.views.waterfall import Waterfall
from otlp_kit.views.waterfall_text import bar_text
from tests.views.forests import TRACE, forests

MS = 1_000_000
SHOP, BANK = Resource({"service.name": "shop"}), Resource({"service.name": "bank"})
ORDER = [
    Span("POST /orders", TRACE, b"1" * 8, b"", 10 * MS, 50 * MS, resource=SHOP),
    Span("reserve stock", TRACE, b"2" * 8, b"1" * 8, 12 * MS, 20 * MS, resource=SHOP),
    Span("charge card", TRACE, b"3" * 8, b"1" * 8, 30 * MS, 50 * MS, resource=BANK,
         status_code=StatusCode.ERROR, status_message="card declined"),
    Span("connect", TRACE, b"4" * 8, b"3" * 8, 30 * MS, 35 * MS, resource=BANK),
    Span("stray", TRACE, b"5" * 8, b"9" * 8, 40 * MS, 45 * MS),
]  # fmt: skip


def test_a_trace_looks_like_this() -> None:
    """Tree, service, bar, duration; below them what the marks mean."""
    assert Waterfall(ORDER).text(width=72).splitlines() == [
        "trace 000102030405060708090a0b0c0d0e0f  5 spans  40 ms  1 error",
        "                       0              20 ms              40 ms",
        "  POST /orders    shop ███████████████████████████████████████     40 ms",
        "  ├╴reserve stock shop  ▕███████▊                                   8 ms",
        "✗ └╴charge card   bank                    ▐███████████████████     20 ms",
        "    └╴connect     bank                    ▐████▍                    5 ms",
        "? stray                                             ▐████▏          5 ms",
        "✗ charge card: card declined",
        "? its parent is not here (not sent, not yet arrived, or in a loop)",
    ]


@given(forests.filter(bool), st.integers(1, 200))
def test_no_line_is_wider_than_asked_for(spans: list[Span], width: int) -> None:
    """Down to the narrowest that is drawn, whatever the names are."""
    lines = Waterfall(spans).text(width=width).split("\n")
    assert max(map(columns, lines)) <= max(width, 40)


@given(forests.filter(bool), st.integers(1, 20))
def test_there_is_one_line_a_span_up_to_the_limit(spans: list[Span], limit: int) -> None:
    """A headline, an axis, the spans, a line that counts the others, and notes."""
    lines = Waterfall(spans).text(limit=limit).split("\n")
    shown = min(len(spans), limit)
    notes = lines[2 + shown :]
    if len(spans) > limit:
        assert notes.pop(0) == f"… {len(spans) - limit} more span{'s' * (len(spans) - limit > 1)}"
    assert all(note[0] in "✗?" for note in notes)
    assert len(notes) <= 7


@given(forests, st.booleans())
def test_no_name_can_reach_the_terminal(spans: list[Span], color: bool) -> None:
    """The only escape sequences are the colours that the drawing itself chose."""
    text = Waterfall(spans).text(color=color)
    text = re.sub(r"\x1b\[[0-9]{1,2}m", "", text) if color else text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@given(forests)
def test_colour_adds_nothing_but_colour(spans: list[Span]) -> None:
    """Without the sequences it is the same text."""
    figure = Waterfall(spans)
    assert re.sub(r"\x1b\[[0-9]+m", "", figure.text(color=True)) == figure.text()


@pytest.mark.parametrize(
    ("begin", "end", "bar"),
    [
        (0, 80, "██████████"),
        (0, 0, "▏         "),
        (80, 80, "         ▕"),
        (0, 12, "█▌        "),
        (4, 80, "▐█████████"),
        (39, 41, "    ▕▏    "),
        (6, 7, "▕         "),
    ],
)
def test_a_bar_is_drawn_in_eighths_and_never_vanishes(begin: int, end: int, bar: str) -> None:
    """Ten columns of eighty units."""
    assert bar_text(begin, end, 80, 10) == bar
