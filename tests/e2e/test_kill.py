"""kill -9 under load: what was acknowledged is there."""

from __future__ import annotations

import http.client
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span
from tests.support import Running


def send_until_it_dies(url: str, acknowledged: list[bytes], unsure: list[bytes]) -> None:
    """Post batches of 20 spans, one trace each, and note which were answered 200."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    while True:
        trace_id = os.urandom(16)
        body = encode_spans([Span(f"span {i}", trace_id, os.urandom(8)) for i in range(20)])
        try:
            connection.request(
                "POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"}
            )
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            acknowledged.append(trace_id)
        except (OSError, http.client.HTTPException):
            unsure.append(trace_id)
            return


@pytest.mark.slow
def test_what_was_answered_200_survives_kill_9(
    start_receiver: Callable[..., Running], tmp_path: Path
) -> None:
    """Five times: load from four clients, SIGKILL, restart; each acknowledged batch is there whole."""
    data = tmp_path / "data"
    acknowledged: list[bytes] = []
    unsure: list[bytes] = []
    for _ in range(5):
        receiver = start_receiver(data)
        clients = [
            threading.Thread(target=send_until_it_dies, args=(receiver.http, acknowledged, unsure))
            for _ in range(4)
        ]
        for client in clients:
            client.start()
        time.sleep(random.uniform(0.3, 0.8))
        receiver.process.kill()
        for client in clients:
            client.join(30)
    survivor = start_receiver(data)
    survivor.stop()
    with closing(sqlite3.connect(data / "otlp.sqlite3")) as database:
        stored = dict(database.execute("select trace_id, count(*) from spans group by trace_id"))
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert len(acknowledged) > 50
    assert len(unsure) == 20
    assert [stored.get(trace_id.hex()) for trace_id in acknowledged] == [20] * len(acknowledged)
    # A batch that was not acknowledged is there whole or not at all.
    assert {stored.get(trace_id.hex(), 0) for trace_id in unsure} <= {0, 20}
    assert set(stored.values()) == {20}
