"""The command `otlp-kit`: one file per subcommand, `cmd_*.py`, each with `add` and `run`.

Whatever a user can cause ends in one line and exit status 2, never in a traceback: commands raise
`Stop` with that line.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from otlp_kit import __version__
from otlp_kit.cli import cmd_demo, cmd_serve, cmd_show, cmd_sql, cmd_traces, cmd_up
from otlp_kit.cli.options import Stop

COMMANDS = (cmd_up, cmd_serve, cmd_demo, cmd_traces, cmd_show, cmd_sql)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit status (0, or 2 for anything the user has to change)."""
    parser = argparse.ArgumentParser(
        prog="otlp-kit", description="Learn how telemetry pipelines really work, by running one."
    )
    parser.add_argument("--version", action="version", version=f"otlp-kit {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands)
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
