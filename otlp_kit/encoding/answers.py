"""What an OTLP server answers, in both directions: success, partial success, and `Status`.

A success is an `Export<Signal>ServiceResponse`, the same on the wire for the three signals; every
failure over HTTP carries a `google.rpc.Status`. `read_http_answer` is the client's side: it turns
an answer into `Accepted`, or raises what tells the caller what to do next.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from otlp_kit.encoding.protobuf_common import sized, utf8, varint
from otlp_kit.encoding.protobuf_read import DecodeError, Level, fields, int32, int64, text
from otlp_kit.wire import JSON, PROTOBUF, Accepted, Refused, Unavailable

RETRYABLE = frozenset({429, 502, 503, 504})
"""The HTTP statuses that allow sending the same request again; no other does."""
TOO_LARGE = 413


def encode_success(accepted: Accepted) -> bytes:
    """The response message: empty on full success, where `partial_success` must be left unset."""
    if not accepted.rejected and not accepted.message:
        return b""
    inner = b"\x08" + varint(accepted.rejected) if accepted.rejected else b""
    if accepted.message:
        inner += sized(b"\x12", utf8(accepted.message))
    return sized(b"\x0a", inner)


def decode_success(body: bytes) -> Accepted:
    """What a response message says. Raises `DecodeError`."""
    rejected, message = 0, ""
    for tag, raw in fields(body, Level()):
        if tag == 0x0A:
            for inner, value in fields(raw, Level().below):
                if inner == 0x08:
                    rejected = int64(value)
                elif inner == 0x12:
                    message = text(value)
    return Accepted(rejected, message)


def encode_status(message: str, code: int = 0, details: Iterable[bytes] = ()) -> bytes:
    """A `google.rpc.Status`; over HTTP the code may be left out, and clients must not act on it.

    `details` are messages such as `bad_request` and `retry_info` make.
    """
    body = b"\x08" + varint(code) if code else b""
    body += sized(b"\x12", utf8(message)) if message else b""
    return body + b"".join(sized(b"\x1a", detail) for detail in details)


def bad_request(description: str) -> bytes:
    """The detail that says what is wrong with a request: it would fail again."""
    violation = sized(b"\x12", utf8(description))
    return _detail("BadRequest", sized(b"\x0a", violation))


def retry_info(seconds: int) -> bytes:
    """The detail that asks to come again after `seconds`."""
    return _detail("RetryInfo", sized(b"\x0a", b"\x08" + varint(seconds)))


def _detail(name: str, body: bytes) -> bytes:
    """An `Any` that holds a message of the package google.rpc."""
    return sized(b"\x0a", f"type.googleapis.com/google.rpc.{name}".encode()) + sized(b"\x12", body)


def decode_status(body: bytes) -> tuple[int, str]:
    """(code, message) of a `google.rpc.Status`; its details are skipped. Raises `DecodeError`."""
    code, message = 0, ""
    for tag, raw in fields(body, Level()):
        if tag == 0x08:
            code = int32(raw)
        elif tag == 0x12:
            message = text(raw)
    return code, message


def retry_delay(status: bytes) -> float | None:
    """How many seconds a `google.rpc.Status` asks to wait in a `RetryInfo` among its details.

    None if it has none, asks for no time at all, or cannot be read: then it is the client's to choose.
    """
    level, delay = Level(), 0.0
    try:
        for tag, detail in fields(status, level):
            if tag != 0x1A:
                continue
            parts = dict(fields(detail, level))
            if text(parts.get(0x0A, b"")).rpartition("/")[2] == "google.rpc.RetryInfo":
                info = dict(fields(parts.get(0x12, b""), level))
                duration = dict(fields(info.get(0x0A, b""), level))
                delay = int64(duration.get(0x08, 0)) + int32(duration.get(0x10, 0)) / 1e9
    except (DecodeError, TypeError):
        return None
    return delay if delay > 0 else None


def decode_json_success(body: bytes) -> Accepted:
    """What a response message in JSON says. Raises `DecodeError`."""
    partial = _json_object(body).get("partialSuccess")
    if not isinstance(partial, dict):
        return Accepted()
    rejected = next((n for key, n in partial.items() if key.startswith("rejected")), 0)
    message = partial.get("errorMessage")
    try:
        return Accepted(int(rejected), message if isinstance(message, str) else "")
    except (TypeError, ValueError, OverflowError):
        raise DecodeError("the number of rejected items is none") from None


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"this is no JSON: {type(error).__name__}") from None
    if not isinstance(plain, dict):
        raise DecodeError("this is no JSON object")
    return plain


def _json_status(body: bytes) -> str:
    message = _json_object(body).get("message")
    return message if isinstance(message, str) else ""


def _protobuf_status(body: bytes) -> str:
    return decode_status(body)[1]


READERS = {PROTOBUF: (decode_success, _protobuf_status), JSON: (decode_json_success, _json_status)}
"""How an answer of a content type is read: that of a success, and the message of a failure."""


def read_http_answer(
    status: int, headers: Mapping[str, str], body: bytes, now_unix: float
) -> Accepted:
    """The meaning of an HTTP answer to an export request.

    `headers` has lower-case keys; `now_unix` is the wall clock in seconds, to which a date in
    `Retry-After` is relative. Raises `Unavailable` for the retryable statuses and `Refused` for
    every other one outside 2xx: a redirect is not a success.
    """
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    success, failure = READERS.get(content_type, (None, None))
    if 200 <= status < 300:
        try:
            return success(body) if success and body else Accepted()
        except DecodeError:
            # The status is the acknowledgement; a body that cannot be read takes nothing back.
            return Accepted()
    reason = f"HTTP {status}"
    if failure and body:
        try:
            message = failure(body)
            reason += f": {message}" if message else ""
        except DecodeError:
            reason += " with an unreadable body"
    if status in RETRYABLE:
        wait = retry_after_seconds(headers.get("retry-after", ""), now_unix)
        raise Unavailable(reason, retry_after=wait)
    raise Refused(reason, too_large=status == TOO_LARGE)


def retry_after_seconds(value: str, now_unix: float) -> float | None:
    """`Retry-After` as seconds to wait: a number or an HTTP date; None if it is neither.

    https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    """
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:  # the oldest of the three forms names no zone: it means UTC
            date = date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - now_unix)
    except (TypeError, ValueError, OverflowError):
        return None
