"""YAML with lines, against what PyYAML and json write, and beside the same settings in TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.settings.config_files import MAX_FILE, MAX_MISTAKES, Entry, TextFile
from otlp_kit.settings.layers import load
from otlp_kit.settings.toml_file import read_toml
from otlp_kit.settings.yaml_file import read_yaml
from tests.settings.known_keys import KEYS

# DEL is in JSON's texts as it is, and in none of YAML's.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x7f")
# A number of 1.2 that is none of 1.1 is a text that PyYAML writes without quotes.
NUMBER = re.compile(r"[-+.0-9eEo]+")
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=12).filter(lambda text: not NUMBER.fullmatch(text)),
    st.text("ab:-[]{}'\"!&*%|>?@,# \n\t\\$", max_size=12),
    st.sampled_from(["yes", "no", "on", "y", "null", "~", "true", "<<", "=", ".inf", "1", "0x1F"]),
    st.sampled_from(
        ["1_000", "12:30", "2026-01-01", "1.5", "017", "0b1", "${A}", "# b", "- c", "d: e"]
    ),
)
SCALARS = TEXTS | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False)
NAMES = TEXTS.filter(lambda name: "." not in name)


def documents(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings in mappings, and lists of scalars."""
    leaves = scalars | st.lists(scalars, max_size=3)
    inner = st.recursive(
        leaves, lambda inside: st.dictionaries(NAMES, inside, max_size=3), max_leaves=6
    )
    return st.dictionaries(NAMES, inner, max_size=4)


def flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values by dotted key; what says nothing is left out."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield prefix + name, [item for item in value if item is not None]
        elif value is not None:
            yield prefix + name, value


def read(text: str) -> dict[str, Any]:
    """The values of a text without mistakes."""
    entries, mistakes = read_yaml(TextFile("kit.yaml", text))
    assert mistakes == []
    assert all(1 <= one.line <= text.count("\n") + 1 for one in entries)
    return {one.key: one.value for one in entries}


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: true is not 1."""
    return repr(one) == repr(other)


@given(documents(SCALARS | st.none()), st.sampled_from([None, True, False]))
def test_what_pyyaml_writes_is_read(table: dict[str, Any], flow: bool | None) -> None:
    """In lines, in brackets or in both."""
    text = yaml.safe_dump(table, default_flow_style=flow, sort_keys=False, width=20)
    assert same(list(read(text).items()), list(flat(table)))


@given(
    documents(TEXTS | st.booleans() | st.integers(-(10**30), 10**30) | st.none()),
    st.sampled_from([None, 0, 2]),
)
def test_json_is_yaml(table: dict[str, Any], indent: int | None) -> None:
    """On one line or on many."""
    assert same(list(read(json.dumps(table, indent=indent)).items()), list(flat(table)))


@given(documents(SCALARS))
def test_the_same_settings_in_toml_are_the_same(table: dict[str, Any]) -> None:
    """Keys, values and types."""
    lines = []

    def write(inner: dict[str, Any], outer: tuple[str, ...] = ()) -> None:
        for name, value in inner.items():
            path = (*outer, json.dumps(name, ensure_ascii=False))
            if isinstance(value, dict):
                write(value, path)
            else:
                said = json.dumps(value, ensure_ascii=False).replace("Infinity", "inf")
                lines.append(f"{'.'.join(path)} = {said}\n")

    write(table)
    in_toml, mistakes = read_toml(TextFile("kit.toml", "".join(lines)))
    assert mistakes == []
    in_yaml = read(yaml.safe_dump(table, sort_keys=False))
    assert same(list(in_yaml.items()), [(one.key, one.value) for one in in_toml])


def test_texts_that_only_one_version_quotes() -> None:
    """PyYAML, of version 1.1, writes them without quotes: who writes files with it has to know."""
    written = yaml.safe_dump({"a": "0o17", "b": "1e3", "c": "no"})
    assert read(written) == {
        "a": 15,
        "b": 1e3,
        "c": "no",
    }


def test_every_value_has_its_line_and_column() -> None:
    """The place of its key; after comments, values of several lines, and line ends of Windows, too."""
    text = '# x\na:\n  b: |\n    1\n    2\n  c.d: [\n    1,\n  ]\n"e": {f: {g: 1}, h: "1"}\n? i\n: - 2\n'
    for newline in ("\n", "\r\n"):
        entries, mistakes = read_yaml(TextFile("kit.yaml", text.replace("\n", newline)))
        assert mistakes == []
        assert entries == [
            Entry("a.b", "1\n2\n", 3, 3),
            Entry("a.c.d", [1], 6, 3),
            Entry("e.f.g", 1, 9, 11),
            Entry("e.h", "1", 9, 18),
            Entry("i", [2], 10, 3),
        ]


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            "\n",
            "# x",
            "---",
            "---\n# x\n...\n",
            "~",
            "null",
            "{}",
            "\ufeff",
            "a:",
            "a:\n  # b: 1\n",
        ],
        *["a: null", "a: ~", "a: {}", "a: {b: {}, c: }"],
    ],
)
def test_what_says_nothing_is_no_mistake(text: str) -> None:
    """An empty file, and a group of which all is commented out."""
    assert read(text) == {}


def test_all_mistakes_are_found_at_once() -> None:
    """What is right between them is read."""
    text = "a: !b c\n5: 1\nd: 1\nd: {e: 2}\nf: [{g: 1}, [h], i]\nj: 2\n<<: {k: 1}\nl: m: n\nj: 3\n"
    entries, mistakes = read_yaml(TextFile("kit.yaml", text))
    assert [one.line for one in mistakes] == [1, 2, 4, 5, 5, 7, 8]
    assert [(one.key, one.value) for one in entries] == [("d", 1), ("d.e", 2), ("j", 2)]


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: 1\na: 2",
        "{a: 1, b: 1, 'a': 2}",
        "a: {b: 1}\na.b: 1",
        "a.b: 1\na: {b: 1}",
        "a: {b: {c: 1}}\na.b: {c: 1}",
        "a:\n  b: 1\na:\n  c: 1",
        "a:\nb: 1\na: 1",
    ],
)
def test_a_key_is_there_once(text: str) -> None:
    """However it is written; what it says first is kept."""
    _, mistakes = read_yaml(TextFile("kit.yaml", text))
    assert "is here a second time, first on line 1" in mistakes[0].rule


@pytest.mark.spec("SDK-P26")
@pytest.mark.parametrize(
    ("said", "environ", "value"),
    [
        ("${SIZE}", {"SIZE": "5"}, 5),
        ("${env:SIZE}0", {"SIZE": "5"}, 50),
        ('"${SIZE:-7}"', {}, 7),
        ("${SIZE}", {}, 2048),
    ],
)
def test_the_type_is_decided_after_substitution(
    tmp_path: Path, said: str, environ: dict[str, str], value: int
) -> None:
    """A number may come from a variable, and an empty one says nothing."""
    (tmp_path / "kit.yaml").write_text(f"batch:\n  max_queue_size: {said}\n")
    settings = load(
        KEYS, files=[tmp_path / "kit.yaml"], readers={".yaml": read_yaml}, environ=environ
    )
    assert settings["batch.max_queue_size"].value == value


@pytest.mark.spec("SDK-P26")
def test_a_variable_is_no_structure() -> None:
    """Nor are keys substituted."""
    assert read("a: ${X}\n${Y}: [\"${Z}\"]\nb: '$${X}'\n") == {
        "a": "${X}",
        "${Y}": ["${Z}"],
        "b": "$${X}",
    }


ODD = st.text("ab:-[]{}'\"!&*%|>?@,#. \n\r\t\\1$~<") | st.text()


@given(ODD)
def test_no_text_is_too_odd(text: str) -> None:
    """Values or mistakes, never another error; and what is accepted is YAML for PyYAML, too."""
    entries, mistakes = read_yaml(TextFile("kit.yaml", text))
    if not mistakes:
        node = yaml.compose(text, yaml.SafeLoader)
        assert isinstance(node, yaml.MappingNode) or entries == []
    for one in mistakes:
        assert one.rule in str(one)
        assert 1 <= one.line <= text.count("\n") + 1
    assert len({one.key for one in entries}) == len(entries)


PUBLIC = {key.name for key in KEYS if not key.secret}
WITH_SECRETS = """batch:
  delay: 1
exporter:
  token: hunter2
  endpoint: http://x:1
  tokn: "hunter2 hunter2"
  headers: [a=b, "c=d"]
  token.old: |
    hunter2
    hunter2: hunter2
exporter.token: {a: hunter2, b: [hunter2]}
"""


@given(st.lists(st.tuples(st.integers(0, len(WITH_SECRETS)), ODD.filter(bool)), max_size=3))
def test_no_mistake_repeats_a_secret(insertions: list[tuple[int, str]]) -> None:
    """Wherever something is put in: nobody then knows where the secret ends."""
    text = WITH_SECRETS
    for place, more in sorted(insertions, reverse=True):
        text = text[:place] + more[:3] + text[place:]
    _, mistakes = read_yaml(TextFile("kit.yaml", text, PUBLIC.__contains__))
    for one in mistakes:
        assert "hunter" not in one.excerpt
        assert "hunter2 " not in one.rule


LAUGHS = "a: &a [lol]\n" + "".join(
    f"{b}: &{b} [{f'*{a}, ' * 9}]\n" for a, b in pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "[" * MAX_FILE,
        "a: " + "[" * (MAX_FILE - 3),
        "a: {" * (MAX_FILE // 4),
        "- " * (MAX_FILE // 2),
        "? " * (MAX_FILE // 2),
        "a." * (MAX_FILE // 2) + ": 1",
        "a: 1\n" * (MAX_FILE // 5),
        "a: !b c\n" * (MAX_FILE // 8),
        "? " + "a" * (MAX_FILE - 20) + "\n: {b: 1, c: 1}",
        "--- \n" * (MAX_FILE // 5),
        "%TAG !a! b\n" * (MAX_FILE // 11),
        '"' * MAX_FILE,
        "a: '\n" * (MAX_FILE // 5),
        "a: 1" + "0" * MAX_FILE,
        'a: "\\UFFFFFFFF"',
        'a: "\\ud800"',
        "%YAML 1." + "1" * 5000 + "\n---\n",
        "a: \x85",
        "a: 1\rb: 2",
        "a: \ud800",
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_a_hostile_file_gives_few_mistakes(text: str) -> None:
    """As large as a file may be: the depth, the time and the number of messages are bounded."""
    _, mistakes = read_yaml(TextFile("kit.yaml", text))
    assert 1 <= len(mistakes) <= MAX_MISTAKES
    assert all(len(str(one)) < 1000 for one in mistakes)


def test_laughs_are_refused_at_the_first_anchor() -> None:
    """Nothing of a billion is multiplied out."""
    entries, mistakes = read_yaml(TextFile("kit.yaml", LAUGHS))
    assert entries == []
    assert [one.line for one in mistakes] == [1]
