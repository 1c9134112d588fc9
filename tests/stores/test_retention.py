"""What leaves the store, and that nothing else does; looked at with sqlite3 itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otlp_kit.model import LogRecord, Metric, NumberPoint, Span, StatusCode
from otlp_kit.stores.retention import Retention
from otlp_kit.stores.sqlite_store import FILE, SqliteStore
from otlp_kit.wire import LOGS, METRICS, TRACES

NOW = 1_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def span(trace: int, number: int, **more: Any) -> Span:
    return Span("s", bytes([trace]) * 16, number.to_bytes(8, "big"), **more)


def ask(directory: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(directory / FILE)) as database:
        return database.execute(query).fetchall()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def week(tmp_path: Path, clock: Clock) -> Iterator[SqliteStore]:
    """A store that keeps a batch for a hundred seconds."""
    with closing(SqliteStore(tmp_path, retention=Retention(max_age=100), clock=clock)) as store:
        yield store


def test_what_is_too_old_leaves_with_the_next_batch(
    week: SqliteStore, tmp_path: Path, clock: Clock
) -> None:
    """Of every signal; what arrived later stays."""
    week.put(TRACES, [span(1, 1)], "a")
    week.put(LOGS, [LogRecord(body="old")], "b")
    week.put(METRICS, [Metric("m", kind="gauge", points=[NumberPoint(value=1)])], "c")
    clock.now += 60
    week.put(LOGS, [LogRecord(body="young")], "d")
    clock.now += 60
    week.put(TRACES, [span(2, 2)], "e")
    assert ask(tmp_path, "select name from spans") == [("s",)]
    assert ask(tmp_path, "select body from logs") == [("young",)]
    assert ask(tmp_path, "select * from metrics") == []
    assert [row["trace_id"] for row in week.latest(9)] == ["02" * 16]


def test_what_is_too_old_leaves_though_nothing_comes(week: SqliteStore, clock: Clock) -> None:
    """`remove_expired` is for a receiver that nobody sends to."""
    week.put(TRACES, [span(1, 1)], "a")
    clock.now += 99
    assert week.remove_expired() == 0
    clock.now += 2
    assert week.remove_expired() == 1
    assert week.latest(9) == []


def test_the_list_of_traces_follows(week: SqliteStore, clock: Clock) -> None:
    """A trace of which a part has left is listed with what is there."""
    week.put(TRACES, [span(1, 1, status_code=StatusCode.ERROR), span(1, 2)], "a")
    clock.now += 60
    week.put(TRACES, [span(1, 3)], "b")
    [before] = week.latest(9)
    clock.now += 60
    week.remove_expired()
    [after] = week.latest(9)
    assert (before["spans"], before["errors"]) == (3, 1)
    assert (after["spans"], after["errors"]) == (1, 0)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=25), limit=st.integers(1, 40))
def test_the_oldest_make_room(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int
) -> None:
    """A row of batches stays, up to the last; one more would have been too many."""
    directory = tmp_path_factory.mktemp("store")
    max_bytes = limit * 20_000
    with closing(SqliteStore(directory, retention=Retention(max_bytes=max_bytes))) as store:
        for number, count in enumerate(sizes):
            batch = [LogRecord(body="x" * 1000) for _ in range(count)]
            assert store.put(LOGS, batch, f"{number:03}") == count
            kept = [row[0] for row in ask(directory, "select batch_id from batches order by 1")]
            assert kept == [f"{n:03}" for n in range(number + 1)][-len(kept) :]
            used = ask(directory, "select sum(length(body)) from logs")[0][0]
            assert used <= max_bytes or len(kept) == 1
    assert ask(directory, "pragma integrity_check") == [("ok",)]


def test_the_file_stops_growing(tmp_path: Path) -> None:
    """Room that became free is used again."""
    with closing(SqliteStore(tmp_path, retention=Retention(max_bytes=2_000_000))) as store:
        for number in range(300):
            store.put(LOGS, [LogRecord(body="x" * 1000) for _ in range(50)], str(number))
    assert (tmp_path / FILE).stat().st_size < 2_200_000


def test_a_file_of_the_first_version_is_taken_over(tmp_path: Path, clock: Clock) -> None:
    """Its batches count as arrived today."""
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute("create table batches (batch_id text primary key, items integer not null)")
        database.execute("insert into batches values ('old', 1)")
        database.commit()
    with closing(SqliteStore(tmp_path, retention=Retention(max_age=100), clock=clock)) as store:
        assert store.put(LOGS, [LogRecord(body="again")], "old") == 0
        clock.now += 101
        assert store.remove_expired() == 1


@pytest.mark.parametrize("limits", [{"max_age": 0.0}, {"max_age": -1.0}, {"max_bytes": 0}])
def test_limits_that_keep_nothing_are_refused(limits: dict[str, Any]) -> None:
    """The text names the rule."""
    with pytest.raises(ValueError, match="must be"):
        Retention(**limits)
