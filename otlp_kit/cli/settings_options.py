"""The options that give a command its settings, and the settings that they give.

    add_settings(parser, "http", "data")
    ...
    settings = settings_of(arguments)           # stops with every mistake at once
    model(settings).receiver.http

What a person types goes before every variable and every file. An option that names a setting has
the setting's text, unit and default for its help, so nothing about a setting is written twice.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from otlp_kit.cli.options import Stop
from otlp_kit.runtime.profiles import PROFILES
from otlp_kit.settings.layers import Key, Mistakes, Settings
from otlp_kit.settings.process import environment, user_data_directory
from otlp_kit.settings.schema import KEYS, KitSettings, load_settings, model
from otlp_kit.settings.schema_values import Address, shown

KNOWN: Mapping[str, Key] = {key.name: key for key in KEYS}

PROFILE_LAYERS = {name: profile.layer() for name, profile in PROFILES.items()}
"""What each profile sets, by key."""

OPTIONS = {
    "http": "receiver.http",
    "grpc": "receiver.grpc",
    "ui": "receiver.page",
    "data": "store.directory",
    "keep": "store.keep",
    "max-size": "store.max_size",
    "site": "site.address",
    "lab": "lab.address",
}
"""The settings that have an option of their own, by its name."""


def add_settings(parser: argparse.ArgumentParser, *options: str) -> None:
    """The `options` of those, and the options for all settings."""
    for option in options:
        key = KNOWN[OPTIONS[option]]
        parser.add_argument(
            f"--{option}",
            dest=key.name,
            default=argparse.SUPPRESS,
            metavar=_metavar(key),
            help=_help(key),
        )
    group = parser.add_argument_group("settings", "`otlp-kit config explain` lists them")
    group.add_argument(
        "--config", type=Path, action="append", default=[], metavar="FILE",
        help="a file of settings, TOML or YAML; of several the last goes first",
    )  # fmt: skip
    group.add_argument(
        "--env-file", type=Path, action="append", default=[], metavar="FILE",
        help="a file of lines NAME=VALUE",
    )  # fmt: skip
    group.add_argument(
        "--secrets", type=Path, action="append", default=[], metavar="DIR",
        help="a directory with one file for each secret, as Docker and Kubernetes mount it",
    )  # fmt: skip
    group.add_argument(
        "--set", dest="said", type=_pair, action="append", default=[], metavar="KEY=VALUE",
        help="any setting, such as --set store.keep=7d",
    )  # fmt: skip


def settings_of(arguments: argparse.Namespace) -> Settings:
    """All layers, for a command with the options of `add_settings`. Raises `Stop`."""
    try:
        settings = loaded(arguments)
    except Mistakes as mistakes:
        raise Stop(str(mistakes)) from None
    for ignored in settings.ignored:
        print(f"otlp-kit: ignored: {ignored}", file=sys.stderr)
    return settings


def data_of(arguments: argparse.Namespace) -> Path:
    """The directory of the database, for a command with the option `data`. Raises `Stop`."""
    return data_directory(model(settings_of(arguments)))


def loaded(arguments: argparse.Namespace) -> Settings:
    """The same, silent, and again from the files as they are now. Raises `Mistakes`."""
    typed = {name: value for name, value in vars(arguments).items() if name in KNOWN}
    return load_settings(
        files=arguments.config,
        secret_directories=arguments.secrets,
        env_files=arguments.env_file,
        environ=environment(),
        arguments=dict(arguments.said) | typed,
        profiles=PROFILE_LAYERS,
    )


def data_directory(settings: KitSettings) -> Path:
    """Where the database is: what the settings say, or where this system keeps a user's data."""
    said = settings.store.directory
    return Path(said) if said else user_data_directory(environment())


def _metavar(key: Key) -> str:
    if isinstance(key.default, Address):
        return "HOST:PORT"
    return {"seconds": "TIME", "bytes": "SIZE"}.get(key.unit, "DIR")


def _help(key: Key) -> str:
    """For argparse, to which a % means something."""
    default = "" if key.default is None else f" (default: {shown(key.default, key.unit)})"
    return f"{key.about}{default}".replace("%", "%%")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        # The text is not repeated: it may be a secret whose = was mistyped.
        raise argparse.ArgumentTypeError("must be KEY=VALUE, such as store.keep=7d")
    return name.strip(), value.strip()
