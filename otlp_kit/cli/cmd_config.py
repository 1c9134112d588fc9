"""`otlp-kit config`: what is set, by whom, and whether it is right.

    otlp-kit config explain                     every setting with its value and where it came from
    otlp-kit config explain batch.delay         one, with what it overrode and what it is
    otlp-kit config check kit.toml prod.yaml    every mistake in these files, with its line
    otlp-kit config diff a.toml b.yaml          what the one sets otherwise than the other; 1 if any
    otlp-kit config schema                      JSON Schema, for editors
    otlp-kit config init --rate 1000 ...        settings for a load, each with its reason

A secret is never printed. `check` and `diff` look at files alone: no variable that sets something
counts, and what a file refers to as `${NAME}` does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from otlp_kit.cli import config_init
from otlp_kit.cli.options import Stop
from otlp_kit.cli.settings_options import KNOWN, PROFILE_LAYERS, add_settings, settings_of
from otlp_kit.settings.layers import Mistakes, Settings, Value
from otlp_kit.settings.process import environment
from otlp_kit.settings.schema import json_schema, load_settings
from otlp_kit.settings.schema_values import shown
from otlp_kit.settings.secret_files import Secret


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("config", help="explain, check, compare and compute settings")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, what: str, run: Callable[[argparse.Namespace], int]) -> Any:
        added = actions.add_parser(name, help=what)
        added.set_defaults(run=run)
        return added

    explain = action("explain", "every setting, or some, and where they came from", _explain)
    explain.add_argument("keys", nargs="*", metavar="KEY", help="such as batch.delay, or batch")
    add_settings(explain)
    check = action("check", "every mistake in files of settings", _check)
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    diff = action("diff", "what two files set differently", _diff)
    diff.add_argument("before", type=Path, metavar="A")
    diff.add_argument("after", type=Path, metavar="B")
    action("schema", "JSON Schema of a file of settings", _schema)
    init = action("init", "settings for a load, each with its reason", config_init.run_init)
    config_init.add_arguments(init)


def _explain(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    if not arguments.keys:
        # What is for one signal goes before what is for all, where anybody says it.
        said = [
            name for name in settings if name.count(".") < 2 or settings[name].value is not None
        ]
        for name in said:
            print(f"{name:{max(map(len, said))}}  {_said(name, settings)}")
        return 0
    for name in dict.fromkeys(found for key in arguments.keys for found in _matching(key)):
        key = KNOWN[name]
        print(settings.explain(name))
        print(f"  {key.about}")
        own = f"OTLP_KIT_{name.upper().replace('.', '_')}"
        also = f" or {own}_FILE" if key.secret else ""
        print(f"  set by {own}{also}{f' or {key.variable}' if key.variable else ''}")
    return 0


def _matching(key: str) -> list[str]:
    """The setting `key`, or all of the section `key`."""
    names = [name for name in KNOWN if name == key or name.startswith(f"{key}.")]
    if not names:
        near = get_close_matches(key[:100], KNOWN, n=1)
        raise Stop(f"{key} is no setting{f'; did you mean {near[0]}?' if near else ''}")
    return names


def _check(arguments: argparse.Namespace) -> int:
    wrong = 0
    for file in arguments.files:
        try:
            settings = _of_file(file)
        except Mistakes as mistakes:
            wrong += len(mistakes.mistakes)
            print(mistakes, file=sys.stderr)
        else:
            said = sum(value.source.where == str(file) for value in settings.values())
            print(f"{file}: {said} settings, no mistake")
    if wrong:
        raise Stop(f"{wrong} {'mistake' if wrong == 1 else 'mistakes'}")
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    try:
        before, after = _of_file(arguments.before), _of_file(arguments.after)
    except Mistakes as mistakes:
        raise Stop(str(mistakes)) from None
    names = [name for name in before if before[name].value != after[name].value]
    for name in names:
        print(f"{name}: {_said(name, before)} -> {_said(name, after)}")
    return 1 if names else 0


def _of_file(file: Path) -> Settings:
    variables = environment().items()
    others = {
        name: value for name, value in variables if not name.startswith(("OTLP_KIT_", "OTEL_"))
    }
    return load_settings(files=[file], environ=others, profiles=PROFILE_LAYERS)


def _said(name: str, settings: Settings) -> str:
    return f"{_text(name, settings[name])} ({settings[name].source})"


def _text(name: str, value: Value) -> str:
    held = value.value
    if held is None:
        return "unset"
    if isinstance(held, Secret):
        return str(held)
    if isinstance(held, dict):
        return ",".join(f"{key}={each}" for key, each in held.items()) or "none"
    return shown(held, KNOWN[name].unit)


def _schema(arguments: argparse.Namespace) -> int:
    print(json.dumps(json_schema(), indent=2))
    return 0
