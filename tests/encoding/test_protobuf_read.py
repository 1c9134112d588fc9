"""The reader against official protobuf, on every field that the official descriptors know."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from google.protobuf.message import DecodeError as OfficialDecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.encoding.protobuf_common import sized, varint
from otlp_kit.encoding.protobuf_read import MAX_PARTS, DecodeError, Level, TooManyParts, fields
from otlp_kit.encoding.protobuf_read_logs import decode_logs
from otlp_kit.encoding.protobuf_read_metrics import decode_metrics
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span
from tests.encoding.official import from_request

odd_numbers = st.sampled_from([0, 1, 127, 128, 2**31, 2**32 + 1, 2**63, 2**64 - 1])
odd_bytes = st.sampled_from([b"", b"a", "é".encode(), b"\xff", b"\xed\xa0\x80", b"\x0a\x00"])


@st.composite
def messages(draw: st.DrawFn, descriptor: Any, levels: int = 9) -> bytes:
    """A message with right lengths: known fields mostly as described, some as something else."""
    body = b""
    for _ in range(draw(st.integers(0, 3))):
        known = draw(st.sampled_from([*descriptor.fields, None]))
        number = known.number if known else draw(st.integers(1, 2000))
        # The descriptor tells a nested message by its type; all others may take any wire type.
        if known and known.message_type and levels and draw(st.integers(0, 9)):
            body += sized(varint(number << 3 | 2), draw(messages(known.message_type, levels - 1)))
            continue
        wire = draw(st.sampled_from([0, 0, 2, 2, 2, 1, 5, 3]))
        tag = varint(number << 3 | wire)
        if wire == 0:
            body += tag + varint(draw(odd_numbers))
        elif wire == 2:
            body += sized(tag, draw(odd_bytes))
        elif wire == 3:
            body += tag + draw(messages(descriptor, 0)) + varint(number << 3 | 4)
        else:
            body += tag + bytes(8 if wire == 1 else 4)
    return body


@pytest.mark.slow
@settings(max_examples=2000)
@given(messages(ExportTraceServiceRequest.DESCRIPTOR))
def test_the_reader_agrees_on_every_field_of_the_descriptors(body: bytes) -> None:
    """Also on messages that records do not keep: a malformed one spoils the request."""
    try:
        official = from_request(ExportTraceServiceRequest.FromString(body))
    except OfficialDecodeError:
        with pytest.raises(DecodeError):
            decode_spans(body)
    else:
        assert repr(decode_spans(body)) == repr(official)


def test_a_flood_of_tiny_unknown_fields_costs_no_more_than_a_few_copies() -> None:
    """Memory is bounded by the input: fields are walked one at a time, never listed."""
    field = varint(1000 << 3) + b"\x01"
    body = sized(b"\x0a", sized(b"\x12", sized(b"\x12", field * 50_000)))
    tracemalloc.start()
    try:
        assert len(decode_spans(body)) == 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(body)


def test_a_field_cut_short_is_never_handed_out() -> None:
    """Whoever walks the fields may rely on the width of what it gets."""
    walk = fields(b"\x08\x05\x21\x00\x00", Level())
    assert next(walk) == (0x08, 5)
    with pytest.raises(DecodeError):
        next(walk)


FEW = MAX_PARTS // 5
EVENT = sized(b"\x0a", sized(b"\x12", sized(b"\x12", b"\x5a\x00" * MAX_PARTS)))
FLOODS = {
    "records": (decode_spans, sized(b"\x0a", sized(b"\x12", b"\x12\x00" * (FEW + 1)))),
    "groups": (decode_spans, sized(b"\x0a", b"\x12\x00" * (FEW + 1))),
    "events": (decode_spans, EVENT),
    "items of a list": (
        decode_logs,
        sized(b"\x0a", sized(b"\x12", sized(b"\x12", sized(b"\x2a", sized(b"\x2a", b"\x0a\x00" * MAX_PARTS))))),
    ),
    "points": (
        decode_metrics,
        sized(b"\x0a", sized(b"\x12", sized(b"\x12", sized(b"\x52", b"\x0a\x00" * FEW)))),
    ),
    "packed numbers": (
        decode_metrics,
        sized(b"\x0a", sized(b"\x12", sized(b"\x12", sized(b"\x52", sized(b"\x0a", sized(b"\x42", sized(b"\x12", bytes(4 * MAX_PARTS)))))))),
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_tiny_parts_is_refused_before_it_fills_memory(flood: str) -> None:
    """Whatever the parts are: what is read until then takes no more than the module says."""
    decode, body = FLOODS[flood]
    tracemalloc.start()
    try:
        with pytest.raises(TooManyParts):
            decode(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 300_000_000


def test_a_large_honest_request_is_read() -> None:
    """Ten thousand spans of ten attributes are far from the limit."""
    attributes = {f"attribute.{number}": f"value {number}" for number in range(10)}
    spans = [Span("GET /", b"t" * 16, b"s" * 8, attributes=attributes) for _ in range(10_000)]
    assert len(decode_spans(encode_spans(spans))) == 10_000
