"""OTLP over HTTP: a `Sender` that posts a payload on a connection it keeps alive.

One request per `send`, no retry: that is a wrapper's work. Redirects are not followed, and what a
server answers is read up to a limit, so that no server can fill this process's memory or hold it
past the deadline. Thread-safe; parallel sends take parallel connections.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Mapping

import urllib3
from urllib3.exceptions import (
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


class HttpSender:
    """Posts payloads to an OTLP/HTTP receiver.

    `endpoint` is the base URL: `http://127.0.0.1:4318` posts traces to `/v1/traces` there. With
    `path`, every payload goes to exactly that path. `headers` are added to each request;
    `compression` is `none` or `gzip` (level 1: twice as fast as the usual 6 for little more size).
    Raises `ValueError` that names the argument which cannot be used.
    """

    def __init__(
        self,
        endpoint: str = "http://127.0.0.1:4318",
        *,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        compression: str = "none",
    ) -> None:
        if compression not in ("none", "gzip"):
            raise ValueError(f"compression must be none or gzip, not {compression!r}")
        for name, value in (headers or {}).items():
            if any(c in f"{name}{value}" for c in "\r\n\0") or not name.isascii():
                # The value may be a secret, so it is not repeated.
                raise ValueError(f"headers: {name!r} has a character that HTTP does not allow")
        try:
            url = urllib3.util.parse_url(endpoint)
        except LocationParseError:
            raise ValueError(f"endpoint is not a URL: {endpoint!r}") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"endpoint must start with http:// or https://, not {endpoint!r}")
        self._base = (url.path or "").rstrip("/")
        self._path = path
        self._gzip = compression == "gzip"
        self._headers = {"User-Agent": USER_AGENT, **(headers or {})}
        self._pool = urllib3.connection_from_url(
            f"{url.scheme}://{url.netloc}", maxsize=8, retries=False
        )

    def send(self, payload: Payload, deadline: float) -> Accepted:
        """Post `payload`; see `wire.Sender`."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unavailable("the deadline has passed")
        headers = {**self._headers, "Content-Type": payload.content_type}
        body = payload.body
        if self._gzip:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, compresslevel=1, mtime=0)
        path = self._path or f"{self._base}{payload.signal.http_path}"
        try:
            response = self._pool.urlopen(
                "POST",
                path,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(total=left),
            )
            answer = _read(response, deadline)
        except (NewConnectionError, ConnectTimeoutError, SSLError) as error:
            raise Unavailable(f"cannot connect to {self._pool.host}: {error}") from error
        except HTTPError as error:
            raise Unavailable(f"no answer: {error}", maybe_delivered=True) from error
        fields = {name.lower(): value for name, value in response.headers.items()}
        return read_http_answer(response.status, fields, answer, time.time())

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """The body of an answer, within the limit and the deadline. Frees or drops the connection."""
    body = bytearray()
    # Asked for piece by piece: a server that sends a byte a second would reset any other timeout.
    while piece := response.read1(65_536, decode_content=False):
        body += piece
        if len(body) > MAX_RESPONSE:
            response.close()
            raise Refused(f"HTTP {response.status} with an answer over {MAX_RESPONSE} bytes")
        if time.monotonic() > deadline:
            response.close()
            raise Unavailable("the answer took too long", maybe_delivered=True)
    response.release_conn()
    if response.headers.get("Content-Encoding", "").lower() != "gzip":
        return bytes(body)
    inflater = zlib.decompressobj(31)
    try:
        plain = inflater.decompress(body, MAX_RESPONSE)
    except zlib.error:
        return b""
    if inflater.unconsumed_tail:
        raise Refused(f"HTTP {response.status} with an answer over {MAX_RESPONSE} bytes")
    return plain
