"""YAML with the line of every value, as settings need it: mappings, lists of scalars, no more.

    entries, mistakes = read_yaml(TextFile("kit.yaml", "batch:\\n  max_queue_size: 4096\\n"))
    entries[0]          # Entry(key='batch.max_queue_size', value=4096, line=2, column=3)

`a.b: 1` is `a: {b: 1}`. Null and an empty mapping say nothing. A scalar with a reference such as
`${PORT}` is handed over as the text that it is: what it refers to never becomes structure.

PyYAML tells where a token begins and ends, and nothing else: no object is made from its events.
Tags, anchors, aliases, merge keys, directives and second documents are refused, so nothing is larger
in memory than in the file. After a mistake in the syntax itself nothing further is read.

Specification: https://opentelemetry.io/docs/specs/otel/configuration/data-model/#yaml-file-format
"""

from __future__ import annotations

import contextlib
import re
from bisect import bisect_right
from typing import Any, NoReturn

import yaml

from otlp_kit.settings import yaml_scalars, yaml_words
from otlp_kit.settings.config_files import MAX_MISTAKES, Entry, Mistake, Reading, TextFile

MAX_DEPTH = 16
"""Of mappings and lists in one another, and of parts of a key."""
MAX_KEY = 200
"""Characters of a key with all those around it, which each entry repeats."""

# What YAML has not, and what ends a line in YAML 1.1 alone: PyYAML would see another structure.
_CHARACTER = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\r(?!\n)"
)
_WORD = re.compile(r"""[ \t{]*["']?([A-Za-z0-9_.-]+)""")
_COLON = re.compile(r"""["'][ \t]*:|:(?=\s|$)""")
_NO_VALUE = re.compile(r"(?:---|%(?:YAML|TAG)\b.*)\s*")
_NAME_ONLY = re.compile(r"""[ \t]*["']?[A-Za-z0-9_.-]+["']?:\s*""")

_ITEM = "must have texts, numbers, true or false in a list: no setting is a list of anything else"


def read_yaml(file: TextFile) -> Reading:
    """Every value of a YAML document under its dotted key; mappings group keys and mean nothing else."""
    document = _Document(file)
    with contextlib.suppress(_Stop):
        document.read()
    return document.entries, document.mistakes


class _Stop(Exception):
    """Nothing further is to be read."""


class _Document:
    """What was read of one file so far, and where in it reading is."""

    def __init__(self, file: TextFile) -> None:
        self.file = file
        self.starts = [0, *(newline.end() for newline in re.finditer("\n", file.text))]
        self.entries: list[Entry] = []
        self.mistakes: list[Mistake] = []
        self.lines: dict[str, int] = {}  # of each key, where it stood first
        self.parser: Any = None
        self.last: Any = None  # event
        self.depth = 0
        self.prefix = ""  # of the mapping that is read
        self.key = ""  # whose value is read; empty between two of them

    def read(self) -> None:
        if odd := _CHARACTER.search(self.file.text):
            line, column = self.place(odd.start())
            rule = f"must not have the character U+{ord(odd[0]):04X}, here in column {column}"
            self.mistakes.append(self.file.mistake(rule, line, key=""))
            return
        self.parser = yaml.SafeLoader(self.file.text)
        try:
            self.stream()
        except yaml.MarkedYAMLError as error:
            self.no_yaml(error)
        except (ValueError, OverflowError):  # from the number in an escape or in a version
            self.stop("is not YAML: a number beyond all characters", self.parser.get_mark().index)

    def stream(self) -> None:
        self.next()
        begin = self.next()
        if isinstance(begin, yaml.StreamEndEvent):
            return
        if self.file.text.startswith("%", begin.start_mark.index):
            self.stop(yaml_words.DIRECTIVE, begin.start_mark.index)
        top = self.next()
        if top.tag:
            self.stop(yaml_words.TAG, top.start_mark.index)
        if isinstance(top, yaml.MappingStartEvent):
            self.mapping("")
        elif isinstance(top, yaml.SequenceStartEvent) or top.style or self.scalar(top) is not None:
            self.stop("must be a mapping, of lines such as `key: value`", top.start_mark.index)
        self.next()
        second = self.next()
        if not isinstance(second, yaml.StreamEndEvent):
            self.stop("must be one document: a second begins here", second.start_mark.index)

    def next(self) -> Any:
        """The next event. The file is read on only here, and to no greater depth than is allowed."""
        self.last = event = self.parser.get_event()
        if getattr(event, "anchor", None):
            self.stop(yaml_words.ALIAS, event.start_mark.index)
        self.depth += isinstance(event, yaml.CollectionStartEvent)
        self.depth -= isinstance(event, yaml.CollectionEndEvent)
        if self.depth > MAX_DEPTH:
            self.stop(f"must not be nested more than {MAX_DEPTH} deep", event.start_mark.index)
        return event

    def skip(self, event: Any) -> None:
        """The rest of the node that `event` begins."""
        outside = self.depth - isinstance(event, yaml.CollectionStartEvent)
        while self.depth > outside:
            self.next()

    def mapping(self, prefix: str) -> None:
        while not isinstance(key := self.next(), yaml.MappingEndEvent):
            self.prefix = prefix
            try:
                name = prefix + _key(key, prefix)
            except ValueError as error:
                self.wrong(str(error), key.start_mark.index)
                self.skip(key)
                self.skip(self.next())
                continue
            self.key = name
            line, column = self.place(key.start_mark.index)
            again = name in self.lines
            if again:
                rule = f"{name} is here a second time, first on line {self.lines[name]}"
                self.wrong(rule, key.start_mark.index, name)
            self.lines.setdefault(name, line)
            value = self.value(self.next(), name)
            if value is not None and not again:
                self.entries.append(Entry(name, value, line, column))
            self.key = ""

    def value(self, event: Any, name: str) -> Any:
        """The scalar or list that `event` begins; None where there is no such, and after a mistake."""
        if event.tag:
            self.wrong(yaml_words.TAG, event.start_mark.index, name)
            self.skip(event)
            return None
        if isinstance(event, yaml.MappingStartEvent):
            self.key = ""
            self.mapping(f"{name}.")
            return None
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, name)
        before = len(self.mistakes)
        items = []
        while not isinstance(item := self.next(), yaml.SequenceEndEvent):
            if isinstance(item, yaml.ScalarEvent) and not item.tag:
                items.append(self.scalar(item, name))
                continue
            rule = yaml_words.TAG if item.tag else _ITEM
            self.wrong(rule, item.start_mark.index, name)
            self.skip(item)
        if len(self.mistakes) > before:
            return None
        return [item for item in items if item is not None]

    def scalar(self, event: Any, name: str | None = None) -> Any:
        try:
            return (yaml_scalars.quoted if event.style else yaml_scalars.plain)(event.value)
        except ValueError as error:
            self.wrong(str(error), event.start_mark.index, name)
            return None

    def place(self, index: int) -> tuple[int, int]:
        """Line and column, from 1. PyYAML's own count the line ends of YAML 1.1, too."""
        line = bisect_right(self.starts, index)
        return line, index - self.starts[line - 1] + 1

    def no_yaml(self, error: yaml.MarkedYAMLError) -> NoReturn:
        """Say in our words what PyYAML found."""
        at = error.problem_mark.index if error.problem_mark else 0
        began = error.context_mark.index if error.context_mark else at
        said = f"{error.context or ''}: {error.problem}"
        rule, index = yaml_words.explained(said, self.file.text, began, at)
        last, line = self.last, self.place(at)[0]
        if hasattr(last, "style") and self.place(last.end_mark.index)[0] == line:
            opens = self.place(last.start_mark.index)[0]
            if last.style in ("'", '"') and opens < line:
                # It took in the lines of others, secrets perhaps.
                rule = f"is not YAML: the quote that begins here closes first on line {line}"
                index = last.start_mark.index
            # What the mistake cut off is no value to say more about.
            if self.entries and self.entries[-1].key == next(reversed(self.lines)):
                self.entries.pop()
        self.stop(rule, index)

    def stop(self, rule: str, index: int) -> NoReturn:
        self.wrong(rule, index)
        raise _Stop

    def wrong(self, rule: str, index: int, name: str | None = None) -> None:
        """A mistake in the value of `name`; None is whosever line it seems to be."""
        line, column = self.place(index)
        text = self.file.text[self.starts[line - 1] :].partition("\n")[0]
        bare = _NO_VALUE.fullmatch(text) or (name and _NAME_ONLY.fullmatch(text))
        owner = self.owner(line, text) if name is None else name
        if re.search("[{,]", text) and len(_COLON.findall(text)) > 1 and self.file.shows(owner):
            owner = ""  # others may be on the line, too
        self.mistakes.append(self.file.mistake(rule, line, column, None if bare else owner))
        if len(self.mistakes) >= MAX_MISTAKES:
            raise _Stop

    def owner(self, line: int, text: str) -> str:
        """The key that the line says, if its value may be shown or is read; else an empty one."""
        hidden = bool(self.key) and not self.file.shows(self.key)
        groups = [self.key or next(reversed(self.lines), "")]  # a secret is no group
        if not hidden:
            parts = self.prefix.split(".")[:-1]
            groups += [".".join(parts[:deep]) for deep in range(len(parts), -1, -1)]
        if word := _WORD.match(text):
            for group in groups:
                if self.file.shows(name := f"{group}.{word[1]}".lstrip(".")):
                    return name
        return self.key if hidden and self.lines[self.key] == line else ""


def _key(event: Any, prefix: str) -> str:
    """The text of a key. Raises `ValueError`, with the rule, for what is none."""
    if event.tag:
        raise ValueError(yaml_words.TAG)
    if not isinstance(event, yaml.ScalarEvent):
        raise ValueError("must have a text as a key, not a list or a mapping")
    if not event.style and event.value == "<<":
        raise ValueError("must have no merge keys: write the values out")
    key = (yaml_scalars.quoted if event.style else yaml_scalars.plain)(event.value)
    if not isinstance(key, str):
        raise ValueError("must have a text as a key: a number, true, false or null needs quotes")
    if (prefix + key).count(".") > MAX_DEPTH:
        raise ValueError(f"must not be nested more than {MAX_DEPTH} deep")
    if len(prefix + key) > MAX_KEY:
        raise ValueError(f"must have keys of at most {MAX_KEY} characters, with those around them")
    return key
