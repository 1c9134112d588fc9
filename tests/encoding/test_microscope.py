"""The microscope, held against the official descriptors and the official reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.message import DecodeError as OfficialDecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.encoding.microscope import CANNOT_BE_READ, Piece, examine
from otlp_kit.encoding.otlp_schema import ENUMS, FILES, MESSAGES, REQUESTS, WIRE_TYPES
from otlp_kit.encoding.protobuf_common import sized
from otlp_kit.encoding.protobuf_logs import encode_logs
from otlp_kit.encoding.protobuf_metrics import encode_metrics
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Resource, Span
from otlp_kit.views.microscope import Microscope, render
from tests.encoding.strategies import log_batches, metric_batches, span_batches

OFFICIAL: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
ENCODE: dict[str, Callable[[Any], bytes]] = {
    "traces": encode_spans,
    "logs": encode_logs,
    "metrics": encode_metrics,
}
BATCHES = {"traces": span_batches, "logs": log_batches, "metrics": metric_batches}
PREFIX = "opentelemetry/proto/"
BODY = encode_spans(
    [
        Span(
            name="GET /hello",
            kind=2,
            trace_id=bytes(range(16)),
            span_id=bytes(range(8)),
            start_unix_nano=1_790_000_000_000_000_001,
            attributes={"http.response.status_code": 200},
            resource=Resource({"service.name": "shop"}),
        )
    ]
)
SPAN = "resource_spans[0].scope_spans[0].spans[0]"

every_signal = pytest.mark.parametrize("signal", OFFICIAL)


def descriptors() -> dict[str, Any]:
    """All official messages that a request of any signal can hold, by their short names."""
    found: dict[str, Any] = {}
    to_do = [message.DESCRIPTOR for message in OFFICIAL.values()]
    while to_do:
        descriptor = to_do.pop()
        if short(descriptor) not in found:
            found[short(descriptor)] = descriptor
            to_do += [field.message_type for field in descriptor.fields if field.message_type]
    return found


def short(descriptor: Any) -> str:
    """`Span.Event` for `opentelemetry.proto.trace.v1.Span.Event`."""
    return str(descriptor.full_name).removeprefix(f"{descriptor.file.package}.")


def type_of(field: Any) -> str:
    if described := field.message_type or field.enum_type:
        return short(described)
    kinds = {getattr(field, name): name for name in dir(field) if name.startswith("TYPE_")}
    return kinds[field.type].removeprefix("TYPE_").lower()


def whole(pieces: list[Piece]) -> bytes:
    """The bytes of all pieces, whose offsets are checked to follow each other."""
    at = 0
    for piece in pieces:
        assert piece.offset == at
        at += piece.length
    return b"".join(piece.raw for piece in pieces)


def meanings(body: bytes, signal: str = "traces") -> dict[str, str]:
    """What each value is, by its path."""
    return {piece.path: piece.meaning for piece in examine(body, signal) if piece.role == "value"}


def test_the_table_is_the_specification() -> None:
    """Every message, field number, name, type and repetition equals the official descriptors."""
    official = {
        name: {
            field.number: (field.name, type_of(field), field.is_repeated)
            for field in descriptor.fields
        }
        for name, descriptor in descriptors().items()
    }
    assert official == MESSAGES
    assert {
        name: descriptor.file.name.removeprefix(PREFIX)
        for name, descriptor in descriptors().items()
    } == FILES


def test_the_enums_are_the_specification() -> None:
    """Every enum that a field has, and every value of it, is known by its official name."""
    enums = {
        short(field.enum_type): field.enum_type
        for descriptor in descriptors().values()
        for field in descriptor.fields
        if field.enum_type
    }
    assert enums.keys() == ENUMS.keys()
    for name, enum in enums.items():
        assert [value.number for value in enum.values] == list(range(len(ENUMS[name])))
        for value, ours in zip(enum.values, ENUMS[name], strict=True):
            assert value.name.endswith(f"_{ours}")


@every_signal
@settings(max_examples=40)
@given(data=st.data())
def test_every_byte_of_a_request_belongs_to_one_piece(signal: str, data: st.DataObject) -> None:
    """The pieces are the body, none is empty, all fields are known, and nothing is left over."""
    body = ENCODE[signal](data.draw(BATCHES[signal]()))
    pieces = examine(body, signal)
    assert whole(pieces) == body
    for piece in pieces:
        assert piece.raw
        assert piece.role in {"tag", "length", "value"}
        assert MESSAGES[piece.message][piece.number].name == piece.name


@every_signal
@settings(max_examples=40)
@given(data=st.data())
def test_a_path_leads_to_the_same_value_in_the_official_message(
    signal: str, data: st.DataObject
) -> None:
    """Walking down an official message along a piece's path, one finds what the piece says."""
    body = ENCODE[signal](data.draw(BATCHES[signal]()))
    request = OFFICIAL[signal].FromString(body)
    for piece in examine(body, signal):
        if piece.role != "value":
            continue
        held: Any = request
        for part in piece.path.split("."):
            name, _, index = part.partition("[")
            held = getattr(held, name)
            held = held[int(index.rstrip("]"))] if index else held
        if piece.type == "bytes":
            assert piece.meaning == held.hex()
        elif piece.type == "double":
            assert piece.meaning == repr(held)
        elif piece.type == "string":
            assert piece.raw.decode() == held
        elif piece.type in ENUMS:
            assert str(held) in piece.meaning or ENUMS[piece.type][held] == piece.meaning
        elif not piece.name.endswith("time_unix_nano"):
            assert piece.meaning == str(held).lower()


@every_signal
@settings(max_examples=100)
@given(data=st.data())
def test_it_stops_where_the_official_reader_refuses(signal: str, data: st.DataObject) -> None:
    """Flipped, cut, inserted: still every byte, and a piece that cannot be read in time."""
    body = bytearray(ENCODE[signal](data.draw(BATCHES[signal]())))
    for _ in range(data.draw(st.integers(0, 4))):
        at, cut = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 3))
        body[at : at + cut] = data.draw(st.binary(max_size=3))
    check(signal, bytes(body))


@every_signal
@settings(max_examples=100)
@given(data=st.data())
def test_it_agrees_on_arbitrary_fields(signal: str, data: st.DataObject) -> None:
    """Any field number, wire type and content, groups too, where a record's fields stand."""
    part = st.tuples(st.integers(0, 15), st.integers(0, 7), st.binary(max_size=9))

    def message(depth: int) -> bytes:
        out = b""
        for number, wire, raw in data.draw(st.lists(part, max_size=4)):
            if wire == 2 and depth and data.draw(st.booleans()):
                raw = message(depth - 1)
            out += bytes((number << 3 | wire,)) + (bytes((len(raw),)) + raw if wire == 2 else raw)
        return out[:100]

    check(signal, sized(b"\x0a", sized(b"\x12", sized(b"\x12", message(3)))))


@pytest.mark.parametrize("depth", [97, 98, 99, 100, 101])
def test_it_agrees_on_nesting(depth: int) -> None:
    """Messages, and groups, that are nested as deep as protobuf allows, and deeper."""
    check("traces", b"\x1b" * depth + b"\x1c" * depth)
    value = b""
    for _ in range(depth // 2):
        value = sized(b"\x2a", sized(b"\x0a", value))
    check("logs", sized(b"\x0a", sized(b"\x12", sized(b"\x12", sized(b"\x2a", value)))))


def check(signal: str, body: bytes) -> None:
    pieces = examine(body, signal)
    assert whole(pieces) == body
    assert all(piece.role != CANNOT_BE_READ for piece in pieces[:-1])
    problem = Microscope(body, signal).problem
    try:
        OFFICIAL[signal].FromString(body)
    except OfficialDecodeError:
        assert problem
    else:
        assert not problem


def test_values_are_told_in_words() -> None:
    """Texts, numbers, names of enums, dates and ids, each by its path."""
    said = meanings(BODY)
    assert said[f"{SPAN}.name"] == "GET /hello"
    assert said[f"{SPAN}.kind"] == "SERVER"
    assert said[f"{SPAN}.trace_id"] == "000102030405060708090a0b0c0d0e0f"
    assert said[f"{SPAN}.start_time_unix_nano"] == "2026-09-21 14:13:20.000000001 UTC"
    assert said[f"{SPAN}.attributes[0].value.int_value"] == "200"
    assert said["resource_spans[0].resource.attributes[0].key"] == "service.name"


def test_a_piece_knows_where_it_is_declared() -> None:
    """Proto file, message, name and number, and an address to read them at."""
    piece = next(piece for piece in examine(BODY) if piece.name == "kind")
    assert piece.specification == "trace/v1/trace.proto Span.kind = 6"
    assert piece.url.startswith("https://github.com/open-telemetry/opentelemetry-proto/")
    assert piece.url.endswith("opentelemetry/proto/trace/v1/trace.proto")
    assert (piece.wire_type, piece.type, piece.role) == ("VARINT", "Span.SpanKind", "tag")


def test_an_unknown_field_is_named_and_skipped() -> None:
    """A number that the table lacks, and a known one of another wire type."""
    inside = b"\xa0\x06\x01" + sized(b"\x32", b"xy")
    pieces = examine(sized(b"\x0a", sized(b"\x12", sized(b"\x12", inside))))[6:]
    assert [piece.meaning for piece in pieces] == [
        "field 100, VARINT: unknown, skipped",
        "1, if it is an integer",
        "field 6, LEN",
        "2 bytes",
        "skipped: a Span.SpanKind is VARINT",
    ]
    assert pieces[0].path == f"{SPAN}.?100"
    assert pieces[0].specification == "trace/v1/trace.proto Span"


@pytest.mark.parametrize(
    ("body", "offset", "reason"),
    [
        (BODY[:-1], len(BODY) - 1, "the request ends too early"),
        (BODY[:1], 1, "the request ends too early"),
        (b"\x0a\x02\x12\x05xxxxx", 3, "5 bytes should follow, where at most 0 can"),
        (b"\x00", 0, "a field has the number 0"),
        (b"\x0f", 0, "there is no wire type 7"),
        (b"\x0c", 0, "a group ends that did not begin"),
        (b"\x0a\x04\x1a\x02\xff\xff", 4, "a text is not valid UTF-8"),
        (b"\x10" + b"\xff" * 10 + b"\x01", 1, "a varint is too long"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(body: bytes, offset: int, reason: str) -> None:
    """The last piece begins where reading stopped, and holds the rest."""
    last = examine(body)[-1]
    assert (last.role, last.offset, last.raw) == (CANNOT_BE_READ, offset, body[offset:])
    assert reason in last.meaning
    assert Microscope(body).problem == f"byte {offset}: {last.meaning}"


def lines_of(text: str) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of each line that `render` wrote."""
    for line in text.splitlines():
        yield int(line[:4]), bytes.fromhex(line[6:29])


def test_the_text_shows_every_byte_in_its_place() -> None:
    """Offsets and hex of the lines are the body again, and no line is wider than asked for."""
    text = Microscope(BODY).text(width=60)
    assert b"".join(raw for _, raw in lines_of(text)) == BODY
    assert all(BODY[at : at + len(raw)] == raw for at, raw in lines_of(text))
    assert max(map(len, text.splitlines())) <= 60
    assert "GET /hello" in text


def test_the_text_ends_at_its_limit() -> None:
    """However many pieces there are, and however long one of them is."""
    assert render(examine(BODY), limit=5).splitlines()[5:] == ["..."]
    long = encode_spans([Span(name="x" * 100_000)])
    assert len(render(examine(long), limit=50).splitlines()) <= 51


def test_a_hostile_text_is_harmless() -> None:
    """No control character reaches a terminal, and no markup a notebook."""
    scope = Microscope(encode_spans([Span(name="\x1b[2J\u202e<script>alert(1)</script>")]))
    assert not {"\x1b", "\u202e"} & set(scope.text())
    assert "\\x1b[2J" in scope.text()
    shown = scope._repr_mimebundle_()
    assert "<script" not in shown["text/html"]
    assert "&lt;script&gt;" in shown["text/html"]
    assert shown["text/plain"] == scope.text()


def test_it_shows_its_state() -> None:
    """Signal, size, and whether the request can be read."""
    assert repr(Microscope(b"")) == "<Microscope [traces | 0 bytes, 0 pieces | readable]>"
    assert repr(Microscope(b"\x00", "logs")) == (
        "<Microscope [logs | 1 bytes, 1 pieces | byte 0: a field has the number 0]>"
    )
    assert set(REQUESTS) == set(OFFICIAL)
    assert set(WIRE_TYPES) == {0, 1, 2, 3, 4, 5}
