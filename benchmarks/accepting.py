"""A server that accepts everything, after a time that the client names in the path.

    with accepting() as endpoint:        # a base URL, on a free port of the loopback
        HttpSender(f"{endpoint}/20")     # each request is answered after 20 ms

It runs in a process of its own, so that what it costs is not the client's, and reads no more of a
request than its length. It is forked: enter the context before any thread is started.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import uvloop

FORK = multiprocessing.get_context("fork")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
DELAY = re.compile(rb"POST /(\d+)/")


class Accepting(asyncio.Protocol):
    """One connection: requests one after the other, as OTLP exporters send them."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._head = b""
        self._missing = 0
        self._delay = 0.0

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            length, delay = LENGTH.search(head), DELAY.match(head)
            assert length
            assert delay
            self._head = b""
            self._delay = int(delay[1]) / 1000
            self._missing = int(length[1])
            data = body
        self._missing -= len(data)
        if not self._missing:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, ANSWER)


async def _serve(port: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(Accepting, "127.0.0.1", 0)
    port.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


@contextmanager
def accepting() -> Iterator[str]:
    """The base URL of a server that lives as long as the context."""
    here, there = FORK.Pipe()
    process = FORK.Process(target=lambda: uvloop.run(_serve(there)), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()
