"""Decompression within bounds."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.receiver.limits import (
    MAX_MEMBERS,
    MAX_ZSTD_WINDOW,
    STREAMS,
    BadBody,
    BodyTooLarge,
    UnsupportedEncoding,
    decompress,
)

COMPRESS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}


def test_every_encoding_is_tested() -> None:
    """The table of the module and that of this file name the same."""
    assert set(STREAMS) == set(COMPRESS)


@pytest.mark.parametrize("encoding", COMPRESS)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(0, 9))
def test_what_a_library_wrote_is_read(encoding: str, parts: list[bytes], level: int) -> None:
    """One member or several, any level: the body comes back, and its size is exactly the limit's."""
    plain = b"".join(parts)
    body = b"".join(COMPRESS[encoding](part, level) for part in parts)
    assert decompress(body, encoding, limit=len(plain)) == plain
    if plain:
        with pytest.raises(BodyTooLarge):
            decompress(body, f"{encoding.title()} ", limit=len(plain) - 1)


@pytest.mark.spec("OTLP-1")
@pytest.mark.parametrize("encoding", ["", "identity", "none"])
def test_a_plain_body_is_itself(encoding: str) -> None:
    """Uncompressed requests are taken, up to the limit."""
    assert decompress(b"abc", encoding, limit=3) == b"abc"
    with pytest.raises(BodyTooLarge):
        decompress(b"abcd", encoding, limit=3)


@pytest.mark.spec("OTLP-16")
@pytest.mark.parametrize(
    ("encoding", "packer"),
    [
        ("gzip", zlib.compressobj(9, wbits=31)),
        ("deflate", zlib.compressobj(9)),
        ("zstd", zstd.ZstdCompressor(9)),
    ],
)
def test_a_bomb_costs_no_more_memory_than_the_limit(encoding: str, packer: Any) -> None:
    """A quarter of a gigabyte of zeros is given up as soon as the limit is passed."""
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    limit = 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            decompress(bomb, encoding, limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * limit


def test_a_zstd_stream_may_not_ask_for_a_large_window() -> None:
    """It would have the receiver keep gigabytes of a stream that never shows that many."""
    options = {zstd.CompressionParameter.window_log: MAX_ZSTD_WINDOW + 1}
    packer = zstd.ZstdCompressor(options=options)
    with pytest.raises(BadBody):
        decompress(packer.compress(b"a" * 10) + packer.flush(), "zstd", 100)


@pytest.mark.parametrize("encoding", COMPRESS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain",
        gzip.compress(b"abc", mtime=0)[:-1],
        zlib.compress(b"abc")[:-1],
        zstd.compress(b"abc")[:-1],
        gzip.compress(b"abc", mtime=0) + b"tail",
        zlib.compress(b"abc") + b"tail",
        zstd.compress(b"abc") + b"tail",
    ],
)
def test_what_is_not_so_compressed_is_refused(body: bytes, encoding: str) -> None:
    """Empty, plain, truncated, with a tail, or compressed otherwise."""
    with pytest.raises(BadBody):
        decompress(body, encoding, 100)


@pytest.mark.parametrize("encoding", COMPRESS)
def test_members_are_counted(encoding: str) -> None:
    """A body of a million empty members would take hours to unpack."""
    member = COMPRESS[encoding](b"", 1)
    assert decompress(member * MAX_MEMBERS, encoding, 10) == b""
    with pytest.raises(BadBody, match="members"):
        decompress(member * (MAX_MEMBERS + 1), encoding, 10)


@pytest.mark.parametrize("encoding", ["br", "lz4", "gzip, gzip"])
def test_other_encodings_are_refused(encoding: str) -> None:
    """What is not in the table is not guessed at."""
    with pytest.raises(UnsupportedEncoding):
        decompress(b"abc", encoding, 100)
