"""Bodies made smaller, and answers made large again, up to a limit.

    compress = compressor("gzip")       # bytes -> bytes, or None for "none"
    plain = inflate(body, "gzip", limit=4 * 1024 * 1024)

gzip is of level 1: half the time of the usual 6 for a little more size. The package `isal` does it several
times faster and is used where it is installed. zstd is better at both, but no receiver has to read it.

Specification: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ (compression)
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

igzip: Any = None
zstd: Any = None
with suppress(ImportError):
    from isal import igzip
with suppress(ImportError):
    from backports import zstd
with suppress(ImportError):
    from compression import zstd  # type: ignore[import-not-found, no-redef]

UNREADABLE: tuple[type[Exception], ...] = (zlib.error, zstd.ZstdError) if zstd else (zlib.error,)
LEVEL = 1
WINDOW = 23
"""Of how many bytes, as a power of two, a zstd answer may ask that they be kept."""


class TooLong(Exception):
    """What was compressed is larger than the limit."""


def compressor(name: str) -> Callable[[bytes], bytes] | None:
    """What compresses a body by the method `name`; None for `none`. Raises `ValueError`."""
    if name == "none":
        return None
    if name == "gzip":
        # Without a time, so that the same body is the same bytes.
        fast = igzip or gzip
        return lambda body: bytes(fast.compress(body, compresslevel=LEVEL, mtime=0))
    if name == "zstd":
        if zstd is None:
            raise ValueError("compression zstd needs the package backports.zstd")
        return lambda body: bytes(zstd.compress(body, LEVEL))
    raise ValueError(f"compression must be none, gzip or zstd, not {name!r}")


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The plain bytes of an answer, empty if they cannot be read. Raises `TooLong`."""
    try:
        if encoding == "gzip":
            stream: Any = zlib.decompressobj(wbits=31)
        elif encoding == "deflate":
            stream = zlib.decompressobj()
        elif encoding == "zstd" and zstd is not None:
            options = {zstd.DecompressionParameter.window_log_max: WINDOW}
            stream = zstd.ZstdDecompressor(options=options)
        else:
            return body if encoding in ("", "identity") else b""
        plain: bytes = stream.decompress(body, limit + 1)
    except UNREADABLE:
        return b""
    if len(plain) > limit:
        raise TooLong(f"larger than {limit} bytes")
    return plain
