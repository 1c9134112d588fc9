"""A store in a PostgreSQL database: each batch one transaction, its rows by COPY.

    store = PostgresStore("postgresql://otel@db/otel")
    store.put(TRACES, spans, batch_id)          # returns when the server has them on its disk
    store.latest(20), store.spans(trace_id)     # any thread; each read opens a connection

Any number of processes may write to one database; the first creates the tables and views, named in
`postgres_schema`. A batch is there whole or not at all, and once, however often it is put. Writes
share one connection; one that broke, since the server was restarted, is opened anew at once, and
after a fork each process has its own. The database must be one in UTF-8.

https://www.postgresql.org/docs/current/sql-copy.html and https://www.psycopg.org/psycopg3/docs/
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import psycopg
from psycopg.rows import dict_row

from otlp_kit.model import Span
from otlp_kit.stores import postgres_schema as sql
from otlp_kit.stores.postgres_connection import Broken, Connection, checked, failure
from otlp_kit.stores.postgres_text import fit_row, fit_text
from otlp_kit.stores.span_rows import span_of, trace_rows
from otlp_kit.wire import TRACES, Refused, Signal, Unavailable


class PostgresStore:
    """The store in the database that `conninfo` names, as URL or `key=value` pairs, as libpq reads it.

    Nothing is connected before the first use. `timeout` is the most that a put or a read may take,
    in seconds. Batches that arrived longer than `max_age` seconds ago leave, a few with each put.
    `clock` gives seconds since 1970. `trouble` is why the last attempt to write failed, or None.
    Raises `ValueError` that names the argument and repeats no part of it that may be a secret.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        timeout: float = 10.0,
        max_age: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 0 < timeout < math.inf:
            raise ValueError(f"timeout must be more than 0 seconds and finite, not {timeout}")
        if max_age is not None and not max_age > 0:
            raise ValueError(f"max_age must be more than 0 seconds, not {max_age}")
        self._conninfo, self._where = checked(conninfo)
        self._timeout = timeout
        self._max_age = max_age
        self._clock = clock
        self._connection: Connection | None = None
        self._begin()

    def __repr__(self) -> str:
        return f"<PostgresStore [{self._where} | {self.trouble or 'no trouble'}]>"

    def _begin(self) -> None:
        """A lock and no connection, for this process."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        # Kept, not closed, after a fork: closing it would end the session of the parent.
        self._inherited, self._connection = self._connection, None
        self.trouble: str | None = None

    def put(
        self, signal: Signal, records: Sequence[Any], batch_id: str, deadline: float = math.inf
    ) -> int:
        """Store `records` durably and return how many items are new: none if the batch is there.

        An item is a span, a log record or a data point. Returns by `deadline`, a time of
        `time.monotonic()`, or `timeout` if that is sooner.

        Raises `Unavailable` when nothing is known to be stored; the same batch may then be put
        again. Raises `Refused` if PostgreSQL would never take it, such as a text of a gigabyte.
        """
        table = sql.TABLES[signal.name]
        rows = [fit_row(row, table.columns) for row in table.rows(records, batch_id)]
        traces = trace_rows(records) if signal == TRACES else []
        # Everyone locks traces in this order, so that no two writers wait for each other.
        summary = sorted(fit_row(row, sql.TRACE_COLUMNS) for row in traces)

        def write(connection: Connection) -> int:
            with connection.cursor() as cursor:
                batch = (fit_text(batch_id), len(records), self._clock())
                if not cursor.execute(sql.INSERT_BATCH, batch).rowcount:
                    return 0
                with cursor.copy(table.copy_in) as copy:
                    for row in rows:
                        copy.write_row(row)
                if summary:
                    cursor.executemany(sql.UPSERT_TRACE, summary)
            return len(rows)

        new = self._run(write, deadline)
        if self._max_age is not None:
            # The batch is stored: that others could not leave is `trouble`, and no failure of it.
            with contextlib.suppress(Unavailable, Refused):
                self._run(self._remove_some, deadline)
        return new

    def remove_expired(self) -> int:
        """Let what is too old leave, though nothing new comes; how many batches that was.

        Raises `Unavailable`; what has left until then is gone.
        """
        removed = 0
        while self._max_age is not None and (some := self._run(self._remove_some, math.inf)):
            removed += some
        return removed

    def spans(self, trace_id: str) -> list[Span]:
        """The spans of one trace (32 hexadecimal digits) by start time; empty if there are none.

        Raises `Unavailable`, as `latest` does.
        """
        rows = self._read(sql.SELECT_SPANS, trace_id)
        return [span_of(tuple(row.values())) for row in rows]

    def latest(self, limit: int) -> list[dict[str, Any]]:
        """The latest traces, newest first: what the page's list and `otlp-kit traces` show."""
        return self._read(sql.SELECT_LATEST, limit)

    def close(self) -> None:
        """Close the connection. A later put would open it again."""
        if self._process == os.getpid():
            with self._lock:
                self._drop()

    def _remove_some(self, connection: Connection) -> int:
        oldest = self._clock() - (self._max_age or math.inf)
        removed: int = connection.execute(sql.REMOVE_SOME, (oldest,)).fetchall()[0][0]
        if removed:
            connection.execute(sql.REMOVE_TRACES)
        return removed

    def _run(self, work: Callable[[Connection], int], deadline: float) -> int:
        """The result of `work`, committed; tried twice if the connection had broken before."""
        if self._process != os.getpid():
            self._begin()
        deadline = min(deadline, time.monotonic() + self._timeout)
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Unavailable(f"{self._where}: another batch is being written until the deadline")
        try:
            was_open = self._connection is not None
            try:
                return self._attempt(work, deadline)
            except Broken:
                if not was_open:
                    raise
            return self._attempt(work, deadline)
        finally:
            self._lock.release()

    def _attempt(self, work: Callable[[Connection], int], deadline: float) -> int:
        committing = False
        try:
            if self._connection is None:
                self._connection = self._connect(deadline)
            connection = self._connection
            connection.begin(deadline)
            result = work(connection)
            committing = True
            connection.commit()
        except (psycopg.Error, TimeoutError) as error:
            broken = self._connection is not None and self._connection.closed
            self._drop()
            failed = failure(error, self._where, committing=committing, broken=broken)
            self.trouble = str(failed)
            raise failed from None
        except BaseException:
            self._drop()
            raise
        self.trouble = None
        return result

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        deadline = time.monotonic() + self._timeout
        try:
            with closing(self._connect(deadline)) as connection:
                connection.begin(deadline)
                with connection.cursor(row_factory=dict_row) as cursor:
                    return cursor.execute(query.encode(), parameters).fetchall()
        except (psycopg.Error, TimeoutError) as error:
            failed = failure(error, self._where, committing=False, broken=False)
            raise Unavailable(str(failed)) from None

    def _connect(self, deadline: float) -> Connection:
        """A connection to a database that has the tables."""
        connection = Connection.opened(self._conninfo, deadline)
        try:
            connection.begin(deadline)
            [(encoding, is_there)] = connection.execute(sql.IS_THERE).fetchall()
            if encoding != "UTF8":
                raise psycopg.NotSupportedError(f"the database must be in UTF8, not {encoding}")
            if not is_there:
                connection.execute(sql.CREATE_ALONE)
                if not connection.execute(sql.IS_THERE).fetchall()[0][1]:
                    connection.execute(sql.SCHEMA.encode())
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection
