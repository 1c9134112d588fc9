"""The receiver as a function: one request in, one response out, no sockets.

    service = Service(store.put)
    response = service.handle(Request("POST", "/v1/traces", {"content-type": ...}, body))

Servers are shells around it, and so is `testing.loopback`. It takes the three signals as protobuf or
JSON, and answers in kind: 200 only after `put` has returned, which means that everything valid is
stored; every other answer carries a `google.rpc.Status` that says what is wrong. Of HTTP it knows what
`handle` needs; `export` is the part that gRPC shares.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from otlp_kit.encoding.answers import bad_request, encode_status, encode_success, retry_info
from otlp_kit.encoding.export_request import batch_id, decode_request
from otlp_kit.encoding.otlp_json import encode_json_status, encode_json_success
from otlp_kit.encoding.protobuf_read import DecodeError, TooManyParts
from otlp_kit.ledger import DUPLICATE, Ledger
from otlp_kit.receiver.limits import (
    MAX_BODY,
    STREAMS,
    BadBody,
    BodyTooLarge,
    UnsupportedEncoding,
    decompress,
)
from otlp_kit.receiver.validation import sift
from otlp_kit.wire import (
    JSON,
    PROTOBUF,
    SIGNALS,
    Accepted,
    Signal,
    Unavailable,
)

NOT_STORED = "not_stored"
"""Reason in the ledger: the store could not take them, and the sender was told to come again."""

RETRY_AFTER = 5
"""Seconds that a sender is asked to wait while nothing can be stored."""

MAX_MESSAGE = 1000
"""Characters of the text in an answer. The protocol bounds an answer to about 4 MiB."""

Put: TypeAlias = Callable[[Signal, Sequence[Any], str], int]
"""`put(signal, records, batch_id)` returns when the records are durable, with the number of items
that are new; 0 when the batch was stored before. Raises `wire.Unavailable` when it cannot store."""


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
    """Ends the handling of a request: an HTTP status, a text for a developer, and headers.

    Keyword arguments are headers: `retry_after="5"` is `retry-after: 5`.
    """

    def __init__(self, status: int, message: str, **headers: str) -> None:
        # What a sender made long is quoted in part: an answer must never be large.
        self.message = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}..."
        super().__init__(self.message)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def details(self) -> list[bytes]:
        """What a `google.rpc.Status` adds to the message, for programs to read."""
        if self.status == 400:
            return [bad_request(self.message)]
        wait = self.headers.get("retry-after")
        return [retry_info(int(wait))] if wait else []

    def response(self, request_headers: Mapping[str, str]) -> Response:
        """The answer, a `google.rpc.Status` in the encoding of the request."""
        as_json = media_type(request_headers) == JSON
        if as_json:
            body = encode_json_status(self.message, bad_request=self.status == 400)
        else:
            body = encode_status(self.message, details=self.details())
        kind = {"content-type": JSON if as_json else PROTOBUF}
        return Response(self.status, {**kind, **self.headers}, body)


def media_type(headers: Mapping[str, str]) -> str:
    """The content type without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


class Service:
    """Answers export requests; counts every item in `ledger`.

    `max_body` is in bytes, before and after decompression. `trouble` is why the last attempt to
    store failed, or None when it did not.
    """

    def __init__(self, put: Put, *, max_body: int = MAX_BODY, ledger: Ledger | None = None) -> None:
        self._put = put
        self._signals = {signal.http_path: signal for signal in SIGNALS}
        self.max_body = max_body
        self.ledger = ledger or Ledger()
        self.trouble: str | None = None

    def handle(self, request: AnyRequest) -> Response:
        """The answer to `request`. Never raises for anything that a sender can cause."""
        try:
            signal = self._route(request)
            accepted = self.export(signal, self._plain_body(request), media_type(request.headers))
        except Refusal as refused:
            return refused.response(request.headers)
        if media_type(request.headers) == JSON:
            return Response(200, {"content-type": JSON}, encode_json_success(signal, accepted))
        return Response(200, {"content-type": PROTOBUF}, encode_success(accepted))

    def export(self, signal: Signal, body: bytes, content_type: str = PROTOBUF) -> Accepted:
        """Take one plain request body: decode, validate, store, count. Raises `Refusal`."""
        try:
            records = decode_request(signal, body, content_type)
        except TooManyParts as error:
            raise Refusal(413, str(error)) from None
        except DecodeError as error:
            raise Refusal(400, f"the body is not a valid {signal.name} request: {error}") from None
        return self._store(signal, records, batch_id(signal, body))

    def _route(self, request: AnyRequest) -> Signal:
        """Path, method and media type, in the order in which HTTP asks for them."""
        signal = self._signals.get(request.path)
        if signal is None:
            known = ", ".join(self._signals)
            raise Refusal(404, f"nothing is received at {request.path}; there is {known}")
        if request.method != "POST":
            raise Refusal(405, f"{request.method} is not allowed; export with POST", allow="POST")
        given = media_type(request.headers)
        if given not in (PROTOBUF, JSON):
            wanted = f"{PROTOBUF} or {JSON}"
            raise Refusal(415, f"the content type must be {wanted}, not {given or 'missing'}")
        return signal

    def _plain_body(self, request: AnyRequest) -> bytes:
        encoding = request.headers.get("content-encoding", "")
        try:
            return decompress(request.body, encoding, self.max_body)
        except BodyTooLarge:
            raise Refusal(413, f"the body is larger than {self.max_body} bytes") from None
        except BadBody as error:
            raise Refusal(400, str(error)) from None
        except UnsupportedEncoding:
            known = ", ".join(STREAMS)
            raise Refusal(
                415,
                f"the content encoding must be none or one of {known}, not {encoding}",
                accept_encoding=known,
            ) from None

    def _store(self, signal: Signal, records: list[Any], batch: str) -> Accepted:
        """Store what is valid; the rest is rejected one by one, and the sender is told."""
        sifted = sift(signal, records)
        try:
            new = self._put(signal, sifted.valid, batch) if sifted.valid else 0
        except Unavailable as unavailable:
            self.trouble = str(unavailable)
            self.ledger.turned_away(NOT_STORED, sifted.items)
            raise Refusal(
                503, f"cannot store: {unavailable}", retry_after=str(RETRY_AFTER)
            ) from unavailable
        if sifted.valid:
            self.trouble = None
        self.ledger.created(sifted.items)
        self.ledger.rejected(sifted.rejected)
        self.ledger.stored(new)
        self.ledger.dropped(DUPLICATE, sifted.items - sifted.rejected - new)
        if not sifted.rejected:
            return Accepted()
        item = signal.item if sifted.rejected == 1 else f"{signal.item}s"
        return Accepted(sifted.rejected, f"{sifted.rejected} {item} rejected: {sifted.reason}")
