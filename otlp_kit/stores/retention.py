"""How much a store keeps: whole batches leave, the oldest first, by age or for room.

A batch leaves when it arrived longer ago than `max_age`, and as long as the file holds more than
`max_bytes`. Its age is counted from its arrival: what a sender's clock says is no reason to keep or
to lose anything. The batch that arrived last is never removed for room, however large it is.

    remove_expired(database, Retention(max_age=7 * 86_400), now=time.time())

It knows SQL and nothing else; the caller opens the transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

DAY = 86_400.0
TABLES = ("span_rows", "log_rows", "point_rows", "batches")
TOGETHER = 16
"""Batches that are removed at a time: a few, so that no sender waits for long."""


@dataclass(frozen=True, slots=True)
class Retention:
    """`max_age` in seconds, `max_bytes` of the database file; None keeps without that limit."""

    max_age: float | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.max_age is not None and not self.max_age > 0:
            raise ValueError(f"max_age must be more than 0 seconds, not {self.max_age}")
        if self.max_bytes is not None and self.max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {self.max_bytes}")


def remove_expired(database: sqlite3.Connection, retention: Retention, now: float) -> int:
    """Remove what may no longer be kept at `now` (seconds since 1970); how many batches that is."""
    removed = 0
    if retention.max_age is not None:
        older = "select batch_id from batches where received < ? order by rowid limit ?"
        while found := _ids(database, older, now - retention.max_age, TOGETHER):
            removed += _remove(database, found)
    if retention.max_bytes is not None:
        oldest = """select batch_id from batches where rowid < (select max(rowid) from batches)
            order by rowid limit ?"""
        while _bytes_used(database) > retention.max_bytes and (
            found := _ids(database, oldest, TOGETHER)
        ):
            removed += _remove(database, found)
    return removed


def _ids(database: sqlite3.Connection, query: str, *parameters: float | str) -> list[str]:
    return [batch_id for (batch_id,) in database.execute(query, parameters)]


def _bytes_used(database: sqlite3.Connection) -> int:
    """Bytes of the file that hold something; the others are filled before it grows."""
    page, pages, free = (
        database.execute(f"pragma {name}").fetchone()[0]
        for name in ("page_size", "page_count", "freelist_count")
    )
    used: int = (pages - free) * page
    return used


def _remove(database: sqlite3.Connection, batch_ids: Sequence[str]) -> int:
    """Remove batches, and what the summary of traces says because of them."""
    marks = f"({', '.join('?' * len(batch_ids))})"
    traces = _ids(
        database, f"select distinct trace_id from span_rows where batch_id in {marks}", *batch_ids
    )
    for table in TABLES:
        database.execute(f"delete from {table} where batch_id in {marks}", batch_ids)
    database.executemany(
        """update traces set (spans, errors) =
            (select count(*), count(*) filter (where status_code = 2) from span_rows
             where span_rows.trace_id = traces.trace_id)
            where trace_id = ?""",
        [(trace,) for trace in traces],
    )
    database.executemany(
        "delete from traces where trace_id = ? and spans = 0", [(trace,) for trace in traces]
    )
    return len(batch_ids)
