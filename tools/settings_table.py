"""The page of all settings, read off the schema that loads them: nothing on it is written by hand.

A setting is an entry: its name, what it is, what holds without it, and the variables that set it.
What exists for all signals and for each of them is told once. Below that, what each profile sets instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from otlp_kit.cli.settings_options import KNOWN, PROFILE_LAYERS
from otlp_kit.settings.layers import Key
from otlp_kit.settings.schema_values import shown
from otlp_kit.wire import SIGNALS

PAGE = "reference/settings.md"
SPECIFICATION = "https://opentelemetry.io/docs/specs/otel/"
LINKS = {
    "OTEL_BSP_": "configuration/sdk-environment-variables/#batch-span-processor",
    "OTEL_EXPORTER_OTLP_": "protocol/exporter/#configuration-options",
    "OTEL_": "configuration/sdk-environment-variables/#general-sdk-configuration",
}
"""Where the specification describes the variables that begin so; the first that fits counts."""
UNSET = "unset"


def page(keys: Iterable[Key] = KNOWN.values()) -> str:
    """The Markdown of the page."""
    lines = [
        "# Settings",
        "",
        "What can be set, and by whom: see [Configure](../howto/configure.md). A time is a number of",
        "seconds or text such as `250ms`, `30s` or `7d`, a size a number of bytes or text such as `64MiB`",
        "or `2GB`; a duration in a variable `OTEL_*` is in milliseconds, as the specification has it. A",
        "secret is never shown, and its own variable with `_FILE` at the end names a file that it is in.",
        "",
    ]
    general = [key for key in keys if not _signal(key.name)]
    for section, found in groupby(general, lambda key: key.name.rpartition(".")[0]):
        title, of_section = section.capitalize() or "In general", list(found)
        lines += [f"## {title}", "", *_entries(of_section)]
        if section == "exporter":
            lines += _of_signals(of_section)
    return "\n".join([*lines, "## Profiles", "", *_profiles(PROFILE_LAYERS), ""])


def _entries(keys: Iterable[Key]) -> Iterator[str]:
    """A definition for each setting; a table would break the names, which are long."""
    for key in keys:
        unit = f" Unit: {key.unit}." if key.unit else ""
        secret = " A secret." if key.secret else ""
        yield f"`{key.name}`{{ #{key.name} }}"
        yield f":   {key.about}{secret}{unit} Default: {_default(key)}.<br>"
        yield f"    {_variables(key)}"
        yield ""


def _default(key: Key) -> str:
    if key.default is None:
        return UNSET
    return f"`{shown(key.default, key.unit)}`" if key.default != {} else "none"


def _variables(key: Key) -> str:
    own = f"`OTLP_KIT_{key.name.upper().replace('.', '_')}`"
    if not key.variable:
        return own
    return f"{own} or [`{key.variable}`]({SPECIFICATION}{_link(key.variable)})"


def _link(variable: str) -> str:
    return next(link for prefix, link in LINKS.items() if variable.startswith(prefix))


def _of_signals(of_all: Iterable[Key]) -> Iterator[str]:
    """Each setting of an exporter exists for one signal, too, under a name that follows a rule."""
    alone = ", ".join(f"`{_last(key.name)}`" for key in of_all if not key.variable)
    yield "All of these exist for one signal, too, and then go before that of all signals. None has a"
    yield f"default of its own. As above, the specification has no variable for {alone}."
    yield ""
    link = f"{SPECIFICATION}{LINKS['OTEL_EXPORTER_OTLP_']}"
    for signal in SIGNALS:
        part = signal.name.upper()
        yield f"`exporter.{signal.name}.*`"
        yield f":   `OTLP_KIT_EXPORTER_{part}_*` or [`OTEL_EXPORTER_OTLP_{part}_*`]({link})"
        yield ""


def _profiles(layers: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """What each profile sets otherwise than the defaults."""
    yield "`profile` names one. It takes the place of the defaults, and what anybody says goes before it. An"
    yield "empty cell is the default."
    yield ""
    yield f"| setting | {' | '.join(layers)} |"
    yield f"|---|{'---|' * len(layers)}"
    for name in (name for name in KNOWN if any(name in layer for layer in layers.values())):
        cells = [
            f"`{shown(layer[name], KNOWN[name].unit)}`"
            if layer.get(name, KNOWN[name].default) != KNOWN[name].default
            else ""
            for layer in layers.values()
        ]
        yield f"| [`{name}`](#{name}) | {' | '.join(cells)} |"


def _signal(name: str) -> str:
    """The signal that a setting of an exporter is for, or nothing."""
    parts = name.split(".")
    return parts[1] if parts[0] == "exporter" and len(parts) == 3 else ""


def _last(name: str) -> str:
    return name.rpartition(".")[2]
