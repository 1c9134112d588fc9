"""Scalars of YAML 1.2, by the tables of its specification."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.settings.yaml_scalars import MAX_DIGITS, plain, quoted


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, None) for text in ("", "~", "null", "Null", "NULL")],
        *[(text, True) for text in ("true", "True", "TRUE")],
        *[(text, False) for text in ("false", "False", "FALSE")],
        *[("0", 0), ("0o7", 7), ("0x3A", 58), ("-19", -19), ("+12", 12), ("017", 17), ("08", 8)],
        *[("0.", 0.0), ("-0.0", 0.0), (".5", 0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0)],
        *[(".inf", math.inf), ("-.Inf", -math.inf), ("+.INF", math.inf), ("1e3", 1000.0)],
    ],
)
def test_the_core_schema(text: str, value: Any) -> None:
    """Its examples, and what follows from its expressions."""
    assert plain(text) == value
    assert type(plain(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *["yes", "Yes", "no", "NO", "on", "off", "y", "n", "nULL", "tRue"],
        *["1_000", "12:30:00", "190:20:30", "0b1010", "-0x1F", "+0o7", "0o8", "0X1F", "685_230.15"],
        *[
            "2001-12-14",
            "2001-12-14t21:59:43.10-05:00",
            "=",
            "<<",
            "inf",
            "nan",
            "-.nan",
            "1e",
            ".",
        ],
        *["1 ", "1\n", "\u0661", "\uff15", "1e3.5", "${PORT}", "$$5"],
    ],
)
def test_what_is_text_there(text: str) -> None:
    """Much of it was something else in YAML 1.1, or is for Python."""
    assert plain(text) == text


def test_no_number_is_one() -> None:
    """Nor equal to itself."""
    assert all(math.isnan(plain(text)) for text in (".nan", ".NaN", ".NAN"))  # type: ignore[arg-type]


@given(st.integers(-(10**306), 10**306) | st.floats(allow_nan=False) | st.booleans() | st.none())
def test_what_pyyaml_writes_is_the_same_value(value: Any) -> None:
    """The schemas agree about how a value is written best."""
    text = yaml.safe_dump(value).removesuffix("\n...\n").removesuffix("\n")
    assert plain(text) == value
    assert type(plain(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "1" * 5000,
        "0x" + "f" * 300_000,
        "0x" + "f" * 300,
        "1e309",
        "-1e999999999",
        "0" * (MAX_DIGITS + 1),
    ],
)
def test_a_number_beyond_all_is_refused(text: str) -> None:
    """Without the work of reading it."""
    with pytest.raises(ValueError, match=r"must be a smaller number"):
        plain(text)


@given(st.text())
def test_quoted_text_is_itself(text: str) -> None:
    """But that two escapes may be one character, as JSON writes it, and half of one is refused."""
    assert quoted(text) == text
    assert quoted(f"{text}\ud83d\ude00") == f"{text}\U0001f600"
    with pytest.raises(ValueError, match="one half of a character"):
        quoted(f"{text}\ud83d")
