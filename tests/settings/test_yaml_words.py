"""What PyYAML finds wrong, in plain words."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.settings.yaml_words import ALIAS, DIRECTIVE, TAG, explained

QUOTES = "is not YAML: a text that begins so needs quotes"
OF_LINE_1 = "is not YAML: a comma is missing, or the bracket of line 1 is not closed"


def explain(text: str) -> tuple[str, int]:
    """What PyYAML says of `text`, explained."""
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        list(yaml.parse(text, yaml.SafeLoader))
    error = caught.value
    assert error.problem_mark
    at = error.problem_mark.index
    began = error.context_mark.index if error.context_mark else at
    return explained(f"{error.context or ''}: {error.problem}", text, began, at)


@pytest.mark.parametrize(
    ("text", "rule", "place"),
    [
        ("a:\n\tb: 1", "is not YAML: a tab where only blanks may be", 3),
        ("a: @b", QUOTES, 3),
        ("a: `b", QUOTES, 3),
        ("a: %b", QUOTES, 3),
        ("a: ]", QUOTES, 3),
        ("a: ? b", QUOTES, 3),
        ("a: 'b", "is not YAML: the quote that begins here is not closed", 3),
        ('a: "b\n---', "is not YAML: the quote that begins here is not closed", 3),
        ('a: "\\d"', "is not YAML: in double quotes a \\ is written \\\\", 5),
        ('a: "\\xyz"', "is not YAML: in double quotes a \\ is written \\\\", 6),
        ("a: 1\nb 1\nc: 1", "is not YAML: a key needs a colon, and a blank after it", 5),
        ("a: |b", "is not YAML: no text may follow the | or > on its line", 4),
        ("a: [1,,2]", "is not YAML: a value is missing before this", 6),
        ("a: - b", "is not YAML: a list begins on the line below its key", 3),
        (
            "{a: 1}\nb: 1",
            "is not YAML: nothing may follow the bracket, or the deeper lines, above",
            7,
        ),
        ("a: 'b' c", "is not YAML: nothing may follow the quote that closes a text", 7),
        ("a: b: c", "is not YAML: a text with a colon and a blank in it needs quotes", 4),
        (
            "a:1\nb: 2",
            "is not YAML: indented wrongly, or the line above needs a blank after its colon",
            5,
        ),
        ("a: {b: ${C}}", "is not YAML: a reference within brackets needs quotes", 7),
        ("a: [b\n", "is not YAML: the bracket that begins here is not closed", 3),
        ("a: {b: 1 'c': 2}", OF_LINE_1, 12),
        ("a: [b\nc: 1", OF_LINE_1, 7),
        (
            "a:\n  b: 1\n c: 1",
            "is not YAML: indented neither as the lines above nor deeper below a key",
            11,
        ),
        ("a: *", ALIAS, 4),
        ("a: & b", ALIAS, 4),
        ("a: !<b c", TAG, 6),
        ("a: !b!c d", TAG, 3),
        ("%YAML 3\n---", DIRECTIVE, 7),
        ("%YAML 3.0\n---", DIRECTIVE, 0),
        ("%YAML 1.1\n%YAML 1.1\n---", DIRECTIVE, 10),
        ("%TAG !a! b\n%TAG !a! c\n---", DIRECTIVE, 11),
    ],
)
def test_each_mistake_has_its_words_and_its_place(text: str, rule: str, place: int) -> None:
    """For what people write, and what PyYAML then says."""
    assert explain(text) == (rule, place)


@given(st.text("ab:-[]{}'\"!&*%|>?@,# \n\t\\"))
def test_nothing_of_the_text_is_repeated(text: str) -> None:
    """Whatever PyYAML repeats."""
    try:
        list(yaml.parse(f"{text}\nsecret!hunter2", yaml.SafeLoader))
    except yaml.MarkedYAMLError:
        rule, place = explain(f"{text}\nsecret!hunter2")
        assert "hunter" not in rule
        assert rule.startswith(("is not YAML: ", "must have no "))
        assert 0 <= place <= len(text) + len("\nsecret!hunter2")
