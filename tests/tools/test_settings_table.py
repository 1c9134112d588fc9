"""The page of the settings has every setting, as the kit that loads them has it."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace

import pytest
from opentelemetry.sdk import environment_variables as official

from otlp_kit.cli.settings_options import KNOWN, PROFILE_LAYERS
from otlp_kit.settings.layers import Key, load
from otlp_kit.settings.schema import load_settings
from otlp_kit.settings.schema_values import shown
from tests.tools.matrix_pages import cells
from tools.settings_table import LINKS, page

PAGE = page()
ENTRY = re.compile(
    r"^`(?P<name>[\w.]+)`\{ #(?P=name) \}\n"
    r":   (?P<about>.+?)(?P<secret> A secret\.)?(?: Unit: (?P<unit>[\w ]+)\.)? Default: (?P<default>.+)\.<br>\n"
    r"    (?P<variables>.+)$",
    re.M,
)
ENTRIES = {found["name"]: found for found in ENTRY.finditer(PAGE)}
GENERAL = {name: key for name, key in KNOWN.items() if name.count(".") < 2}


def test_every_setting_has_one_entry_in_the_order_of_the_schema() -> None:
    """And no entry is about anything else."""
    assert [found["name"] for found in ENTRY.finditer(PAGE)] == list(GENERAL)


@pytest.mark.parametrize("name", GENERAL)
def test_an_entry_says_what_the_loader_does(name: str) -> None:
    """Its default is the value that is loaded when nobody says anything."""
    entry, key = ENTRIES[name], KNOWN[name]
    value = load_settings()[name].value
    default = "unset" if value is None else "none" if value == {} else f"`{shown(value, key.unit)}`"
    assert entry["default"] == default
    assert (entry["unit"] or "") == key.unit
    assert bool(entry["secret"]) == key.secret
    assert entry["about"] == key.about


@pytest.mark.parametrize("name", GENERAL)
def test_each_variable_of_an_entry_sets_it(name: str) -> None:
    """A value of each variable arrives, and is said to come from there."""
    variables = re.findall(r"`(\w+)`", ENTRIES[name]["variables"])
    assert len(variables) == (2 if KNOWN[name].variable else 1)
    for variable in variables:
        source = load(KNOWN.values(), environ={variable: valid(KNOWN[name])})[name].source
        assert source.where == f"variable {variable}"


def valid(key: Key) -> str:
    """A text that the setting takes, from either variable."""
    for text in ("600", "true", "1", "grpc", "gzip", "block", "always_on", "production", "a=b"):
        with contextlib.suppress(ValueError):
            key.parse(text)
            if key.parse_variable:
                key.parse_variable(text)
            return text
    raise AssertionError(f"no text for {key.name}")


def test_the_variables_of_others_are_those_of_the_official_sdk() -> None:
    """By name, and each leads to the part of the specification that has its kind."""
    known = {value for name, value in vars(official).items() if name.startswith("OTEL_")}
    linked = re.findall(r"\[`(OTEL_\w+)`\]\((\S+)\)", PAGE)
    assert {name for name, _ in linked} == {
        key.variable for key in GENERAL.values() if key.variable
    }
    assert {name for name, _ in linked} <= known
    for name, link in linked:
        assert link.endswith(next(one for prefix, one in LINKS.items() if name.startswith(prefix)))


def test_what_is_told_once_for_three_signals_is_true_of_each() -> None:
    """The same names without defaults, and variables that differ in the signal alone."""
    for_all = [name.rpartition(".")[2] for name in GENERAL if name.startswith("exporter.")]
    for signal in ("traces", "metrics", "logs"):
        prefix = f"exporter.{signal}."
        own = {name.removeprefix(prefix): key for name, key in KNOWN.items() if prefix in name}
        assert list(own) == for_all
        assert all(key.default is None for key in own.values())
        for last, key in own.items():
            of_all = KNOWN[f"exporter.{last}"].variable
            part = f"OTEL_EXPORTER_OTLP_{signal.upper()}_"
            assert key.variable == of_all.replace("OTEL_EXPORTER_OTLP_", part)
        alone = [last for last, key in own.items() if not key.variable]
        assert f"has no variable for {', '.join(f'`{last}`' for last in alone)}." in PAGE
        assert f"`exporter.{signal}.*`" in PAGE
        assert f"`OTLP_KIT_EXPORTER_{signal.upper()}_*`" in PAGE


def test_the_cells_of_profiles_are_what_they_change() -> None:
    """Read back, a profile's column and the defaults are what is loaded with it."""
    table = [one for one in cells(PAGE) if one[0] == "Profiles"]
    for profile, layer in PROFILE_LAYERS.items():
        column = {re.findall(r"`([\w.]+)`", row)[0]: cell for _, row, head, cell in table if head == profile}  # fmt: skip
        loaded = load_settings(arguments={"profile": profile}, profiles=PROFILE_LAYERS)
        for name in layer:
            value, key = loaded[name].value, KNOWN[name]
            expected = "" if value == key.default else f"`{shown(value, key.unit)}`"
            assert column.get(name, "") == expected, (profile, name)


def test_a_setting_that_is_added_is_on_the_page() -> None:
    """Nothing has to be written for it."""
    added = ENTRY.search(page([replace(KNOWN["retry.max_attempts"], name="retry.added")]))
    assert added
    assert added["name"] == "retry.added"
    assert added["variables"] == "`OTLP_KIT_RETRY_ADDED`"
