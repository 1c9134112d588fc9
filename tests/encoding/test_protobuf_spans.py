"""The codec of spans, held against the official protobuf library."""

from __future__ import annotations

import math
import random
import sys

import pytest
from google.protobuf.message import DecodeError as OfficialDecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.encoding.protobuf_common import MAX_FRAMES, sized
from otlp_kit.encoding.protobuf_read import DecodeError
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.encoding.protobuf_spans import SPAN_ATTRIBUTES, encode_spans
from otlp_kit.model import Resource, Scope, Span
from tests.encoding.official import from_request, to_request
from tests.encoding.strategies import span_batches


@given(span_batches(), st.randoms())
def test_the_writer_equals_official_protobuf(spans: list[Span], order: random.Random) -> None:
    """Byte for byte what the official library writes for the same content, in any order."""
    order.shuffle(spans)
    assert encode_spans(spans) == to_request(spans).SerializeToString(deterministic=True)


@given(span_batches())
def test_the_reader_undoes_the_writer(spans: list[Span]) -> None:
    """Everything comes back, in order, unless two groups were equal and became one."""
    again = decode_spans(encode_spans(spans))
    assert sorted(map(repr, again)) == sorted(map(repr, spans))
    assert decode_spans(encode_spans(again)) == again


@given(span_batches())
def test_official_protobuf_reads_what_the_writer_wrote(spans: list[Span]) -> None:
    """The content, not only the bytes, is what was given."""
    request = ExportTraceServiceRequest.FromString(encode_spans(spans))
    assert sorted(map(repr, from_request(request))) == sorted(map(repr, spans))


def agree(body: bytes) -> None:
    """This reader and the official one see the same spans, or both refuse."""
    try:
        official = from_request(ExportTraceServiceRequest.FromString(body))
    except OfficialDecodeError:
        with pytest.raises(DecodeError):
            decode_spans(body)
    else:
        assert repr(decode_spans(body)) == repr(official)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The bytes of a request after a few small accidents."""
    body = bytearray(encode_spans(draw(span_batches())))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        cut = draw(st.integers(0, 3))
        piece = draw(
            st.binary(max_size=3)
            | st.sampled_from(
                [b"\x0a\x00", b"\x12\x02\x0a\x00", b"\x0b\x0c", b"\xff" * 9 + b"\x01"]
            )
        )
        body[at : at + cut] = piece
    return bytes(body)


@pytest.mark.slow
@settings(max_examples=400)
@given(mutated())
def test_the_reader_agrees_with_official_protobuf_on_mutated_bytes(body: bytes) -> None:
    """Flipped, cut, inserted: the same message, or both refuse."""
    agree(body)


@settings(max_examples=400)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 7), st.binary(max_size=6)), max_size=5)
)
def test_the_reader_agrees_on_arbitrary_fields_of_a_span(
    parts: list[tuple[int, int, bytes]],
) -> None:
    """Any field number with any wire type and any content, in the place of a span's fields."""
    span = b"".join(
        bytes(((number << 3 | wire) & 0x7F,)) + (bytes((len(raw),)) + raw if wire == 2 else raw)
        for number, wire, raw in parts
    )
    agree(sized(b"\x0a", sized(b"\x12", sized(b"\x12", span))))


def in_span(field: bytes) -> bytes:
    return sized(b"\x0a", sized(b"\x12", sized(b"\x12", field)))


def nested(levels: int) -> bytes:
    value = b""
    for _ in range(levels):
        value = sized(b"\x2a", sized(b"\x0a", value))
    return in_span(sized(b"\x4a", b"\x0a\x01k" + sized(b"\x12", value)))


CORNERS = {
    "varint of ten bytes": in_span(b"\x30" + b"\xff" * 9 + b"\x01"),
    "varint beyond 64 bits": in_span(b"\x30" + b"\xff" * 9 + b"\x7f"),
    "varint of eleven bytes": in_span(b"\x30" + b"\xff" * 10 + b"\x01"),
    "overlong varint": in_span(b"\x30\x81\x80\x80\x00"),
    "tag of five bytes": in_span(b"\xb0\x80\x80\x80\x00\x01"),
    "tag of six bytes": in_span(b"\xb0\x80\x80\x80\x80\x00\x01"),
    "tag beyond 32 bits": in_span(b"\xb0\x80\x80\x80\x10\x01"),
    "field number 0": in_span(b"\x00\x01"),
    "length of six bytes": in_span(b"\x2a\x81\x80\x80\x80\x80\x00a"),
    "length beyond the message": in_span(b"\x2a\x05a"),
    "empty group": in_span(b"\x33\x34"),
    "group that does not end": in_span(b"\x33"),
    "group closed by another": in_span(b"\x33\x3c"),
    "groups 100 deep": b"\x33" * 100 + b"\x34" * 100,
    "groups 101 deep": b"\x33" * 101 + b"\x34" * 101,
    "wire type 6": in_span(b"\x36"),
    "invalid UTF-8 in a text": in_span(b"\x2a\x01\xff"),
    "a text with a surrogate": in_span(b"\x2a\x03\xed\xa0\x80"),
    "arrays 47 deep": nested(47),
    "arrays 48 deep": nested(48),
    "arrays 4000 deep": nested(4000),
    "two statuses": in_span(b"\x7a\x02\x18\x02\x7a\x03\x12\x01x"),
    "two values of one attribute": in_span(
        sized(b"\x4a", sized(b"\x12", b"\x10\x01") + sized(b"\x12", b"\x0a\x01a"))
    ),
    "an array in two parts": in_span(
        sized(b"\x4a", sized(b"\x12", b"\x2a\x04\x0a\x02\x10\x01\x2a\x04\x0a\x02\x10\x00"))
    ),
    "an attribute twice": in_span(
        b"\x4a\x07\x0a\x01k\x12\x02\x10\x01\x4a\x07\x0a\x01k\x12\x02\x10\x00"
    ),
    "an index into a string table": in_span(sized(b"\x4a", b"\x0a\x01k\x12\x02\x40\x07")),
    "two resources in one group": sized(
        b"\x0a", b"\x0a\x02\x10\x01\x0a\x02\x10\x02" + sized(b"\x12", sized(b"\x12", b"\x2a\x01a"))
    ),
    "a resource after its spans": sized(
        b"\x0a", sized(b"\x12", sized(b"\x12", b"\x2a\x01a")) + b"\x0a\x02\x10\x05"
    ),
    "an entity reference": sized(b"\x0a", sized(b"\x0a", b"\x1a\x03\x12\x01h")),
    "a truncated entity reference": sized(b"\x0a", sized(b"\x0a", b"\x1a\x01\x0f")),
    "an entity reference that is not UTF-8": sized(
        b"\x0a", sized(b"\x0a", b"\x1a\x03\x12\x01\xff")
    ),
    "a double cut short": in_span(sized(b"\x4a", sized(b"\x12", b"\x21\x00"))),
    "nothing": b"",
    "an empty group of each level": b"\x0a\x02\x12\x00",
}


@pytest.mark.parametrize("body", CORNERS.values(), ids=CORNERS)
def test_the_reader_agrees_in_the_corners(body: bytes) -> None:
    """The places where hand-written readers differ from the official one."""
    agree(body)


@pytest.mark.spec("OTLP-88")
def test_a_value_that_cannot_be_encoded_does_not_cost_the_batch() -> None:
    """Surrogates, huge integers, cycles, great depth and foreign objects are replaced."""
    loop: list[object] = ["in", "out"]
    loop += [loop, loop]
    deep_list: object = "bottom"
    deep_map: object = "bottom"
    for _ in range(sys.getrecursionlimit() * 2):
        deep_list, deep_map = [deep_list], {"k": deep_map}
    span = Span(
        name="broken \ud800 name",
        attributes={
            "surrogate": "a\udfffb",
            "key \ud800": 1,
            "huge": 2**70,
            "nested": [2**64, "\ud800"],
            "loop": loop,
            "deep list": deep_list,  # type: ignore[dict-item]
            "deep map": deep_map,  # type: ignore[dict-item]
            "object": complex(1, 2),  # type: ignore[dict-item]
        },
    )
    [read] = from_request(ExportTraceServiceRequest.FromString(encode_spans([span])))
    assert read.name == "broken \ufffd name"
    assert read.attributes["surrogate"] == "a\ufffdb"
    assert read.attributes["key \\ud800"] == 1
    assert read.attributes["huge"] == str(2**70)
    assert read.attributes["nested"] == [str(2**64), "\ufffd"]
    assert read.attributes["loop"] == ["in", "out", None, None]
    assert read.attributes["object"] == "(1+2j)"


def test_nan_and_infinities_pass() -> None:
    """Doubles are bits: all of them are carried."""
    span = Span(attributes={"nan": math.nan, "inf": math.inf, "zero": -0.0})
    [read] = decode_spans(encode_spans([span]))
    assert math.isnan(read.attributes["nan"])  # type: ignore[arg-type]
    assert read.attributes["inf"] == math.inf
    assert math.copysign(1, read.attributes["zero"]) == -1  # type: ignore[arg-type]


def test_equal_values_of_different_types_stay_what_they_are() -> None:
    """1, 1.0 and True are equal to Python and different on the wire."""
    spans = [Span(attributes={"k": value}) for value in (1, True, 1.0, 0, False, 0.0)]
    kinds = [type(span.attributes["k"]) for span in decode_spans(encode_spans(spans))]
    assert kinds == [int, bool, float, int, bool, float]


def test_equal_groups_are_merged() -> None:
    """Two resource objects with the same content make one group on the wire."""
    spans = [
        Span(name=name, resource=Resource({"service.name": service}), scope=Scope("lib"))
        for name, service in (("a", "x"), ("b", "y"), ("c", "x"))
    ]
    request = ExportTraceServiceRequest.FromString(encode_spans(spans))
    assert [[s.name for s in group.scope_spans[0].spans] for group in request.resource_spans] == [
        ["a", "c"],
        ["b"],
    ]


def test_the_table_of_frames_is_bounded() -> None:
    """Attribute keys that never repeat cannot fill the memory."""
    for start in range(0, 3 * MAX_FRAMES, 1000):
        encode_spans([Span(attributes={f"key {start + i}": i for i in range(1000)})])
    assert len(SPAN_ATTRIBUTES) <= MAX_FRAMES


@given(st.binary(max_size=60))
def test_random_bytes_raise_nothing_but_a_decode_error(body: bytes) -> None:
    """A reader on an open port meets anything."""
    agree(body)
