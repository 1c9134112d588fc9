"""The HTTP sender over TLS and through proxies: whom it trusts, and who it says it is."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.wire import TRACES, Accepted, Payload, Unavailable

PAYLOAD = Payload(TRACES, b"some bytes", items=1)


class Seen(BaseHTTPRequestHandler):
    """Answers success, keeps what it saw."""

    protocol_version = "HTTP/1.1"
    paths: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Authority:
    """A certificate authority, with its files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.ca = trustme.CA()
        self.folder = folder
        self.certificate = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(self.certificate)

    def client(self) -> tuple[Path, Path]:
        """A client's certificate and its key."""
        made = self.ca.issue_cert("client@example.org")
        chain, key = self.folder / "client.pem", self.folder / "client.key"
        chain.write_bytes(b"".join(part.bytes() for part in made.cert_chain_pems))
        made.private_key_pem.write_to_path(key)
        return chain, key

    @contextmanager
    def server(
        self, name: str = "127.0.0.1", clients: Authority | None = None
    ) -> Iterator[tuple[str, list[str]]]:
        """A server that calls itself `name`, and takes only `clients`' clients if there are any."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name).configure_cert(context)
        if clients is not None:
            clients.ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        paths: list[str] = []
        handler = type("Handler", (Seen,), {"paths": paths})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        with serving(server) as address:
            yield f"https://{address}", paths


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "own")


@pytest.fixture
def rogue(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "rogue")


def send(url: str, **settings: object) -> Accepted:
    sender = HttpSender(url, **settings)  # type: ignore[arg-type]
    try:
        return sender.send(PAYLOAD, time.monotonic() + 20)
    finally:
        sender.close()


@pytest.mark.spec("OTLP-89", "OTLP-95")
def test_a_server_that_is_trusted_is_sent_to(authority: Authority) -> None:
    """https is TLS, with the authority of the file."""
    with authority.server() as (url, paths):
        assert send(url, certificate=authority.certificate) == Accepted()
    assert paths == ["/v1/traces"]


@pytest.mark.spec("OTLP-95")
@pytest.mark.parametrize("case", ["rogue", "name", "system"])
def test_a_server_that_is_not_trusted_gets_nothing(
    authority: Authority, rogue: Authority, case: str
) -> None:
    """Another authority, another name, or an authority that the system does not know."""
    name = "elsewhere.example" if case == "name" else "127.0.0.1"
    trusted = {"rogue": rogue.certificate, "name": authority.certificate, "system": None}[case]
    with authority.server(name) as (url, paths):
        with pytest.raises(Unavailable, match="certificate") as failed:
            send(url, certificate=trusted)
        assert paths == []
    assert not failed.value.maybe_delivered


@pytest.mark.spec("OTLP-95")
def test_both_sides_show_who_they_are(authority: Authority, rogue: Authority) -> None:
    """A client without a certificate, or with a stranger's, is turned away."""
    chain, key = authority.client()
    with authority.server(clients=authority) as (url, paths):
        trust = {"certificate": authority.certificate}
        assert send(url, client_certificate=chain, client_key=key, **trust) == Accepted()
        strange, its_key = rogue.client()
        for other in ({}, {"client_certificate": strange, "client_key": its_key}):
            with pytest.raises(Unavailable):
                send(url, **trust, **other)
    assert paths == ["/v1/traces"]


def test_plain_and_tls_do_not_mix(authority: Authority) -> None:
    """Neither side waits for the other's first word until the end of the time."""
    with authority.server() as (url, paths), pytest.raises(Unavailable):
        send(url.replace("https", "http"), timeout=5.0)
    assert paths == []
    handler = type("Handler", (Seen,), {"paths": paths})
    with (
        serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as address,
        pytest.raises(Unavailable),
    ):
        send(f"https://{address}", timeout=5.0)
    assert paths == []


def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    """At construction, by the argument."""
    chain, key = authority.client()
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    _, other_key = Authority(tmp_path / "third").client()
    for settings, message in (
        ({"certificate": tmp_path / "missing.pem"}, "certificate: cannot read"),
        ({"client_certificate": tmp_path / "missing.pem"}, "client_certificate: cannot read"),
        ({"client_certificate": chain, "client_key": tmp_path / "no"}, "client_key: cannot read"),
        ({"client_key": key}, "client_key needs a client_certificate"),
        ({"certificate": text}, "certificate: no PEM certificate"),
        ({"client_certificate": text}, "client_certificate and client_key"),
        (
            {"client_certificate": chain, "client_key": other_key},
            "client_certificate and client_key",
        ),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            HttpSender("https://localhost", **settings)  # type: ignore[arg-type]


class Proxy:
    """A proxy that tunnels, or passes a plain request on; it notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):  # either side may be gone
            self._pass_on(client)

    def _pass_on(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65_536)
        line = head.partition(b"\r\n")[0].decode()
        self.asked.append(line)
        method, target, _ = line.split()
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            head = b""
        else:
            host, _, port = target.split("/")[2].rpartition(":")
            head = head.replace(f"http://{host}:{port}".encode(), b"", 1)
        with client, socket.create_connection((host, int(port))) as server:
            server.sendall(head)
            pair = {client: server, server: client}
            while True:
                for ready in select.select(list(pair), [], [])[0]:
                    data = ready.recv(65_536)
                    if not data:
                        return
                    pair[ready].sendall(data)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    running = Proxy()
    yield running
    running.close()


def test_a_proxy_of_plain_http_is_told_the_whole_url(proxy: Proxy) -> None:
    """https://www.rfc-editor.org/rfc/rfc9112#name-absolute-form"""
    paths: list[str] = []
    handler = type("Handler", (Seen,), {"paths": paths})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as address:
        assert send(f"http://{address}/base", proxy=proxy.url) == Accepted()
        assert send(f"http://{address}", path="/own", proxy=proxy.url) == Accepted()
    assert paths == ["/base/v1/traces", "/own"]
    assert [line.split()[1] for line in proxy.asked] == [
        f"http://{address}/base/v1/traces",
        f"http://{address}/own",
    ]


def test_through_a_proxy_tls_is_end_to_end(
    authority: Authority, rogue: Authority, proxy: Proxy
) -> None:
    """The proxy sees a tunnel; the server is checked as without it."""
    with authority.server() as (url, paths):
        trust = {"certificate": authority.certificate}
        assert send(url, proxy=proxy.url, **trust) == Accepted()
        with pytest.raises(Unavailable, match="certificate"):
            send(url, proxy=proxy.url, certificate=rogue.certificate)
    assert paths == ["/v1/traces"]
    assert {line.split()[0] for line in proxy.asked} == {"CONNECT"}


def test_a_proxy_that_is_not_there_is_no_answer() -> None:
    """It may come back."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unavailable) as failed:
            send("http://localhost:4318", proxy=url)
    assert not failed.value.maybe_delivered


def test_a_proxy_that_is_no_url_is_named() -> None:
    """Also where it holds a password."""
    with pytest.raises(ValueError, match=r"^proxy must not hold a user name or password"):
        HttpSender(proxy="http://me:secret@proxy:3128")
    with pytest.raises(ValueError, match=r"^proxy must start with"):
        HttpSender(proxy="proxy:3128")
