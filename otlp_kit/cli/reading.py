"""Opening what a receiver stored, for commands that only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from otlp_kit.cli.options import Stop
from otlp_kit.stores.sqlite_store import SqliteStore, open_readonly


@contextmanager
def open_database(data: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection; whatever is wrong with the file ends in one line."""
    try:
        with closing(open_readonly(data)) as database:
            yield database
    except (OSError, sqlite3.Error) as error:
        raise Stop(str(error)) from None


@contextmanager
def open_store(data: Path) -> Iterator[SqliteStore]:
    """A store to ask, without writing: stops with one line if there is none."""
    with open_database(data):
        pass
    with closing(SqliteStore(data)) as store:
        try:
            yield store
        except sqlite3.Error as error:
            raise Stop(str(error)) from None
