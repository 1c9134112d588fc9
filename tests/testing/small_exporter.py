"""An exporter of thirty lines that keeps every MUST of OTLP/HTTP; the rest may be added to it.

`check_exporter(SmallExporter)` says so.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse
from itertools import count
from urllib.parse import urlsplit

from otlp_kit.encoding.answers import read_http_answer
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.wire import PROTOBUF, Accepted, Refused, Unavailable

MAX_ANSWER = 4 * 1024 * 1024


class SmallExporter:
    """Sends spans to `endpoint`, a base URL, and tries again until the deadline."""

    def __init__(self, endpoint: str) -> None:
        self.url = urlsplit(endpoint)
        self.closed = threading.Event()

    def export(self, batch: Sequence[Span], deadline: float) -> Accepted:
        body = encode_spans(batch)  # once: a retry sends the same bytes
        for attempt in count():
            try:
                return self.send(body, deadline)
            except Unavailable as error:
                wait = Backoff().wait(attempt, retry_after=error.retry_after)
                if time.monotonic() + wait > deadline or self.closed.wait(wait):
                    raise
        raise AssertionError("count() has no end")

    def send(self, body: bytes, deadline: float) -> Accepted:
        connection = HTTPConnection(
            self.url.netloc, timeout=max(0.001, deadline - time.monotonic())
        )
        try:
            connection.connect()
            # A socket's timeout begins anew with every byte; this one does not.
            hang_up = threading.Timer(
                connection.timeout, connection.sock.shutdown, [socket.SHUT_RDWR]
            )
            hang_up.start()
            try:
                path = self.url.path.rstrip("/") + "/v1/traces"
                connection.request("POST", path, body, {"Content-Type": PROTOBUF})
                answer = connection.getresponse()
                return self.read(answer, answer.read(MAX_ANSWER + 1))
            finally:
                hang_up.cancel()
                connection.close()
        except (OSError, HTTPException) as error:
            raise Unavailable(f"no answer: {error!r}") from error

    def read(self, answer: HTTPResponse, body: bytes) -> Accepted:
        if len(body) > MAX_ANSWER:
            raise Refused("the answer is too long")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return read_http_answer(answer.status, headers, body, time.time())

    def shutdown(self) -> None:
        self.closed.set()
