"""Connections whose answers are read within one deadline and one limit of size.

    pool.ConnectionCls = Https if scheme == "https" else Http
    body = read(response, max_response)

urllib3's timeout begins anew with every piece that arrives, and it reads whatever a server sends: a
server that sends a byte now and then, or gigabytes, would hold a thread or fill the memory.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response (size limits)
"""

from __future__ import annotations

import http.client
import io
import time
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from otlp_kit.exporters.compression import TooLong, inflate
from otlp_kit.wire import Refused

PIECE = 65_536


def read(response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
    """The body of an answer, plain; raises `Refused` over `limit` bytes. Frees the connection."""
    too_long = Refused(f"HTTP {response.status} with an answer over {limit} bytes")
    body = bytearray()
    while piece := response.read1(PIECE, decode_content=False):
        body += piece
        if len(body) > limit:
            response.close()
            raise too_long
    response.release_conn()
    try:
        return inflate(bytes(body), response.headers.get("Content-Encoding", "").lower(), limit)
    except TooLong:
        raise too_long from None


class _OneDeadline(io.RawIOBase):
    """The bytes of an answer, all within the time that the socket allows for the first."""

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        self._raw, self._sock = raw, sock
        self._deadline = time.monotonic() + sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_OneDeadline(self.fp.detach(), sock))


class Http(HTTPConnection):
    response_class = _Answer


class Https(HTTPSConnection):
    response_class = _Answer
