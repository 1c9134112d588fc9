"""Files of settings as text, and how a mistake in one is shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.settings.config_files import (
    MAX_FILE,
    MAX_MISTAKES,
    WIDTH,
    Entry,
    Mistake,
    TextFile,
    read_env_file,
    read_text,
)


def shows(key: str) -> bool:
    """One key is secret."""
    return key != "TOKEN"


def test_a_mistake_has_its_place_its_rule_and_a_caret() -> None:
    """As compilers show it."""
    file = TextFile("kit.env", "A=1\n  B=many\r\n")
    assert str(file.mistake("must be a number", 2, 5)) == (
        "kit.env, line 2: must be a number\n  2 |   B=many\n    |     ^"
    )


def test_the_value_of_a_secret_is_stars() -> None:
    """So is a line of which nobody knows whose value it is."""
    file = TextFile("kit.env", "TOKEN=hunter2\n", shows)
    assert file.mistake("is wrong", 1, 7, "TOKEN").excerpt == "TOKEN = ***"
    assert file.mistake("is wrong", 1, 7, "").excerpt == "***"
    assert "hunter2" not in repr(file)


def test_a_long_line_is_shown_around_the_caret() -> None:
    """And what a terminal would obey is blank."""
    file = TextFile("kit.env", "a" * 5000 + "\x1b!" + "b" * 5000)
    excerpt, caret = str(file.mistake("is wrong", 1, 5002)).split("\n")[1:]
    assert len(excerpt) == WIDTH + len("  1 | ")
    assert excerpt[caret.index("^")] == "!"
    assert "\x1b" not in excerpt


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"a" * (MAX_FILE + 1), "is larger than 262144 bytes"),
        (b"a\n\nb\xff", "line 3: byte 2 of the line is not UTF-8"),
    ],
)
def test_what_is_no_text_is_one_mistake(tmp_path: Path, body: bytes, rule: str) -> None:
    """Nothing of it is repeated."""
    (tmp_path / "kit.toml").write_bytes(body)
    mistake = read_text(tmp_path / "kit.toml", shows)
    assert isinstance(mistake, Mistake)
    assert rule in str(mistake)


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_only_a_file_is_read(tmp_path: Path) -> None:
    """A pipe would wait, a device never end."""
    os.mkfifo(tmp_path / "pipe")
    for path, rule in (
        (tmp_path / "pipe", "must be a file"),
        (Path("/dev/zero"), "must be a file"),
        (tmp_path, "cannot be read (Is a directory)"),
        (tmp_path / "none", "cannot be read (No such file or directory)"),
    ):
        mistake = read_text(path, shows)
        assert isinstance(mistake, Mistake)
        assert rule in mistake.rule


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """Some editors write one."""
    (tmp_path / "kit.env").write_bytes(b"\xef\xbb\xbfA=1")
    file = read_text(tmp_path / "kit.env", shows)
    assert isinstance(file, TextFile)
    assert file.text == "A=1"


def test_lines_of_an_environment_file() -> None:
    """A value is what stands there, without quotes around it; nothing in it means anything."""
    text = '# x\n\nA=1\r\nexport B = \n B= a b # c\nC=\'a\'\nD="$A\\n"\nE=\nF=a=b\nG="a"b"\n'
    entries, mistakes = read_env_file(TextFile("kit.env", text))
    assert entries == [
        Entry("A", "1", 3, 1),
        Entry("B", "a b # c", 5, 2),
        Entry("C", "a", 6, 1),
        Entry("D", "$A\\n", 7, 1),
        Entry("E", "", 8, 1),
        Entry("F", "a=b", 9, 1),
        Entry("G", 'a"b', 10, 1),
    ]
    assert [(one.line, one.rule) for one in mistakes] == [
        (4, "must have no blank before the =: a shell would run the name as a command")
    ]


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True),
        st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"])),
    )
)
def test_every_text_of_one_line_can_be_written(variables: dict[str, str]) -> None:
    """In quotes."""
    text = "".join(f'{name}="{value}"\n' for name, value in variables.items())
    entries, mistakes = read_env_file(TextFile("kit.env", text))
    assert {entry.key: entry.value for entry in entries} == variables
    assert mistakes == []


@given(st.text(alphabet="A=#\"'\n \t\0x1é"))
def test_no_text_is_too_odd(text: str) -> None:
    """Values or mistakes, never another error."""
    entries, mistakes = read_env_file(TextFile("kit.env", text))
    said = [line for line in text.split("\n") if line.strip() and line.strip()[0] != "#"]
    assert len(entries) + len(mistakes) == min(len(said), len(entries) + MAX_MISTAKES)
