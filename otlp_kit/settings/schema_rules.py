"""What settings of the kit mean together: who must not be larger than whom, and what needs what.

    settings = settled(layers.load(KEYS, ...))      # or Mistakes, each with the line of its value

Of two values that do not go together, one that nobody said (a default, a profile's) gives way to one
that somebody did. If both were said it is a mistake; in a variable of others (`OTEL_*`) it is
reported in `ignored` and what was said before it holds, as the specification wants it. Such a
variable is often for several signals: what one of them cannot use, the others keep.

It knows names and values, and leaves what an exporter may be to `otlp_exporter`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from otlp_kit.settings.config_files import Mistake, TextFile, read_text
from otlp_kit.settings.layers import Key, Mistakes, Settings, Source, Value
from otlp_kit.settings.otlp_exporter import ExporterSettings, exporter_settings
from otlp_kit.settings.otlp_rules import base_url
from otlp_kit.settings.schema_values import Address
from otlp_kit.settings.secret_files import Secret
from otlp_kit.wire import SIGNALS, TRACES, Signal

ASCENDING = (
    ("batch.max_batch_size", "batch.max_queue_size"),
    ("retry.first_wait", "retry.longest_wait"),
)
"""None is more than the next: a batch comes out of the queue, and waits grow."""
PAGES = ("receiver.page", "site.address", "lab.address")
LISTENING = ("receiver.http", "receiver.grpc", *PAGES)
BY_RATIO = ("traceidratio", "parentbased_traceidratio")
ANY_HOST, THIS_HOST = ("", "0.0.0.0", "::"), ("localhost", "127.0.0.1")
FILES = ("certificate", "client_certificate", "client_key")

_DEPENDS = {
    "endpoint": "protocol",
    "headers": "protocol",
    "compression": "protocol",
    "client_certificate": "client_key",
    "client_key": "client_certificate",
}
"""What decides, for a setting of an exporter, whether its value can be used."""


class Wrong(NamedTuple):
    """The name of a setting, the rule that it breaks, which reads on after the name, and for whom."""

    name: str
    rule: str
    signal: Signal | None = None


def settled(settings: Settings) -> Settings:
    """`settings` whose values go together. Raises `Mistakes` with all that do not."""
    keys, said = settings.keys_known, dict(settings)
    ignored = list(settings.ignored)
    while True:
        values = dict(said)
        wrong = list(_wrong(values))
        if not wrong:
            return Settings(keys, values, tuple(ignored))
        found = {(one.name, one.rule): _mistake(one, keys, values) for one in wrong}
        own = [one for (name, _), one in found.items() if not _by_others(keys[name], values[name])]
        if own:
            raise Mistakes(sorted(own, key=lambda one: (one.where, one.line)))
        # One at a time, that of one signal first and what no signal uses last: what goes wrong next may
        # be right without it.
        first = {one.signal: one for one in reversed(wrong)}
        one = max(first.values(), key=lambda one: (one.signal is not None, one.name.count(".")))
        ignored.append(found[one.name, one.rule])
        for_whom = {signal for signal, other in first.items() if other.name == one.name}
        if one.signal and _users(values, one.name) - for_whom:
            wrong_too = {
                other.name.rpartition(".")[2] for other in wrong if other.signal == one.signal
            }
            own_name, value = _instead(values, one.name, one.signal, wrong_too)
            said[own_name] = value
        else:
            said[one.name] = _before(values[one.name])


def exporter_settings_of(
    values: Mapping[str, Value], signal: Signal, without: Collection[str] = ()
) -> ExporterSettings:
    """The settings of an exporter of `signal`, as all layers together say it.

    What is in `without`, such as `endpoint`, counts as unset; so do certificates without TLS, as
    the endpoint of another signal may have it. Raises `ValueError` that begins with the name of an
    argument of `exporter_settings`.
    """
    said = dict.fromkeys(_ARGUMENTS) | {
        name: values[_name_of(values, signal, name)].value
        for name in _ARGUMENTS.keys() - set(without)
    }
    headers = said["headers"]
    of_all = values[f"exporter.{signal.name}.endpoint"].value is None
    if said["endpoint"] and of_all and said["protocol"] != "grpc":
        try:
            said["endpoint"] = base_url(signal.http_path)(said["endpoint"])
        except ValueError as broken:
            raise ValueError(f"endpoint {broken}") from None
    if any(said[name] for name in FILES) and _without_tls(values, signal, without):
        said |= dict.fromkeys(FILES)
    said["headers"] = headers.reveal() if isinstance(headers, Secret) else headers
    arguments = {_ARGUMENTS[name]: value for name, value in said.items()}
    return exporter_settings(signal, **arguments, environ={})


_ARGUMENTS = {
    "protocol": "protocol",
    "endpoint": "endpoint",
    "headers": "headers",
    "compression": "compression",
    "timeout": "timeout",
    "insecure": "insecure",
    "certificate": "certificate_file",
    "client_key": "client_key_file",
    "client_certificate": "client_certificate_file",
    "max_request_size": "max_request_size",
}


def _name_of(values: Mapping[str, Value], signal: Signal, name: str) -> str:
    """The setting that counts for `signal`: its own, or that of all signals."""
    own = f"exporter.{signal.name}.{name}"
    return own if values[own].value is not None else f"exporter.{name}"


def _users(values: Mapping[str, Value], name: str) -> set[Signal | None]:
    """The signals for which the setting `name` counts; none for one that is of no exporter."""
    last = name.rpartition(".")[2]
    if not name.startswith("exporter."):
        return set()
    return {signal for signal in SIGNALS if _name_of(values, signal, last) == name}


def _without_tls(
    values: Mapping[str, Value], signal: Signal, without: Collection[str] = ()
) -> bool:
    others = _ARGUMENTS.keys() - {"protocol", "endpoint", "insecure"}
    return exporter_settings_of(values, signal, {*others, *without}).insecure


def _instead(
    values: Mapping[str, Value], name: str, signal: Signal, left_out: set[str]
) -> tuple[str, Value]:
    """What holds for `signal` instead of `name`, which it cannot use, as a setting of its own."""
    last = name.rpartition(".")[2]
    older, instead = values[name], None
    while older.overrode and instead is None:
        older = _before(older)
        try:
            now = {**values, name: older}
            instead = getattr(exporter_settings_of(now, signal, left_out - {last}), last)
        except ValueError:
            continue
    own = f"exporter.{signal.name}.{last}"
    source = values[name].source
    said_by = Source(source.layer, f"{source}, which {signal.name} cannot use")
    value = Secret(instead or {}) if last == "headers" else instead or ""
    return own, Value(value, said_by, (*values[own].overrode, values[own]))


def _wrong(values: dict[str, Value]) -> Iterator[Wrong]:
    """Everything that does not go together; what gives way does so in `values`."""
    for names in ASCENDING:
        yield from _ascending(values, names)
    # A request is a part of an export, and the end of the process waits for one, unless by a profile:
    # that may cut the last export short, as it knows how long a process has.
    times = (_name_of(values, TRACES, "timeout"), "batch.export_timeout", "batch.shutdown_timeout")
    of_profile = any(values[name].source.layer.startswith("profile ") for name in times[1:])
    yield from _ascending(values, times[:2] if of_profile else times)
    if values["batch.when_full"].value != "block" and not _unsaid(values["batch.block_timeout"]):
        rule = f"is of no use with {_other(values, 'batch.when_full')}: only block waits"
        yield Wrong("batch.block_timeout", rule)
    argument = values["sampler.argument"]
    if values["sampler.name"].value not in BY_RATIO and argument.value is not None:
        if _unsaid(argument):
            values["sampler.argument"] = _moved(argument, None, "sampler.name")
        else:
            rule = f"is of no use with {_other(values, 'sampler.name')} and takes none"
            yield Wrong("sampler.argument", rule)
    for one, other in combinations(LISTENING, 2):
        if not _collide(values[one].value, values[other].value):
            continue
        name, by = (one, other) if _unsaid(values[one]) else (other, one)
        if name in PAGES and _unsaid(values[name]):  # whoever starts it says where it is
            free = Address(values[name].value.host, 0)
            values[name] = _moved(values[name], free, by)
        else:
            name, by = (by, name) if _unsaid(values[name]) else (name, by)
            yield Wrong(name, f"must not be the address of {_other(values, by)}")
    for signal in SIGNALS:
        yield from _wrong_for(values, signal)
    yield from _useless_files(values)


def _ascending(values: dict[str, Value], names: Sequence[str]) -> Iterator[Wrong]:
    """Of `names`, none may be more than the next; what nobody said moves up or down to what was."""
    said = [name for name in names if not _unsaid(values[name])]
    wrong = [
        pair for pair in combinations(said, 2) if values[pair[0]].value > values[pair[1]].value
    ]
    for small, large in wrong:
        yield Wrong(small, f"must be at most {_other(values, large)}")
    if wrong:
        return
    for at, name in enumerate(names):
        if name in said:
            continue
        # What was said rises with its place in `names`: the nearest is the one that counts.
        below = [one for one in names[:at] if one in said][-1:]
        above = [one for one in names[at:] if one in said][:1]
        if below and values[below[0]].value > values[name].value:
            values[name] = _moved(values[name], values[below[0]].value, below[0])
        elif above and values[above[0]].value < values[name].value:
            values[name] = _moved(values[name], values[above[0]].value, above[0])


def _wrong_for(values: Mapping[str, Value], signal: Signal) -> Iterator[Wrong]:
    """What the exporter of `signal` would refuse: one thing after the other, each left out next."""
    without: set[str] = set()
    while True:
        try:
            exporter_settings_of(values, signal, without)
            return
        except ValueError as broken:
            argument, _, rule = str(broken).partition(" ")
            last = argument.removesuffix("_file")
            if last in _DEPENDS:
                other = _other(values, _name_of(values, signal, _DEPENDS[last]))
                rule = f"{rule.removesuffix(' without client_certificate_file')}, with {other}"
            yield Wrong(_name_of(values, signal, last), rule, signal)
            without.add(last)


def _useless_files(values: Mapping[str, Value]) -> Iterator[Wrong]:
    """Certificates that no exporter uses, because none of those that might has TLS."""
    for last in FILES:
        for name in dict.fromkeys(_name_of(values, signal, last) for signal in SIGNALS):
            users = [one for one in SIGNALS if one in _users(values, name)]
            if not values[name].value or not users:
                continue
            try:
                useless = all(_without_tls(values, user) for user in users)
            except ValueError:  # the endpoint is wrong, and says so itself
                continue
            if useless:
                endpoint = _other(values, _name_of(values, users[0], "endpoint"))
                yield Wrong(name, f"needs TLS, which there is not with {endpoint}")


def _collide(one: Address, other: Address) -> bool:
    hosts = {one.host, other.host}
    same = len(hosts) == 1 or hosts & set(ANY_HOST) or hosts <= set(THIS_HOST)
    return bool(one.port and one.port == other.port and same)


def _other(values: Mapping[str, Value], name: str) -> str:
    held = values[name].value
    text = "unset" if held is None else f"{held:g}" if isinstance(held, float) else str(held)
    return f"{name}, which is {text} (from {values[name].source})"


def _unsaid(value: Value) -> bool:
    """Whether nobody in particular wants it."""
    return value.source.layer == "defaults" or value.source.layer.startswith("profile ")


def _moved(value: Value, to: Any, by: str) -> Value:
    source = Source(value.source.layer, f"{value.source}, moved by {by}")
    return Value(to, source, (*value.overrode, Value(value.value, value.source)))


def _before(value: Value) -> Value:
    """What held before `value` was said."""
    *older, before = value.overrode
    return Value(before.value, before.source, tuple(older))


def _by_others(key: Key, value: Value) -> bool:
    """Whether a variable of others said `value`, here or in an environment file."""
    if value.source.layer == "environment":
        return value.source.where == f"variable {key.variable}"
    return value.source.layer == "environment file" and bool(
        re.match(rf"\s*(export\s+)?{key.variable}\s*=", _line_of(value.source)[0])
    )


def mistake_of(settings: Settings, name: str, rule: str) -> Mistake:
    """The value of `name` breaks `rule`: at the place where it was said."""
    return _mistake(Wrong(name, rule), settings.keys_known, settings)


def _mistake(wrong: Wrong, keys: Mapping[str, Key], values: Mapping[str, Value]) -> Mistake:
    """`wrong` at the place where its value was said, with the line if that is in a file.

    A line which may hold a secret, too, is not shown: one that a later layer overrode is still there,
    and one in brackets may have begun on a line before.
    """
    name, source = wrong.name, values[wrong.name].source
    rule = f"{name} {wrong.rule}"
    if not source.line:
        return Mistake(str(source), rule)
    secrets = [
        said.source.line
        for other, value in values.items()
        if keys[other].secret
        for said in (value, *value.overrode)
        if said.source.where == source.where
    ]
    line, text = _line_of(source)
    last = re.escape(name.rpartition(".")[2])
    alone = re.match(rf"\s*(?:[\w-]+\s*\.\s*)*[\"']?{last}[\"']?\s*[=:]", line)
    in_brackets = bool(secrets) and not alone and source.layer == "file"
    shows = source.line not in secrets and not in_brackets
    key = re.search(rf"(?<![\w-]){last}[\"']?\s*[=:]\s*", line) or re.match(r"[^=:]*[=:]\s*", line)
    file = TextFile(source.where, text, lambda _: shows)
    return file.mistake(rule, source.line, key.end() + 1 if key else 1, name)


def _line_of(source: Source) -> tuple[str, str]:
    """The line of a file that said something, and all lines; empty ones where it has changed since."""
    file = read_text(source.where, lambda _: False)
    lines = [] if isinstance(file, Mistake) else file.text.split("\n")
    lines += [""] * (source.line - len(lines))
    return lines[source.line - 1], "\n".join(lines)
