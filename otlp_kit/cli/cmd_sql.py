"""`otlp-kit sql QUERY`: ask the database, read only: the views `spans`, `logs` and `metrics`."""

from __future__ import annotations

import argparse
import base64
import json
import sqlite3

from otlp_kit.cli.options import Stop
from otlp_kit.cli.reading import open_database
from otlp_kit.cli.settings_options import add_settings, data_of
from otlp_kit.views.waterfall import plain_text


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("sql", help="query spans, logs and metrics with SQL")
    parser.add_argument("query", help="for example: select name, count(*) from spans group by name")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    add_settings(parser, "data")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    with open_database(data_of(arguments)) as database:
        try:
            cursor = database.execute(arguments.query)
            names = [column[0] for column in cursor.description or ()]
            rows = cursor.fetchall()
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise Stop(f"SQL: {error}") from None
    if arguments.json:
        for row in rows:
            print(json.dumps(dict(zip(names, row, strict=True)), default=_base64))
    else:
        print(_table(names, rows))
    return 0


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _table(names: list[str], rows: list[tuple[object, ...]]) -> str:
    """Columns as wide as their content, the last one free."""
    cells = [names, *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    lines = [
        "  ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip() for row in cells
    ]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, bytes):
        return _base64(value)
    return "" if value is None else plain_text(str(value))
