"""The kit's gRPC sender and the kit's receiver, in two processes."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.exporters import otlp_grpc, otlp_http
from otlp_kit.exporters.otlp_grpc import GrpcSender
from otlp_kit.wire import LOGS, METRICS, TRACES, Accepted, Payload, Refused
from tests.exporters.grpc_servers import soon, until_it_listens
from tests.support import Running


@pytest.mark.slow
def test_the_kits_own_receiver_takes_it(receiver: Running) -> None:
    """Three signals; what it cannot read it refuses, and what is bad in part it counts."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="good")
    scope.spans.add(trace_id=b"", span_id=b"s" * 8, name="bad")
    sender = GrpcSender(receiver.grpc, compression="gzip")
    accepted = until_it_listens(sender, Payload(TRACES, request.SerializeToString(), 2))
    assert accepted.rejected == 1
    assert accepted.message
    for signal in (LOGS, METRICS):
        assert sender.send(Payload(signal, b"", 0), soon()) == Accepted()
    with pytest.raises(Refused, match="INVALID_ARGUMENT"):
        sender.send(Payload(TRACES, b"\xff", 1), soon())
    sender.close()
    assert receiver.sql("SELECT name FROM spans") == [{"name": "good"}]


def test_the_user_agent_is_that_of_the_http_sender() -> None:
    """One kit, one name."""
    assert otlp_grpc.USER_AGENT == otlp_http.USER_AGENT
