"""What an OTLP server answers, in both directions: success, partial success, and `Status`.

A success is an `Export<Signal>ServiceResponse`, the same on the wire for the three signals; every
failure over HTTP carries a `google.rpc.Status`. `read_http_answer` is the client's side: it turns
an answer into `Accepted`, or raises what tells the caller what to do next. `retry_delay` reads what
a gRPC server asks for.

A client believes no answer more than it must: what cannot be read says nothing, and the status
alone counts.

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
REJECTED = ("rejectedSpans", "rejectedLogRecords", "rejectedDataPoints")
"""The three names that JSON has for what is one field number on the wire."""
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


def retry_delay(status: bytes) -> float | None:
    """The seconds to wait that a `RetryInfo` in a serialized `google.rpc.Status` asks for.

    `status` is what a gRPC server sends as `grpc-status-details-bin`. None if no wait is asked for:
    there is no `RetryInfo`, its delay is not positive (then one's own backoff holds), or the bytes
    cannot be read. Raises nothing.
    """
    return max(_retry_delays(status), default=0.0) or None


def has_retry_info(status: bytes) -> bool:
    """Whether a serialized `google.rpc.Status` has a `RetryInfo`, be its delay 0: that the server
    can recover, which RESOURCE_EXHAUSTED alone does not say. Raises nothing."""
    return bool(_retry_delays(status))


def _retry_delays(status: bytes) -> list[float]:
    """The delay of each `RetryInfo`, in seconds and never negative."""
    found = []
    try:
        for tag, detail in fields(status, Level()):
            if tag == 0x1A:
                members = dict(fields(detail, Level()))
                if bytes(members.get(0x0A, b"")).endswith(b"/google.rpc.RetryInfo"):
                    found.append(_duration(members.get(0x12, b"")))
    except DecodeError:
        return []
    return found


def _duration(retry_info: bytes) -> float:
    seconds, nanos = 0, 0
    for tag, duration in fields(retry_info, Level()):
        if tag == 0x0A:
            for inner, value in fields(duration, Level()):
                if inner == 0x08:
                    seconds = int64(value)
                elif inner == 0x10:
                    nanos = int32(value)
    return max(0.0, seconds + nanos / 1e9)


def decode_json_success(body: bytes) -> Accepted:
    """What a response message in JSON says. Raises `DecodeError`."""
    partial = _member(_object(body), "partialSuccess", dict, {})
    rejected = next((partial[name] for name in REJECTED if partial.get(name) is not None), 0)
    try:
        if isinstance(rejected, float | bool):
            raise ValueError
        return Accepted(int(rejected), _text(partial, "errorMessage"))
    except (TypeError, ValueError):
        raise DecodeError("the number of rejected items must be an integer") from None


def decode_json_status(body: bytes) -> str:
    """The message of a `google.rpc.Status` in JSON. Raises `DecodeError`."""
    return _text(_object(body), "message")


def _object(body: bytes) -> dict[str, Any]:
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError):
        raise DecodeError("the body is not JSON") from None
    if not isinstance(plain, dict):
        raise DecodeError("the body is not a JSON object")
    return plain


def _member(plain: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    """A member of an object; null is absent."""
    value = plain.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise DecodeError(f"{name} must be a {kind.__name__}")
    return value


def _text(plain: dict[str, Any], name: str) -> str:
    # JSON can escape half of a surrogate pair, which no log could write.
    text: str = _member(plain, name, str, "")
    return text.encode("utf-8", "replace").decode()


def read_http_answer(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    now_unix: float,
    content_type: str = PROTOBUF,
) -> Accepted:
    """The meaning of an HTTP answer to an export request.

    `headers` has lower-case keys; `now_unix` is the wall clock in seconds, to which a date in
    `Retry-After` is relative; `content_type` is the request's, and a body of another type is not
    parsed. Raises `Unavailable` for the retryable statuses and `Refused` for every other one outside
    2xx: a redirect is not a success.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    readable = kind == content_type and kind in (PROTOBUF, JSON)
    if 200 <= status < 300:
        try:
            if readable and body:
                return decode_json_success(body) if kind == JSON else decode_success(body)
        except DecodeError:
            pass  # the status is the acknowledgement; such a body takes nothing back
        return Accepted()
    reason = f"HTTP {status}"
    if readable and body:
        try:
            message = decode_json_status(body) if kind == JSON else decode_status(body)[1]
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
