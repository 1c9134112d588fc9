"""Decompression within bounds."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.receiver.limits import (
    MAX_MEMBERS,
    BadBody,
    BodyTooLarge,
    UnsupportedEncoding,
    decompress,
)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(0, 9))
def test_what_gzip_wrote_is_read(parts: list[bytes], level: int) -> None:
    """One member or several, any level: the body comes back, and its size is exactly the limit's."""
    plain = b"".join(parts)
    body = b"".join(gzip.compress(part, level) for part in parts)
    assert decompress(body, "gzip", limit=len(plain)) == plain
    if plain:
        with pytest.raises(BodyTooLarge):
            decompress(body, "GZip ", limit=len(plain) - 1)


@pytest.mark.spec("OTLP-1")
@pytest.mark.parametrize("encoding", ["", "identity", "none"])
def test_a_plain_body_is_itself(encoding: str) -> None:
    """Uncompressed requests are taken, up to the limit."""
    assert decompress(b"abc", encoding, limit=3) == b"abc"
    with pytest.raises(BodyTooLarge):
        decompress(b"abcd", encoding, limit=3)


@pytest.mark.spec("OTLP-16")
def test_a_bomb_costs_no_more_memory_than_the_limit() -> None:
    """A quarter of a gigabyte of zeros is given up as soon as the limit is passed."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    limit = 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            decompress(bomb, "gzip", limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * limit


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain",
        gzip.compress(b"abc")[:-1],
        gzip.compress(b"abc") + b"tail",
        zlib.compress(b"abc"),
    ],
)
def test_what_is_not_gzip_is_refused(body: bytes) -> None:
    """Empty, plain, truncated, with a tail, or compressed otherwise."""
    with pytest.raises(BadBody):
        decompress(body, "gzip", 100)


def test_members_are_counted() -> None:
    """A body of a million empty members would take hours to unpack."""
    member = gzip.compress(b"")
    assert decompress(member * MAX_MEMBERS, "gzip", 10) == b""
    with pytest.raises(BadBody, match="members"):
        decompress(member * (MAX_MEMBERS + 1), "gzip", 10)


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip"])
def test_other_encodings_are_refused(encoding: str) -> None:
    """Only gzip is sure to be understood by every server."""
    with pytest.raises(UnsupportedEncoding):
        decompress(b"abc", encoding, 100)
