"""The HTTP shell around the service, spoken to by sockets and by official clients."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otlp_kit.adapters import to_span
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span
from otlp_kit.receiver import http_server
from otlp_kit.receiver.http_server import bind, otlp_app, serve
from otlp_kit.receiver.service import Service
from otlp_kit.stores.memory_store import MemoryStore

LIMIT = 100_000


class Server:
    """A receiver with a small limit on a thread of its own."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.service = Service(self.store.put, max_body=LIMIT)
        self.socket = bind("127.0.0.1", 0)
        self.port: int = self.socket.getsockname()[1]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await serve([(otlp_app(self.service), self.socket)], self._stop)

    def __enter__(self) -> Server:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def post(self, body: object, **headers: str) -> tuple[int, bytes]:
        connection = self.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(
            "POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf", **named}
        )
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def server(shared: Server) -> Server:
    shared.store._batches.clear()
    return shared


def some_spans(count: int = 2) -> list[Span]:
    trace_id = os.urandom(16)
    return [Span(f"span {i}", trace_id, os.urandom(8)) for i in range(count)]


@pytest.mark.spec("OTLP-12")
def test_one_connection_serves_many_requests(server: Server) -> None:
    """The connection stays open from request to request."""
    connection = server.connect()
    connection.connect()
    local = connection.sock.getsockname()
    for _ in range(5):
        body = encode_spans(some_spans())
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        assert connection.getresponse().read() == b""
        assert connection.sock.getsockname() == local
    connection.close()
    assert len(server.store.spans()) == 10


@pytest.mark.spec("OTLP-13")
def test_chunked_bodies_are_read(server: Server) -> None:
    """Without a length, as the official JavaScript exporters send."""
    body = encode_spans(some_spans())
    assert server.post(iter([body[:7], body[7:]])) == (200, b"")
    assert server.post(iter([gzip.compress(body)]), Content_Encoding="gzip") == (200, b"")
    assert len(server.store.spans()) == 2  # the second was the same batch


@pytest.mark.spec("OTLP-16")
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_answered_413(server: Server, chunked: bool) -> None:
    """Sized or chunked; the sender that is still sending gets its answer."""
    body = bytes(LIMIT + 1)
    status, answer = server.post(iter([body]) if chunked else body)
    assert status == 413
    assert str(LIMIT) in Status.FromString(answer).message


def head(length: int, *more: bytes) -> bytes:
    """The header of a request whose body is said to have `length` bytes."""
    lines = [
        b"POST /v1/traces HTTP/1.1", b"Host: x", b"Content-Type: application/x-protobuf",
        b"Content-Length: %d" % length, *more, b"", b"",
    ]  # fmt: skip
    return b"\r\n".join(lines)


@pytest.mark.spec("OTLP-16")
@pytest.mark.parametrize("more", [(), (b"Expect: 100-continue",)])
def test_a_length_over_the_limit_is_refused_before_the_body(
    server: Server, more: tuple[bytes, ...]
) -> None:
    """The header tells enough: nobody is asked to send ten gigabytes first."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(head(10 * 1000**3, *more))
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.status == 413
        assert response.getheader("connection") == "close"
        assert str(LIMIT) in Status.FromString(response.read()).message


@pytest.mark.spec("OTLP-16")
def test_a_bomb_is_answered_413(server: Server) -> None:
    """The limit holds while decompressing too."""
    status, _ = server.post(gzip.compress(bytes(50 * LIMIT)), Content_Encoding="gzip")
    assert status == 413


def test_a_body_without_end_is_cut_off(server: Server) -> None:
    """A sender that never stops is answered and hung up on."""

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(10_000)

    with pytest.raises((ConnectionError, BrokenPipeError)):
        server.post(endless())
    assert server.post(b"") == (200, b"")


def test_a_client_that_leaves_in_mid_body_harms_nobody(server: Server) -> None:
    """Half a request, then nothing: it is forgotten, the next client is served."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
            b"Content-Type: application/x-protobuf\r\n\r\nhalf"
        )
    assert server.post(b"") == (200, b"")
    assert server.service.ledger.totals().inside == 0


def test_a_client_that_stops_sending_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while without a byte the answer is 408, and the connection closes."""
    monkeypatch.setattr(http_server, "PATIENCE", 0.05)
    with socket.create_connection(("127.0.0.1", server.port), 20) as client:
        client.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
            b"Content-Type: application/x-protobuf\r\n\r\nhalf"
        )
        answer = b""
        while piece := client.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "raw",
    [b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n" * 3, os.urandom(300), b"\n"],
    ids=["zeros", "three at once", "random", "a newline"],
)
def test_random_bytes_on_the_port_harm_nobody(server: Server, raw: bytes) -> None:
    """What is not HTTP gets an answer or a closed connection."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(raw)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(10)
        try:
            while client.recv(4096):
                pass
        except ConnectionError:
            pass
    assert server.post(b"") == (200, b"")


def test_expect_continue_is_honoured(server: Server) -> None:
    """A careful client asks before it sends, as curl does."""
    body = encode_spans(some_spans())
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            b"Content-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 100")
        client.sendall(body)
        assert client.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.spec("OTLP-43")
def test_a_defect_of_the_receiver_is_answered_with_a_status(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """500 for that request, a traceback in the log, and the next request is served."""

    class Defective(Server):
        def __init__(self) -> None:
            super().__init__()
            self.service = Service(lambda *_: 1 // 0)

    with Defective() as server:
        status, answer = server.post(encode_spans(some_spans()))
        assert status == 500
        assert "failed" in Status.FromString(answer).message
        assert "ZeroDivisionError" in caplog.text
        assert server.post(b"") == (200, b"")


@pytest.mark.spec("OTLP-50")
def test_too_many_waiting_requests_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small requests are counted too; who is turned away is told when to come back."""
    monkeypatch.setattr(http_server, "MAX_QUEUED", 0)
    with Server() as server:
        connection = server.connect()
        connection.request("POST", "/v1/traces", b"", {"Content-Type": "application/x-protobuf"})
        response = connection.getresponse()
        assert response.status == 503
        assert response.getheader("retry-after") == "1"
        assert "waiting" in Status.FromString(response.read()).message
        connection.close()


@pytest.mark.spec("OTLP-50")
def test_who_is_turned_away_while_sending_still_gets_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest of its body is read and thrown away: a reset connection would tell it nothing."""
    monkeypatch.setattr(http_server, "MAX_WAITING", 0)
    limit = 20_000_000  # more than the socket buffers of both sides hold

    class Full(Server):
        def __init__(self) -> None:
            super().__init__()
            self.service = Service(self.store.put, max_body=limit)

    with Full() as server:
        for body in (bytes(limit), iter([bytes(limit // 2)] * 2)):
            status, answer = server.post(body)
            assert status == 503
            assert "waiting" in Status.FromString(answer).message


def test_too_many_waiting_bytes_are_turned_away() -> None:
    """While the store is stuck, memory is bounded: past the bound, senders are told to come back."""
    let_go = threading.Event()

    class Stuck(Server):
        def __init__(self) -> None:
            super().__init__()
            self.service = Service(lambda *_: let_go.wait(30) or 1, max_body=LIMIT)

    with Stuck() as server:
        # Each body is nearly as large as the limit; four fit.
        bodies = [
            encode_spans([Span("x" * (LIMIT - 1000), os.urandom(16), b"s" * 8)]) for _ in range(8)
        ]
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda body=body: answers.append(server.post(body)[0]))
            for body in bodies
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: answers.count(503) == 4)
        let_go.set()
        for thread in threads:
            thread.join(20)
        assert sorted(answers) == [200] * 4 + [503] * 4
        assert server.post(bodies[0])[0] == 200


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    last = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.01)


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_official_exporter_is_understood(server: Server, compression: Compression) -> None:
    """Every span arrives once, equal to what the official SDK made."""
    made = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    tracer = provider.get_tracer("official", "1.2.3")
    with tracer.start_as_current_span("parent", attributes={"k": [1, 2], "b": True}) as parent:
        parent.add_event("event", {"x": 1.5})
        tracer.start_span("child").end()
    exporter = OTLPSpanExporter(
        f"http://127.0.0.1:{server.port}/v1/traces", compression=compression
    )
    spans = list(made.get_finished_spans())
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    exporter.shutdown()
    expected = [to_span(span) for span in spans]
    for span in expected:
        # The official encoder leaves the W3C bits out.
        span.flags &= ~0xFF
    assert server.store.spans() == expected


def test_a_taken_port_is_an_error() -> None:
    """`bind` takes no port that somebody else has."""
    with bind("127.0.0.1", 0) as taken, pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", taken.getsockname()[1])
