"""The hostile server does what its script says, as clients that are not ours see it."""

from __future__ import annotations

import gzip
import http.client
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from otlp_kit.encoding.otlp_json import encode_json
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span
from otlp_kit.testing import hostile_record
from otlp_kit.testing.hostile_answers import (
    Answer,
    answer,
    bomb,
    closed,
    cut,
    dripping,
    endless,
    failure,
    redirect,
    reset,
    silent,
    success,
)
from otlp_kit.testing.hostile_record import Arrival
from otlp_kit.testing.hostile_server import HostileServer
from otlp_kit.wire import JSON, PROTOBUF, TRACES

SPAN = Span("boil water", b"\1" * 16, b"\2" * 8)


def client(server: HostileServer, timeout: float = 10) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(server.endpoint).netloc, timeout=timeout)


class Answered(NamedTuple):
    status: int
    headers: Message
    body: bytes


def post(connection: http.client.HTTPConnection, body: bytes = b"") -> Answered:
    connection.request("POST", "/v1/traces", body)
    answered = connection.getresponse()
    return Answered(answered.status, answered.headers, answered.read())


def raw(server: HostileServer) -> socket.socket:
    connection = socket.create_connection(
        ("127.0.0.1", int(server.endpoint.rpartition(":")[2])), timeout=10
    )
    connection.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    return connection


def test_a_script_is_played_in_order_and_its_last_answer_stays() -> None:
    """One answer for each request, on one connection."""
    with HostileServer([failure(503, "busy", retry_after=7), success()]) as server:
        connection = client(server)
        answers = [post(connection) for _ in range(3)]
        connection.close()
        assert server.connections == 1
    assert [one.status for one in answers] == [503, 200, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert answers[0].headers["Content-Type"] == PROTOBUF


def test_a_script_may_be_a_function() -> None:
    """It sees the request, and when and where it came."""

    def by_path(arrival: Arrival) -> Answer:
        return answer(200 if arrival.path == "/v1/traces" else 404)

    with HostileServer(by_path) as server:
        connection = client(server)
        assert post(connection).status == 200
        connection.request("GET", "/elsewhere")
        assert connection.getresponse().status == 404
        connection.close()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_what_arrived_is_kept(content_type: str, chunked: bool) -> None:
    """Headers, bytes as they came, and the records in them, however the body was framed."""
    plain = encode_spans([SPAN]) if content_type == PROTOBUF else encode_json(TRACES, [SPAN])
    packed = gzip.compress(plain)
    headers = {"Content-Type": content_type, "Content-Encoding": "gzip", "X-Kit": "a"}
    before = time.monotonic()
    with HostileServer([success()]) as server:
        connection = client(server)
        body = iter([packed[:5], packed[5:]]) if chunked else packed
        connection.request("POST", "/v1/traces", body, headers, encode_chunked=chunked)
        connection.getresponse().read()
        connection.close()
        (arrival,) = server.arrivals
    assert (arrival.method, arrival.path, arrival.headers["x-kit"]) == ("POST", "/v1/traces", "a")
    assert arrival.raw == packed
    assert arrival.body() == plain
    assert [span.name for span in arrival.records()] == ["boil water"]
    assert before <= arrival.at <= time.monotonic()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", b"no gzip"), ("gzip", gzip.compress(b"cut off", mtime=0)[:-9]), ("br", b"")],
)
def test_a_body_that_is_not_what_it_says_is_an_error(encoding: str, body: bytes) -> None:
    """Of the client, which the caller wants to know."""
    arrival = Arrival(0, 0, 0.0, "POST", "/v1/traces", {"content-encoding": encoding}, body)
    with pytest.raises(ValueError, match=r"gzip|content-encoding"):
        arrival.body()


def test_connections_and_simultaneous_requests_are_counted() -> None:
    """Four clients at once, that the server lets wait for one another."""
    together = threading.Barrier(4)

    def wait(arrival: Arrival) -> Answer:
        together.wait(10)
        return success()

    with HostileServer(wait) as server, ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: post(client(server)).status, range(4))) == [200] * 4
        assert (server.connections, server.most_at_once, server.count) == (4, 4, 4)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (closed(), http.client.RemoteDisconnected),
        (reset(), ConnectionResetError),
        (cut(success(), at=10), http.client.BadStatusLine),
        (cut(answer(200, b"x" * 100), at=-50), http.client.IncompleteRead),
        (cut(answer(200, b"x" * 100), at=-50, end="reset"), ConnectionResetError),
        (silent(), TimeoutError),
    ],
)
def test_ways_to_give_no_answer(script: Answer, error: type[Exception]) -> None:
    """Each is what the standard library's client calls it."""
    with HostileServer([script]) as server, pytest.raises(error):
        post(client(server, timeout=0.5))


def test_a_redirect_says_where_to() -> None:
    """Or does not."""
    with HostileServer([redirect(302, "http://127.0.0.1:1/x"), redirect(304)]) as server:
        connection = client(server)
        first = post(connection)
        assert (first.status, first.headers["Location"]) == (302, "http://127.0.0.1:1/x")
        assert post(connection).status == 304
        connection.close()


def test_the_official_messages_can_read_it() -> None:
    """Partial success and status, in both encodings."""
    from google.protobuf import json_format
    from google.rpc.status_pb2 import Status
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    script = [
        success(2, "too old"),
        success(2, "too old", content_type=JSON),
        failure(400, "bad", code=14),
        failure(400, "bad", code=14, content_type=JSON),
    ]
    with HostileServer(script) as server:
        connection = client(server)
        bodies = [post(connection).body for _ in script]
        connection.close()
    response = trace_service_pb2.ExportTraceServiceResponse
    for read in (
        response.FromString(bodies[0]),
        json_format.Parse(bodies[1], response()),
    ):
        assert read.partial_success.rejected_spans == 2
        assert read.partial_success.error_message == "too old"
    for status in (Status.FromString(bodies[2]), json_format.Parse(bodies[3], Status())):
        assert (status.code, status.message) == (14, "bad")


def test_a_bomb_is_small_until_it_is_inflated() -> None:
    """Ten MiB in a few KiB."""
    with HostileServer([bomb(10 * 2**20)]) as server:
        answered = post(client(server))
        assert answered.headers["Content-Encoding"] == "gzip"
        packed = answered.body
    assert len(packed) < 20_000
    assert len(zlib.decompress(packed, 31)) == 10 * 2**20


def test_an_endless_answer_tells_how_much_was_taken() -> None:
    """A client that leaves has taken what the network holds; one that reads on gets all of it."""
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    with HostileServer([endless(32 * 2**20)]) as server:
        connection = raw(server)
        connection.recv(1000)
        connection.close()
        body = post(client(server)).body
        assert len(body) == 32 * 2**20
        assert 32 * 2**20 < server.sent < 60 * 2**20
    trace_service_pb2.ExportTraceServiceResponse.FromString(body)  # nothing wrong but its size


def test_dripping_comes_byte_by_byte() -> None:
    """Each piece is on its way before the next is made."""
    with HostileServer([dripping(success(), pause=0.001)]) as server, raw(server) as connection:
        pieces = [connection.recv(1000) for _ in range(10)]
    assert b"".join(pieces).startswith(b"HTTP/1.1 ")
    assert max(map(len, pieces)) < 10


def test_a_port_can_refuse_connections_at_first() -> None:
    """The address is known before anybody listens there."""
    with HostileServer([success()], listening=False) as server:
        with pytest.raises(ConnectionRefusedError):
            post(client(server))
        server.listen()
        assert post(client(server)).status == 200


def test_waiting_for_requests() -> None:
    """As long as the caller likes."""
    with HostileServer([success()]) as server:
        assert not server.wait_for(1, 0.01)
        post(client(server))
        assert server.wait_for(1, 10)


def test_it_speaks_tls() -> None:
    """With a certificate that is handed in; a client without trust in it is hung up on."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    with HostileServer([success()], tls=context) as server:
        address = urlsplit(server.endpoint)
        assert address.scheme == "https"
        with pytest.raises(ssl.SSLCertVerificationError):
            http.client.HTTPSConnection(address.netloc).request("POST", "/", b"")
        authority.configure_trust(trusting)
        connection = http.client.HTTPSConnection(address.netloc, context=trusting)
        assert post(connection).status == 200
        connection.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\0\1\2\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n99999999999\r\n",
    ],
)
def test_a_client_that_talks_nonsense_is_hung_up_on(nonsense: bytes) -> None:
    """It counts as no request, and the server goes on."""
    with HostileServer([success()]) as server:
        with socket.create_connection(
            ("127.0.0.1", int(server.endpoint.rpartition(":")[2])), timeout=10
        ) as connection:
            connection.sendall(nonsense)
            assert connection.recv(100) == b""
        assert server.count == 0
        assert post(client(server)).status == 200


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest bodies give way; the count goes on."""
    monkeypatch.setattr(hostile_record, "MAX_KEPT", 2500)
    with HostileServer([success()]) as server:
        connection = client(server)
        for _ in range(5):
            post(connection, b"x" * 1000)
        connection.close()
        assert [arrival.number for arrival in server.arrivals] == [3, 4]
        assert server.count == 5


@pytest.mark.parametrize("script", [silent(), endless(2**40), Answer(lambda: (b"",), delay=3600)])
def test_closing_ends_every_thread(script: Answer) -> None:
    """Whatever the server was about to do, and to whom."""
    before = set(threading.enumerate())
    server = HostileServer([script])
    connection = raw(server)
    assert server.wait_for(1, 10)
    server.close()
    server.close()
    connection.close()
    assert set(threading.enumerate()) - before == set()


def grpc_call(endpoint: str) -> Callable[[bytes], bytes]:
    grpc = pytest.importorskip("grpc")
    channel = grpc.insecure_channel(endpoint.removeprefix("http://"))
    method = channel.unary_unary(TRACES.grpc_method)

    def call(body: bytes) -> bytes:
        answered: bytes = method(body, timeout=5, metadata=(("x-kit", "a"),))
        return answered

    return call


def test_grpc_answers_and_records() -> None:
    """A status with details, then a message; the record has what arrived."""
    grpc = pytest.importorskip("grpc")
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    from otlp_kit.encoding.answers import encode_status, retry_info
    from otlp_kit.testing.hostile_grpc import GrpcAnswer, HostileGrpcServer

    details = encode_status("busy", 14, [retry_info(3)])
    script = [GrpcAnswer(14, "busy", details=details), GrpcAnswer(body=b"\x0a\x02\x08\x02")]
    with HostileGrpcServer(script) as server:
        call = grpc_call(server.endpoint)
        with pytest.raises(grpc.RpcError) as caught:
            call(encode_spans([SPAN]))
        assert call(encode_spans([SPAN])) == b"\x0a\x02\x08\x02"
        assert [a.records()[0].name for a in server.arrivals] == ["boil water"] * 2
        assert (server.connections, server.most_at_once) == (1, 1)
        assert server.arrivals[0].path == TRACES.grpc_method
        assert server.arrivals[0].headers["x-kit"] == "a"
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert caught.value.details() == "busy"
    trailers = dict(caught.value.trailing_metadata())
    status, detail = Status.FromString(trailers["grpc-status-details-bin"]), RetryInfo()
    assert status.details[0].Unpack(detail)
    assert detail.retry_delay.seconds == 3


def test_grpc_silence_ends_with_the_client_or_the_server() -> None:
    """A call without an answer holds nobody longer than its client wants."""
    grpc = pytest.importorskip("grpc")
    from otlp_kit.testing.hostile_grpc import GrpcAnswer, HostileGrpcServer

    with HostileGrpcServer([GrpcAnswer(silent=True)]) as server:
        channel = grpc.insecure_channel(server.endpoint.removeprefix("http://"))
        method = channel.unary_unary(TRACES.grpc_method)
        with pytest.raises(grpc.RpcError) as caught:
            method(b"", timeout=0.2)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        waiting = method.future(b"")
        assert server.wait_for(2, 10)
    assert waiting.code() is not grpc.StatusCode.OK
    channel.close()
