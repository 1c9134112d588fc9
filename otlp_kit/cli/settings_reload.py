"""Files of settings that change while a receiver runs: what can be applied is, the rest is said.

with open_station(settings) as station, reloading(arguments, station):
    ...
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from otlp_kit.cli.options import Stop
from otlp_kit.cli.settings_options import loaded
from otlp_kit.cli.station import Station, retention
from otlp_kit.settings.layers import Mistakes
from otlp_kit.settings.reload import Changes, Reloader
from otlp_kit.settings.schema import model

APPLIED = ("store.keep", "store.max_size")
"""What a running receiver takes over."""


def fixed(name: str) -> str | None:
    """Why a setting cannot change while the receiver runs."""
    return None if name in APPLIED else "it is read when the program starts"


@contextmanager
def reloading(arguments: argparse.Namespace, station: Station) -> Iterator[None]:
    """Watch the files that `arguments` name, as long as the context lasts. Raises `Stop`."""
    paths = [*arguments.config, *arguments.env_file, *arguments.secrets]
    if not paths:
        yield
        return
    try:
        reloader = Reloader(partial(loaded, arguments), paths, fixed=fixed)
    except Mistakes as mistakes:
        raise Stop(str(mistakes)) from None
    # A file may have changed between the opening of the station and now.
    station.store.retention = retention(model(reloader.settings))

    def apply(changes: Changes) -> None:
        station.store.retention = retention(model(changes.after))
        applied = [name for name in changes.changed if name in APPLIED]
        if applied:
            print(f"settings reloaded: {', '.join(applied)}", flush=True)

    reloader.subscribe(apply)
    reloader.start()
    try:
        yield
    finally:
        reloader.stop()
