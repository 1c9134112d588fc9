"""Tools of `test_hostile_clients`: compression bombs, a bare HTTP/2 client, a healthy client to run
beside them, and a watch on the memory of a process."""

from __future__ import annotations

import os
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
import psutil
import urllib3

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Resource, Span
from otlp_kit.wire import TRACES

MIB = 1 << 20
EVERY = 0.05
"""Seconds between two spans of a healthy client."""


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 20)


def rest_of(client: socket.socket, seconds: float = 15) -> bytes:
    """What still comes until the other side closes; raises `TimeoutError` if it does not."""
    client.settimeout(seconds)
    received = b""
    with suppress(ConnectionError):
        while piece := client.recv(65536):
            received += piece
    return received


def zeros(gib: int, wbits: int) -> bytes:
    """A gzip (31) or zlib (15) stream of so many GiB, made without unpacking or packing them all.

    A full flush forgets what came before, so the packed form of one piece can be repeated.
    """
    packer = zlib.compressobj(9, wbits=wbits)
    head = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + piece * (gib * 1024 - 1) + b"\x03\x00" + bytes(8)


class Memory(threading.Thread):
    """Samples the resident memory of a process."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._end = threading.Event()
        self._lock = threading.Lock()
        self.start_mib = self.peak_mib = self.now()

    def now(self) -> int:
        return int(self._process.memory_info().rss // MIB)

    def begin(self) -> None:
        """Forget the peak so far."""
        with self._lock:
            self.peak_mib = self.now()

    def run(self) -> None:
        while not self._end.wait(0.01):
            with suppress(psutil.NoSuchProcess), self._lock:
                self.peak_mib = max(self.peak_mib, self.now())

    def stop(self) -> None:
        self._end.set()
        self.join()


class Healthy(threading.Thread):
    """Sends one span at a time over one connection, and notes what goes wrong."""

    def __init__(self, service: str, send: Callable[[bytes], object]) -> None:
        super().__init__(daemon=True)
        self.service = service
        self._send = send
        self._end = threading.Event()
        self.acknowledged = 0
        self.errors: list[str] = []

    def run(self) -> None:
        resource = Resource({"service.name": self.service})
        while not self._end.wait(EVERY):
            span = Span("healthy", os.urandom(16), os.urandom(8), resource=resource)
            try:
                self._send(encode_spans([span]))
                self.acknowledged += 1
            except Exception as error:
                self.errors.append(repr(error)[:300])

    def stop(self) -> None:
        self._end.set()
        self.join()


def over_http(address: str) -> Callable[[bytes], object]:
    """Send on a connection that is kept alive, without retries."""
    host, port = address.removeprefix("http://").split(":")
    pool = urllib3.HTTPConnectionPool(host, int(port), timeout=20, retries=False)

    def send(body: bytes) -> None:
        headers = {"content-type": "application/x-protobuf"}
        answer = pool.request("POST", "/v1/traces", body=body, headers=headers)
        assert answer.status == 200, answer.data

    return send


def over_grpc(address: str) -> Callable[[bytes], object]:
    """Send on one channel, without retries."""
    options = [("grpc.enable_retries", 0)]
    channel = grpc.insecure_channel(address.removeprefix("http://"), options)
    call: Any = channel.unary_unary(TRACES.grpc_method)
    return lambda body: call(body, timeout=20)


class Http2:
    """One gRPC call by hand: frames, flow control, and no more."""

    def __init__(self, address: str) -> None:
        self.socket = connect(address)
        self.ended = False
        self._first = self._window = 65535  # of the stream, and of the connection
        self._stream = 65535
        self._received = b""
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4))

    def headers(self, *more: tuple[str, str], flags: int = 4) -> None:
        """Begin the call; the flag 4 says that these are all its headers."""
        listed = [
            (":method", "POST"), (":scheme", "http"), (":path", TRACES.grpc_method),
            (":authority", "x"), ("content-type", "application/grpc"), ("te", "trailers"), *more,
        ]  # fmt: skip
        self.socket.sendall(frame(1, flags, 1, b"".join(literal(*pair) for pair in listed)))

    def data(self, body: bytes, last: bool = True) -> None:
        """Send, as fast as the other side allows; stops when the call is over before."""
        place = 0
        while place < len(body) and not self.ended:
            size = min(16384, self._window, self._stream, len(body) - place)
            if size <= 0:
                self.read(15)
                continue
            end = int(last and place + size == len(body))
            try:
                self.socket.sendall(frame(0, end, 1, body[place : place + size]))
            except ConnectionError:
                self.ended = True
                return
            place += size
            self._window -= size
            self._stream -= size
            if place % (16 * 16384) == 0:
                self.read(0)

    def wait(self, seconds: float = 15) -> None:
        """Until the call is over; raises `TimeoutError`."""
        while not self.ended:
            self.read(seconds)

    def read(self, seconds: float) -> None:
        """Take in what has come, or wait for it."""
        self.socket.settimeout(seconds)
        try:
            piece = self.socket.recv(65536)
        except BlockingIOError:
            return
        except ConnectionError:
            piece = b""
        finally:
            self.socket.settimeout(20)
        if not piece:
            self.ended = True
        self._received += piece
        while len(self._received) >= 9:
            size = int.from_bytes(self._received[:3], "big")
            if len(self._received) < 9 + size:
                break
            kind, flags = self._received[3], self._received[4]
            stream = int.from_bytes(self._received[5:9], "big")
            body, self._received = self._received[9 : 9 + size], self._received[9 + size :]
            self._take(kind, flags, stream, body)

    def _take(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        if kind == 4 and not flags & 1:
            for place in range(0, len(body), 6):
                name, value = struct.unpack_from(">HI", body, place)
                if name == 4:
                    self._stream += value - self._first
                    self._first = value
            self.socket.sendall(frame(4, 1))
        elif kind == 6 and not flags & 1:
            self.socket.sendall(frame(6, 1, 0, body))
        elif kind == 8:
            step = int.from_bytes(body, "big")
            if stream:
                self._stream += step
            else:
                self._window += step
        elif kind in (3, 7) or (kind == 1 and flags & 1):
            self.ended = True

    def close(self) -> None:
        self.socket.close()


def frame(kind: int, flags: int = 0, stream: int = 0, body: bytes = b"") -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


def literal(name: str, value: str) -> bytes:
    """A header that no table remembers."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def message(body: bytes, compressed: bool = False) -> bytes:
    """The framing of a gRPC message."""
    return bytes([compressed]) + len(body).to_bytes(4, "big") + body
