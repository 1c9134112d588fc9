"""The receiver as a function: one request in, one response out, no sockets.

    service = Service(store.put)
    response = service.handle(Request("POST", "/v1/traces", {"content-type": ...}, body))

Servers are shells around it, and so is `testing.loopback`. It speaks OTLP/HTTP with protobuf: a
request is answered 200 only after `put` has returned, which means that it is stored; every other
answer carries a `google.rpc.Status` that says what is wrong.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from otlp_kit.encoding.answers import encode_status, encode_success
from otlp_kit.encoding.protobuf_read import DecodeError
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.ledger import DUPLICATE, Ledger
from otlp_kit.receiver.limits import (
    MAX_BODY,
    BadBody,
    BodyTooLarge,
    UnsupportedEncoding,
    decompress,
)
from otlp_kit.wire import PROTOBUF, TRACES, Accepted, Signal, Unavailable

NOT_STORED = "not_stored"
"""Reason in the ledger: the store could not take them, and the sender was told to come again."""

RETRY_AFTER = 5
"""Seconds that a sender is asked to wait while nothing can be stored."""

Put: TypeAlias = Callable[[Signal, Sequence[Any], str], int]
"""`put(signal, records, batch_id)` returns when the records are durable, with the number that are
new; 0 when the batch was stored before. Raises `wire.Unavailable` when it cannot store now."""


class AnyRequest(Protocol):
    """What `handle` reads of a request. Header names are in lower case."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes


class Refusal(Exception):
    """Ends the handling of a request with an error answer."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.response = refusal(status, message, **headers)


def refusal(status: int, message: str, **headers: str) -> Response:
    """An error answer. Keyword arguments are headers: `retry_after="5"` is `retry-after: 5`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"content-type": PROTOBUF, **named}, encode_status(message))


class Service:
    """Answers export requests; counts every record in `ledger`.

    `max_body` is in bytes, before and after decompression. `trouble` is why the last attempt to
    store failed, or None when it did not.
    """

    def __init__(self, put: Put, *, max_body: int = MAX_BODY, ledger: Ledger | None = None) -> None:
        self._put = put
        self._decoders = {TRACES.http_path: (TRACES, decode_spans)}
        self.max_body = max_body
        self.ledger = ledger or Ledger()
        self.trouble: str | None = None

    def handle(self, request: AnyRequest) -> Response:
        """The answer to `request`. Never raises for anything that a sender can cause."""
        try:
            signal, decode = self._route(request)
            body = self._plain_body(request)
            try:
                records = decode(body)
            except DecodeError as error:
                raise Refusal(
                    400, f"the body is not a valid {signal.name} request: {error}"
                ) from None
            accepted = self._store(signal, records, batch_id(signal, body))
        except Refusal as refused:
            return refused.response
        return Response(200, {"content-type": PROTOBUF}, encode_success(accepted))

    def _route(self, request: AnyRequest) -> tuple[Signal, Callable[[bytes], list[Any]]]:
        """Path, method and media type, in the order in which HTTP asks for them."""
        if request.path not in self._decoders:
            known = ", ".join(self._decoders)
            raise Refusal(404, f"nothing is received at {request.path}; there is {known}")
        if request.method != "POST":
            raise Refusal(405, f"{request.method} is not allowed; export with POST", allow="POST")
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != PROTOBUF:
            raise Refusal(
                415, f"the content type must be {PROTOBUF}, not {media_type or 'missing'}"
            )
        return self._decoders[request.path]

    def _plain_body(self, request: AnyRequest) -> bytes:
        encoding = request.headers.get("content-encoding", "")
        try:
            return decompress(request.body, encoding, self.max_body)
        except BodyTooLarge:
            raise Refusal(413, f"the body is larger than {self.max_body} bytes") from None
        except BadBody as error:
            raise Refusal(400, str(error)) from None
        except UnsupportedEncoding:
            raise Refusal(
                415,
                f"the content encoding must be gzip or none, not {encoding}",
                accept_encoding="gzip",
            ) from None

    def _store(self, signal: Signal, records: list[Any], batch: str) -> Accepted:
        """Store what is valid; the rest is rejected one by one, and the sender is told."""
        problems = [problem for record in records if (problem := record.problem())]
        valid = [record for record in records if not record.problem()] if problems else records
        try:
            new = self._put(signal, valid, batch) if valid else 0
        except Unavailable as unavailable:
            self.trouble = str(unavailable)
            self.ledger.turned_away(NOT_STORED, len(records))
            raise Refusal(
                503, f"cannot store: {unavailable}", retry_after=str(RETRY_AFTER)
            ) from unavailable
        self.trouble = None
        self.ledger.created(len(records))
        self.ledger.rejected(len(problems))
        self.ledger.stored(new)
        self.ledger.dropped(DUPLICATE, len(valid) - new)
        if not problems:
            return Accepted()
        item = signal.item if len(problems) == 1 else f"{signal.item}s"
        return Accepted(len(problems), f"{len(problems)} {item} rejected: {problems[0]}")


def batch_id(signal: Signal, body: bytes) -> str:
    """Names a batch by its content, so that a request which is sent again is stored once."""
    return hashlib.blake2b(body, digest_size=16, person=signal.name.encode()).hexdigest()
