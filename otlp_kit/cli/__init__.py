"""The command `otlp-kit`: one file per subcommand, `cmd_*.py`, each with `add` and `run`.

Whatever a user can cause ends in one line and exit status 2, never in a traceback: commands raise
`Stop` with that line.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from otlp_kit import __version__
from otlp_kit.cli.options import Stop

COMMANDS = ("up", "serve", "demo", "traces", "show", "sql", "copy", "conform", "config")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit status (0, or 2 for anything the user has to change)."""
    parser = argparse.ArgumentParser(
        prog="otlp-kit", description="Learn how telemetry pipelines really work, by running one."
    )
    parser.add_argument("--version", action="version", version=f"otlp-kit {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        try:
            import_module(f"otlp_kit.cli.cmd_{name}").add(commands)
        except ModuleNotFoundError as error:
            if not error.name or error.name.partition(".")[0] == "otlp_kit":
                raise
            _add_without_package(commands, name, error.name)
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except Stop as stop:
        print(f"otlp-kit: {stop}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _add_without_package(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, package: str
) -> None:
    """A command that says what it misses: the others, such as `copy`, need nothing installed."""

    def stop(_: argparse.Namespace) -> int:
        raise Stop(
            f"{name} needs the package {package}: pip install 'otlp-kit[config,server,demo]'"
        )

    # With no character that begins an option, whatever follows is taken, and not looked at.
    parser = commands.add_parser(
        name, help=f"needs the package {package}", prefix_chars="\0", add_help=False
    )
    parser.add_argument("ignored", nargs="*")
    parser.set_defaults(run=stop)
