"""`otlp-kit show TRACE_ID`: the waterfall of one trace, in the terminal."""

from __future__ import annotations

import argparse
import shutil
import sys

from otlp_kit.cli.options import Stop
from otlp_kit.cli.reading import open_store
from otlp_kit.cli.settings_options import add_settings, data_of
from otlp_kit.views.waterfall import Waterfall


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("show", help="show one trace as a waterfall")
    parser.add_argument("trace_id", help="32 hexadecimal digits, as `otlp-kit traces` prints them")
    add_settings(parser, "data")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    trace_id = arguments.trace_id.strip().lower()
    if len(trace_id) != 32 or not set(trace_id) <= set("0123456789abcdef"):
        raise Stop(f"{arguments.trace_id!r} is not a trace id: 32 hexadecimal digits")
    data = data_of(arguments)
    with open_store(data) as store:
        spans = store.spans(trace_id)
    if not spans:
        raise Stop(f"no trace {trace_id} in {data}; `otlp-kit traces` lists what is there")
    width = shutil.get_terminal_size((100, 24)).columns
    print(Waterfall(spans).text(width=width, color=sys.stdout.isatty()))
    return 0
