"""`otlp-kit serve`: the receiver and its page, nothing else.

The first line on standard output names the bound addresses, so that a program that started it
with port 0 can read them: `listening http=http://127.0.0.1:41987 grpc=http://127.0.0.1:41990 ui=http://127.0.0.1:40521`.
"""

from __future__ import annotations

import argparse

from otlp_kit.cli.options import add_listeners
from otlp_kit.cli.station import open_station, run_until_stopped


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("serve", help="run the receiver and its page")
    add_listeners(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    with open_station(arguments) as station:
        bound = " ".join(f"{name}={address}" for name, address in station.addresses.items())
        print(f"listening {bound}", flush=True)
        if trouble := station.store.trouble:
            print(f"warning: nothing can be stored: {trouble}", flush=True)
        run_until_stopped(station.run)
        print(f"stopped: {station.service.ledger.totals()}", flush=True)
    return 0
