"""Each wrong answer to an exercise on bytes is refused for its own reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.encoding.protobuf_common import varint as right_varint
from otlp_kit.lab.exercises_bytes import broken_request, fix_byte, varint


def seven_bits(number: int, first: int = 1) -> list[int]:
    """The groups of seven bits, lowest first; at least `first` of them."""
    groups = []
    while number or len(groups) < first:
        groups.append(number & 127)
        number >>= 7
    return groups


def marked(groups: list[int]) -> bytes:
    return bytes([*(group | 128 for group in groups[:-1]), *groups[-1:]])


@pytest.mark.parametrize("answer", [right_varint, _VarintBytes, lambda n: marked(seven_bits(n))])
def test_a_right_varint_passes(answer: Callable[[int], bytes]) -> None:
    """The kit's own, the official library's, and one that a reader would write."""
    assert varint(answer).passed


@pytest.mark.parametrize(
    ("answer", "difference"),
    [
        (lambda n: bytes([n]), "varint(128) gave 80: the high bit of the last byte"),
        (
            lambda n: bytes([n]) if n < 128 else bytes([n | 128, n >> 7]),
            "varint(300) raised ValueError",
        ),
        (lambda n: bytes([n & 127]), "varint(128) gave 00: a reader takes that for 0"),
        (lambda n: n, "varint(1) gave no bytes"),
        (lambda n: n.to_bytes(max(1, -(-n.bit_length() // 8)), "little"), "another follows"),
        (lambda n: bytes(g | 128 for g in seven_bits(n)), "varint(1) gave 81: the high bit"),
        (lambda n: bytes(seven_bits(n)), "varint(128) gave 00 01: a reader stops after 1"),
        (lambda n: marked(seven_bits(n)[::-1]), "varint(128) gave 81 00: a reader takes that for 1"),
        (lambda n: marked(seven_bits(n, first=0)), "varint(0) gave no byte at all"),
        (lambda n: marked([*seven_bits(n), 0]), "the last byte adds nothing"),
        (lambda n: marked([*seven_bits(n), *[0] * 10]), "at most ten bytes"),
    ],
)  # fmt: skip
def test_a_wrong_varint_is_refused_for_its_own_reason(
    answer: Callable[[int], bytes], difference: str
) -> None:
    """The first difference names what is wrong, and there is a hint with it."""
    verdict = varint(answer)
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint


def repaired(at: int = 0, value: int | None = None) -> bytes:
    """The broken request with the wrong tag set to `value`, or with another byte changed."""
    body = bytearray(broken_request())
    body[at or tag_at()] = 0x39 if value is None else value
    return bytes(body)


def tag_at() -> int:
    """Where the tag of the start time stands: behind the kind, which is the bytes 30 02."""
    return broken_request().index(b"GET /basket\x30\x02") + len("GET /basket") + 2


def test_the_repaired_byte_passes() -> None:
    """One byte, and the official library reads the span that was sent."""
    assert fix_byte(repaired()).passed
    request = ExportTraceServiceRequest.FromString(repaired())
    span = request.resource_spans[0].scope_spans[0].spans[0]
    assert span.end_time_unix_nano - span.start_time_unix_nano == 45_000_000


@pytest.mark.parametrize(
    ("answer", "difference"),
    [
        (broken_request(), "nothing is changed. byte"),
        (repaired()[:-1], "bytes, not"),
        (repaired(1), "a receiver still refuses it"),
        (repaired()[:-1] + b"\x01", "2 bytes are changed"),
        (repaired(value=0x49), "start_unix_nano is not what was sent"),
        (repaired(value=0x41), "start_unix_nano is not what was sent"),
        (repaired(value=0x3D), "a receiver still refuses it"),
    ],
)
def test_a_wrong_repair_is_refused_for_its_own_reason(answer: bytes, difference: str) -> None:
    """Length, number of changes, refusal by a receiver, another span."""
    verdict = fix_byte(answer)
    assert not verdict.passed
    assert difference in verdict.difference
    assert "39" not in repr(verdict)
