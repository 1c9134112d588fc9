"""The gRPC sender against servers that behave, misbehave and vanish."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)

from otlp_kit.exporters.otlp_grpc import GrpcSender
from otlp_kit.wire import (
    JSON,
    SIGNALS,
    TRACES,
    Accepted,
    Payload,
    Refused,
    SendError,
    Unavailable,
)
from tests.exporters.grpc_forking import CHILDREN
from tests.exporters.grpc_servers import (
    TRAILERS,
    Scripted,
    http1,
    http2,
    listening,
    message,
    silent,
    soon,
    until_it_listens,
)

PAYLOAD = Payload(TRACES, b"some bytes", items=1)


@pytest.fixture
def server() -> Iterator[Scripted]:
    script = Scripted().start()
    yield script
    script.stop()


def send(endpoint: str, payload: Payload = PAYLOAD, **settings: Any) -> Accepted:
    sender = GrpcSender(endpoint, **settings)
    try:
        return sender.send(payload, soon())
    finally:
        sender.close()


def failure(endpoint: str, payload: Payload = PAYLOAD, **settings: Any) -> SendError:
    with pytest.raises(SendError) as raised:
        send(endpoint, payload, **settings)
    return raised.value


def resident() -> int:
    """Bytes of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# What goes out


@pytest.mark.spec("OTLP-5", "OTLP-12", "OTLP-102")
def test_three_signals_go_through_one_channel(server: Scripted) -> None:
    """Each to its method, the bytes as they are, with the user agent of the specification."""
    sender = GrpcSender(server.url, headers={"X-Token": "abc", "trace-bin": b"\0\xff"})
    for signal in SIGNALS:
        assert sender.send(Payload(signal, signal.name.encode(), 1), soon()) == Accepted()
    sender.close()
    assert server.seen == [(signal.grpc_method, signal.name.encode()) for signal in SIGNALS]
    assert TRACES.grpc_method == "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    assert len(server.peers) == 1
    for metadata in server.metadata:
        assert (metadata["x-token"], metadata["trace-bin"]) == ("abc", b"\0\xff")
        assert metadata["user-agent"].startswith("otlp_kit OTel-OTLP-Exporter-Python/0.1.0 ")


@pytest.mark.spec("OTLP-62")
def test_calls_run_side_by_side(server: Scripted) -> None:
    """Eight sends wait for one another in the server, on one connection."""
    together = threading.Barrier(8)

    def answer(body: bytes, context: Any) -> bytes:
        together.wait(20)
        return b""

    server.answer = answer
    sender = GrpcSender(server.url)
    answers: list[Accepted] = []
    threads = [
        threading.Thread(target=lambda: answers.append(sender.send(PAYLOAD, soon())))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.close()
    assert answers == [Accepted()] * 8
    assert len(server.peers) == 1


@pytest.mark.spec("OTLP-2", "OTLP-97")
def test_gzip_packs_the_request(server: Scripted) -> None:
    """A million equal bytes become few on the way, and are whole at the server."""
    body = b"a" * 1_000_000
    passed: dict[str, int] = {}

    def relay(name: str) -> Callable[[socket.socket], None]:
        def behave(client: socket.socket) -> None:
            with socket.create_connection(("127.0.0.1", server.port)) as upstream:
                back = threading.Thread(target=_copy, args=(upstream, client), daemon=True)
                back.start()
                passed[name] = _copy(client, upstream)

        return behave

    for compression in ("none", "gzip"):
        with listening(relay(compression)) as port:
            send(f"http://127.0.0.1:{port}", Payload(TRACES, body, 1), compression=compression)
    assert [seen for _, seen in server.seen] == [body, body]
    # A relay that has not ended yet has not said how much it passed.
    assert passed.get("none", len(body)) >= len(body)
    assert passed.get("gzip", 0) < 20_000


def _copy(source: socket.socket, sink: socket.socket) -> int:
    total = 0
    try:
        while piece := source.recv(65536):
            total += len(piece)
            sink.sendall(piece)
    except OSError:
        pass
    return total


def test_json_has_no_place_in_grpc(server: Scripted) -> None:
    """It is refused before anything goes out."""
    error = failure(server.url, Payload(TRACES, b"{}", 1, JSON))
    assert isinstance(error, Refused)
    assert server.seen == []


def test_calls_go_to_all_addresses_in_turn() -> None:
    """Two servers behind one name share the work."""
    first, second = Scripted().start(), Scripted().start()
    sender = GrpcSender(f"ipv4:127.0.0.1:{first.port},127.0.0.1:{second.port}", insecure=True)
    try:
        last = soon()
        while not (first.seen and second.seen):
            sender.send(PAYLOAD, last)
    finally:
        sender.close()
        first.stop()
        second.stop()


@pytest.mark.spec("OTLP-93")
def test_a_unix_socket_is_an_endpoint(tmp_path: Path) -> None:
    """As any other target of gRPC's is."""
    script = Scripted().start(f"unix:{tmp_path}/otlp")
    assert send(f"unix:{tmp_path}/otlp", insecure=True) == Accepted()
    script.stop()


# What an answer means


@pytest.mark.spec("OTLP-27", "OTLP-28", "OTLP-30")
def test_partial_success_is_a_success_with_a_number(server: Scripted) -> None:
    """How many were rejected, and why, reaches the caller, after one call."""
    answer = ExportTraceServiceResponse()
    server.answer = lambda body, context: answer.SerializeToString()
    answer.partial_success.rejected_spans = 0
    assert send(server.url) == Accepted()
    answer.partial_success.rejected_spans = 7
    answer.partial_success.error_message = "too old"
    assert send(server.url) == Accepted(7, "too old")
    assert len(server.seen) == 2


def test_an_answer_that_cannot_be_read_takes_nothing_back(server: Scripted) -> None:
    """The code is the acknowledgement."""
    server.answer = lambda body, context: b"\xff\xff"
    assert send(server.url) == Accepted()
    server.answer = lambda body, context: b"\x1f\x8bnot gzip"
    assert send(server.url) == Accepted()


LATER_MAYBE, LATER, NEVER = "later, perhaps there", "later", "never"
CODES = {
    "OK": "accepted",
    "CANCELLED": LATER_MAYBE,
    "UNKNOWN": NEVER,
    "INVALID_ARGUMENT": NEVER,
    "DEADLINE_EXCEEDED": LATER_MAYBE,
    "NOT_FOUND": NEVER,
    "ALREADY_EXISTS": NEVER,
    "PERMISSION_DENIED": NEVER,
    "UNAUTHENTICATED": NEVER,
    "RESOURCE_EXHAUSTED": NEVER,
    "FAILED_PRECONDITION": NEVER,
    "ABORTED": LATER,
    "OUT_OF_RANGE": LATER,
    "UNIMPLEMENTED": NEVER,
    "INTERNAL": NEVER,
    "UNAVAILABLE": LATER,
    "DATA_LOSS": LATER,
}
"""https://opentelemetry.io/docs/specs/otlp/#failures"""


@pytest.mark.spec("OTLP-31", "OTLP-36", "OTLP-38", "OTLP-39")
@pytest.mark.parametrize("code", grpc.StatusCode, ids=lambda code: code.name)
def test_each_code_has_one_meaning(server: Scripted, code: grpc.StatusCode) -> None:
    """As in the specification's table; the server's words are in the reason; one call is made."""

    def answer(body: bytes, context: Any) -> bytes:
        if code is not grpc.StatusCode.OK:
            context.abort(code, "in its own words")
        return b""

    server.answer = answer
    if CODES[code.name] == "accepted":
        assert send(server.url) == Accepted()
        return
    error = failure(server.url)
    assert str(error) == f"gRPC {code.name}: in its own words"
    if isinstance(error, Unavailable):
        assert CODES[code.name] == (LATER_MAYBE if error.maybe_delivered else LATER)
        assert error.retry_after is None
    else:
        assert isinstance(error, Refused)
        assert CODES[code.name] == NEVER
        assert not error.too_large
    assert len(server.seen) == 1


def test_the_table_has_all_codes() -> None:
    """Seventeen of them."""
    assert {code.name for code in grpc.StatusCode} == set(CODES)
    assert len(CODES) == 17


def abort_with(
    code: grpc.StatusCode, words: str, *details: Any, raw: bytes | None = None
) -> Callable[[bytes, Any], bytes]:
    """An answer with a status of the official message type in its trailer."""
    status = Status(code=code.value[0], message=words)
    for detail in details:
        status.details.add().Pack(detail)
    trailer = status.SerializeToString() if raw is None else raw

    def answer(body: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("grpc-status-details-bin", trailer),))
        context.abort(code, words)
        return b""

    return answer


@pytest.mark.spec("OTLP-32", "OTLP-33", "OTLP-34", "OTLP-35", "OTLP-37")
@pytest.mark.parametrize(
    ("seconds", "nanos", "wait"), [(3, 0, 3.0), (0, 500_000_000, 0.5), (0, 0, 0)]
)
@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "UNAVAILABLE"])
def test_retry_info_names_the_wait(
    server: Scripted, code: str, seconds: int, nanos: int, wait: float
) -> None:
    """It makes RESOURCE_EXHAUSTED retryable; none at all is a wait of the caller's own."""
    info = RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos))
    server.answer = abort_with(grpc.StatusCode[code], "slow down", BadRequest(), info)
    error = failure(server.url)
    assert isinstance(error, Unavailable)
    assert (error.retry_after or 0) == wait
    assert not error.maybe_delivered


@pytest.mark.spec("OTLP-32")
@pytest.mark.parametrize("raw", [None, b"\xff\xff", b""])
def test_exhausted_without_retry_info_is_final(server: Scripted, raw: bytes | None) -> None:
    """Other details, and ones that cannot be read, allow no retry."""
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    server.answer = abort_with(code, "quota", BadRequest(), raw=raw)
    error = failure(server.url)
    assert isinstance(error, Refused)
    assert not error.too_large


def test_retry_info_does_not_make_a_final_code_retryable(server: Scripted) -> None:
    """INVALID_ARGUMENT is never sent again."""
    info = RetryInfo(retry_delay=Duration(seconds=1))
    server.answer = abort_with(grpc.StatusCode.INVALID_ARGUMENT, "bad", info)
    assert isinstance(failure(server.url), Refused)


@pytest.mark.spec("PEER-9")
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_request_over_the_servers_limit_is_too_large(server: Scripted, compression: str) -> None:
    """grpcio's server has a limit of 4 MiB, before and after it unpacks."""
    body = Payload(TRACES, bytes(5_000_000), 1)
    error = failure(server.url, body, compression=compression)
    assert isinstance(error, Refused)
    assert error.too_large
    assert server.seen == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("RESOURCE_EXHAUSTED", "grpc: received message after decompression larger than max 9"),
        ("RESOURCE_EXHAUSTED", "gRPC message exceeds maximum size 4194304: 5000000"),
        ("RESOURCE_EXHAUSTED", "Received message exceeds the maximum configured message size."),
        ("OUT_OF_RANGE", "Error, decoded message length too large: found 9 bytes, the limit is: 8"),
    ],
)
def test_other_servers_say_too_large_in_words_of_their_own(
    server: Scripted, code: str, words: str
) -> None:
    """Those written in Go, Java, .NET and Rust; a wait makes nothing smaller."""
    info = RetryInfo(retry_delay=Duration(seconds=1))
    server.answer = abort_with(grpc.StatusCode[code], words, info)
    error = failure(server.url)
    assert isinstance(error, Refused)
    assert error.too_large


# Limits and deadlines


@pytest.mark.spec("OTLP-18", "OTLP-99")
@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_over_the_limit_is_final(packed: bool) -> None:
    """Plain or packed, and it is not the request that is too large; at the limit it is read."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.error_message = "x" * 1000
    body = answer.SerializeToString()
    script = Scripted(lambda request, context: body).start(
        compression=grpc.Compression.Gzip if packed else None
    )
    assert send(script.url, max_response=len(body)) == Accepted(0, "x" * 1000)
    error = failure(script.url, max_response=len(body) - 1)
    script.stop()
    assert isinstance(error, Refused)
    assert not error.too_large


@pytest.mark.spec("OTLP-18")
def test_an_answer_that_unpacks_without_end_costs_no_memory() -> None:
    """256 MiB in 256 KiB; also one that announces 1 GiB, and goes on sending."""
    bomb = message(gzip.compress(bytes(256 << 20)), packed=True)
    announced = message(bytes(1 << 20), length=1 << 30)

    def explode(connection: socket.socket) -> None:
        connection.sendall(b"".join(bomb) + TRAILERS)
        silent(connection)

    def go_on(connection: socket.socket) -> None:
        connection.sendall(announced[0] + announced[1])
        while True:
            connection.sendall(announced[-2])

    before = resident()
    for behave in (explode, go_on):
        with listening(http2(behave)) as port:
            error = failure(f"http://127.0.0.1:{port}", timeout=5)
        assert isinstance(error, Refused), error
        assert not error.too_large
    assert resident() - before < 64 << 20


@pytest.mark.spec("OTLP-98")
def test_no_answer_ends_at_the_timeout(server: Scripted) -> None:
    """Whatever the deadline; the items may be there."""
    release = threading.Event()

    def answer(body: bytes, context: Any) -> bytes:
        release.wait(20)
        return b""

    server.answer = answer
    error = failure(server.url, timeout=0.2)
    release.set()
    assert isinstance(error, Unavailable)
    assert error.maybe_delivered
    assert "DEADLINE_EXCEEDED" in str(error)


def test_a_deadline_that_has_passed_sends_nothing(server: Scripted) -> None:
    """Nor does it wait."""
    sender = GrpcSender(server.url)
    with pytest.raises(Unavailable) as raised:
        sender.send(PAYLOAD, soon(-1))
    sender.close()
    assert not raised.value.maybe_delivered
    assert server.seen == []


@pytest.mark.parametrize(
    "behave", [pytest.param(silent, marks=pytest.mark.slow), http1, socket.socket.close]
)
def test_a_wrong_server_got_nothing(behave: Callable[[socket.socket], None]) -> None:
    """One that is silent, speaks HTTP/1, or hangs up before the request: try later."""
    with listening(behave) as port:
        error = failure(f"http://127.0.0.1:{port}", timeout=6)
    assert isinstance(error, Unavailable)
    assert not error.maybe_delivered


def test_nobody_there_is_known_at_once() -> None:
    """No port, and no such name."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for endpoint in (f"http://127.0.0.1:{port}", "http://nobody.invalid"):
        error = failure(endpoint)
        assert isinstance(error, Unavailable)
        assert not error.maybe_delivered


def test_a_connection_lost_in_the_middle_leaves_it_open() -> None:
    """The request went out, and the server hung up: the items may be there."""
    with listening(http2(lambda connection: None)) as port:
        error = failure(f"http://127.0.0.1:{port}", timeout=5)
    assert isinstance(error, Unavailable)
    assert error.maybe_delivered


@pytest.mark.spec("PEER-25")
def test_a_server_that_comes_back_is_found(server: Scripted) -> None:
    """On the same port, by the same sender."""
    sender = GrpcSender(server.url)
    sender.send(PAYLOAD, soon())
    server.stop()
    with pytest.raises(Unavailable):
        sender.send(PAYLOAD, soon())
    with pytest.raises(Unavailable):
        sender.send(PAYLOAD, soon())
    again = Scripted().start(f"127.0.0.1:{server.port}")
    assert until_it_listens(sender, PAYLOAD) == Accepted()
    assert len(again.seen) == 1
    sender.close()
    again.stop()


@pytest.mark.slow
def test_a_server_may_ask_for_a_new_connection() -> None:
    """As servers do after a while, this one in no time: nothing fails, and nothing is sent twice."""
    script = Scripted().start(options=[("grpc.max_connection_age_ms", 100)])
    sender = GrpcSender(script.url)
    sent, last = 0, soon()
    while len(script.peers) < 4:
        assert sender.send(PAYLOAD, last) == Accepted()
        sent += 1
    sender.close()
    script.stop()
    assert len(script.seen) == sent


@pytest.mark.spec("OTLP-64")
def test_close_ends_the_sends_that_wait(server: Scripted) -> None:
    """What they sent may be there; from then on the sender refuses."""
    entered, release = threading.Event(), threading.Event()

    def answer(body: bytes, context: Any) -> bytes:
        entered.set()
        release.wait(20)
        return b""

    server.answer = answer
    sender = GrpcSender(server.url)
    errors: list[SendError] = []

    def wait() -> None:
        try:
            sender.send(PAYLOAD, soon())
        except SendError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert entered.wait(20)
    sender.close()
    thread.join(20)
    release.set()
    [error] = errors
    assert isinstance(error, Unavailable)
    assert error.maybe_delivered
    with pytest.raises(Refused, match="closed"):
        sender.send(PAYLOAD, soon())
    sender.close()


def test_a_sender_that_never_connected_can_be_closed() -> None:
    """It shows its state, and no header."""
    sender = GrpcSender("http://127.0.0.1:1", headers={"token": "secret"})
    assert repr(sender) == "<GrpcSender 127.0.0.1:1 [not connected yet]>"
    sender.close()
    assert repr(sender) == "<GrpcSender 127.0.0.1:1 [closed]>"
    with pytest.raises(Refused):
        sender.send(PAYLOAD, soon())


# TLS


class Authority:
    """A certificate authority of the test, and the files that it makes."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.folder = folder
        folder.mkdir()
        self.file = str(folder / "ca.pem")
        self._ca.cert_pem.write_to_path(self.file)

    def credentials(self, *, asks: bool = False) -> Any:
        """A server's, which `asks` for a certificate of this authority or not."""
        leaf = self._ca.issue_cert("localhost", "127.0.0.1")
        pair = (leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes())
        roots = self._ca.cert_pem.bytes() if asks else None
        return grpc.ssl_server_credentials([pair], roots, asks)

    def client(self) -> dict[str, str]:
        """The two arguments of a client that has a certificate."""
        leaf = self._ca.issue_cert("client")
        leaf.private_key_pem.write_to_path(str(self.folder / "key.pem"))
        leaf.cert_chain_pems[0].write_to_path(str(self.folder / "client.pem"))
        return {
            "client_certificate": str(self.folder / "client.pem"),
            "client_key": str(self.folder / "key.pem"),
        }


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def rogue(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "rogue")


@pytest.fixture
def tls(ours: Authority) -> Iterator[Scripted]:
    script = Scripted().start(credentials=ours.credentials())
    yield script
    script.stop()


@pytest.mark.spec("OTLP-93", "OTLP-94", "OTLP-95")
def test_https_is_tls_whatever_insecure_says(tls: Scripted, ours: Authority) -> None:
    """And without a scheme it is TLS unless told."""
    for endpoint, insecure in ((f"https://localhost:{tls.port}", True),
                               (f"localhost:{tls.port}", False),
                               (f"dns:///localhost:{tls.port}", False)):  # fmt: skip
        assert send(endpoint, insecure=insecure, certificate=ours.file) == Accepted()


@pytest.mark.spec("OTLP-94")
def test_http_is_plain_whatever_insecure_says(server: Scripted) -> None:
    """And without a scheme it is plain only if told."""
    assert send(server.url, insecure=False) == Accepted()
    assert send(f"localhost:{server.port}", insecure=True) == Accepted()
    assert isinstance(failure(f"localhost:{server.port}", timeout=2), Unavailable)


def test_a_server_that_is_not_trusted_gets_nothing(tls: Scripted, rogue: Authority) -> None:
    """Signed by another authority, or spoken to without TLS."""
    url = f"https://localhost:{tls.port}"
    for error in (failure(url, certificate=rogue.file), failure(url), failure(tls.url, timeout=2)):
        assert isinstance(error, Unavailable)
        assert not error.maybe_delivered
    assert tls.seen == []


@pytest.mark.spec("OTLP-95")
def test_a_client_shows_its_certificate(ours: Authority, rogue: Authority) -> None:
    """A server that asks for one takes ours, and neither none nor another authority's."""
    script = Scripted().start(credentials=ours.credentials(asks=True))
    url = f"https://localhost:{script.port}"
    assert send(url, PAYLOAD, certificate=ours.file, **ours.client()) == Accepted()
    for settings in ({}, rogue.client()):
        error = failure(url, PAYLOAD, certificate=ours.file, timeout=2, **settings)
        assert isinstance(error, Unavailable)
    script.stop()
    assert len(script.seen) == 1


# Arguments


@pytest.mark.spec("OTLP-3", "OTLP-93")
def test_without_an_endpoint_it_is_localhost() -> None:
    """On the default port, without TLS."""
    assert "localhost:4317" in repr(GrpcSender())
    assert GrpcSender()._credentials is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"endpoint": "ftp://host"}, "endpoint"),
        ({"compression": "zstd"}, "compression"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"max_response": 0}, "max_response"),
        ({"headers": {"a": "secret\nb"}}, "headers: 'a'"),
        ({"endpoint": "https://host", "certificate": "/no/such"}, "certificate"),
        ({"certificate": "/no/such"}, "certificate"),
        ({"client_key": "/no/such"}, "client_key"),
    ],
)
def test_what_cannot_be_used_is_refused(settings: dict[str, Any], message: str) -> None:
    """At construction, with the argument's name, and without repeating a header's value."""
    with pytest.raises(ValueError, match=message) as raised:
        GrpcSender(**settings)
    assert "secret" not in str(raised.value)


# The process around it


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_children_of_a_busy_process_send_too(server: Scripted) -> None:
    """On connections of their own, quietly; the parent goes on, on its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.exporters.grpc_forking", server.url],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.stdout == f"children {CHILDREN}, failures in the parent []\n", ran.stderr
    assert ran.stderr == ""
    bodies = [body for _, body in server.seen]
    assert bodies.count(b"child") == CHILDREN
    assert bodies.count(b"parent") == 2
    assert len(server.peers) == CHILDREN + 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_without_grpcs_fork_support_is_told(server: Scripted) -> None:
    """Its calls would never end, not even at their deadline."""
    code = (
        "import os, sys, time\n"
        "from otlp_kit.exporters.otlp_grpc import GrpcSender\n"
        "from otlp_kit.wire import TRACES, Payload\n"
        "sender = GrpcSender(sys.argv[1])\n"
        "def send(): return sender.send(Payload(TRACES, b'', 0), time.monotonic() + 20)\n"
        "send()\n"
        "if child := os.fork():\n"
        "    os.waitpid(child, 0); send(); sender.close()\n"
        "else:\n"
        "    try: send()\n"
        "    except Exception as error: print(repr(error), flush=True)\n"
        "    os._exit(0)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, server.url], capture_output=True, text=True, timeout=60,
        check=True, env={**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0"},
    )  # fmt: skip
    assert "Unavailable(" in ran.stdout
    assert "GRPC_ENABLE_FORK_SUPPORT" in ran.stdout
    assert len(server.seen) == 2


@pytest.mark.slow
def test_grpc_itself_says_nothing(tls: Scripted, rogue: Authority) -> None:
    """A handshake that fails is a reason for the caller, and no line on the terminal."""
    code = (
        "import sys, time\n"
        "from otlp_kit.exporters.otlp_grpc import GrpcSender\n"
        "from otlp_kit.wire import TRACES, Payload\n"
        "sender = GrpcSender(sys.argv[1], certificate=sys.argv[2])\n"
        "try: sender.send(Payload(TRACES, b'', 0), time.monotonic() + 20)\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, f"https://localhost:{tls.port}", rogue.file],
        capture_output=True, text=True, timeout=60, check=False,
        env={k: v for k, v in os.environ.items() if k != "GRPC_VERBOSITY"},
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("Unavailable\n", "")
