"""Text from strangers is harmless, measured, and clipped."""

from __future__ import annotations

import doctest
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.views import plain_text as module
from otlp_kit.views.plain_text import clip, columns, duration_text, pad, plain_text

anything = st.text(st.characters(codec=None, exclude_categories=()))


def test_the_docstring_tells_the_truth() -> None:
    """What the module shows is what it does."""
    assert doctest.testmod(module).failed == 0


@given(anything)
def test_nothing_that_moves_a_cursor_or_reverses_a_line_gets_through(text: str) -> None:
    """By the categories of Unicode: no controls, no formats but two joiners, no line separators."""
    for character in plain_text(text):
        assert character in "\u200c\u200d" or unicodedata.category(character) not in {
            "Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"
        }  # fmt: skip


@given(anything)
def test_what_comes_out_can_be_written_as_utf_8(text: str) -> None:
    """Lone surrogates have become visible."""
    plain_text(text).encode()


def test_an_ordinary_name_is_left_alone() -> None:
    """Letters of any script, punctuation and emoji stay as they are."""
    assert plain_text("GET /καφές/{id} 送信 📧") == "GET /καφές/{id} 送信 📧"


@given(st.text(max_size=40), st.integers(0, 30))
def test_a_cell_has_exactly_the_columns_that_were_asked_for(text: str, width: int) -> None:
    """Whatever is in it, wide characters included."""
    assert columns(pad(plain_text(text), width)) == width
    assert columns(clip(plain_text(text), width)) <= width


def test_wide_characters_take_two_columns_and_combining_ones_none() -> None:
    """As the East Asian width of Unicode says."""
    assert [columns(text) for text in ("abc", "送信", "📧", "e\u0301")] == [3, 4, 2, 1]


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1 µs"),
        (12_340, "12.3 µs"),
        (999_499, "999 µs"),
        (999_500, "1 ms"),
        (2_040_000, "2.04 ms"),
        (1_500_000_000, "1.5 s"),
        (59_990_000_000, "60 s"),
        (60_000_000_000, "1 m 00 s"),
        (3_599_400_000_000, "59 m 59 s"),
        (3_600_000_000_000, "1 h 00 m"),
        (90_000_000_000_000, "1 d 01 h"),
    ],
)
def test_a_duration_has_three_digits_and_a_unit(nanoseconds: int, text: str) -> None:
    """Or two units, from a minute on."""
    assert duration_text(nanoseconds) == text
