"""`otlp-kit demo`: a small shop that sends its telemetry to a receiver, until Ctrl-C.

`--orders N` stops by itself after N orders.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from otlp_kit.cli.options import Stop
from otlp_kit.cli.settings_options import add_settings, settings_of
from otlp_kit.runtime.lifecycle import exit_on_sigterm
from otlp_kit.settings.schema import model
from otlp_kit.settings.schema_values import Address

if TYPE_CHECKING:
    from otlp_kit.demo.shop import Shop

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERY_HOST = ("0.0.0.0", "::")
FASTEST = 20.0
"""Orders a second: a demo shows, it does not load."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("demo", help="run a small shop that makes telemetry")
    for name in ("http", "grpc"):
        parser.add_argument(
            f"--{name}",
            type=_loopback,
            metavar="URL",
            help=f"where it sends, on loopback (default: where receiver.{name} is set to listen)",
        )
    add_settings(parser)
    parser.add_argument("--orders", type=int, help="how many orders (default: until Ctrl-C)")
    parser.add_argument(
        "--rate",
        type=_rate,
        default=2.0,
        metavar="PER_SECOND",
        help=f"orders a second, at most {FASTEST:g} (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    exit_on_sigterm()  # or the services would be left behind
    sent = confirmed = 0
    orders = itertools.count() if arguments.orders is None else range(arguments.orders)
    receiver = model(settings_of(arguments)).receiver
    http = arguments.http or _near("http", receiver.http)
    grpc = arguments.grpc or _near("grpc", receiver.grpc)
    with shop_class()(http, grpc) as shop:
        print(f"the shop is open, {arguments.rate:g} orders a second; Ctrl-C closes it", flush=True)
        try:
            for _ in orders:
                confirmed += shop.order()
                sent += 1
                time.sleep(1 / arguments.rate)
        except KeyboardInterrupt:
            print()
    print(f"{sent} orders, {confirmed} confirmed", flush=True)
    return 0


def shop_class() -> type[Shop]:
    """The class `Shop`, if what it needs is installed."""
    wanted = ("opentelemetry.exporter.otlp.proto.grpc", "opentelemetry.exporter.otlp.proto.http")
    try:
        missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    except ModuleNotFoundError:
        missing = list(wanted)
    if missing:
        raise Stop("the demo needs the official SDK: pip install 'otlp-kit[demo]'")
    from otlp_kit.demo.shop import Shop

    return Shop


def _near(name: str, address: Address) -> str:
    """Where a receiver that listens at `address` is reached from this machine, and only from it."""
    host = "127.0.0.1" if address.host in EVERY_HOST else address.host
    if host not in LOOPBACK or not address.port:
        raise Stop(f"receiver.{name} is {address}: say with --{name} where it is on this machine")
    return f"http://{Address(host, address.port)}"


def _loopback(text: str) -> str:
    if urlsplit(text).scheme != "http" or urlsplit(text).hostname not in LOOPBACK:
        raise argparse.ArgumentTypeError(f"{text!r} is not an http:// address of this machine")
    return text.rstrip("/")


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= FASTEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate above 0 and up to {FASTEST:g}")
    return rate
