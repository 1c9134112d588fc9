"""The SQLite store, looked at with sqlite3 itself."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otlp_kit.model import Event, Resource, Scope, Span, StatusCode
from otlp_kit.stores.span_rows import SELECT_LATEST, SELECT_SPANS
from otlp_kit.stores.sqlite_store import FILE, SqliteStore, open_readonly
from otlp_kit.wire import TRACES, Unavailable
from tests.encoding.strategies import span_fields

TRACE = b"t" * 16
SECOND = 1_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path)


def ask(directory: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(directory / FILE)) as database:
        return database.execute(query).fetchall()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(st.lists(st.builds(Span, **{**span_fields, "trace_id": st.just(TRACE)}), max_size=4))
def test_spans_come_back_as_they_went_in(tmp_path: Path, spans: list[Span]) -> None:
    """Every field, whatever it holds."""
    directory = tmp_path / os.urandom(8).hex()
    with closing(SqliteStore(directory)) as store:
        assert store.put(TRACES, spans, "batch") == len(spans)
        again = store.spans(TRACE.hex())
    assert sorted(map(repr, again)) == sorted(map(repr, spans))


def test_a_batch_is_stored_once(store: SqliteStore, tmp_path: Path) -> None:
    """Putting it again changes nothing, and says so."""
    spans = [Span("a", TRACE, b"1" * 8), Span("b", TRACE, b"2" * 8)]
    assert store.put(TRACES, spans, "one") == 2
    assert store.put(TRACES, spans, "one") == 0
    assert ask(tmp_path, "select count(*) from spans") == [(2,)]
    assert store.latest(5)[0]["spans"] == 2


def test_the_view_is_plain(store: SqliteStore, tmp_path: Path) -> None:
    """Any SQLite client reads it: ids in hex, times in nanoseconds, attributes by json_extract."""
    span = Span(
        "GET /",
        bytes.fromhex("0af7651916cd43dd8448eb211c80319c"),
        bytes.fromhex("00f067aa0ba902b7"),
        start_unix_nano=5,
        end_unix_nano=9,
        attributes={"http.request.method": "GET", "n": 2**60},
        events=[Event("e", 7, {"k": "v"})],
        resource=Resource({"service.name": "web"}),
        scope=Scope("lib"),
        status_code=StatusCode.ERROR,
        status_message="no",
    )
    store.put(TRACES, [span], "batch")
    [row] = ask(
        tmp_path,
        """select trace_id, span_id, parent_span_id, name, kind, service, scope, start_unix_nano,
        end_unix_nano, status_code, status_message, json_extract(attributes, '$."n"'),
        json_extract(events, '$[0].attributes.k'), links, json_extract(resource, '$."service.name"')
        from spans where json_extract(attributes, '$."http.request.method"') = 'GET'""",
    )
    assert row == (
        "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7", "", "GET /", 1, "web", "lib", 5, 9,
        2, "no", 2**60, "v", "[]", "web",
    )  # fmt: skip


def test_latest_lists_traces_by_their_root(store: SqliteStore) -> None:
    """A trace is named by its root, even when that arrives last; the newest trace comes first."""
    other = b"u" * 16
    web, worker = Resource({"service.name": "web"}), Resource({"service.name": "worker"})
    child = Span("child", TRACE, b"2" * 8, b"1" * 8, 20 * SECOND, 25 * SECOND, resource=worker)
    child.status_code = StatusCode.ERROR
    root = Span("root", TRACE, b"1" * 8, b"", 19 * SECOND, 30 * SECOND, resource=web)
    newer = Span("newer", other, b"3" * 8, b"", 40 * SECOND, 41 * SECOND)
    store.put(TRACES, [child], "1")
    assert (store.latest(5)[0]["name"], store.latest(5)[0]["service"]) == ("child", "worker")
    store.put(TRACES, [root, newer], "2")
    assert store.latest(5) == [
        {
            "trace_id": other.hex(), "name": "newer", "service": "", "spans": 1, "errors": 0,
            "start_unix_nano": 40 * SECOND, "duration_ns": SECOND,
        },
        {
            "trace_id": TRACE.hex(), "name": "root", "service": "web", "spans": 2, "errors": 1,
            "start_unix_nano": 19 * SECOND, "duration_ns": 11 * SECOND,
        },
    ]  # fmt: skip
    assert len(store.latest(1)) == 1


def test_the_earliest_span_names_a_trace_without_a_root(store: SqliteStore) -> None:
    """Whichever batch arrives first."""
    late = Span("late", TRACE, b"2" * 8, b"0" * 8, 20 * SECOND, 21 * SECOND)
    early = Span("early", TRACE, b"3" * 8, b"0" * 8, 10 * SECOND, 11 * SECOND)
    store.put(TRACES, [late], "1")
    store.put(TRACES, [early], "2")
    store.put(TRACES, [late], "3")
    assert store.latest(1)[0]["name"] == "early"


@pytest.mark.parametrize("query", [SELECT_LATEST, SELECT_SPANS])
def test_reading_takes_an_index(store: SqliteStore, tmp_path: Path, query: str) -> None:
    """SQLite itself says so: the number of stored traces does not matter."""
    with closing(open_readonly(tmp_path)) as database:
        plan = database.execute(f"explain query plan {query}", (5,)).fetchall()
    assert "USING INDEX" in plan[0][3]


def test_a_full_disk_refuses_the_whole_batch_and_recovers(tmp_path: Path) -> None:
    """Nothing half written; the very batch that failed is taken when there is room again."""
    big = [Span("x" * 5000, TRACE, bytes([i]) * 8) for i in range(1, 100)]
    with closing(SqliteStore(tmp_path)) as store:
        assert store._database
        store._database.execute("pragma max_page_count = 40")  # SQLite's way to have a small disk
        assert store.put(TRACES, big[:2], "small") == 2
        with pytest.raises(Unavailable, match="full"):
            store.put(TRACES, big, "big")
        assert "full" in (store.trouble or "")
        assert ask(tmp_path, "select count(*) from spans") == [(2,)]
        assert ask(tmp_path, "select spans from traces") == [(2,)]
        assert store.put(TRACES, big[:1], "small too") == 1
        assert store.trouble is None
    with closing(SqliteStore(tmp_path)) as store:
        assert store.put(TRACES, big, "big") == 99
    assert ask(tmp_path, "pragma integrity_check") == [("ok",)]


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    """It is said, nothing is overwritten, and the store works as soon as the file is moved away."""
    (tmp_path / FILE).write_bytes(b"something else " * 100)
    store = SqliteStore(tmp_path)
    assert "not a database" in (store.trouble or "")
    with pytest.raises(Unavailable, match="not a database"):
        store.put(TRACES, [Span("a", TRACE, b"1" * 8)], "b")
    assert (tmp_path / FILE).read_bytes().startswith(b"something else")
    (tmp_path / FILE).unlink()
    assert store.put(TRACES, [Span("a", TRACE, b"1" * 8)], "b") == 1
    store.close()


@pytest.mark.parametrize("names", [[FILE], [FILE, f"{FILE}-wal", f"{FILE}-shm"]])
def test_a_file_that_is_deleted_meanwhile_is_made_anew(
    store: SqliteStore, tmp_path: Path, names: list[str]
) -> None:
    """What is acknowledged is in the file that has the name, not in one that nobody can open."""
    assert store.put(TRACES, [Span("lost", TRACE, b"1" * 8)], "1") == 1
    for name in names:
        (tmp_path / name).unlink()
    assert store.put(TRACES, [Span("kept", TRACE, b"2" * 8)], "2") == 1
    assert ask(tmp_path, "select name from spans") == [("kept",)]
    assert ask(tmp_path, "pragma integrity_check") == [("ok",)]


FORBIDDEN = [
    "delete from span_rows",
    "drop table traces",
    "vacuum",
    "attach 'other.sqlite3' as other",
    "vacuum into 'other.sqlite3'",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_a_reading_connection_cannot_write(
    store: SqliteStore, tmp_path: Path, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by accident nor by intent, neither this file nor another."""
    monkeypatch.chdir(tmp_path)
    with closing(open_readonly(tmp_path)) as database:
        database.execute("pragma query_only = off")
        with pytest.raises(sqlite3.OperationalError):
            database.execute(statement)
    assert not (tmp_path / "other.sqlite3").exists()


def test_a_directory_without_a_database_is_named(tmp_path: Path) -> None:
    """Reading creates nothing."""
    with pytest.raises(FileNotFoundError, match="nothing was received yet"):
        open_readonly(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_many_threads_read_while_one_writes(store: SqliteStore) -> None:
    """Readers see whole batches, never half of one."""
    seen: list[int] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(len(store.spans(TRACE.hex())))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for batch in range(20):
        store.put(TRACES, [Span("s", TRACE, os.urandom(8)) for _ in range(10)], str(batch))
    stop.set()
    for reader in readers:
        reader.join()
    assert len(store.spans(TRACE.hex())) == 200
    assert all(count % 10 == 0 for count in seen)
