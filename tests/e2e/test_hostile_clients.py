"""A real receiver among hostile clients: each gets an answer or a close in bounded time, memory stays
bounded, and healthy clients beside them see no error."""

from __future__ import annotations

import asyncio
import http.client
import os
import random
import resource
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import grpc
import pytest

from otlp_kit.encoding.protobuf_common import sized
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span
from otlp_kit.receiver import grpc_server, http_server
from otlp_kit.receiver.http_server import bind
from otlp_kit.receiver.limits import zstd
from otlp_kit.receiver.service import Service
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.wire import LOGS, METRICS, TRACES, Signal
from tests.e2e.hostile import (
    MIB,
    Healthy,
    Http2,
    Memory,
    connect,
    frame,
    literal,
    message,
    over_grpc,
    over_http,
    rest_of,
    zeros,
)
from tests.receiver.test_http_server import Server
from tests.support import CLI, Running

pytestmark = pytest.mark.slow

MAX_GROWTH = 700
"""MiB above what the receiver took at its start: a body of the largest size (64), up to five times
while it is taken apart or is text of four bytes a character, what is made of it (150), and what
other requests hold meanwhile."""

LEFT = 64
"""MiB that an earlier case may have left with the receiver."""

LARGEST = 64 * MIB - 256
"""Bytes of a body that stays below the limit with what is around it."""


class Bench:
    """One receiver for all cases, watched, with a healthy client on each port."""

    def __init__(self, running: Running) -> None:
        self.http = running.http
        self.grpc = running.grpc.removeprefix("http://")
        self._database = running.data / "otlp.sqlite3"
        self.memory = Memory(running.process.pid)
        self.healthy = [
            Healthy("over-http", over_http(self.http)),
            Healthy("over-grpc", over_grpc(self.grpc)),
        ]

    @contextmanager
    def case(self, name: str, most: int = MAX_GROWTH) -> Iterator[None]:
        """Around what a hostile client does: nobody else may notice."""
        before = [client.acknowledged for client in self.healthy]
        self.memory.begin()
        yield
        for client, count in zip(self.healthy, before, strict=True):
            self._until(lambda c=client, n=count: c.acknowledged > n + 2 or c.errors)
            assert client.errors == []
            stored = self._stored(client.service)
            assert client.acknowledged <= stored <= client.acknowledged + 1
        growth = self.memory.peak_mib - self.memory.start_mib
        # The figure is worth reading also while it is within the bound: `pytest -rA`.
        print(f"{name}: at most {growth} MiB above the start")
        assert growth < most, f"{growth} MiB above the start"

    def _stored(self, service: str) -> int:
        # Between two spans: one that is stored is acknowledged soon.
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            query = "select count(distinct span_id) from spans where service = ?"
            return int(database.execute(query, (service,)).fetchone()[0])

    @staticmethod
    def _until(condition: Callable[[], object], seconds: float = 30) -> None:
        last = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < last
            time.sleep(0.01)

    def post(self, body: bytes, kind: str, signal: Signal = TRACES, encoding: str = "") -> int:
        host = self.http.removeprefix("http://")
        with closing(http.client.HTTPConnection(host, timeout=30)) as connection:
            headers = {"content-type": kind, "content-encoding": encoding}
            connection.request("POST", signal.http_path, body, headers)
            response = connection.getresponse()
            response.read()
            return response.status

    def call(self, body: bytes, signal: Signal) -> grpc.StatusCode:
        options = [("grpc.enable_retries", 0)]
        with grpc.insecure_channel(self.grpc, options) as channel:
            try:
                channel.unary_unary(signal.grpc_method)(body, timeout=30)
            except grpc.RpcError as error:
                code: grpc.StatusCode = error.code()
                return code
        return grpc.StatusCode.OK


@contextmanager
def started(data: Path) -> Iterator[Bench]:
    with subprocess.Popen(
        [*CLI, "serve", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--ui", "127.0.0.1:0",
         "--data", str(data)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        try:
            assert process.stdout
            bound = dict(word.split("=", 1) for word in process.stdout.readline().split()[1:])
            bench = Bench(Running(process, bound["http"], bound["grpc"], bound["ui"], data))
            bench._until(lambda: bench.call(b"", TRACES) is grpc.StatusCode.OK)
            threads = [bench.memory, *bench.healthy]
            for thread in threads:
                thread.start()
            yield bench
            for thread in threads:
                thread.stop()
        finally:
            process.kill()


class Benches:
    """The one that runs. It is replaced when a case has left a lot of memory with it: allocators
    keep what was freed, which would be counted as the next case's."""

    def __init__(self, directory: Callable[[], Path]) -> None:
        self._directory = directory
        self._running = ExitStack()
        self._bench: Bench | None = None

    def clean(self) -> Bench:
        if self._bench and self._bench.memory.now() - self._bench.memory.start_mib < LEFT:
            return self._bench
        self.close()
        self._bench = self._running.enter_context(started(self._directory()))
        return self._bench

    def close(self) -> None:
        self._running.close()


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Benches]:
    benches = Benches(lambda: tmp_path_factory.mktemp("hostile"))
    yield benches
    benches.close()


@pytest.fixture
def bench(benches: Benches) -> Bench:
    return benches.clean()


PROTOBUF, JSON = "application/x-protobuf", "application/json"


def zstd_zeros(gib: int) -> bytes:
    if not zstd:  # then the receiver does not take it either
        return b""
    packer = zstd.ZstdCompressor()
    piece = bytes(MIB)
    return b"".join([*(packer.compress(piece) for _ in range(gib * 1024)), packer.flush()])


WIDE_WINDOW = b"\x28\xb5\x2f\xfd" + b"\x00" + b"\xa8" + b"\x02\x00\x10" * 8000
"""The head of a zstd stream that wants 2 GiB kept, then blocks that repeat one byte."""


@pytest.mark.parametrize(
    ("encoding", "make"),
    [
        ("gzip", lambda: zeros(1, 31)),
        ("deflate", lambda: zeros(1, 15)),
        ("zstd", lambda: zstd_zeros(1)),
        ("zstd", lambda: WIDE_WINDOW),
    ],
    ids=["gzip", "deflate", "zstd", "zstd window"],
)
def test_a_bomb_over_http_is_refused(
    bench: Bench, encoding: str, make: Callable[[], bytes]
) -> None:
    """A body that stands for a gigabyte, or asks for one to unpack it."""
    bomb = make()
    assert len(bomb) < 4 * MIB
    with bench.case(encoding):
        status = bench.post(bomb, PROTOBUF, encoding=encoding)
        assert status in ((413,) if encoding == "gzip" else (400, 413, 415))


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("deflate", 15)])
def test_a_bomb_over_grpc_is_refused(bench: Bench, encoding: str, wbits: int) -> None:
    """The same in a message of gRPC."""
    bomb = message(zeros(1, wbits), compressed=True)
    with bench.case(f"{encoding} over gRPC"), closing(Http2(bench.grpc)) as client:
        client.headers(("grpc-encoding", encoding))
        client.data(bomb)
        client.wait()


def nested(filling: bytes, *tags: bytes) -> bytes:
    """A request that is `filling`, repeated up to the limit, inside of messages with these tags."""
    body = filling * (LARGEST // len(filling))
    for tag in reversed(tags):
        body = sized(tag, body)
    return body


SPAN = (b"\x0a", b"\x12", b"\x12")  # a group of a resource, one of a scope, a span or metric
POINT = (*SPAN, b"\x4a", b"\x0a")  # and in it a histogram, a data point
BIG = b"\xff\xff\xff\xff\xff\xff\xff\x7f"
FLOODS: dict[str, tuple[Signal, Callable[[], bytes]]] = {
    "events": (TRACES, lambda: nested(b"\x5a\0", *SPAN)),
    "attributes": (TRACES, lambda: nested(b"\x4a\0", *SPAN)),
    "values": (LOGS, lambda: nested(b"\x0a\0", *SPAN, b"\x2a", b"\x2a")),
    "points": (METRICS, lambda: nested(b"\x0a\0", *SPAN, b"\x2a")),
    "exemplars": (METRICS, lambda: nested(b"\x42\0", *POINT)),
    "bounds": (METRICS, lambda: nested(b"\1\2\3\4\5\6\7\x40", *POINT, b"\x3a")),
    "counts": (METRICS, lambda: nested(BIG, *POINT, b"\x32")),
    "unknown fields": (TRACES, lambda: nested(b"\xc8\x3e\x01")),
}
"""What is empty on the wire and an object in memory; the last one takes only time."""


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_tiny_messages_over_http_is_refused(bench: Bench, flood: str) -> None:
    """64 MiB of messages of two bytes would take gigabytes: 413, as for a body that is too large."""
    signal, make = FLOODS[flood]
    body = make()
    with bench.case(flood):
        status = bench.post(body, PROTOBUF, signal)
    assert status == 413


@pytest.mark.parametrize("flood", ["events", "points"])
def test_a_flood_of_tiny_messages_over_grpc_is_refused(bench: Bench, flood: str) -> None:
    """RESOURCE_EXHAUSTED, as for a message that is too large."""
    signal, make = FLOODS[flood]
    body = make()
    with bench.case(f"{flood} over gRPC"):
        assert bench.call(body, signal) is grpc.StatusCode.RESOURCE_EXHAUSTED


def list_of(item: bytes, count: int) -> bytes:
    return b'{"resourceSpans":[' + (item + b",") * (count - 1) + item + b"]}"


JSON_FLOODS: dict[str, tuple[Callable[[], bytes], tuple[int, ...]]] = {
    "brackets": (lambda: b"[" * LARGEST, (400, 413)),
    "objects": (lambda: list_of(b"{}", LARGEST // 3), (413,)),
    "fewer objects": (lambda: list_of(b"{}", 1_900_000), (200, 413)),
    "numbers": (lambda: list_of(b"1", LARGEST // 2), (413,)),
    "digits": (lambda: b'{"x":' + b"9" * LARGEST + b"}", (400, 413)),
    "wide text": (lambda: b'{"x":"' + "😀".encode() + b"x" * LARGEST + b'"}', (200, 413)),
}
"""Bodies and what may be answered."""


@pytest.mark.parametrize("flood", JSON_FLOODS)
def test_a_flood_of_json_is_answered(bench: Bench, flood: str) -> None:
    """Nested, tiny, endless, or text that is four times as large once it is read."""
    make, expected = JSON_FLOODS[flood]
    body = make()
    with bench.case(f"JSON {flood}"):
        assert bench.post(body, JSON) in expected


HEAD = (
    b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
    b"Content-Length: 100000\r\n"
)


@pytest.mark.parametrize(
    "half",
    [b"", b"PO", HEAD, HEAD + b"\r\n", HEAD + b"\r\n" + bytes(50_000)],
    ids=["nothing", "a method", "a header", "a whole header", "half a body"],
)
def test_half_requests_disturb_nobody(bench: Bench, half: bytes) -> None:
    """A hundred clients that stop in the middle, some silent, some gone."""
    with bench.case(f"{len(half)} bytes of a request"), ExitStack() as silent:
        for number in range(100):
            client = silent.enter_context(closing(connect(bench.http)))
            client.sendall(half)
            if number % 2:
                client.close()
        assert bench.post(b"", PROTOBUF) == 200


@pytest.mark.parametrize("half", [0, 5, 50_000])
def test_half_calls_disturb_nobody(bench: Bench, half: int) -> None:
    """The same over gRPC: headers, a length, half a message."""
    with bench.case(f"{half} bytes of a call"), ExitStack() as silent:
        for number in range(50):
            client = silent.enter_context(closing(Http2(bench.grpc)))
            client.headers()
            client.data(message(bytes(100_000))[:half], last=False)
            if number % 2:
                client.close()
        assert bench.call(b"", TRACES) is grpc.StatusCode.OK


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("port", ["http", "grpc"])
def test_random_bytes_end_the_connection(bench: Bench, port: str, seed: int) -> None:
    """Whatever they are; some look like the beginning of a request."""
    chance = random.Random(seed)
    starts = [b"", b"POST ", HEAD, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01"]
    with bench.case(f"random bytes on {port}"):
        for _ in range(20):
            with connect(getattr(bench, port)) as client, suppress(ConnectionError):
                client.sendall(chance.choice(starts) + chance.randbytes(chance.randint(1, 5000)))
                client.shutdown(socket.SHUT_WR)
                rest_of(client)


def test_each_port_refuses_the_other_protocol(bench: Bench) -> None:
    """HTTP/2 on the port of HTTP, HTTP/1 on that of gRPC: an answer or a close, at once."""
    with bench.case("the other protocol"):
        with connect(bench.http) as client:
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4))
            assert rest_of(client)[:10] in (b"", b"HTTP/1.1 4")
        with connect(bench.grpc) as client:
            client.sendall(HEAD + b"\r\n" + bytes(100_000))
            rest_of(client)


def test_idle_connections_disturb_nobody(bench: Bench) -> None:
    """Five hundred on each port; new clients are served beside them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    with bench.case("1000 idle connections"), ExitStack() as idle:
        for address in [bench.http, bench.grpc] * 500:
            idle.enter_context(closing(connect(address)))
        time.sleep(0.5)
        assert bench.post(b"", PROTOBUF) == 200
        assert bench.call(b"", TRACES) is grpc.StatusCode.OK


ENDLESS = {
    "a header": (b"POST /v1/traces HTTP/1.1\r\nX: ", b"x" * 65536),
    "headers": (b"POST /v1/traces HTTP/1.1\r\n", b"X: yz\r\n" * 9000),
    "a path": (b"POST /v1/", b"x" * 65536),
    "a method": (b"POST", b"T" * 65536),
    "a chunk's extension": (
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/x-protobuf\r\n\r\n5;",
        b"x" * 65536,
    ),
    "trailers": (
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/x-protobuf\r\n\r\n0\r\n",
        b"X: yz\r\n" * 9000,
    ),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_never_ends_is_cut_off(bench: Bench, what: str) -> None:
    """Long before it has taken as much memory as a body may."""
    start, piece = ENDLESS[what]
    with bench.case(f"endless {what}"):
        assert cut_off(bench.http, start, piece, 32 * MIB) < 16 * MIB


def cut_off(address: str, start: bytes, piece: bytes, most: int) -> int:
    """How many bytes could be sent before there was an answer or a close; `most` if there was none."""
    with connect(address) as client:
        sent = 0
        client.settimeout(5)
        try:
            client.sendall(start)
            while sent < most:
                client.sendall(piece)
                sent += len(piece)
                client.settimeout(0)
                with suppress(BlockingIOError):
                    client.recv(65536)
                    return sent
                client.settimeout(5)
        except (ConnectionError, TimeoutError):
            return sent
    return most


def test_endless_headers_of_a_call_are_cut_off(bench: Bench) -> None:
    """Continued, and continued: a table of headers that is never whole."""
    piece = frame(9, 0, 1, literal("x", "y" * 100) * 150)
    with bench.case("endless headers over gRPC"), closing(Http2(bench.grpc)) as client:
        client.headers(flags=0)
        sent = 0
        while not client.ended and sent < 32 * MIB:
            with suppress(ConnectionError):
                client.socket.sendall(piece)
            sent += len(piece)
            client.read(0)
        assert sent < 16 * MIB


@pytest.mark.parametrize(("port", "clients"), [("http", 4), ("grpc", 12)])
def test_large_half_requests_together_take_bounded_memory(
    bench: Bench, port: str, clients: int
) -> None:
    """Each holds 60 MiB of its body and sends no more. grpcio bounds the calls, not their sum."""
    half = bytes(60 * MIB)
    most = MAX_GROWTH if port == "http" else clients * 64 + LEFT
    with bench.case(f"{clients} large halves on {port}", most), ExitStack() as silent:
        for _ in range(clients):
            if port == "http":
                client = silent.enter_context(closing(connect(bench.http)))
                client.sendall(HEAD.replace(b"100000", b"64000000") + b"\r\n" + half)
            else:
                call = silent.enter_context(closing(Http2(bench.grpc)))
                call.headers()
                with suppress(TimeoutError):
                    call.data(message(bytes(64_000_000))[: len(half)], last=False)
        time.sleep(0.3)


def test_headers_that_drip_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is no progress: the header must be whole in the time that a silent body has."""
    monkeypatch.setattr(http_server, "PATIENCE", 0.3)
    with Server() as server, connect(f"127.0.0.1:{server.port}") as client:
        last = time.monotonic() + 6
        closed = False
        client.settimeout(0.05)
        drip = iter(HEAD + b"X: " + b"y" * 1000)
        while not closed and time.monotonic() < last:
            try:
                client.sendall(bytes([next(drip)]))
                closed = not client.recv(4096) or True
            except TimeoutError:
                continue
            except ConnectionError:
                closed = True
        assert closed


@pytest.mark.parametrize(
    "start", [b"", b"POST /v1/tr", HEAD], ids=["nothing", "half a line", "half a header"]
)
def test_a_connection_that_never_asks_is_given_up(
    monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    """Nothing, or a header that stops: an answer or a close after the same patience."""
    monkeypatch.setattr(http_server, "PATIENCE", 0.3)
    with Server() as server, connect(f"127.0.0.1:{server.port}") as client:
        client.sendall(start)
        rest_of(client, 6)


def test_half_a_call_is_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection has an age; a client that only lives long is asked to open another, and loses nothing."""
    monkeypatch.setattr(grpc_server, "MAX_AGE", 1)
    monkeypatch.setattr(grpc_server, "PATIENCE", 1)
    store = MemoryStore()
    with bind("127.0.0.1", 0) as reserved:
        address = f"127.0.0.1:{reserved.getsockname()[1]}"

    async def main() -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(grpc_server.serve_grpc(Service(store.put), address, stop))
        try:
            await asyncio.to_thread(both)
        finally:
            stop.set()
            await serving

    def both() -> None:
        with grpc.insecure_channel(address) as channel, ExitStack() as silent:
            grpc.channel_ready_future(channel).result(20)
            half = silent.enter_context(closing(Http2(address)))
            half.headers()
            half.data(message(bytes(1000))[:500], last=False)
            export = channel.unary_unary(TRACES.grpc_method)
            for number in range(1, 80):
                span = Span("s", b"t" * 16, number.to_bytes(8, "big"))
                export(encode_spans([span]), timeout=10, wait_for_ready=True)
                time.sleep(0.05)
                half.read(0)
            assert half.ended

    asyncio.run(main())
    assert len(store.spans()) == 79
