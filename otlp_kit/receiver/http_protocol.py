"""What a connection may do before it is a request: a little, and not for long.

uvicorn's parser bounds neither a header that never ends nor the time that one takes to arrive. This
protocol does: what comes between two things that the parser understands (a whole header, a piece of
a body, the end of a message) may have `MAX_HEADER` bytes, and a header must be whole after the
patience of the server.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from otlp_kit.encoding.answers import bad_request, encode_status
from otlp_kit.wire import PROTOBUF

MAX_HEADER = 64 * 1024
"""Bytes of a request line and its headers; also of a chunk's extension, and of trailers."""


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits; `patience` is seconds. All other arguments are uvicorn's."""

    def __init__(self, *args: Any, patience: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience = patience

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._pending = 0
        self._timer: asyncio.TimerHandle | None = None
        self._begin_to_wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._pending += len(data)
        super().data_received(data)
        if self._pending > MAX_HEADER and not self.transport.is_closing():
            self.send_400_response(f"headers must not be longer than {MAX_HEADER} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._timer is None:
            self._begin_to_wait()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        self._pending = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._pending = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """A `google.rpc.Status`, as every refusal; what cannot be read names no other encoding."""
        body = encode_status(msg, details=[bad_request(msg)])
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {PROTOBUF}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _begin_to_wait(self) -> None:
        self._timer = self.loop.call_later(self._patience, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self.transport.close()
