"""A sender over a store: records in SQLite and, slow, in PostgreSQL."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from otlp_kit.encoding.export_request import batch_id
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.database import StoreSender
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.model import Span
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.stores.postgres_store import PostgresStore
from otlp_kit.stores.sqlite_store import FILE, SqliteStore
from otlp_kit.wire import JSON, LOGS, TRACES, Accepted, Payload, Refused, Signal, Unavailable
from tests.stores.postgres import ask, running_server

TRACE = b"t" * 16
SPANS = [Span("one", TRACE, b"1" * 8), Span("two", TRACE, b"2" * 8)]
PAYLOAD = Payload(TRACES, encode_spans(SPANS), 2)


def soon() -> float:
    return time.monotonic() + 30


def test_a_batch_lies_in_the_database(tmp_path: Path) -> None:
    """Exported as to any other peer; sqlite3 itself reads it."""
    exporter = OtlpExporter(encode_spans, StoreSender(SqliteStore(tmp_path)), TRACES)
    assert exporter.export(SPANS, soon()) == Accepted()
    exporter.shutdown()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        assert database.execute("select name from spans").fetchall() == [("one",), ("two",)]


def test_bytes_that_are_sent_again_are_stored_once() -> None:
    """The batch is named by its content, as the receiver names it."""
    store = MemoryStore()
    sender = StoreSender(store)
    assert sender.send(PAYLOAD, soon()) == sender.send(PAYLOAD, soon()) == Accepted()
    assert store.spans() == SPANS
    assert store.put(TRACES, SPANS, batch_id(TRACES, PAYLOAD.body)) == 0


def test_json_is_read_as_json() -> None:
    """As the payload says."""
    store = MemoryStore()
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}'
    StoreSender(store).send(Payload(LOGS, body, 1, JSON), soon())
    assert [record.body for record in store.records()] == ["hello"]


def test_what_cannot_be_read_is_refused() -> None:
    """It would fail again, and nothing is stored."""
    store = MemoryStore()
    with pytest.raises(Refused, match="not a traces request"):
        StoreSender(store).send(Payload(TRACES, b"\xff", 1), soon())
    assert store.records() == []


def test_trouble_of_the_store_means_later(tmp_path: Path) -> None:
    """A file that is no database today may be one tomorrow."""
    (tmp_path / FILE).write_bytes(b"something else " * 100)
    sender = StoreSender(SqliteStore(tmp_path))
    with pytest.raises(Unavailable, match="not a database"):
        sender.send(PAYLOAD, soon())
    (tmp_path / FILE).unlink()
    assert sender.send(PAYLOAD, soon()) == Accepted()
    sender.close()


def test_the_deadline_is_passed_on_to_a_store_that_knows_one() -> None:
    """And one that has passed is not even tried."""
    seen: list[float] = []

    class Patient:
        def put(
            self, signal: Signal, records: Sequence[Any], batch_id: str, deadline: float = 0.0
        ) -> int:
            seen.append(deadline)
            return len(records)

    sender, deadline = StoreSender(Patient()), soon()
    sender.send(PAYLOAD, deadline)
    with pytest.raises(Unavailable, match="deadline"):
        sender.send(PAYLOAD, time.monotonic() - 1)
    assert seen == [deadline]


def test_a_closed_sender_refuses() -> None:
    """Also over a store that holds nothing to close."""
    store = MemoryStore()
    sender = StoreSender(store)
    sender.close()
    with pytest.raises(Refused, match="closed"):
        sender.send(PAYLOAD, soon())
    assert store.records() == []


@pytest.mark.slow
def test_a_lost_answer_costs_no_second_copy() -> None:
    """The server commits and the way back is cut: perhaps delivered, and sent again it is there once."""
    with running_server() as server, socket.create_server(("127.0.0.1", 0)) as front:
        conninfo = server.new_database()
        cut = threading.Thread(
            target=_cut_at_commit, args=(front, str(server.home / ".s.PGSQL.5432"))
        )
        cut.start()
        port = front.getsockname()[1]
        through = PostgresStore(
            conninfo.replace(f"host={server.home}", f"host=127.0.0.1 port={port} sslmode=disable")
        )
        with closing(PostgresStore(conninfo)) as direct:
            assert direct.latest(1) == []
            with pytest.raises(Unavailable) as raised:
                StoreSender(through).send(PAYLOAD, soon())
            cut.join()
            assert raised.value.maybe_delivered
            assert ask(conninfo, "select count(*) from spans") == [(2,)]
            assert StoreSender(direct).send(PAYLOAD, soon()) == Accepted()
        assert ask(conninfo, "select count(*) from spans") == [(2,)]


def _cut_at_commit(front: socket.socket, path: str) -> None:
    """Carry one connection to the server; its second commit, that of the batch, gets no answer."""
    client, _ = front.accept()
    with client, socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        client.settimeout(0.02)
        server.settimeout(0.02)
        commits = 0
        while True:
            for source, target in ((client, server), (server, client)):
                try:
                    data = source.recv(65_536)
                except TimeoutError:
                    continue
                target.sendall(data)
                commits += source is client and b"COMMIT" in data
                if commits == 2:
                    server.settimeout(30)
                    assert b"COMMIT" in server.recv(65_536)
                    return
