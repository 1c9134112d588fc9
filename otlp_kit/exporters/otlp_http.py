"""OTLP over HTTP: a `Sender` that posts a payload on a connection it keeps alive.

    sender = HttpSender("https://collector:4318", certificate="ca.pem", compression="gzip")
    sender.send(payload, deadline)

One request per `send`, no retry: that is a wrapper's work. Redirects are not followed, and what a
server answers is read up to a limit and up to the deadline, so that no server can fill this
process's memory or hold its thread. Thread-safe; parallel sends take parallel connections.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import os
import re
import ssl
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from otlp_kit.encoding.answers import read_http_answer
from otlp_kit.exporters.compression import compressor
from otlp_kit.exporters.http_answer import Http, Https, read
from otlp_kit.exporters.masking import masked, secrets_in
from otlp_kit.wire import Accepted, Payload, Refused, Unavailable

USER_AGENT = "otlp_kit OTel-OTLP-Exporter-Python/0.1.0"
MAX_RESPONSE = 4 * 1024 * 1024
"""Bytes of an answer, before and after decompression; a longer one is not retryable."""

# https://www.rfc-editor.org/rfc/rfc9110#name-field-names, and what http.client can put on the wire.
FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class HttpSender:
    """Posts payloads to an OTLP/HTTP receiver.

    `endpoint` is the base URL: `http://localhost:4318` posts traces to `/v1/traces` there. With
    `path`, every payload goes to exactly that path. `headers` are added to each request;
    `compression` is `none`, `gzip` or `zstd`. `timeout` is the most that one request may take, in
    seconds, whatever the deadline; finding the address of a name is the operating system's, and is
    not bounded by it.

    `certificate`, `client_certificate` and `client_key` are files in PEM: whom to trust instead of
    the system's authorities, and who this client is. `proxy` is the URL of an HTTP proxy. An answer
    over `max_response` bytes is refused. At most `connections` are open at once: who finds none free
    waits for one.
    Raises `ValueError` that names the argument which cannot be used.
    """

    def __init__(
        self,
        endpoint: str = "http://localhost:4318",
        *,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        compression: str = "none",
        timeout: float = 10.0,
        certificate: str | os.PathLike[str] | None = None,
        client_certificate: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        max_response: int = MAX_RESPONSE,
        connections: int = 8,
    ) -> None:
        if not 0 < timeout < float("inf"):
            raise ValueError(f"timeout must be more than 0 seconds and finite, not {timeout}")
        if path is not None and not path.startswith("/"):
            raise ValueError(f"path must start with /, not {path!r}")
        for name, least in (("max_response", max_response), ("connections", connections)):
            if least < 1:
                raise ValueError(f"{name} must be at least 1, not {least}")
        url = self._url = _base_url("endpoint", endpoint)
        self._proxy = _base_url("proxy", proxy) if proxy is not None else None
        # A proxy of plain HTTP is told the whole URL; through one for https goes a tunnel.
        whole = proxy is not None and url.scheme == "http"
        self._base = (f"{url.scheme}://{url.netloc}" if whole else "") + (url.path or "").rstrip(
            "/"
        )
        self._path = path and (f"{url.scheme}://{url.netloc}{path}" if whole else path)
        self._compress = compressor(compression)
        self._headers = urllib3.HTTPHeaderDict({"User-Agent": USER_AGENT})
        if compression != "none":
            self._headers["Content-Encoding"] = compression
        for name, value in (headers or {}).items():
            if not FIELD_NAME.fullmatch(name) or not FIELD_VALUE.fullmatch(value):
                # The value may be a secret, so it is not repeated.
                raise ValueError(f"headers: {name!r} has a character that HTTP does not allow")
            self._headers[name] = value
        self._secrets = secrets_in(headers or {})
        self._timeout = timeout
        self._max_response = max_response
        self._connections = connections
        self._trust = _trust(certificate, client_certificate, client_key)
        self._closed = False
        self._connect()

    def _connect(self) -> None:
        """A pool of connections for this process; the first request opens one."""
        url = self._url
        options: dict[str, Any] = {"maxsize": self._connections, "retries": False}
        if url.scheme == "https":
            options["ssl_context"] = self._trust
        if self._proxy is None:
            manager = urllib3.PoolManager(**options)
        else:
            manager = urllib3.ProxyManager(self._proxy.url, **options)
        self._pool = manager.connection_from_url(f"{url.scheme}://{url.netloc}")
        self._pool.ConnectionCls = Https if self._pool.scheme == "https" else Http
        # urllib3 could wait by itself, but empties its pool at exit, when the last exports come.
        self._free = threading.BoundedSemaphore(self._connections)
        self._process = os.getpid()  # last: another thread that sees it may use the pool

    def send(self, payload: Payload, deadline: float) -> Accepted:
        """Post `payload`; see `wire.Sender`."""
        if self._closed:
            raise Refused("the sender is closed")
        if self._process != os.getpid():
            # A fork shares the parent's sockets: two processes would write into one another's.
            self._connect()
        deadline = min(deadline, time.monotonic() + self._timeout)
        headers = self._headers.copy()
        headers["Content-Type"] = payload.content_type
        body = self._compress(payload.body) if self._compress else payload.body
        free = self._free
        if not free.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Unavailable(f"no connection to {self._pool.host} was free in time")
        try:
            return self._post(payload, body, headers, deadline)
        finally:
            free.release()

    def _post(
        self,
        payload: Payload,
        body: bytes,
        headers: urllib3.HTTPHeaderDict,
        deadline: float,
    ) -> Accepted:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unavailable("the deadline has passed")
        try:
            response = self._pool.urlopen(
                "POST",
                self._path or f"{self._base}{payload.signal.http_path}",
                body=body,
                headers=headers,
                redirect=False,
                assert_same_host=False,  # to a proxy goes the whole URL, of another host
                preload_content=False,
                timeout=urllib3.Timeout(total=left),
            )
            answer = self._body(response)
        except ClosedPoolError:
            raise Refused("the sender is closed") from None
        except (NewConnectionError, ConnectTimeoutError, ProxyError, SSLError) as error:
            raise Unavailable(f"cannot connect to {self._pool.host}: {error}") from error
        except HTTPError as error:
            raise Unavailable(f"no answer: {error}", maybe_delivered=True) from error
        fields = {name.lower(): value for name, value in response.headers.items()}
        return read_http_answer(response.status, fields, masked(answer, self._secrets), time.time())

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """The body of an answer; of one that is no success, as much as nothing if it breaks off."""
        try:
            return read(response, self._max_response)
        except HTTPError:
            if 200 <= response.status < 300:
                raise
            return b""  # its status has said all that counts

    def close(self) -> None:
        """Close the connections; from then on `send` refuses, in a forked child, too."""
        self._closed = True
        self._pool.close()


def _base_url(argument: str, endpoint: str) -> urllib3.util.Url:
    """`endpoint` in its parts. Raises `ValueError` for what would be ignored or repeated in a log."""
    if "@" in endpoint.partition("://")[2].partition("/")[0]:
        raise ValueError(f"{argument} must not hold a user name or password; put them into headers")
    try:
        url = urllib3.util.parse_url(endpoint)
    except LocationParseError:
        raise ValueError(f"{argument} is not a URL: {endpoint!r}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{argument} must start with http:// or https://, not {endpoint!r}")
    if url.query is not None or url.fragment is not None:
        raise ValueError(f"{argument} must not have a query or a fragment: paths are added to it")
    return url


def _trust(
    certificate: str | os.PathLike[str] | None,
    client_certificate: str | os.PathLike[str] | None,
    client_key: str | os.PathLike[str] | None,
) -> ssl.SSLContext:
    """Whom to trust, and who this is. Raises `ValueError` that names the file's argument."""
    files = {
        "certificate": certificate,
        "client_certificate": client_certificate,
        "client_key": client_key,
    }
    for argument, file in files.items():
        if file is not None and not os.access(file, os.R_OK):
            raise ValueError(f"{argument}: cannot read {Path(file)}")
    if client_key is not None and client_certificate is None:
        raise ValueError("client_key needs a client_certificate")
    try:
        context = ssl.create_default_context(cafile=certificate)
    except ssl.SSLError as error:
        raise ValueError(f"certificate: no PEM certificate in {certificate}: {error}") from None
    if client_certificate is not None:
        try:
            # A key behind a passphrase would have Python ask for it on the terminal.
            context.load_cert_chain(client_certificate, client_key, password=b"")
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(
                f"client_certificate and client_key do not fit or are not in PEM: {error}"
            ) from None
    return context
