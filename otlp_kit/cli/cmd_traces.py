"""`otlp-kit traces`: the latest traces, one a line."""

from __future__ import annotations

import argparse
from datetime import datetime

from otlp_kit.cli.reading import open_store
from otlp_kit.cli.settings_options import add_settings, data_of
from otlp_kit.views.waterfall import duration_text, plain_text


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("traces", help="list the latest traces")
    add_settings(parser, "data")
    parser.add_argument("--limit", type=int, default=20, help="how many (default: %(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    with open_store(data_of(arguments)) as store:
        rows = store.latest(max(1, arguments.limit))
    if not rows:
        print("No traces yet. Send some to the receiver that `otlp-kit up` starts.")
        return 0
    print(f"{'started':19}  {'duration':>9}  {'spans':>5}  {'errors':>6}  {'trace id':32}  name")
    for row in rows:
        started = datetime.fromtimestamp(row["start_unix_nano"] / 1e9)
        print(
            f"{started:%Y-%m-%d %H:%M:%S}  {duration_text(row['duration_ns']):>9}  "
            f"{row['spans']:>5}  {row['errors'] or '':>6}  {row['trace_id']}  "
            f"{plain_text(row['service'])}: {plain_text(row['name'])}"
        )
    return 0
