"""Requests of any signal and encoding, against the official messages."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.encoding.export_request import batch_id, decode_request
from otlp_kit.encoding.protobuf_read import DecodeError
from otlp_kit.wire import JSON, LOGS, METRICS, PROTOBUF, SIGNALS, TRACES, Signal

SPANS, RECORDS, METERS = (
    ExportTraceServiceRequest(),
    ExportLogsServiceRequest(),
    ExportMetricsServiceRequest(),
)
SPANS.resource_spans.add().scope_spans.add().spans.add(name="here")
RECORDS.resource_logs.add().scope_logs.add().log_records.add(event_name="here")
METERS.resource_metrics.add().scope_metrics.add().metrics.add(name="here").gauge.SetInParent()


@pytest.mark.parametrize(
    ("signal", "message"), [(TRACES, SPANS), (LOGS, RECORDS), (METRICS, METERS)]
)
def test_both_encodings_of_a_request_are_read(signal: Signal, message: object) -> None:
    """To the same records."""
    binary = message.SerializeToString()  # type: ignore[attr-defined]
    text = MessageToJson(message).encode()  # type: ignore[arg-type]
    [record] = decode_request(signal, binary)
    assert "here" in (getattr(record, "name", ""), getattr(record, "event_name", ""))
    assert (
        decode_request(signal, binary, PROTOBUF) == decode_request(signal, text, JSON) == [record]
    )


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_what_is_no_request_says_so(content_type: str) -> None:
    """With the one kind of error, in either encoding."""
    with pytest.raises(DecodeError):
        decode_request(TRACES, b"\xff", content_type)


def test_a_batch_is_named_by_its_signal_and_content() -> None:
    """The same bytes have the same name, in this process and every other."""
    assert batch_id(TRACES, b"a") == "e9f489b2d7cfa7bf88277de622eb315e"
    assert len({batch_id(signal, body) for signal in SIGNALS for body in (b"a", b"b")}) == 6
