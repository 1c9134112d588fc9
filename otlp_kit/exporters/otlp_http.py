"""OTLP over HTTP: a `Sender` that posts a payload on a connection it keeps alive.

One request per `send`, no retry: that is a wrapper's work. Redirects are not followed, and what a
server answers is read up to a limit and up to the deadline, so that no server can fill this
process's memory or hold its thread. Thread-safe; parallel sends take parallel connections.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import gzip
import http.client
import io
import os
import re
import time
import zlib
from collections.abc import Mapping
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    SSLError,
)

from otlp_kit.encoding.answers import read_http_answer
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
    `compression` is `none` or `gzip` (level 1: twice as fast as the usual 6 for little more size).
    `timeout` is the most that one request may take, in seconds, whatever the deadline.
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
    ) -> None:
        if compression not in ("none", "gzip"):
            raise ValueError(f"compression must be none or gzip, not {compression!r}")
        if not 0 < timeout < float("inf"):
            raise ValueError(f"timeout must be more than 0 seconds and finite, not {timeout}")
        if path is not None and not path.startswith("/"):
            raise ValueError(f"path must start with /, not {path!r}")
        url = _base_url(endpoint)
        self._base = (url.path or "").rstrip("/")
        self._path = path
        self._gzip = compression == "gzip"
        self._timeout = timeout
        self._headers = urllib3.HTTPHeaderDict({"User-Agent": USER_AGENT})
        for name, value in (headers or {}).items():
            if not FIELD_NAME.fullmatch(name) or not FIELD_VALUE.fullmatch(value):
                # The value may be a secret, so it is not repeated.
                raise ValueError(f"headers: {name!r} has a character that HTTP does not allow")
            self._headers[name] = value
        self._url = url
        self._connect()

    def _connect(self) -> None:
        """A pool of connections for this process; the first request opens one."""
        url = self._url
        self._process = os.getpid()
        self._pool = urllib3.connection_from_url(
            f"{url.scheme}://{url.netloc}", maxsize=8, retries=False
        )
        self._pool.ConnectionCls = _Https if url.scheme == "https" else _Http

    def send(self, payload: Payload, deadline: float) -> Accepted:
        """Post `payload`; see `wire.Sender`."""
        if self._process != os.getpid():
            # A fork shares the parent's sockets: two processes would write into one another's.
            self._connect()
        deadline = min(deadline, time.monotonic() + self._timeout)
        headers = self._headers.copy()
        headers["Content-Type"] = payload.content_type
        body = payload.body
        if self._gzip:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, compresslevel=1, mtime=0)
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
                preload_content=False,
                timeout=urllib3.Timeout(total=left),
            )
            answer = _read(response)
        except ClosedPoolError:
            raise Refused("the sender is closed") from None
        except (NewConnectionError, ConnectTimeoutError, SSLError) as error:
            raise Unavailable(f"cannot connect to {self._pool.host}: {error}") from error
        except HTTPError as error:
            raise Unavailable(f"no answer: {error}", maybe_delivered=True) from error
        fields = {name.lower(): value for name, value in response.headers.items()}
        return read_http_answer(response.status, fields, answer, time.time())

    def close(self) -> None:
        """Close the connections; from then on `send` refuses."""
        self._pool.close()


def _base_url(endpoint: str) -> urllib3.util.Url:
    """`endpoint` in its parts. Raises `ValueError` for what would be ignored or repeated in a log."""
    if "@" in endpoint.partition("://")[2].partition("/")[0]:
        raise ValueError("endpoint must not hold a user name or password; put them into headers")
    try:
        url = urllib3.util.parse_url(endpoint)
    except LocationParseError:
        raise ValueError(f"endpoint is not a URL: {endpoint!r}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"endpoint must start with http:// or https://, not {endpoint!r}")
    if url.query is not None or url.fragment is not None:
        raise ValueError("endpoint must not have a query or a fragment: paths are added to it")
    return url


def _read(response: urllib3.BaseHTTPResponse) -> bytes:
    """The body of an answer, within the limit. Frees or drops the connection."""
    too_long = Refused(f"HTTP {response.status} with an answer over {MAX_RESPONSE} bytes")
    body = bytearray()
    while piece := response.read1(65_536, decode_content=False):
        body += piece
        if len(body) > MAX_RESPONSE:
            response.close()
            raise too_long
    response.release_conn()
    if response.headers.get("Content-Encoding", "").lower() != "gzip":
        return bytes(body)
    inflater = zlib.decompressobj(31)
    try:
        plain = inflater.decompress(body, MAX_RESPONSE)
    except zlib.error:
        return b""
    if inflater.unconsumed_tail:
        raise too_long
    return plain


class _OneDeadline(io.RawIOBase):
    """The bytes of an answer, all within the time that the socket allows for the first.

    A socket's timeout begins anew with every piece: a server that sends a byte now and then, be it
    of a header, would never meet it.
    """

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        self._raw, self._sock = raw, sock
        self._deadline = time.monotonic() + sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_OneDeadline(self.fp.detach(), sock))


class _Http(HTTPConnection):
    response_class = _Answer


class _Https(HTTPSConnection):
    response_class = _Answer
