"""Settings from everywhere, each of which can say where it came from.

    KEYS = (
        Key("batch.max_queue_size", positive, 2048, "records", variable="OTEL_BSP_MAX_QUEUE_SIZE"),
        Key("exporter.token", str, secret=True),
    )
    settings = load(KEYS, files=["kit.toml"], readers={".toml": read_toml}, environ=os.environ)
    settings["batch.max_queue_size"].value
    print(settings.explain("batch.max_queue_size"))

What is said later in this order goes before what is said earlier:

    defaults < profile < files < secret directories < environment files < variables of others
    (`OTEL_*`) < own variables (`OTLP_KIT_*`) < command line

A key `a.b` is the variable `OTLP_KIT_A_B`. A secret `a.b` can also be the content of the file that
`a.b_file` or `OTLP_KIT_A_B_FILE` names, or of a file `a.b` or `otlp_kit_a_b` in a secret directory.
In files `${NAME:-default}` refers to the environment. What is empty in the environment is unset.

This module knows no setting: what a value means is for the parser of its key, and what values mean
together is for whoever reads them. It reads nothing that it was not handed, `os.environ` included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from os import PathLike
from typing import Any, TypeAlias

from otlp_kit.settings import config_files
from otlp_kit.settings.config_files import MAX_MISTAKES, Mistake, TextFile
from otlp_kit.settings.secret_files import Secret, read_secret, secret_files
from otlp_kit.settings.substitution import BadReference, refers, substitute

Path: TypeAlias = str | PathLike[str]

SCALARS = (str, int, float, bool)
COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Key:
    """One setting that exists. `default` is a value that needs no parsing; None is unset."""

    name: str
    """Dotted, such as `batch.max_queue_size`."""
    parse: Callable[[Any], Any]
    """From the text, number, boolean or list that was said. Raises `ValueError` or `TypeError` whose
    text completes "the value ...", as in "must be at least 1"."""
    default: Any = None
    unit: str = ""
    """Of the value, for people: `records`, `seconds`."""
    secret: bool = False
    """Never shown; the value is a `Secret`."""
    rule: str = ""
    """Says of a secret what `parse` wants, whose own words might repeat it: "must be k=v,k2=v2"."""
    variable: str = ""
    """What others call it in the environment, such as `OTEL_BSP_MAX_QUEUE_SIZE`."""
    parse_variable: Callable[[str], Any] | None = None
    """From the text of `variable`, which may have another unit; None is `parse`."""
    about: str = ""
    """What it is, in a sentence, for people."""


@dataclass(frozen=True, slots=True)
class Source:
    """Who said a value: the layer, and where in it (a file, a variable), from line 1, or 0."""

    layer: str
    where: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.where or self.layer}{f', line {self.line}' if self.line else ''}"


@dataclass(frozen=True, slots=True)
class Value:
    """A value, who said it, and what it overrode, from the oldest to the newest."""

    value: Any
    source: Source
    overrode: tuple[Value, ...] = ()


class Mistakes(ValueError):
    """Everything that is wrong, at once, in the order of the files; no setting is to be had."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(mistakes)
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        more = ["There may be more."] if len(self.mistakes) >= MAX_MISTAKES else []
        return "\n".join([*map(str, self.mistakes), *more])


@dataclass(frozen=True, slots=True)
class Settings(Mapping[str, Value]):
    """Every key with its `Value`. `ignored` is what was wrong in the variables of others.

    The specification wants such a variable reported and otherwise treated as unset.
    """

    keys_known: Mapping[str, Key] = field(repr=False)
    values_said: Mapping[str, Value]
    ignored: tuple[Mistake, ...] = ()

    def __getitem__(self, name: str) -> Value:
        return self.values_said[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_said)

    def __len__(self) -> int:
        return len(self.values_said)

    def explain(self, name: str) -> str:
        """The value of the key `name`, where it came from, and what it overrode, oldest first.

        Raises `KeyError` with the nearest key for one that does not exist.
        """
        if name not in self.values_said:
            raise KeyError(_unknown(name, self.keys_known))
        value, unit = self.values_said[name], self.keys_known[name].unit
        lines = [f"{name} = {value.value!r}{unit and f' {unit}'}, from {value.source}"]
        lines += [f"  instead of {old.value!r} from {old.source}" for old in value.overrode]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Said:
    """A value before it is parsed, and how a mistake in it looks."""

    key: Key
    raw: Any = field(repr=False)
    source: Source
    mistake: Callable[[str], Mistake]
    by_others: bool


def load(
    keys: Iterable[Key],
    *,
    profile: tuple[str, Mapping[str, Any]] | None = None,
    files: Sequence[Path] = (),
    secret_directories: Sequence[Path] = (),
    env_files: Sequence[Path] = (),
    environ: Mapping[str, str] | None = None,
    arguments: Mapping[str, Any] | None = None,
    readers: Mapping[str, config_files.Reader] | None = None,
    prefix: str = "OTLP_KIT_",
    other_variables: Collection[str] = (),
) -> Settings:
    """The settings `keys` from all layers; of several files in one layer the last goes first.

    `profile` is a name and values by key, `arguments` values by key from the command line.
    `readers` are by the ending of a file, such as `.toml`, and say which formats there are.
    `other_variables` begin with `prefix` and are no settings.

    None as a value says nothing.

    Raises `Mistakes` with all of them. A file that does not exist is one; a secret directory is not.
    Raises `ValueError` for keys that cannot be told apart in the environment.
    """
    layers = _Layers({key.name: key for key in keys}, prefix, environ or {})
    layers.profile(*profile or ("", {}))
    for path in files:
        layers.file(path, readers or {})
    for path in secret_directories:
        layers.secret_directory(path)
    for path in env_files:
        layers.env_file(path, other_variables)
    layers.variables(other_variables)
    layers.command_line(arguments or {})
    return layers.settings()


class _Layers:
    """What was said so far, in order, and what was wrong with it."""

    def __init__(self, keys: dict[str, Key], prefix: str, environ: Mapping[str, str]) -> None:
        self.keys = keys
        self.environ = environ
        self.prefix = prefix
        self.own = {prefix + name.upper().replace(".", "_"): key for name, key in keys.items()}
        self.others = {key.variable: key for key in keys.values() if key.variable}
        if len(self.own) < len(keys):
            raise ValueError("two keys differ in nothing but . and _, so they share a variable")
        self.said: list[_Said] = []
        self.mistakes: list[Mistake] = []

    def say(
        self,
        name: str,
        raw: Any,
        source: Source,
        mistake: Callable[[str], Mistake],
        names: Mapping[str, Key],
        suffix: str = "_file",
    ) -> None:
        """Take `raw` for the key called `name` in `names`, or the secret in the file that it names.

        None says nothing, unless for a key that does not exist.
        """
        key = names.get(name)
        of_file = None if key else names.get(name.removesuffix(suffix))
        if raw is None and (key or of_file):
            return
        if key:
            self.said.append(_Said(key, raw, source, mistake, names is self.others))
        elif of_file and of_file.secret:
            try:
                secret = read_secret(raw)
            except ValueError as error:
                # Its name is not repeated: it may be the secret, set where the file belongs.
                self.mistakes.append(mistake(f"the file of {of_file.name} {error}"))
            else:
                self.said.append(_Said(of_file, secret, source, mistake, by_others=False))
        else:
            self.mistakes.append(mistake(_unknown(name, names)))

    def profile(self, name: str, values: Mapping[str, Any]) -> None:
        layer = f"profile {name}"
        for key, value in values.items():
            self.say(key, value, Source(layer), _line(layer, key, value, self.keys), self.keys)

    def file(self, path: Path, readers: Mapping[str, config_files.Reader]) -> None:
        file = config_files.read_text(path, lambda name: _shown(name, self.keys))
        if isinstance(file, Mistake):
            self.mistakes.append(file)
            return
        suffix = f".{file.name.rpartition('.')[2]}"
        if suffix not in readers:
            rule = f"must end in one of {', '.join(sorted(readers))}, so that its format is known"
            self.mistakes.append(Mistake(file.name, rule))
            return
        entries, mistakes = readers[suffix](file)
        self.mistakes += mistakes
        secret = {entry.line for entry in entries if not _shown(entry.key, self.keys)}
        for name, value, line, column in entries:
            if len(self.mistakes) >= MAX_MISTAKES:
                return
            public = _shown(name, self.keys)
            shared = line in secret or (secret and not _begins(file, line, name))
            owner = "" if public and shared else name  # a secret may be on the line, too
            mistake = _in_file(file, line, column, owner)
            try:
                raw = self.resolved(value)
            except BadReference as error:
                if public:
                    # Where the line holds it in so many characters, the caret can be exact.
                    at = file.text.split("\n")[line - 1].find(error.reference) + 1
                    mistake = _in_file(file, line, at or column, owner)
                self.mistakes.append(mistake(str(error)))
            except TypeError as error:
                self.mistakes.append(mistake(str(error)))
            else:
                self.say(name, raw, Source("file", file.name, line), mistake, self.keys)

    def resolved(self, value: Any) -> Any:
        """`value` with its references replaced; None where they leave nothing."""
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, SCALARS) for item in items):
            raise TypeError("must be a text, a number, true or false, or a list of these")
        if isinstance(value, list):
            return [said for item in value if (said := self.resolved(item)) is not None]
        if isinstance(value, str) and refers(value):
            return substitute(value, self.environ) or None
        return value

    def secret_directory(self, path: Path) -> None:
        try:
            found = secret_files(path)
        except ValueError as error:
            self.mistakes.append(Mistake(str(path), str(error)))
            return
        known = {**self.keys, **{name.lower(): key for name, key in self.own.items()}}
        for name, file in found.items():
            key = known.get(name) or known.get(name.lower())
            if key and key.secret:  # the directory may serve others, too
                source = Source("secret directory", str(file))
                self.say(f"{key.name}_file", file, source, _whole(str(file)), self.keys)

    def env_file(self, path: Path, other_variables: Collection[str]) -> None:
        file = config_files.read_text(path, lambda name: _shown(name, {**self.own, **self.others}))
        if isinstance(file, Mistake):
            self.mistakes.append(file)
            return
        entries, mistakes = config_files.read_env_file(file)
        self.mistakes += mistakes
        lines = {entry.key: entry for entry in entries}

        def where(name: str, value: str) -> tuple[Source, Callable[[str], Mistake]]:
            _, _, line, column = lines[name]
            source = Source("environment file", file.name, line)
            return source, _in_file(file, line, column, name)

        self.environment({entry.key: entry.value for entry in entries}, other_variables, where)

    def variables(self, other_variables: Collection[str]) -> None:
        def where(name: str, value: str) -> tuple[Source, Callable[[str], Mistake]]:
            mistake = _line(f"variable {name}", name, value, {**self.own, **self.others})
            return Source("environment", f"variable {name}"), mistake

        self.environment(self.environ, other_variables, where)

    def environment(
        self,
        environ: Mapping[str, str],
        other_variables: Collection[str],
        where: Callable[[str, str], tuple[Source, Callable[[str], Mistake]]],
    ) -> None:
        """The variables of others, and then the own ones, which go before them."""
        mine = [name for name in environ if name.startswith(self.prefix)]
        for name in [*(name for name in self.others if name in environ), *sorted(mine)]:
            value = environ[name].strip()
            if not value or name in other_variables:
                continue
            if len(self.mistakes) >= MAX_MISTAKES:
                return
            source, mistake = where(name, value)
            direct = name.removesuffix("_FILE")
            if name not in self.own and direct in self.own and environ.get(direct, "").strip():
                self.mistakes.append(mistake(f"must not be set together with {direct}"))
                continue
            names = self.others if name in self.others else self.own
            self.say(name, value, source, mistake, names, "_FILE")

    def command_line(self, arguments: Mapping[str, Any]) -> None:
        for key, value in arguments.items():
            mistake = _line(COMMAND_LINE, key, value, self.keys)
            self.say(key, value, Source(COMMAND_LINE), mistake, self.keys)

    def settings(self) -> Settings:
        """All values parsed, in order; raises `Mistakes`."""
        ignored: list[Mistake] = []
        history = {name: [(key.default, Source("defaults"))] for name, key in self.keys.items()}
        for said in self.said:
            other = said.key.parse_variable if said.by_others else None
            try:
                value = (other or said.key.parse)(said.raw)
            except (ValueError, TypeError, ArithmeticError) as error:
                rule = (said.key.rule or "is not valid") if said.key.secret else str(error)
                wrong = said.mistake(f"{said.key.name} {rule}")
                (ignored if said.by_others else self.mistakes).append(wrong)
            else:
                history[said.key.name].append((value, said.source))
        if self.mistakes:
            places = list(dict.fromkeys(mistake.where for mistake in self.mistakes))
            raise Mistakes(
                sorted(self.mistakes, key=lambda one: (places.index(one.where), one.line))
            )
        values = {}
        for name, said_in_order in history.items():
            *old, new = [
                Value(Secret(value) if self.keys[name].secret and value is not None else value, by)
                for value, by in said_in_order
            ]
            values[name] = Value(new.value, new.source, tuple(old))
        return Settings(self.keys, values, tuple(ignored))


def _shown(name: str, names: Mapping[str, Key]) -> bool:
    return name in names and not names[name].secret


def _unknown(name: str, names: Mapping[str, Key]) -> str:
    without_case = {known.casefold(): known for known in names}
    near = get_close_matches(name[:100].casefold(), without_case, n=1)
    hint = f"; did you mean {without_case[near[0]]}?" if near else ""
    return f"{name[:100]} is no setting{hint}"


def _begins(file: TextFile, line: int, name: str) -> bool:
    """Whether `line` begins with the key `name`, so that no value from before goes on in it."""
    last = re.escape(name.rpartition(".")[2])
    text = file.text.split("\n")[line - 1]
    return bool(re.match(rf"""\s*(?:[\w-]+\s*\.\s*)*["']?{last}["']?\s*[=:]""", text))


def _in_file(file: TextFile, line: int, column: int, name: str) -> Callable[[str], Mistake]:
    return lambda rule: file.mistake(rule, line, column, name)


def _line(where: str, name: str, value: Any, names: Mapping[str, Key]) -> Callable[[str], Mistake]:
    """A mistake in what was said without a file: the line that it would be in one."""
    shown = f"{name}={value if _shown(name, names) else '***'}"
    return lambda rule: Mistake(where, rule, 0, shown[:1000], len(name) + 2)


def _whole(where: str) -> Callable[[str], Mistake]:
    return lambda rule: Mistake(where, rule)
