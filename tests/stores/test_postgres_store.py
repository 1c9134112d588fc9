"""The PostgreSQL store on a real server, looked at with psycopg and beside the SQLite store."""

from __future__ import annotations

import itertools
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otlp_kit.encoding.repair import replaced
from otlp_kit.model import LogRecord, Metric, NumberPoint, Resource, Span, StatusCode
from otlp_kit.stores.json_values import from_json
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.stores.postgres_store import PostgresStore
from otlp_kit.stores.sqlite_store import FILE, SqliteStore
from otlp_kit.wire import LOGS, METRICS, TRACES, Refused, Unavailable
from tests.encoding.strategies import log_batches, metric_batches, span_fields
from tests.stores.postgres import PASSWORD, Server, ask, running_server

pytestmark = pytest.mark.slow

TRACE = b"t" * 16
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def database(server: Server) -> str:
    return server.new_database()


@pytest.fixture
def store(database: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore(database)) as store:
        yield store


def span(number: int, name: str = "s", **more: Any) -> Span:
    return Span(name, TRACE, number.to_bytes(8, "big"), **more)


def without_nul(value: Any) -> Any:
    """What is expected of a value in which PostgreSQL replaces NUL: in keys it is written out."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        keys = {key.replace("\0", "\\u0000"): item for key, item in value.items()}
        return {key: without_nul(keys[key]) for key in sorted(keys)}
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if is_dataclass(value):
        held = {field.name: without_nul(getattr(value, field.name)) for field in fields(value)}
        return type(value)(**held)  # type: ignore[misc]
    return value


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
def test_every_store_gives_spans_back(kind: str, server: Server, tmp_path: Path) -> None:
    """Every field, whatever it holds; in PostgreSQL but for NUL, and for the order of keys."""
    stores: dict[str, Callable[[], Any]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SqliteStore(tmp_path),
        "postgres": lambda: PostgresStore(server.new_database()),
    }
    store = stores[kind]()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.builds(Span, **{**span_fields, "trace_id": st.just(b"")}), max_size=4),
        st.booleans(),
    )
    def check(spans: list[Span], twice: bool) -> None:
        trace_id = next(NUMBERS).to_bytes(16, "big")
        for each in spans:
            each.trace_id = trace_id
        assert store.put(TRACES, spans, trace_id.hex()) == len(spans)
        if twice:
            assert store.put(TRACES, spans, trace_id.hex()) == 0
        again = store.spans(trace_id.hex())
        assert sorted(repr(without_nul(one)) for one in again) == sorted(
            repr(without_nul(one)) for one in spans
        )

    check()
    if kind != "memory":
        store.close()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(logs=log_batches(), metrics=metric_batches())
def test_the_views_say_what_those_of_sqlite_say(
    server: Server, tmp_path_factory: pytest.TempPathFactory, logs: list[LogRecord], metrics: list[Metric]
) -> None:  # fmt: skip
    """The same columns and, asked by SQL, the same rows."""
    directory = tmp_path_factory.mktemp("store")
    conninfo = server.new_database()
    with closing(SqliteStore(directory)) as lite, closing(PostgresStore(conninfo)) as store:
        for each in (lite, store):
            assert each.put(LOGS, logs, "logs") == len(logs)
            assert each.put(METRICS, metrics, "metrics") == sum(len(m.points) for m in metrics)
    for view, as_json in (("logs", LOG_JSON), ("metrics", METRIC_JSON)):
        with closing(sqlite3.connect(directory / FILE)) as file, psycopg.connect(conninfo) as live:
            cursor = file.execute(f"select * from {view}")
            names = [column[0] for column in cursor.description]
            expected = [comparable(names, row, as_json) for row in cursor]
            texts = ", ".join(f"{name}::text" if name in as_json else name for name in names)
            answer = live.execute(f"select {texts} from {view}")
            found = [comparable(names, row, as_json) for row in answer]
            columns = live.execute(f"select * from {view} limit 0").description
        assert [column.name for column in columns or ()] == names
        assert sorted(found) == sorted(expected)


LOG_JSON = {"attributes", "resource"}
METRIC_JSON = {"attributes", "resource", "value", "exemplars"}


def comparable(names: list[str], row: Any, as_json: set[str]) -> str:
    """A row such that two that say the same are equal."""
    values = [
        from_json(value) if name in as_json else int(value) if isinstance(value, bool) else value
        for name, value in zip(names, row, strict=True)
    ]
    return repr(without_nul(values))


def test_what_postgresql_cannot_hold_is_replaced_and_counted(
    store: PostgresStore, database: str
) -> None:
    """NUL and half a surrogate pair in texts, values and keys; the rest of the batch is there."""
    before = replaced()
    odd = {
        "nul\0": "a\0b",
        "half": "\ud83d",
        "plain": "\\u0000",
        "huge": 2**100,
        "nan": float("nan"),
    }
    assert store.put(TRACES, [span(1, "x\0\udc00", attributes=odd), span(2)], "batch") == 2
    [(name, attributes)] = ask(database, "select name, attributes from spans where name <> 's'")
    assert name == "x\ufffd\ufffd"
    assert attributes == {
        "nul\\u0000": "a\ufffdb", "half": "\ufffd", "plain": "\\u0000", "huge": 2**100,
        "nan": {"doubleValue": "NaN"},
    }  # fmt: skip
    # The name stands in the row of the span and in that of the trace.
    assert replaced() - before == 7


def test_the_view_is_plain(store: PostgresStore, database: str) -> None:
    """Any client reads it: attributes by the operators of jsonb, times as numbers."""
    web = Resource({"service.name": "web"})
    store.put(
        TRACES,
        [span(1, attributes={"http.route": "/tea", "n": 2**62}, start_unix_nano=5, resource=web)],
        "1",
    )
    query = """select trace_id, service, start_unix_nano, attributes->>'http.route',
        (attributes->'n')::bigint from spans where attributes @> '{"http.route": "/tea"}'"""
    assert ask(database, query) == [(TRACE.hex(), "web", 5, "/tea", 2**62)]


def test_latest_lists_traces_by_their_root(store: PostgresStore, tmp_path: Path) -> None:
    """As the SQLite store lists them, whichever span arrives first."""
    batches = [
        [span(2, "late", parent_span_id=b"1" * 8, start_unix_nano=20, end_unix_nano=25)],
        [span(3, "early", parent_span_id=b"1" * 8, start_unix_nano=10, status_code=StatusCode.ERROR)],
        [span(1, "root", start_unix_nano=15), Span("other", b"u" * 16, b"1" * 8, b"", 99, 100)],
    ]  # fmt: skip
    with closing(SqliteStore(tmp_path)) as lite:
        for number, batch in enumerate(batches):
            lite.put(TRACES, batch, str(number))
            store.put(TRACES, batch, str(number))
            assert store.latest(5) == lite.latest(5)
    assert [row["name"] for row in store.latest(1)] == ["other"]


def test_a_killed_server_costs_nothing_that_was_acknowledged(
    server: Server, store: PostgresStore, database: str
) -> None:
    """While it is away the store says so; once it is back, the next batch is taken at once."""
    assert store.put(LOGS, [LogRecord("one")], "1") == 1
    server.kill()
    try:
        with pytest.raises(Unavailable, match="PostgreSQL"):
            store.put(LOGS, [LogRecord("two")], "2")
        assert store.trouble
    finally:
        server.start()
    assert store.put(LOGS, [LogRecord("two")], "2") == 1
    server.kill()
    server.start()
    assert store.put(LOGS, [LogRecord("three")], "3") == 1
    assert store.trouble is None
    assert ask(database, "select body from logs order by 1") == [("one",), ("three",), ("two",)]


def test_two_writers_store_each_batch_once(database: str) -> None:
    """Both meet an empty database, make the schema and put the same batches of the same traces."""
    new: list[int] = []
    errors: list[Exception] = []
    start = threading.Barrier(4)

    def write() -> None:
        with closing(PostgresStore(database, timeout=60)) as store:
            start.wait()
            try:
                for number in range(25):
                    batch = [Span("s", bytes([1 + i]) * 16, b"1" * 8) for i in range(8)]
                    new.append(store.put(TRACES, batch if number % 2 else batch[::-1], str(number)))
            except Exception as error:
                errors.append(error)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors == []
    assert sum(new) == 200
    assert ask(database, "select count(*) from spans") == [(200,)]
    assert ask(database, "select distinct spans from traces") == [(25,)]


def test_after_a_fork_both_processes_write(store: PostgresStore, database: str) -> None:
    """The child opens a connection of its own, and the parent's lives on."""
    assert store.put(LOGS, [LogRecord("before")], "0") == 1
    child = os.fork()
    if child == 0:
        try:
            new = store.put(LOGS, [LogRecord("child")], "1")
            store.close()
            os._exit(0 if new == 1 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.put(LOGS, [LogRecord("parent")], "2") == 1
    assert ask(database, "select count(*) from logs") == [(3,)]


def test_nobody_waits_beyond_the_deadline(store: PostgresStore, database: str) -> None:
    """Neither for a lock that another session holds, nor for a server that never answers."""
    store.put(LOGS, [LogRecord("one")], "1")
    with psycopg.connect(database) as other:
        other.execute("lock table log_rows")
        with pytest.raises(Unavailable):
            store.put(LOGS, [LogRecord("two")], "2", time.monotonic() + 0.3)
    assert store.put(LOGS, [LogRecord("two")], "2") == 1
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"host=127.0.0.1 port={silent.getsockname()[1]} sslmode=disable"
        mute = PostgresStore(address, timeout=0.3)
        with pytest.raises(Unavailable, match="no answer"):
            mute.put(LOGS, [LogRecord("x")], "1")


def test_long_texts_are_stored(store: PostgresStore, database: str) -> None:
    """A name has no limit, though an entry of an index has one."""
    name = os.urandom(20_000).hex()
    metric = Metric(name, points=[NumberPoint(1, 2)], resource=Resource({"service.name": name}))
    assert store.put(METRICS, [metric], "1") == 1
    assert ask(database, "select length(name), value from metrics") == [(40_000, 1)]


def test_what_never_fits_is_refused(store: PostgresStore) -> None:
    """Such as an id of kilobytes, which an index must hold; the text does not quote it."""
    odd = Span("s", os.urandom(20_000), b"1" * 8)
    with pytest.raises(Refused, match="54000") as raised:
        store.put(TRACES, [odd], "1")
    assert odd.trace_id.hex()[:8] not in str(raised.value)
    assert store.put(TRACES, [span(1)], "2") == 1


def test_what_is_too_old_leaves(database: str) -> None:
    """Whole batches of every signal, and from the list of traces; what is younger stays."""
    now = [1000.0]
    with closing(PostgresStore(database, max_age=100, clock=lambda: now[0])) as store:
        store.put(TRACES, [span(1, status_code=StatusCode.ERROR), span(2)], "a")
        store.put(TRACES, [Span("gone", b"u" * 16, b"1" * 8)], "b")
        for number in range(40):
            store.put(METRICS, [Metric("m", points=[NumberPoint(1, 2)])], f"m{number}")
        now[0] += 60
        store.put(TRACES, [span(3)], "c")
        now[0] += 60
        assert store.remove_expired() == 42
        assert store.remove_expired() == 0
        [row] = store.latest(9)
        assert (row["trace_id"], row["spans"], row["errors"]) == (TRACE.hex(), 1, 0)
        now[0] += 60
        store.put(LOGS, [LogRecord("new")], "d")
        assert store.latest(9) == []
    assert ask(database, "select batch_id from batches") == [("d",)]
    assert ask(database, "select * from metrics") == []


def test_a_database_in_another_encoding_is_named(server: Server) -> None:
    """It could not hold every text."""
    store = PostgresStore(server.new_database("encoding 'LATIN1'"))
    with pytest.raises(Unavailable, match="must be in UTF8, not LATIN1"):
        store.put(LOGS, [LogRecord("x")], "1")


def test_the_password_is_never_shown(server: Server) -> None:
    """Neither in the repr nor in what a wrong one or a wrong database says."""
    right = server.conninfo("nowhere")
    for conninfo in (right, right.replace(PASSWORD, "wrong-s3cret")):
        store = PostgresStore(conninfo)
        with pytest.raises(Unavailable) as raised:
            store.put(LOGS, [LogRecord("x")], "1")
        assert "s3cret" not in f"{raised.value} {store!r} {store.trouble}"
        assert "dbname=nowhere" in str(raised.value)


@pytest.mark.parametrize(
    "conninfo",
    [
        "host=db password=two s3cret",
        "postgresql://kit:p%s3cret@db/otel",
        "postgresql://kit:p@s3cret@db/otel",
        "postgresql://kit:a/s3cret@db/otel",
    ],
)
def test_a_bad_connection_string_is_refused_without_a_word_of_it(conninfo: str) -> None:
    """libpq would repeat the part that it took for something else."""
    with pytest.raises(ValueError, match="conninfo") as raised:
        PostgresStore(conninfo)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("limits", [{"timeout": 0}, {"timeout": float("inf")}, {"max_age": 0}])
def test_limits_that_make_no_sense_are_refused(limits: dict[str, Any]) -> None:
    """The text names the argument."""
    with pytest.raises(ValueError, match=f"{next(iter(limits))} must be"):
        PostgresStore("", **limits)
