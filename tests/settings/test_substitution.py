"""References to the environment, by the table of the specification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.settings.substitution import BadReference, substitute

ENVIRON = {
    "STRING_VALUE": "value",
    "BOOL_VALUE": "true",
    "INT_VALUE": "1",
    "FLOAT_VALUE": "1.1",
    "HEX_VALUE": "0xdeadbeef",
    "INVALID_MAP_VALUE": "value\nkey:value",
    "DO_NOT_REPLACE_ME": "Never use this value",
    "REPLACE_ME": "${DO_NOT_REPLACE_ME}",
    "VALUE_WITH_ESCAPE": "value$$",
    "EMPTY": "",
}


@pytest.mark.spec("SDK-P26")
@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${STRING_VALUE}", "value"),
        ("${BOOL_VALUE}", "true"),
        ("${INT_VALUE}", "1"),
        ("${FLOAT_VALUE}", "1.1"),
        ("${HEX_VALUE}", "0xdeadbeef"),
        ("${env:STRING_VALUE}", "value"),
        ("${INVALID_MAP_VALUE}", "value\nkey:value"),
        ("foo ${STRING_VALUE} ${FLOAT_VALUE}", "foo value 1.1"),
        ("${UNDEFINED_KEY}", ""),
        ("${UNDEFINED_KEY:-fallback}", "fallback"),
        ("${REPLACE_ME}", "${DO_NOT_REPLACE_ME}"),
        ("${UNDEFINED_KEY:-${STRING_VALUE}}", "${STRING_VALUE}"),
        ("$${STRING_VALUE}", "${STRING_VALUE}"),
        ("$$${STRING_VALUE}", "$value"),
        ("$$$${STRING_VALUE}", "$${STRING_VALUE}"),
        ("$${STRING_VALUE:-fallback}", "${STRING_VALUE:-fallback}"),
        ("$${STRING_VALUE:-${STRING_VALUE}}", "${STRING_VALUE:-value}"),
        ("${UNDEFINED_KEY:-$${UNDEFINED_KEY}}", "${UNDEFINED_KEY:-${UNDEFINED_KEY}}"),
        ("${VALUE_WITH_ESCAPE}", "value$$"),
        ("a $$ b", "a $ b"),
        ("a $ b", "a $ b"),
    ],
)
def test_the_table_of_the_specification(text: str, result: str) -> None:
    """Every row whose input can be written as one scalar gives the text that the row says."""
    assert substitute(text, ENVIRON) == result


@pytest.mark.spec("SDK-P26")
@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${EMPTY:-fallback}", "fallback"),
        ("${env:EMPTY:-a:-b}", "a:-b"),
        ("${UNDEFINED_KEY:-}", ""),
        ("{STRING_VALUE}", "{STRING_VALUE}"),
        ("${STRING_VALUE", "${STRING_VALUE"),
        ("a\n${INT_VALUE}\n$$", "a\n1\n$"),
    ],
)
def test_what_the_grammar_says_besides(text: str, result: str) -> None:
    """An empty variable counts as none, and what has no end is no reference."""
    assert substitute(text, ENVIRON) == result


@pytest.mark.spec("SDK-P26")
@pytest.mark.parametrize(
    "reference",
    [
        "${STRING_VALUE:?error}",
        "${1API_KEY}",
        "${API_$KEY}",
        "${}",
        "${ A}",
        "${file:/etc/hostname}",
        "${env:}",
        "${A-b}",
        "${É}",
    ],
)
def test_an_invalid_reference_fails_and_is_named(reference: str) -> None:
    """Wherever it stands, and whatever is valid before it."""
    with pytest.raises(BadReference, match=r"must refer to a variable as") as caught:
        substitute(f"${{STRING_VALUE}} {reference} b", ENVIRON)
    assert caught.value.reference == reference


@given(value=st.text(), around=st.text(alphabet=st.characters(exclude_characters="${}")))
def test_what_a_variable_holds_is_taken_as_it_is(value: str, around: str) -> None:
    """No text in a variable is a reference, an escape or structure."""
    assert substitute(f"{around}${{A}}{around}", {"A": value}) == around + value + around


@given(st.text())
def test_doubled_dollars_give_back_any_text(text: str) -> None:
    """So every text can be written."""
    assert substitute(text.replace("$", "$$"), {}) == text


def test_many_open_references_take_no_longer_than_one() -> None:
    """The work is linear: 400,000 characters of which each two could begin a reference."""
    text = "${" * 100_000
    assert substitute(f"{text}\n{text}", {}) == f"{text}\n{text}"
