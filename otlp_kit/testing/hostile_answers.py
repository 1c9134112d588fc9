"""What a hostile server answers: bytes in pieces, with pauses, and an end that may be a bad one.

    failure(503, "busy", retry_after=2)     an answer as the specification wants it
    cut(success(), at=20)                   the connection closes in the middle of the headers
    dripping(success(), pause=0.2)          a byte now and then
    silent()                                nothing at all, and the connection stays open

An `Answer` is plain data that knows no socket: `hostile_server` plays it.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from http.client import responses
from itertools import islice
from typing import Literal

from otlp_kit.encoding.answers import encode_status, encode_success
from otlp_kit.encoding.otlp_json import encode_json_success
from otlp_kit.wire import JSON, PROTOBUF, TRACES, Accepted, Signal

PIECE = 65_536
"""Bytes of one piece of a body that is made as it is sent."""

End = Literal["keep", "close", "reset", "hold"]
"""What becomes of the connection: the next request may come, it is closed, it is reset (the client
sees an error instead of an end), or nothing more happens until the client goes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets. `pieces` makes the bytes anew each time that the answer is played."""

    pieces: Callable[[], Iterable[bytes]]
    delay: float = 0.0
    """Seconds before the first piece."""
    pause: float = 0.0
    """Seconds before each further one."""
    end: End = "keep"


def answer(
    status: int = 200,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str | None = PROTOBUF,
) -> Answer:
    """A whole answer of any status. `content_type` None leaves the header out."""
    return Answer(partial(_whole, _head(status, headers, content_type, len(body)), body))


def success(
    rejected: int = 0, message: str = "", *, content_type: str = PROTOBUF, signal: Signal = TRACES
) -> Answer:
    """200 and the response message: a partial success if something is `rejected` or said."""
    accepted = Accepted(rejected, message)
    if content_type == JSON:
        return answer(200, encode_json_success(signal, accepted), content_type=JSON)
    return answer(200, encode_success(accepted), content_type=content_type)


def failure(
    status: int,
    message: str = "",
    *,
    retry_after: str | int | None = None,
    code: int = 0,
    content_type: str = PROTOBUF,
) -> Answer:
    """A failure with a `google.rpc.Status`. `retry_after` is written as it is: a number of seconds,
    a date, or nonsense; `code` is one that clients must not act on."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if content_type == JSON:
        status_object = {"message": message, "code": code} if code else {"message": message}
        return answer(status, json.dumps(status_object).encode(), headers, content_type=JSON)
    return answer(status, encode_status(message, code), headers, content_type=content_type)


def redirect(status: int = 307, location: str | None = None) -> Answer:
    """A redirect to `location`, or one that does not say where to."""
    return answer(status, headers={"Location": location} if location else {}, content_type=None)


def closed() -> Answer:
    """The connection is closed without a byte."""
    return Answer(tuple, end="close")


def reset() -> Answer:
    """The connection is reset without a byte."""
    return Answer(tuple, end="reset")


def silent() -> Answer:
    """The request is taken and never answered."""
    return Answer(tuple, end="hold")


def cut(whole: Answer, at: int, end: End = "close") -> Answer:
    """The first `at` bytes of an answer, or all but the last ones if `at` is negative, and an end."""
    kept = b"".join(whole.pieces())[:at]
    return replace(whole, pieces=lambda: (kept,), end=end)


def dripping(whole: Answer, pause: float) -> Answer:
    """An answer of which one byte comes every `pause` seconds."""
    data = b"".join(whole.pieces())
    return replace(whole, pieces=lambda: (data[i : i + 1] for i in range(len(data))), pause=pause)


def endless(
    most: int, *, status: int = 200, content_type: str = PROTOBUF, pause: float = 0.0
) -> Answer:
    """A body that names no length and goes on to `most` bytes, for a reader that has a limit."""

    def pieces() -> Iterator[bytes]:
        yield _head(status, {"Connection": "close"}, content_type, None)
        # A well-formed message, as far as anybody reads: field 15, of type bytes, again and again.
        piece = b"\x7a\xfc\xff\x03" + bytes(PIECE - 4)
        yield from islice(iter(lambda: piece, b""), most // PIECE)

    return Answer(pieces, pause=pause, end="close")


def bomb(size: int, *, status: int = 200, content_type: str = PROTOBUF) -> Answer:
    """A small gzip body that inflates to `size` bytes."""
    return answer(status, _zeros(size), {"Content-Encoding": "gzip"}, content_type=content_type)


@cache
def _zeros(size: int) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(PIECE)
    packed = [deflater.compress(piece) for _ in range(size // PIECE)]
    return b"".join([*packed, deflater.flush()])


def _whole(head: bytes, body: bytes) -> Iterator[bytes]:
    yield head + body[:PIECE]
    for at in range(PIECE, len(body), PIECE):
        yield body[at : at + PIECE]


def _head(
    status: int, headers: Mapping[str, str] | None, content_type: str | None, length: int | None
) -> bytes:
    lines = [f"HTTP/1.1 {status} {responses.get(status, '')}"]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    # Neither status has a body, whatever the header says: clients would wait for one or not.
    if length is not None and status not in (204, 304):
        lines.append(f"Content-Length: {length}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
