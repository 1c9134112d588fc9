"""Files of settings: their text, what a line of it says, and how a mistake in one is shown.

    entries, mistakes = read_env_file(TextFile("kit.env", "OTLP_KIT_PAGE=off\\nOTLP_KIT_PORT 80\\n"))
    entries[0]          # Entry(key='OTLP_KIT_PAGE', value='off', line=1, column=1)
    print(mistakes[0])  # kit.env, line 2: must be NAME=VALUE ...

What a key means is not known here, so `shows(key)` is asked before a value is repeated in a message;
for every other key the message names the key and stars. (A secret inside the value of a public key is
beyond that.) A file is read to a bound, and only if it is one: a pipe or a device might never end.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

MAX_FILE = 256 * 1024
"""Bytes."""
MAX_MISTAKES = 50
"""Of one file; who has more looks at the first."""
WIDTH = 100
"""Columns of a line that a message repeats."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to correct: where, which rule, and the place with a caret under it."""

    where: str
    """A file, a variable, or `command line`."""
    rule: str
    line: int = 0
    """From 1; 0 where there are no lines."""
    excerpt: str = ""
    column: int = 1
    """From 1, in the excerpt."""

    def __str__(self) -> str:
        place = f"{self.where}, line {self.line}" if self.line else self.where
        if not self.excerpt:
            return f"{place}: {self.rule}"
        left = max(0, self.column - WIDTH // 2)
        # A terminal would obey what the file has in it.
        shown = "".join(
            char if char.isprintable() else " " for char in self.excerpt[left : left + WIDTH]
        )
        margin = str(self.line or "")
        return (
            f"{place}: {self.rule}\n  {margin} | {shown}"
            f"\n  {' ' * len(margin)} | {' ' * (self.column - left - 1)}^"
        )


class Entry(NamedTuple):
    """What one line says: `a.b.c` or the name of a variable, and a scalar or a list of them."""

    key: str
    value: Any
    line: int = 0
    column: int = 1


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text with its name. `shows` tells for a key whether its value may stand in a message."""

    name: str
    text: str = field(repr=False)
    shows: Callable[[str], bool] = lambda key: True

    def mistake(self, rule: str, line: int, column: int = 1, key: str | None = None) -> Mistake:
        """A mistake at `line` and `column`, in the value of `key`.

        None says that the line has no value, an empty key that it may be anybody's.
        """
        if key is None or (key and self.shows(key)):
            excerpt = self.text.split("\n")[line - 1].rstrip("\r")
            return Mistake(self.name, rule, line, excerpt, max(1, min(column, len(excerpt) + 1)))
        return Mistake(self.name, rule, line, f"{key} = ***" if key else "***")


Reading: TypeAlias = tuple[list[Entry], list[Mistake]]
Reader: TypeAlias = Callable[[TextFile], Reading]


def read_text(path: str | os.PathLike[str], shows: Callable[[str], bool]) -> TextFile | Mistake:
    """The file at `path`, UTF-8 of at most `MAX_FILE` bytes, or why it cannot be had."""
    name = os.fspath(path)
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return Mistake(name, "must be a file, not a directory, a pipe or a device")
            body = file.read(MAX_FILE + 1)
    except OSError as error:
        return Mistake(name, f"cannot be read ({error.strerror})")
    if len(body) > MAX_FILE:
        return Mistake(name, f"is larger than {MAX_FILE} bytes, so it is no file of settings")
    try:
        return TextFile(name, body.decode("utf-8-sig"), shows)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        byte = error.start - (body.rfind(b"\n", 0, error.start) + 1) + 1
        return Mistake(name, f"byte {byte} of the line is not UTF-8: save the file as UTF-8", line)


def _open(path: str, flags: int) -> int:
    # A pipe without a writer would otherwise hold this up forever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_env_file(file: TextFile) -> Reading:
    """Lines of `NAME=VALUE`, as Docker reads them, besides `export` and quotes around a value.

    Nothing is escaped or substituted, and a `#` begins a comment only where the line does: a shell,
    Docker and systemd agree on no more than that.
    """
    entries: dict[str, Entry] = {}
    mistakes: list[Mistake] = []
    for number, line in enumerate(file.text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if len(mistakes) >= MAX_MISTAKES:
            break
        left, equals, value = line.partition("=")
        name = left.strip().removeprefix("export ").lstrip()
        value = value.strip()
        quote = value[:1] if value[:1] in ("'", '"') else ""
        if not equals:
            rule = "must be NAME=VALUE"
            name = word[0] if (word := _VARIABLE.match(name)) else ""
        elif not _VARIABLE.fullmatch(name):
            rule = "must begin with a name of letters, digits and _, before the ="
        elif left != left.rstrip():
            rule = "must have no blank before the =: a shell would run the name as a command"
        elif quote and (len(value) < 2 or not value.endswith(quote)):
            rule = f"must end with the quote that it begins with, {quote}, on the same line"
        elif "\0" in value:
            rule = "must not hold a NUL: no variable can"
        elif name in entries:
            rule = f"is here a second time, first on line {entries[name].line}"
        else:
            text = value[1:-1] if quote else value
            entries[name] = Entry(name, text, number, line.index(name) + 1)
            continue
        # What looks like a name may be a part of a secret that has several lines.
        shown = name if file.shows(name) else ""
        mistakes.append(file.mistake(rule, number, len(left) + 1, shown))
    return list(entries.values()), mistakes
