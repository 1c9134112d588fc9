"""OTLP over gRPC: a `Sender` for all three signals on one channel, on raw bytes.

There is no generated code: a method is a path, a request is the payload's bytes as they are. One
call per `send`, no retry: that is a wrapper's work. Thread-safe; parallel sends share a connection.

    GrpcSender("http://localhost:4317").send(payload, deadline)

What an answer means:

    OK                                          Accepted, with what was rejected
    CANCELLED, DEADLINE_EXCEEDED                Unavailable, and perhaps delivered: whoever says so,
                                                nobody knows how far the server came
    UNAVAILABLE                                 Unavailable; perhaps delivered if the connection was
                                                lost, not if there was none or the server says no
    ABORTED, OUT_OF_RANGE, DATA_LOSS            Unavailable: the server's answer
    RESOURCE_EXHAUSTED                          Unavailable with a `RetryInfo`, else Refused
    any other, an answer that is too long       Refused

Specification: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

import os
import re
import time
import zlib
from collections.abc import Mapping
from typing import Any

from otlp_kit.encoding.answers import decode_success, retry_delay
from otlp_kit.encoding.protobuf_read import DecodeError
from otlp_kit.exporters import grpc_fork
from otlp_kit.exporters.grpc_arguments import authorities, identity, metadata, target
from otlp_kit.exporters.masking import masked, secrets_in
from otlp_kit.wire import PROTOBUF, Accepted, Payload, Refused, SendError, Unavailable

# grpcio writes to stderr by itself, also what is an ordinary answer here, and reads this variable
# when it is imported. A value that the user set stays.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc

USER_AGENT = "otlp_kit OTel-OTLP-Exporter-Python/0.1.0"
MAX_RESPONSE = 4 * 1024 * 1024
"""Bytes of an answer, before and after decompression; a longer one is not retryable."""

CONNECT = 5.0
"""Seconds to connect, TLS and the server's first frame included, at most half of the timeout but one
at least: so a host that does not answer is known to have got nothing, which a deadline leaves open."""

RECONNECT = 5.0
"""Seconds between two attempts to connect at most, so that a server which comes back is found."""

KEEPALIVE = 310.0
"""Seconds of silence until a ping, only during a call: servers hang up on a client that pings more
often than every 300."""

SILENCE = 10.0
"""Seconds until bytes that are not acknowledged end a connection: its other end has vanished."""

OFF = ("0", "f", "false", "n", "no")
"""With grpcio's own fork support off, its threads are missing in the child and no call ends."""

DETAILS = "grpc-status-details-bin"
RETRY_INFO = b"/google.rpc.RetryInfo"
LONGEST_REASON = 500
"""Characters of a server's words that are passed on."""

RETRYABLE = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""https://opentelemetry.io/docs/specs/otlp/#failures: the codes that allow sending again."""

UNKNOWN_END = frozenset({grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED})

# gRPC has one code for "no connection", "lost connection" and "the server says: later". Only the
# words differ: the core's own, and those of proxies.
NEVER_SENT = re.compile(
    r"failed to connect|connections to all backends|errors? resolving|(dns|name) resolution",
    re.IGNORECASE,
)
LOST = re.compile(
    r"stream removed|socket closed|goaway|\breset\b|broken pipe|keepalive|sendmsg|recvmsg|cancell",
    re.IGNORECASE,
)
# The core of C and Go, Java, .NET, Rust: there is no code for it either.
TOO_LARGE = re.compile(
    r"larger than|exceeds (the )?(configured )?maximum|(message|request|payload)\b.*too large",
    re.IGNORECASE,
)
TOO_LARGE_CODES = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OUT_OF_RANGE)
"""The second is what servers written in Rust say."""

OUR_LIMIT = "CLIENT: "
"""The core says so when it is the answer that is too long."""


class GrpcSender:
    """Sends payloads to an OTLP/gRPC receiver.

    `endpoint` is `http://HOST:PORT`, `https://HOST:PORT` or a gRPC target (`dns:///HOST:PORT`,
    `unix:PATH`, `HOST:PORT`), for which `insecure=True` means without TLS; where it names no port
    and no scheme of gRPC's it is 4317, and a path is refused. Calls go to all addresses of the name
    in turn. `headers` become metadata; a `-bin` header may have bytes. `compression` is `none` or
    `gzip`. `timeout` is the most that one call may take, in seconds, whatever the deadline.

    `certificate` is a PEM file of the authorities that may sign the server's certificate (default:
    grpcio's list); `client_certificate` and `client_key` are PEM files of what this client shows.
    They are read once. `max_response` bounds an answer, in bytes. Raises `ValueError` that names
    the argument which cannot be used. The first `send` connects.

    In the child of a fork the first `send` opens a channel of its own; a fork waits up to a second
    for calls that are under way.
    """

    def __init__(
        self,
        endpoint: str = "http://localhost:4317",
        *,
        headers: Mapping[str, str | bytes] | None = None,
        compression: str = "none",
        timeout: float = 10.0,
        insecure: bool = False,
        certificate: str | None = None,
        client_certificate: str | None = None,
        client_key: str | None = None,
        max_response: int = MAX_RESPONSE,
    ) -> None:
        if compression not in ("none", "gzip"):
            raise ValueError(f"compression must be none or gzip, not {compression!r}")
        if not 0 < timeout < float("inf"):
            raise ValueError(f"timeout must be more than 0 seconds and finite, not {timeout}")
        if not 0 < max_response < 1 << 31:
            raise ValueError(
                f"max_response must be more than 0 and less than 2 GiB: {max_response}"
            )
        self._target, tls = target(endpoint, insecure=insecure)
        files = {"certificate": certificate, "client_certificate": client_certificate,
                 "client_key": client_key}  # fmt: skip
        for argument, path in files.items():
            if path is not None and not tls:
                raise ValueError(f"{argument} is of no use without TLS: endpoint {self._target!r}")
        self._credentials = None
        if tls:
            chain, key = identity(client_certificate, client_key) or (None, None)
            self._credentials = grpc.ssl_channel_credentials(authorities(certificate), key, chain)
        self._metadata = metadata(headers or {})
        self._secrets = secrets_in(headers or {})
        self._timeout = timeout
        self._max_response = max_response
        self._compression = grpc.Compression.Gzip if compression == "gzip" else None
        self._options = _options(timeout, max_response)
        self._closed = False
        self._channel: Any = None
        self._process = os.getpid()
        self._of_parents: list[Any] = []

    def send(self, payload: Payload, deadline: float) -> Accepted:
        """Call the method of the payload's signal; see `wire.Sender`."""
        if payload.content_type != PROTOBUF:
            raise Refused(f"gRPC carries {PROTOBUF}, not {payload.content_type}")
        deadline = min(deadline, time.monotonic() + self._timeout)
        with grpc_fork.calling(deadline):
            channel = self._connected()
            left = deadline - time.monotonic()
            if left <= 0:
                raise Unavailable("the deadline has passed")
            try:
                # Without serializers bytes go out and come in as they are.
                call = channel.unary_unary(payload.signal.grpc_method)
                answer = call(payload.body, timeout=left, metadata=self._metadata)
            except grpc.RpcError as error:
                if self._closed and error.code() is grpc.StatusCode.CANCELLED:
                    raise Unavailable("the sender was closed", maybe_delivered=True) from None
                raise _meaning(error, self._secrets) from None
            except ValueError:
                if self._closed:
                    raise Refused("the sender is closed") from None
                raise
        return _success(masked(_plain(answer, self._max_response), self._secrets))

    def close(self) -> None:
        """End the calls that wait, and the channel; from then on `send` refuses."""
        self._closed = True
        with grpc_fork.lock():
            channel = self._channel if self._process == os.getpid() else None
        if channel:
            channel.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "connected" if self._channel else "not connected yet"
        return f"<GrpcSender {self._target} [{state}]>"

    def _connected(self) -> Any:
        """The channel of this process."""
        with grpc_fork.lock():
            if self._closed:
                raise Refused("the sender is closed")
            if self._process != os.getpid():
                if self._channel:
                    # Its socket is the parent's, and destroying it would say goodbye there.
                    self._of_parents.append(self._channel)
                    self._channel = None
                self._process = os.getpid()
            if self._of_parents and os.environ.get("GRPC_ENABLE_FORK_SUPPORT", "").lower() in OFF:
                raise Unavailable(
                    "gRPC does not work in this child: GRPC_ENABLE_FORK_SUPPORT is off"
                )
            if self._channel is None:
                self._channel = (
                    grpc.secure_channel(
                        self._target, self._credentials, self._options, self._compression
                    )
                    if self._credentials
                    else grpc.insecure_channel(self._target, self._options, self._compression)
                )
            return self._channel


def _options(timeout: float, max_response: int) -> list[tuple[str, Any]]:
    """The core's options: https://grpc.github.io/grpc/core/group__grpc__arg__keys.html."""
    return [
        ("grpc.primary_user_agent", USER_AGENT),
        ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
        # Connections of one's own: those of the process outlive a channel, and a fork.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", max_response),
        # Identity and gzip, and it is unpacked here: the bound holds whatever grpcio is installed.
        ("grpc.compression_enabled_algorithms_bitset", 0b101),
        ("grpc.per_message_decompression", 0),
        ("grpc.min_reconnect_backoff_ms", int(max(1.0, min(CONNECT, timeout / 2)) * 1000)),
        ("grpc.max_reconnect_backoff_ms", int(RECONNECT * 1000)),
        ("grpc.dns_min_time_between_resolutions_ms", int(RECONNECT * 1000)),
        ("grpc.keepalive_time_ms", int(KEEPALIVE * 1000)),
        ("grpc.keepalive_timeout_ms", int(SILENCE * 1000)),
        # Pings that measure bandwidth make larger windows for answers, and these are small.
        ("grpc.http2.bdp_probe", 0),
    ]


def _plain(answer: bytes, limit: int) -> bytes:
    """An answer, unpacked if it is packed: no protobuf message begins as gzip does."""
    if not answer.startswith(b"\x1f\x8b"):
        return answer
    inflater = zlib.decompressobj(31)
    try:
        plain = inflater.decompress(answer, limit)
    except zlib.error:
        return b""
    if inflater.unconsumed_tail:
        raise Refused(f"an answer over {limit} bytes")
    return plain


def _success(answer: bytes) -> Accepted:
    try:
        return decode_success(answer)
    except DecodeError:
        # The code is the acknowledgement; a message that cannot be read takes nothing back.
        return Accepted()


def _meaning(error: Any, secrets: tuple[str, ...] = ()) -> SendError:
    """What a status other than OK tells the caller to do; the table is at the top."""
    code, words = error.code(), masked(error.details() or "", secrets)
    reason = f"gRPC {code.name}" + (f": {words[:LONGEST_REASON]}" if words else "")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and OUR_LIMIT in words:
        return Refused(f"the answer is too long: {reason}")
    if code in TOO_LARGE_CODES and TOO_LARGE.search(words):
        return Refused(reason, too_large=True)
    status = next((v for k, v in error.trailing_metadata() or () if k == DETAILS), b"")
    wait = retry_delay(status)
    if code in RETRYABLE:
        lost = code is grpc.StatusCode.UNAVAILABLE and LOST.search(words)
        maybe = code in UNKNOWN_END or bool(lost and not NEVER_SENT.match(words))
        return Unavailable(reason, retry_after=wait, maybe_delivered=maybe)
    # A RetryInfo that names no time has a None here, and is one nevertheless.
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and RETRY_INFO in status:
        return Unavailable(reason, retry_after=wait)
    return Refused(reason)
