"""What several commands share: where the data is, what an address looks like, how to stop."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path


class Stop(Exception):
    """The command cannot go on; the text is one line that says what the user can do."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen on. Port 0 takes any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def address(text: str) -> Address:
    """Parse `HOST:PORT`, `[IPV6]:PORT` or `PORT`."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT with a port from 0 to 65535")
    return Address(host, int(port))


UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
SIZES = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


def age(text: str) -> float:
    """Parse `30s`, `10m`, `12h` or `7d` into seconds."""
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or int(number) == 0 or unit not in UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 30s, 10m, 12h or 7d")
    return int(number) * UNITS[unit]


def size(text: str) -> int:
    """Parse `500KB`, `50MB` or `2GB` into bytes."""
    number, unit = text[:-2], text[-2:].upper()
    if not number.isdecimal() or int(number) == 0 or unit not in SIZES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 500KB, 50MB or 2GB")
    return int(number) * SIZES[unit]


def user_data_dir() -> Path:
    """Where this system keeps a user's data: what `--data` means when it is not given."""
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library/Application Support/otlp-kit"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData/Local")) / "otlp-kit"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share") / "otlp-kit"


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        default=user_data_dir(),
        metavar="DIR",
        help="directory of the database (default: %(default)s)",
    )


def add_listeners(parser: argparse.ArgumentParser) -> None:
    """The addresses of the receiver and its page, the data directory, and how much it keeps."""
    for name, port, what in (
        ("http", 4318, "OTLP/HTTP receiver"),
        ("grpc", 4317, "OTLP/gRPC receiver"),
        ("ui", 4320, "page with traces and ledger"),
    ):
        add_address(parser, name, port, what)
    add_data(parser)
    parser.add_argument(
        "--keep",
        type=age,
        default=age("30d"),
        metavar="TIME",
        help="remove what arrived longer ago (default: 30d)",
    )
    parser.add_argument(
        "--max-size",
        type=size,
        default=size("2GB"),
        metavar="SIZE",
        help="remove the oldest when the database holds more (default: 2GB)",
    )


def add_address(parser: argparse.ArgumentParser, name: str, port: int, what: str) -> None:
    """`--NAME HOST:PORT`, on loopback by default."""
    parser.add_argument(
        f"--{name}",
        type=address,
        default=Address("127.0.0.1", port),
        metavar="HOST:PORT",
        help=f"{what} (default: %(default)s; port 0: any free one)",
    )
