"""An OTLP/HTTP server that does as it is told: any answer, any silence, any way to hang up.

    with HostileServer([failure(503, retry_after=1), success()]) as server:
        ...                     # export to server.endpoint
        first, second = server.arrivals
        second.at - first.at    # seconds between the two

A script is a list of answers, one for each request that arrives, the last one for all that follow;
or a function from an `Arrival` to its `Answer`. Whatever arrived is kept, with the time and the
connection on which it came. It listens on loopback, on a free port, and is no server for anything
but tests: one thread for each connection.

The answers are made in `hostile_answers`, what is kept is a `hostile_record`; the gRPC side is
`hostile_grpc`. A request over `MAX_BODY` bytes costs its client the connection.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import BinaryIO, TypeAlias

from otlp_kit.testing.hostile_answers import Answer
from otlp_kit.testing.hostile_record import MAX_BODY, Arrival, Record

MAX_CONNECTIONS = 256
POLL = 0.05
"""Seconds between two looks at whether the server has been closed."""

Script: TypeAlias = Sequence[Answer] | Callable[[Arrival], Answer]


class HostileServer(Record):
    """Plays `script` to whoever connects, from now until `close`. Use it in a `with` statement.

    With `listening=False` it has a port at which connections are refused, until `listen()`.
    `tls` is a context with a certificate, for a server that speaks HTTPS.
    """

    def __init__(
        self, script: Script, *, listening: bool = True, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__()
        self._script = script
        self._tls = tls
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._accepting: threading.Thread | None = None
        self.sent = 0
        """Bytes that the network took, in all answers."""
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.endpoint = f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"
        """The base URL."""
        if listening:
            self.listen()

    def listen(self) -> None:
        """Begin to accept connections."""
        self._socket.listen(128)
        self._socket.settimeout(POLL)
        self._accepting = threading.Thread(target=self._accept, name="hostile-server", daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Hang up on everybody and end all threads. May be called twice."""
        self._stopped.set()
        if self._accepting:
            self._accepting.join()
        self._socket.close()
        with self._lock:
            left = dict(self._open)
        for connection in left:
            with suppress(OSError):  # gone already
                connection.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads or writes
        for thread in left.values():
            thread.join()

    def __enter__(self) -> HostileServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:  # nobody came within POLL, or hung up before it was his turn
                continue
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            with self._lock:
                if len(self._open) >= MAX_CONNECTIONS:
                    connection.close()
                    continue
                self._open[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        """All requests of one connection."""
        number = self.connected()
        talking, stream = connection, None
        try:
            if self._tls:
                talking = self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    del self._open[connection]
                    self._open[talking] = threading.current_thread()
            stream = talking.makefile("rb")
            while not self._stopped.is_set() and self._request(talking, stream, number):
                pass
        except (OSError, ValueError, http.client.HTTPException):
            pass  # a client that hangs up or talks nonsense is answered by the end of its connection
        finally:
            if stream:
                stream.close()
            talking.close()
            with self._lock:
                del self._open[talking]

    def _request(self, connection: socket.socket, stream: BinaryIO, number: int) -> bool:
        """Read one request and answer it; False when the connection is over."""
        words = stream.readline(65_536).decode("latin-1").split()
        if len(words) != 3:
            return False
        headers = {name.lower(): value for name, value in http.client.parse_headers(stream).items()}
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = _read_body(stream, headers)
        arrival = self.arrived(number, words[0], words[1], headers, body)
        try:
            return self._play(connection, self._answer(arrival))
        finally:
            self.answered()

    def _answer(self, arrival: Arrival) -> Answer:
        if callable(self._script):
            return self._script(arrival)
        return self._script[min(arrival.number, len(self._script) - 1)]

    def _play(self, connection: socket.socket, answer: Answer) -> bool:
        wait = answer.delay
        for piece in answer.pieces():
            if wait and self._stopped.wait(wait):
                return False
            connection.sendall(piece)
            with self._lock:
                self.sent += len(piece)
            wait = answer.pause
        if answer.end == "hold":
            self._hold(connection)
        elif answer.end == "reset":
            # An end without a farewell: what is not sent yet is thrown away.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return answer.end == "keep"

    def _hold(self, connection: socket.socket) -> None:
        while not self._stopped.is_set():
            readable, _, _ = select.select([connection], [], [], POLL)
            if readable and not connection.recv(65_536):
                return


def _read_body(stream: BinaryIO, headers: dict[str, str]) -> bytes:
    """The body of a request, whole. Raises `ValueError` if it is too long or breaks off."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return _exactly(stream, int(headers.get("content-length", 0)))
    chunks, total = [], 0
    while size := int(stream.readline(1024).partition(b";")[0], 16):
        total += size
        if total > MAX_BODY:
            raise ValueError("the body is too long")
        chunks.append(_exactly(stream, size))
        stream.readline(1024)
    while stream.readline(65_536).strip():  # trailers, up to an empty line
        pass
    return b"".join(chunks)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    if not 0 <= size <= MAX_BODY:
        raise ValueError("the body is too long")
    body = stream.read(size)
    if len(body) != size:
        raise ValueError("the body breaks off")
    return body
