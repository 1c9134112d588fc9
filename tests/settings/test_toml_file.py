"""TOML with lines, against Python's own reader."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.settings.config_files import MAX_FILE, MAX_MISTAKES, Entry, TextFile
from otlp_kit.settings.toml_file import read_toml

VALUES = st.sampled_from(
    [
        "1",
        "-0.5e3",
        "true",
        "inf",
        '"a # [b] = {"',
        "'it is \\'",
        '"\\"\\\\"',
        '""',
        "''",
        '"""\n[x]\ny = 1 \\""" \n"""',
        '"""ends with quotes"""""',
        "'''\n]'''''",
        "[1, 2]",
        "[ # a comment ]\n  'a', [\"]\"],\n]",
        "[]",
        "{ a = 1, b.c = '}' }",
        "2026-01-01",
    ]
)
PARTS = st.sampled_from(["a", "b-1", "3", '"c d"', "'e.f'", '"#"', '"\\u0067"'])
NAMES = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: " . ".join(parts))
LINES = st.one_of(
    st.builds("{} = {}".format, NAMES, VALUES),
    NAMES.map("[{}]".format),
    NAMES.map(" [ {} ]  # table".format),
    st.sampled_from(["", "# key = 1", "  "]),
)


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


@given(lines=st.lists(LINES, max_size=8), newline=st.sampled_from(["\n", "\r\n"]))
def test_values_are_those_of_pythons_reader(lines: list[str], newline: str) -> None:
    """And what that reader refuses is a mistake here, with a line in the file."""
    text = newline.join(lines).replace("\r\n", "\n").replace("\n", newline)
    entries, mistakes = read_toml(TextFile("kit.toml", text))
    try:
        expected = _flat(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        assert mistakes
        assert all(1 <= one.line <= text.count("\n") + 1 for one in mistakes)
    else:
        # Two keys that differ in where the dots are would be one setting.
        if not mistakes:
            assert {one.key: one.value for one in entries if one.value != {}} == expected
        else:
            assert all("a second time" in one.rule for one in mistakes)
    for one in entries:
        name = one.key.rpartition(".")[2]
        line = text.split("\n")[one.line - 1]
        assert name in line or "\\u0067" in line or "{" in line


@given(st.text(alphabet="a=[]{}\"'#.,\\ \n1\t"))
def test_no_text_is_too_odd(text: str) -> None:
    """Values or mistakes, never another error; and what is accepted, Python's reader accepts."""
    _, mistakes = read_toml(TextFile("kit.toml", text))
    if not mistakes:
        tomllib.loads(text)
    for one in mistakes:
        assert one.rule in str(one)


def test_every_value_has_its_line_and_column() -> None:
    """After comments, values of several lines and tables, too."""
    text = '# x\n[a]\n  b = """\n1\n2"""\nc.d = [\n1,\n]\n[e."f"]\ng = {h = 1}\n'
    assert read_toml(TextFile("kit.toml", text))[0] == [
        Entry("a.b", "1\n2", 3, 3),
        Entry("a.c.d", [1], 6, 1),
        Entry("e.f.g.h", 1, 10, 1),
    ]


def test_all_mistakes_are_found_at_once() -> None:
    """What is right between them is read."""
    text = "a = x\nb = 1\n[c\nd = 2\nd = 3\n[e] f\n= 1\ng = 01\n"
    entries, mistakes = read_toml(TextFile("kit.toml", text))
    assert [one.line for one in mistakes] == [1, 3, 5, 6, 7, 8]
    assert [(one.key, one.value) for one in entries] == [("b", 1), ("c.d", 2)]


def test_after_a_mistake_in_a_secret_nothing_is_named() -> None:
    """Its next lines may be the rest of it, and look like keys."""
    text = 'token = "hunter2\nhunter3 = "hunter4"\n'
    entries, mistakes = read_toml(TextFile("kit.toml", text, lambda key: key != "token"))
    assert entries == []
    assert len(mistakes) == 1
    assert "hunter" not in str(mistakes)


@pytest.mark.parametrize(
    "text",
    [
        "[" * MAX_FILE,
        "a=" + "{a=" * (MAX_FILE // 4),
        "a." * (MAX_FILE // 2),
        "a = 1\n" * (MAX_FILE // 6),
        "=\n" * (MAX_FILE // 2),
        '\\"""' * (MAX_FILE // 4),
        'a="""' + '\\"""' * (MAX_FILE // 4),
        "'''\n" * (MAX_FILE // 4),
        '"' * MAX_FILE,
        "a = 1" + "0" * MAX_FILE,
    ],
    ids=lambda text: text[:6],
)
def test_a_hostile_file_gives_few_mistakes(text: str) -> None:
    """As large as a file may be: the depth, the time and the number of messages are bounded."""
    _, mistakes = read_toml(TextFile("kit.toml", text))
    assert 1 <= len(mistakes) <= MAX_MISTAKES
    assert all(len(str(one)) < 1000 for one in mistakes)


def test_a_long_name_is_refused_before_it_is_repeated() -> None:
    """Every entry has the name of its table: a table of many characters would fill memory."""
    text = f"[{'a' * 30_000}]\n" + "".join(f"k{n} = 1\n" for n in range(3000))
    entries, mistakes = read_toml(TextFile("kit.toml", text))
    assert entries == []
    assert "must have keys of at most 200 characters" in mistakes[0].rule
    assert len(mistakes) == MAX_MISTAKES
