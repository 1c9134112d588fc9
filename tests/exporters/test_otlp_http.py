"""The HTTP sender against servers that behave, misbehave and vanish."""

from __future__ import annotations

import gzip
import os
import socket
import socketserver
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from backports import zstd
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otlp_kit.exporters import compression, otlp_http
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.wire import TRACES, Accepted, Payload, Refused, Unavailable

PAYLOAD = Payload(TRACES, b"some bytes", items=1)
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@dataclass
class Scripted:
    """A server of the standard library that answers as the test wants."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: dict(PROTOBUF))
    body: bytes = b""
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    clients: set[tuple[str, int]] = field(default_factory=set)
    on_request: Callable[[list[tuple[str, str]]], None] = lambda items: None
    url: str = ""


@pytest.fixture
def server() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            script.on_request(self.headers.items())
            script.clients.add(self.client_address)
            self.send_response(script.status)
            for name, value in script.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(script.body)))
            self.end_headers()
            self.wfile.write(script.body)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    script.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    yield script
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def soon(seconds: float = 20) -> float:
    return time.monotonic() + seconds


def send(url: str, **settings: object) -> Accepted:
    sender = HttpSender(url, **settings)  # type: ignore[arg-type]
    try:
        return sender.send(PAYLOAD, soon())
    finally:
        sender.close()


@pytest.mark.spec("OTLP-5")
@pytest.mark.spec("OTLP-58")
@pytest.mark.spec("OTLP-102")
def test_a_payload_is_posted_as_it_is(server: Scripted) -> None:
    """Path, media type and user agent are those of the specification."""
    assert send(server.url, headers={"x-token": "secret"}) == Accepted()
    [(path, headers, body)] = server.seen
    assert (path, body) == ("/v1/traces", b"some bytes")
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["x-token"] == "secret"
    assert headers["user-agent"] == otlp_http.USER_AGENT
    assert "OTel-OTLP-Exporter-Python/" in otlp_http.USER_AGENT
    assert "content-encoding" not in headers


@pytest.mark.spec("OTLP-91")
@pytest.mark.parametrize(
    ("suffix", "path"),
    [("", "/v1/traces"), ("/", "/v1/traces"), ("/mycollector/", "/mycollector/v1/traces")],
)
def test_the_signal_is_added_to_the_base_url(server: Scripted, suffix: str, path: str) -> None:
    """With and without a trailing slash."""
    send(server.url + suffix)
    assert server.seen[0][0] == path


@pytest.mark.spec("OTLP-90")
def test_a_path_of_its_own_is_used_as_it_is(server: Scripted) -> None:
    """Nothing is added to it."""
    send(server.url, path="/custom")
    assert server.seen[0][0] == "/custom"


@pytest.mark.spec("OTLP-8")
def test_gzip_is_said_and_done(server: Scripted) -> None:
    """The body is compressed and the header tells."""
    send(server.url, compression="gzip")
    _, headers, body = server.seen[0]
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == b"some bytes"


def test_a_header_is_said_once(server: Scripted) -> None:
    """Names have no case: a user agent of one's own replaces the kit's, the media type stays."""
    seen: list[list[tuple[str, str]]] = []
    server.on_request = lambda items: seen.append(items)
    send(server.url, headers={"user-agent": "mine/1", "content-type": "text/plain"})
    names = [name.lower() for name, _ in seen[0]]
    assert len(names) == len(set(names))
    assert ("user-agent", "mine/1") in seen[0]
    assert ("Content-Type", "application/x-protobuf") in seen[0]


@pytest.mark.spec("OTLP-12")
def test_the_connection_is_kept(server: Scripted) -> None:
    """Ten requests, one connection."""
    sender = HttpSender(server.url)
    for _ in range(10):
        sender.send(PAYLOAD, soon())
    sender.close()
    assert len(server.seen) == 10
    assert len(server.clients) == 1


@pytest.mark.spec("OTLP-27")
@pytest.mark.spec("OTLP-30")
@pytest.mark.spec("PEER-8")
def test_partial_success_is_a_success_with_a_number(server: Scripted) -> None:
    """How many were rejected, and why, reaches the caller."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 7
    answer.partial_success.error_message = "too old"
    server.body = answer.SerializeToString()
    assert send(server.url) == Accepted(7, "too old")
    assert len(server.seen) == 1


@pytest.mark.spec("OTLP-57")
@pytest.mark.spec("OTLP-60")
@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (202, PROTOBUF, b""),
        (200, {"Content-Type": "text/html"}, b"<html>fine</html>"),
        (200, {}, b""),
        (200, PROTOBUF, b"\xff\xff\xff"),
    ],
)
def test_any_2xx_is_a_success(
    server: Scripted, status: int, headers: dict[str, str], body: bytes
) -> None:
    """The status acknowledges; a body that cannot be read takes nothing back."""
    server.status, server.headers, server.body = status, headers, body
    assert send(server.url) == Accepted()


@pytest.mark.spec("OTLP-56")
@pytest.mark.spec("PEER-11")
@pytest.mark.parametrize("status", [301, 302, 304, 307])
def test_a_redirect_is_not_a_success(server: Scripted, status: int) -> None:
    """It is not followed either: a login page would swallow everything with a 200."""
    server.status, server.headers = status, {"Location": "/elsewhere"}
    with pytest.raises(Refused, match=f"HTTP {status}"):
        send(server.url)
    assert len(server.seen) == 1


@pytest.mark.spec("OTLP-47")
@pytest.mark.spec("OTLP-48")
@pytest.mark.spec("OTLP-49")
@pytest.mark.parametrize("status", range(400, 512))
def test_exactly_the_retryable_statuses_are_retryable(server: Scripted, status: int) -> None:
    """429, 502, 503 and 504 mean later; every other error means never."""
    server.status = status
    server.body = Status(message="because").SerializeToString()
    with pytest.raises(Unavailable if status in (429, 502, 503, 504) else Refused, match="because"):
        send(server.url)


@pytest.mark.spec("OTLP-51")
@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        (formatdate(time.time() + 7200, usegmt=True), 3600, 7200),
        (formatdate(time.time() - 100, usegmt=True), 0, 0),
    ],
    ids=["seconds", "none", "later", "earlier"],
)
def test_retry_after_is_read(server: Scripted, value: str, low: float, high: float) -> None:
    """As seconds and as a date."""
    server.status, server.headers = 503, {"Retry-After": value}
    with pytest.raises(Unavailable) as unavailable:
        send(server.url)
    assert unavailable.value.retry_after is not None
    assert low <= unavailable.value.retry_after <= high
    assert not unavailable.value.maybe_delivered


@pytest.mark.parametrize(
    "value", ["", "soon", "-1", "1e3", "Tue, 99 Foo 2026 00:00:00 GMT", "9" * 400]
)
def test_a_malformed_retry_after_is_ignored(server: Scripted, value: str) -> None:
    """The caller's own backoff applies."""
    server.status, server.headers = 503, {"Retry-After": value}
    with pytest.raises(Unavailable) as unavailable:
        send(server.url)
    assert unavailable.value.retry_after in (None, float("inf"))


@pytest.mark.spec("OTLP-19")
@pytest.mark.spec("PEER-12")
@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd.compress)],
)
def test_a_huge_answer_is_refused(
    server: Scripted, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    """Plain or compressed, reading stops at the limit."""
    server.body = compress(bytes(10_000_000))
    server.headers = {**PROTOBUF, "Content-Encoding": encoding} if encoding else PROTOBUF
    with pytest.raises(Refused, match="over 100000 bytes"):
        send(server.url, max_response=100_000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br"])
def test_an_answer_that_cannot_be_unpacked_is_no_reason_to_send_again(
    server: Scripted, encoding: str
) -> None:
    """The status is the acknowledgement."""
    server.body = b"not what the header says"
    server.headers = {**PROTOBUF, "Content-Encoding": encoding}
    assert send(server.url) == Accepted()


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """A server that hands each accepted socket to the test's function."""
    servers = []

    def start(handle: Callable[[socket.socket], None]) -> str:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                handle(self.request)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.spec("OTLP-54")
def test_a_connection_closed_without_an_answer_may_have_delivered(raw_server) -> None:  # type: ignore[no-untyped-def]
    """The request went out whole: nobody knows whether the spans are there."""
    url = raw_server(lambda connection: connection.recv(65536))
    with pytest.raises(Unavailable) as unavailable:
        send(url)
    assert unavailable.value.maybe_delivered


@pytest.mark.parametrize(
    "beginning",
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Slow: ",
        "HTTP/1.1 ",
    ],
    ids=["body", "header", "status line"],
)
def test_a_server_that_drips_is_given_up(raw_server, beginning: str) -> None:  # type: ignore[no-untyped-def]
    """A byte now and then resets no deadline, wherever in the answer it comes."""
    let_go, gave_up = threading.Event(), threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(beginning.encode())
        for _ in range(300):
            if let_go.wait(0.01):
                return
            try:
                connection.sendall(b"1")
            except OSError:
                gave_up.set()
                return

    sender = HttpSender(raw_server(drip))
    try:
        with pytest.raises(Unavailable, match="timed out") as unavailable:
            sender.send(PAYLOAD, soon(0.3))
        assert unavailable.value.maybe_delivered
        assert gave_up.wait(10)  # the connection is not kept
    finally:
        let_go.set()


@pytest.mark.spec("OTLP-98")
def test_the_timeout_holds_where_the_deadline_is_far(raw_server) -> None:  # type: ignore[no-untyped-def]
    """A server that never answers costs the timeout, even if there is no deadline at all."""
    let_go = threading.Event()
    sender = HttpSender(raw_server(lambda connection: let_go.wait(20)), timeout=0.2)
    try:
        with pytest.raises(Unavailable, match="timed out"):
            sender.send(PAYLOAD, float("inf"))
    finally:
        let_go.set()


def test_a_kept_connection_begins_with_a_new_timeout(raw_server) -> None:  # type: ignore[no-untyped-def]
    """What was left to the last request is no limit for sending the next one."""

    def serve(connection: socket.socket) -> None:
        for slowness in (0.0, 0.6):
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536)
            head, _, body = received.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            time.sleep(slowness)  # longer than the first request's whole deadline
            while len(body) < length:
                body += connection.recv(1 << 20)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    sender = HttpSender(raw_server(serve))
    assert sender.send(PAYLOAD, soon(0.4)) == Accepted()
    assert sender.send(Payload(TRACES, bytes(30_000_000), 1), soon()) == Accepted()


@pytest.mark.spec("SDK-P13")
def test_a_closed_sender_refuses(server: Scripted) -> None:
    """Nothing was sent, and nothing will be: not later, not perhaps."""
    sender = HttpSender(server.url)
    sender.close()
    with pytest.raises(Refused, match="the sender is closed"):
        sender.send(PAYLOAD, soon())
    assert server.seen == []


@pytest.mark.spec("OTLP-55")
def test_a_closed_port_is_unavailable() -> None:
    """Nothing was sent, so nothing can have arrived."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Unavailable, match="cannot connect") as unavailable:
        send(f"http://127.0.0.1:{port}")
    assert not unavailable.value.maybe_delivered


def test_a_deadline_in_the_past_sends_nothing(server: Scripted) -> None:
    """There is no time left to try."""
    with pytest.raises(Unavailable, match="deadline"):
        HttpSender(server.url).send(PAYLOAD, time.monotonic() - 1)
    assert server.seen == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"endpoint": "127.0.0.1:4318"}, "endpoint must start with http:// or https://"),
        ({"endpoint": "ftp://host"}, "endpoint must start with"),
        ({"endpoint": "http://[bad"}, "endpoint is not a URL"),
        ({"compression": "brotli"}, "compression must be none, gzip or zstd, not 'brotli'"),
        ({"endpoint": "http://me:secret@host"}, "endpoint must not hold a user name or password"),
        ({"endpoint": "ftp://me:secret@[bad"}, "endpoint must not hold a user name or password"),
        ({"endpoint": "http://host?key=secret"}, "endpoint must not have a query"),
        ({"path": "v1/traces"}, "path must start with /"),
        ({"timeout": 0}, "timeout must be more than 0 seconds"),
        ({"timeout": float("inf")}, "timeout must be more than 0 seconds and finite"),
        ({"headers": {"x": "secret\r\nevil: 1"}}, "headers: 'x' has a character"),
        ({"headers": {"x": "secret \N{SNOWMAN}"}}, "headers: 'x' has a character"),
        ({"headers": {"x y": "secret"}}, "headers: 'x y' has a character"),
        ({"headers": {"": "secret"}}, "headers: '' has a character"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, object], message: str) -> None:
    """At construction, with the argument's name, and without repeating a header's value."""
    with pytest.raises(ValueError, match=r".") as error:
        HttpSender(**settings)  # type: ignore[arg-type]
    assert message in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.spec("OTLP-8")
@pytest.mark.spec("OTLP-97")
@pytest.mark.parametrize(("name", "unpack"), [("gzip", gzip.decompress), ("zstd", zstd.decompress)])
def test_a_compressed_body_says_so(
    server: Scripted, name: str, unpack: Callable[[bytes], bytes]
) -> None:
    """Whatever library does it, the standard one can undo it."""
    send(server.url, compression=name)
    [(_, headers, body)] = server.seen
    assert headers["content-encoding"] == name
    assert unpack(body) == PAYLOAD.body


def test_gzip_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `isal` the standard library does it, only slower."""
    monkeypatch.setattr(compression, "igzip", None)
    monkeypatch.setattr(compression, "zstd", None)
    pack = compression.compressor("gzip")
    assert pack is not None
    assert gzip.decompress(pack(b"body")) == b"body"
    with pytest.raises(ValueError, match=r"backports\.zstd"):
        compression.compressor("zstd")


@pytest.mark.spec("OTLP-60")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", Accepted()),
        (b'{"partialSuccess": {"rejectedSpans": "2", "errorMessage": "bad"}}', Accepted(2, "bad")),
        (b'{"partialSuccess": {"rejectedSpans": 2}}', Accepted(2)),
        (b'{"partialSuccess": {"rejectedSpans": "many"}}', Accepted()),
        (b'{"partialSuccess": null}', Accepted()),
        (b"[]", Accepted()),
        (b"[" * 100_000, Accepted()),
    ],
)
def test_an_answer_in_json_is_read(server: Scripted, body: bytes, expected: Accepted) -> None:
    """As a request in JSON is answered; what cannot be read takes nothing back."""
    server.headers = {"Content-Type": "application/json"}
    server.body = body
    sender = HttpSender(server.url)
    payload = Payload(TRACES, b"{}", 2, "application/json")
    assert sender.send(payload, soon()) == expected
    assert server.seen[0][1]["content-type"] == "application/json"
    server.status = 400
    server.body = b'{"message": "no id"}'
    with pytest.raises(Refused, match="HTTP 400: no id"):
        sender.send(payload, soon())
    sender.close()


@pytest.mark.spec("OTLP-48")
def test_a_request_that_is_too_large_for_the_server_may_be_sent_in_parts(server: Scripted) -> None:
    """413 is final for these bytes, and says why."""
    server.status = 413
    with pytest.raises(Refused) as refused:
        send(server.url)
    assert refused.value.too_large


@pytest.mark.spec("OTLP-49")
def test_a_refusal_counts_although_its_body_breaks_off(
    raw_server: Callable[[Callable[[socket.socket], None]], str],
) -> None:
    """A 400 whose body is cut is a 400, and is not sent again."""

    def refuse(client: socket.socket) -> None:
        client.recv(65_536)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nhalf")
        client.close()

    with pytest.raises(Refused, match="HTTP 400"):
        send(raw_server(refuse))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_closed_sender_stays_closed_in_a_child(server: Scripted) -> None:
    """A fork opens connections of its own, but nothing that was closed."""
    sender = HttpSender(server.url)
    sender.close()
    child = os.fork()
    if not child:
        try:
            sender.send(PAYLOAD, soon())
        except Refused:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.spec("OTLP-62", "OTLP-63")
def test_connections_are_parallel_up_to_a_number(server: Scripted) -> None:
    """Six threads send at once over two connections; none fails."""
    together = threading.Barrier(2)

    def meet(_: object) -> None:
        with suppress(threading.BrokenBarrierError):
            together.wait(20)

    server.on_request = meet  # an answer comes when two requests are there
    sender = HttpSender(server.url, connections=2)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: sender.send(PAYLOAD, soon()), range(6)))
    assert answers == [Accepted()] * 6
    assert len(server.clients) == 2
    sender.close()


def test_who_finds_no_connection_free_waits_no_longer_than_its_deadline(server: Scripted) -> None:
    """What was not sent is not perhaps delivered."""
    busy, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        busy.set()
        go_on.wait(20)

    server.on_request = hold
    sender = HttpSender(server.url, connections=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(sender.send, PAYLOAD, soon())
        assert busy.wait(20)
        with pytest.raises(Unavailable, match="free in time") as failed:
            sender.send(PAYLOAD, soon(0.05))
        go_on.set()
        assert first.result(20) == Accepted()
    assert not failed.value.maybe_delivered
    sender.close()
