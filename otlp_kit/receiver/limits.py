"""What a body may be: not too large, neither as it came nor after decompression.

Decompression stops at the limit, so that a small request which stands for gigabytes costs no more
memory than an honest one. gzip and deflate are read with the standard library; zstd too where that
has it (Python 3.14), or with the package backports.zstd.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request (size limits, encodings)
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, Protocol


def _zstd_module() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        with suppress(ImportError):
            return import_module(name)
    return None


zstd = _zstd_module()

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a request, before and after decompression: what the specification recommends."""

MAX_MEMBERS = 64
"""Parts of one compressed stream. Each costs a copy of the rest, which a sender must not multiply."""

MAX_ZSTD_WINDOW = 26
"""Of how many bytes, as a power of two, a zstd stream may ask that they be kept: no more than
`MAX_BODY`."""


class BodyTooLarge(Exception):
    """The body is larger than the limit."""


class BadBody(Exception):
    """The body is not what its headers say."""


class UnsupportedEncoding(Exception):
    """The body is compressed in a way that this receiver does not read."""


class _Stream(Protocol):
    """What the decompressors of both libraries have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _zstd() -> _Stream:
    options = {zstd.DecompressionParameter.window_log_max: MAX_ZSTD_WINDOW}
    stream: _Stream = zstd.ZstdDecompressor(options=options)
    return stream


STREAMS: dict[str, Callable[[], _Stream]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "deflate": zlib.decompressobj,  # in HTTP the name of the zlib format
}
FAILURES: tuple[type[Exception], ...] = (zlib.error,)
if zstd:
    STREAMS["zstd"] = _zstd
    FAILURES += (zstd.ZstdError,)


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """The plain body. `encoding` is the value of `Content-Encoding`: empty, `identity`, or one of
    `STREAMS`.

    Raises `BodyTooLarge` when there is more than `limit` bytes of it, `BadBody`, or
    `UnsupportedEncoding`.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity", "none"):
        if len(body) > limit:
            raise BodyTooLarge
        return body
    if encoding not in STREAMS:
        raise UnsupportedEncoding
    plain = bytearray()
    rest = body
    for _ in range(MAX_MEMBERS):
        member = STREAMS[encoding]()
        try:
            plain += member.decompress(rest, limit - len(plain) + 1)
        except FAILURES as error:
            raise BadBody(f"the body is not {encoding}: {error}") from None
        if len(plain) > limit:
            raise BodyTooLarge
        if not member.eof:
            raise BadBody(f"the {encoding} body is truncated")
        rest = member.unused_data
        if not rest:
            return bytes(plain)
    raise BadBody(f"the {encoding} body has more than {MAX_MEMBERS} members")
