"""TOML with the line of every value, and all that is wrong in it.

    entries, mistakes = read_toml(TextFile("kit.toml", "[batch]\\nmax_queue_size = 4096\\n"))
    entries[0]          # Entry(key='batch.max_queue_size', value=4096, line=2, column=1)

Python's own reader knows TOML, but neither on which line a value stood nor what is wrong after the
first mistake. So the text is cut into statements, each of which that reader reads by itself, and if
nothing is wrong with any, all together. Nothing here decides what is valid TOML.

All of it is linear in the size of the text, and the depth of brackets and keys is bounded.

Specification: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from otlp_kit.settings.config_files import MAX_MISTAKES, Entry, Mistake, Reading, TextFile

MAX_DEPTH = 16
"""Of brackets, and of parts of a key."""
MAX_KEY = 200
"""Characters of a key with its table, which each entry repeats."""

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_NAME = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_KEY = re.compile(rf"[ \t]*({_NAME})[ \t]*(=?)")
_HEADER = re.compile(rf"[ \t]*\[(?:\[?[ \t]*({_NAME}))?")
# Each alternative that opens can also end with the text or the line, so nothing is searched twice.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"""+|\\?\Z)'
    r"|'''.*?(?:'''+|\Z)"
    r'|"(?:\\[^\n]|[^"\\\n])*"?'
    r"|'[^'\n]*'?"
    r"|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)
_HINTS = {
    "Invalid value": ", a text needs quotes",
    "Illegal character '\\n'": ", a quote must be closed on its line",
}
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_toml(file: TextFile) -> Reading:
    """Every value of a TOML document under its dotted key; tables group keys and mean nothing else."""
    entries: list[Entry] = []
    mistakes: list[Mistake] = []
    table = ""
    lines: dict[str, int] = {}  # of each key and each header, where it stood first
    for first, statement, depth in _statements(file.text):
        if len(mistakes) >= MAX_MISTAKES:
            break
        header, key = _HEADER.match(statement), _KEY.match(statement)
        name, column, before = "", 1, table
        if header:
            name = re.sub(r"\s", "", header[1] or "")
            table = name and f"{name}."
        elif key:
            name, column = table + re.sub(r"\s", "", key[1]), key.start(1) + 1
            if not key[2] and not file.shows(name):
                name = ""  # no key at all, perhaps
        # A header that also has a value in it is two lines in one, and shown as neither.
        place = ("" if re.search("[=\"']", statement) else None) if header else name
        if max(depth, name.count(".")) > MAX_DEPTH:
            rule = f"must not be nested more than {MAX_DEPTH} deep"
            mistakes.append(file.mistake(rule, first, column, place))
            continue
        if len(name) > MAX_KEY:
            rule = f"must have keys of at most {MAX_KEY} characters, with those of their table"
            mistakes.append(file.mistake(rule, first, column, place))
            continue
        try:
            content = tomllib.loads(statement)
        except ValueError as error:
            mistakes.append(_no_toml(file, error, statement, first, place))
            hidden = place is not None and not (place and file.shows(place))
            if hidden and (place or re.search("[\"']", statement)):
                # It may be the first line of a secret: what follows is not to be named.
                return entries, mistakes
            continue
        for dotted, value in _flat(content, "" if header else before):
            said = f"[{dotted}]" if header else dotted
            if header and isinstance(value, list):
                rule = "must be a table, in single brackets: no setting is a list of tables"
                mistakes.append(file.mistake(rule, first))
            elif said in lines:
                rule = f"{said} is here a second time, first on line {lines[said]}"
                mistakes.append(file.mistake(rule, first, column, place and dotted))
            elif not header:
                entries.append(Entry(dotted, value, first, column))
            lines.setdefault(said, first)
            if header:
                table = f"{dotted}."  # without its quotes
    if not mistakes:
        try:
            tomllib.loads(file.text)  # no statement is wrong by itself: now together
        except ValueError as error:
            found = _no_toml(file, error, file.text, 1, "")
            keys = [entry.key for entry in entries if entry.line == found.line]
            mistakes.append(_no_toml(file, error, file.text, 1, keys[0] if keys else None))
    return entries, mistakes


def _statements(text: str) -> Iterator[tuple[int, str, int]]:
    """The line on which each statement begins, its text, and how deep its brackets go."""
    depth = deepest = start = 0
    first = line = 1
    for token in _TOKEN.finditer(text):
        found = token[0]
        line += found.count("\n")
        if found in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif found in ("]", "}"):
            depth -= 1
        elif found == "\n" and (depth <= 0 or _HEADER.match(text, start)):
            yield first, text[start : token.end()], deepest
            start, first, depth, deepest = token.end(), line, 0, 0
    yield first, text[start:], deepest


def _flat(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _no_toml(
    file: TextFile, error: ValueError, statement: str, first: int, key: str | None
) -> Mistake:
    message, line, column = str(error), 0, 1
    if place := _PLACE.search(message):
        message = message[: place.start()]
        if place[1]:
            line, column = int(place[1]) - 1, int(place[2])
        elif "\n" not in statement.rstrip():
            column = len(statement.rstrip()) + 1
    # What Python says after a semicolon is for those who program it.
    rule = f"is not TOML: {message.partition(';')[0]}{_HINTS.get(message, '')}"
    mistake = file.mistake(rule, first + line, column, key)
    if key and line and statement is not file.text:
        # A quote or a bracket that is not closed takes in the lines of others, secrets among them.
        return replace(mistake, excerpt=f"{key} = ***", column=1)
    return mistake
