"""`otlp-kit serve`: the receiver and its page, nothing else.

The first line on standard output names the bound addresses, so that a program that started it
with port 0 can read them: `listening http=http://127.0.0.1:41987 grpc=http://127.0.0.1:41990 ui=http://127.0.0.1:40521`.
"""

from __future__ import annotations

import argparse

from otlp_kit.cli.settings_options import add_settings, settings_of
from otlp_kit.cli.settings_reload import reloading
from otlp_kit.cli.station import open_station, run_until_stopped
from otlp_kit.settings.schema import model


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("serve", help="run the receiver and its page")
    add_settings(parser, "http", "grpc", "ui", "data", "keep", "max-size")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    with open_station(model(settings)) as station, reloading(arguments, station):
        bound = " ".join(f"{name}={address}" for name, address in station.addresses.items())
        print(f"listening {bound}", flush=True)
        if trouble := station.store.trouble:
            print(f"warning: nothing can be stored: {trouble}", flush=True)
        run_until_stopped(station.run)
        print(f"stopped: {station.service.ledger.totals()}", flush=True)
    return 0
