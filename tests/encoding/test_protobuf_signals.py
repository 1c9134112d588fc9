"""The codecs of logs and metrics, held against the official protobuf library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.message import DecodeError as OfficialDecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from otlp_kit.encoding.protobuf_common import sized
from otlp_kit.encoding.protobuf_logs import encode_logs
from otlp_kit.encoding.protobuf_metrics import encode_metrics
from otlp_kit.encoding.protobuf_read import DecodeError
from otlp_kit.encoding.protobuf_read_logs import decode_logs
from otlp_kit.encoding.protobuf_read_metrics import decode_metrics
from tests.encoding.official_signals import (
    from_logs_request,
    from_metrics_request,
    to_logs_request,
    to_metrics_request,
)
from tests.encoding.strategies import log_batches, metric_batches


@dataclass(frozen=True)
class Codec:
    """One signal's codec and the official one beside it."""

    encode: Callable[[list[Any]], bytes]
    decode: Callable[[bytes], list[Any]]
    to_official: Callable[[list[Any]], Any]
    from_official: Callable[[Any], list[Any]]
    message: Any
    batches: Callable[[], st.SearchStrategy[list[Any]]]

    def agree(self, body: bytes) -> None:
        """This reader and the official one see the same records, or both refuse."""
        try:
            official = self.from_official(self.message.FromString(body))
        except OfficialDecodeError:
            with pytest.raises(DecodeError):
                self.decode(body)
        else:
            assert repr(self.decode(body)) == repr(official)


LOGS = Codec(
    encode_logs,
    decode_logs,
    to_logs_request,
    from_logs_request,
    ExportLogsServiceRequest,
    log_batches,
)
METRICS = Codec(
    encode_metrics,
    decode_metrics,
    to_metrics_request,
    from_metrics_request,
    ExportMetricsServiceRequest,
    metric_batches,
)
both = pytest.mark.parametrize("codec", [LOGS, METRICS], ids=["logs", "metrics"])


@both
@settings(max_examples=150)
@given(data=st.data())
def test_the_writer_equals_official_protobuf(codec: Codec, data: st.DataObject) -> None:
    """Byte for byte, for every field and every kind of point."""
    records = codec.decode(codec.encode(data.draw(codec.batches())))  # equal groups merged
    official = codec.to_official(records).SerializeToString(deterministic=True)
    assert codec.encode(records) == official


@pytest.mark.slow
@both
@settings(max_examples=150)
@given(data=st.data())
def test_the_reader_undoes_the_writer(codec: Codec, data: st.DataObject) -> None:
    """What comes back is what was given, and what the official library reads."""
    records = data.draw(codec.batches())
    body = codec.encode(records)
    again = codec.decode(body)
    assert sorted(map(repr, again)) == sorted(map(repr, records))
    assert repr(codec.from_official(codec.message.FromString(body))) == repr(again)


@pytest.mark.slow
@both
@settings(max_examples=300)
@given(data=st.data())
def test_the_reader_agrees_on_mutated_bytes(codec: Codec, data: st.DataObject) -> None:
    """Flipped, cut, inserted: the same message, or both refuse."""
    body = bytearray(codec.encode(data.draw(codec.batches())))
    for _ in range(data.draw(st.integers(1, 4))):
        at, cut = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 3))
        body[at : at + cut] = data.draw(st.binary(max_size=3))
    codec.agree(bytes(body))


@pytest.mark.slow
@both
@settings(max_examples=300)
@given(data=st.data())
def test_the_reader_agrees_on_arbitrary_fields(codec: Codec, data: st.DataObject) -> None:
    """Any field number, wire type and content, where a record's or a point's fields stand."""
    part = st.tuples(st.integers(0, 15), st.integers(0, 7), st.binary(max_size=9))

    def message(depth: int) -> bytes:
        out = b""
        for number, wire, raw in data.draw(st.lists(part, max_size=4)):
            if wire == 2 and depth and data.draw(st.booleans()):
                raw = message(depth - 1)
            out += bytes((number << 3 | wire,)) + (bytes((len(raw),)) + raw if wire == 2 else raw)
        return out[:100]

    codec.agree(sized(b"\x0a", sized(b"\x12", sized(b"\x12", message(3)))))


def in_metric(*fields: bytes) -> bytes:
    return sized(b"\x0a", sized(b"\x12", sized(b"\x12", b"".join(fields))))


@pytest.mark.parametrize(
    "body",
    {
        "two kinds: the last counts": in_metric(b"\x2a\x02\x0a\x00", b"\x3a\x02\x0a\x00"),
        "one kind in two parts": in_metric(b"\x3a\x02\x10\x02", b"\x3a\x04\x0a\x00\x18\x01"),
        "kinds alternating": in_metric(b"\x3a\x02\x18\x01", b"\x2a\x00", b"\x3a\x02\x0a\x00"),
        "bounds one by one": in_metric(sized(b"\x4a", sized(b"\x0a", b"\x39" + b"1" * 8))),
        "half a packed double": in_metric(sized(b"\x4a", sized(b"\x0a", b"\x3a\x04" + b"1" * 4))),
        "counts one by one": in_metric(sized(b"\x52", sized(b"\x0a", b"\x42\x04\x10\x05\x10\x06"))),
        "half a packed varint": in_metric(sized(b"\x52", sized(b"\x0a", b"\x42\x03\x12\x01\x80"))),
        "an int, then a double": in_metric(
            sized(b"\x2a", sized(b"\x0a", b"\x31" + b"1" * 8 + b"\x21" + b"2" * 8))
        ),
    }.values(),
)
def test_the_reader_of_metrics_agrees_in_the_corners(body: bytes) -> None:
    """Oneofs, packed and unpacked lists."""
    METRICS.agree(body)
