"""Servers for the tests of the gRPC sender: one of grpcio's that does as told, and one by hand."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc

from otlp_kit.wire import Accepted, Payload, Sender, Unavailable


@dataclass
class Scripted:
    """A server of grpcio that keeps what it sees and answers with what `answer` returns."""

    answer: Callable[[bytes, Any], bytes] = lambda body, context: b""
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    peers: set[str] = field(default_factory=set)
    port: int = 0
    server: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(
        self,
        address: str = "127.0.0.1:0",
        credentials: Any = None,
        *,
        compression: Any = None,
        options: Iterable[tuple[str, int]] = (),
    ) -> Scripted:
        """Listen at `address`, whose port may be 0."""
        self.server = grpc.server(
            ThreadPoolExecutor(10),
            options=[("grpc.so_reuseport", 0), *options],
            compression=compression,
        )
        self.server.add_generic_rpc_handlers((_Methods(self),))
        if credentials:
            self.port = self.server.add_secure_port(address, credentials)
        else:
            self.port = self.server.add_insecure_port(address)
        self.server.start()
        return self

    def stop(self) -> None:
        self.server.stop(0).wait()


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, script: Scripted) -> None:
        self._script = script

    def service(self, details: Any) -> Any:
        script = self._script

        def export(body: bytes, context: Any) -> bytes:
            script.seen.append((details.method, body))
            script.metadata.append(dict(context.invocation_metadata()))
            script.peers.add(context.peer())
            return script.answer(body, context)

        return grpc.unary_unary_rpc_method_handler(export)


@contextmanager
def listening(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that has `behave` handle each connection, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def serve() -> None:
            with listener:
                while not stop.is_set():
                    try:
                        connection = listener.accept()[0]
                    except OSError:
                        return
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                behave(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        stop.set()
        with suppress(OSError):  # the thread may have seen it already, and closed
            listener.shutdown(socket.SHUT_RDWR)


def silent(connection: socket.socket) -> None:
    """Reads, and never says a word."""
    while connection.recv(65536):
        pass


def http1(connection: socket.socket) -> None:
    """Answers as a server of HTTP/1.1 does."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """https://www.rfc-editor.org/rfc/rfc9113#name-frame-format."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """One header: https://www.rfc-editor.org/rfc/rfc7541#section-6.2.2."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


DATA, HEADERS, SETTINGS, END_STREAM, END_HEADERS, ACK = 0, 1, 4, 1, 4, 1
OK_HEADERS = b"\x88" + literal(b"content-type", b"application/grpc")


def http2(answer: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """Speaks HTTP/2 up to the first request, stream 1, and has `answer` go on from there."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(frame(SETTINGS, 0, 0, b""))
        seen = b""
        while b"/Export" not in seen:
            piece = connection.recv(65536)
            if not piece:
                return
            seen += piece
        connection.sendall(frame(SETTINGS, ACK, 0, b""))
        answer(connection)

    return behave


def message(body: bytes, *, length: int | None = None, packed: bool = False) -> list[bytes]:
    """The frames of an answer whose message says that it has `length` bytes."""
    data = bytes((packed,)) + (len(body) if length is None else length).to_bytes(4) + body
    encoding = literal(b"grpc-encoding", b"gzip") if packed else b""
    pieces = [data[start : start + 16384] for start in range(0, len(data), 16384)]
    return [
        frame(HEADERS, END_HEADERS, 1, OK_HEADERS + encoding),
        *(frame(DATA, 0, 1, piece) for piece in pieces),
    ]


TRAILERS = frame(HEADERS, END_HEADERS | END_STREAM, 1, literal(b"grpc-status", b"0"))


def soon(seconds: float = 20) -> float:
    return time.monotonic() + seconds


def until_it_listens(sender: Sender, payload: Payload) -> Accepted:
    """What it answers, sending again while nobody listens, as a wrapper would."""
    last = soon(30)
    while True:
        try:
            return sender.send(payload, last)
        except Unavailable as error:
            if error.maybe_delivered:
                raise
            time.sleep(0.05)
