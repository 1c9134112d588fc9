"""A store in one SQLite file: durable before it answers, and plain enough for any SQLite client.

    store = SqliteStore(Path("data"))
    store.put(TRACES, spans, batch_id)          # returns when the disk has them
    store.latest(20), store.spans(trace_id)     # any thread; each read opens the file read-only

One transaction a batch: after a failure nothing of it is there, and the same batch can be put
again. A file that cannot be opened, or that was deleted meanwhile, is opened anew at the next put:
a receiver with a full or read-only disk says so, and recovers by itself.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from otlp_kit.model import Span
from otlp_kit.stores import log_rows, metric_rows
from otlp_kit.stores.retention import Retention, remove_expired
from otlp_kit.stores.span_rows import (
    INSERT_SPAN,
    SCHEMA,
    SELECT_LATEST,
    SELECT_SPANS,
    UPSERT_TRACE,
    span_of,
    span_rows,
    trace_rows,
)
from otlp_kit.stores.trace_search import search_query
from otlp_kit.wire import LOGS, METRICS, TRACES, Signal, Unavailable

FILE = "otlp.sqlite3"

TABLES: dict[str, tuple[str, Callable[[Sequence[Any], str], Iterable[tuple[Any, ...]]]]] = {
    TRACES.name: (INSERT_SPAN, span_rows),
    LOGS.name: (log_rows.INSERT, log_rows.log_rows),
    METRICS.name: (metric_rows.INSERT, metric_rows.point_rows),
}
"""For each signal: how a row is inserted, and the rows of a batch."""


class SqliteStore:
    """The store in `directory`, which is created. `retention` says what leaves to make room.

    `clock` gives seconds since 1970. `trouble` is why the last attempt to open or write failed, or None.
    """

    def __init__(
        self,
        directory: Path,
        *,
        retention: Retention | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self.retention = retention or Retention()
        """May be replaced while the store is in use; the next batch obeys."""
        self._clock = clock
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self.trouble: str | None = None
        with self._lock:
            try:
                self._open()
            except (OSError, sqlite3.Error) as error:
                self.trouble = str(error)

    def put(self, signal: Signal, records: Sequence[Any], batch_id: str) -> int:
        """Store `records` durably and return how many items are new: none if the batch is there.

        An item is a span, a log record or a data point.

        Raises `Unavailable` when nothing could be stored; the same batch may then be put again.
        """
        with self._lock:
            try:
                database = self._open()
                with database:
                    new = database.execute(
                        "insert or ignore into batches values (?, ?, ?)",
                        (batch_id, len(records), self._clock()),
                    ).rowcount
                    if not new:
                        return 0
                    insert, rows_of = TABLES[signal.name]
                    items = database.executemany(insert, rows_of(records, batch_id)).rowcount
                    if signal == TRACES:
                        database.executemany(UPSERT_TRACE, trace_rows(records))
                    remove_expired(database, self.retention, self._clock())
            except (OSError, sqlite3.Error) as error:
                self.trouble = str(error)
                raise Unavailable(f"{self._directory / FILE}: {error}") from error
            self.trouble = None
            return max(items, 0)

    def remove_expired(self) -> int:
        """Let what is too old leave, though nothing new comes; how many batches that was.

        `put` does the same. Raises `Unavailable` as it does.
        """
        with self._lock:
            try:
                database = self._open()
                with database:
                    return remove_expired(database, self.retention, self._clock())
            except (OSError, sqlite3.Error) as error:
                raise Unavailable(f"{self._directory / FILE}: {error}") from error

    def spans(self, trace_id: str) -> list[Span]:
        """The spans of one trace (32 hexadecimal digits) by start time; empty if there are none."""
        with closing(open_readonly(self._directory)) as database:
            return [span_of(row) for row in database.execute(SELECT_SPANS, (trace_id,))]

    def latest(self, limit: int) -> list[dict[str, Any]]:
        """The latest traces, newest first: what the page's list and `otlp-kit traces` show."""
        return self._rows(SELECT_LATEST, limit)

    def search(self, filters: Mapping[str, str], limit: int) -> list[dict[str, Any]]:
        """As `latest`, of the traces for which all `filters` hold; see `trace_search`."""
        query, parameters = search_query(filters, limit)
        return self._rows(query, *parameters)

    def logs(self, trace_id: str) -> list[dict[str, Any]]:
        """The log records of one trace, by time."""
        return [log_rows.shown(row) for row in self._rows(log_rows.SELECT_OF_TRACE, trace_id)]

    def metrics(self) -> list[dict[str, Any]]:
        """Every stream: a metric of a service with certain attributes, and its latest value."""
        return [metric_rows.shown_stream(row) for row in self._rows(metric_rows.SELECT_STREAMS)]

    def points(self, name: str, service: str) -> list[dict[str, Any]]:
        """The latest data points of one metric of a service, by time."""
        rows = self._rows(metric_rows.SELECT_POINTS, name, service)
        return [metric_rows.shown_point(row) for row in reversed(rows)]

    def _rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with closing(open_readonly(self._directory)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, parameters)]

    def close(self) -> None:
        """Close the file. A later put would open it again."""
        with self._lock:
            if self._database:
                self._database.close()
                self._database = None

    def _open(self) -> sqlite3.Connection:
        # SQLite goes on writing into a file that was deleted, and what is written there is lost.
        if self._database and self._identity != self._file_identity():
            self._database.close()
            self._database = None
        if self._database is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._directory / FILE, check_same_thread=False)
            try:
                database.execute("pragma journal_mode = wal")
                # An acknowledged batch outlives the power cord, not only the process.
                database.execute("pragma synchronous = full")
                for schema in (SCHEMA, log_rows.SCHEMA, metric_rows.SCHEMA):
                    database.executescript(schema)
                self._upgrade(database)
            except sqlite3.Error:
                database.close()
                raise
            self._identity = self._file_identity()
            self._database = database
        return self._database

    def _upgrade(self, database: sqlite3.Connection) -> None:
        """Files of version 0.1.0 do not say when a batch arrived: it may have been now."""
        columns = [row[1] for row in database.execute("pragma table_info(batches)")]
        if "received" not in columns:
            with database:
                database.execute("alter table batches add column received real not null default 0")
                database.execute("update batches set received = ?", (self._clock(),))

    def _file_identity(self) -> tuple[int, int] | None:
        """Which file has the name now; None if there is none."""
        try:
            status = (self._directory / FILE).stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


def open_readonly(directory: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises `FileNotFoundError` when there is no database yet."""
    path = directory / FILE
    if not path.is_file():
        raise FileNotFoundError(f"there is no database in {directory}: nothing was received yet")
    # In a directory that this user cannot write, SQLite can only read a file that nobody changes.
    for mode in ("mode=ro", "immutable=1"):
        database = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)
        try:
            database.execute("pragma query_only = on")
            # What is attached is opened for writing, whatever the mode of this file.
            database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            database.execute("select 1 from sqlite_master").fetchone()
        except sqlite3.OperationalError:
            database.close()
            if mode == "immutable=1":
                raise
        except sqlite3.Error:
            database.close()
            raise
        else:
            return database
    raise AssertionError("unreachable")
