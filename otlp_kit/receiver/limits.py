"""What a body may be: not too large, neither as it came nor after decompression.

Decompression stops at the limit, so that a small request which stands for gigabytes costs no more
memory than an honest one.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request (size limits, encodings)
"""

from __future__ import annotations

import zlib

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a request, before and after decompression: what the specification recommends."""

MAX_MEMBERS = 64
"""Parts of one gzip stream. Each costs a copy of the rest, which a sender must not multiply."""


class BodyTooLarge(Exception):
    """The body is larger than the limit."""


class BadBody(Exception):
    """The body is not what its headers say."""


class UnsupportedEncoding(Exception):
    """The body is compressed in a way that this receiver does not read."""


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """The plain body. `encoding` is the value of `Content-Encoding`: empty, `identity` or `gzip`.

    Raises `BodyTooLarge` when there is more than `limit` bytes of it, `BadBody`, or
    `UnsupportedEncoding`.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity", "none"):
        if len(body) > limit:
            raise BodyTooLarge
        return body
    if encoding != "gzip":
        raise UnsupportedEncoding
    plain = bytearray()
    rest = body
    for _ in range(MAX_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        try:
            plain += member.decompress(rest, limit - len(plain) + 1)
        except zlib.error as error:
            raise BadBody(f"the body is not gzip: {error}") from None
        if len(plain) > limit:
            raise BodyTooLarge
        if not member.eof:
            raise BadBody("the gzip body is truncated")
        rest = member.unused_data
        if not rest:
            return bytes(plain)
    raise BadBody(f"the gzip body has more than {MAX_MEMBERS} members")
