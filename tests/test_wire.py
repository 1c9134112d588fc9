"""The waist: the table of signals, and the shapes that everything below speaks."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from otlp_kit.wire import (
    LOGS,
    METRICS,
    SIGNALS,
    TRACES,
    Payload,
    Refused,
    SendError,
    Signal,
    Unavailable,
)


@pytest.mark.parametrize(
    ("signal", "official"),
    [(TRACES, trace_service_pb2), (LOGS, logs_service_pb2), (METRICS, metrics_service_pb2)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_grpc_method_is_the_official_one(signal: Signal, official: object) -> None:
    """Held against the service descriptor that the protobuf compiler made."""
    [service] = official.DESCRIPTOR.services_by_name.values()  # type: ignore[attr-defined]
    [method] = service.methods
    assert signal.grpc_method == f"/{service.full_name}/{method.name}"


@pytest.mark.spec("OTLP-5")
def test_the_paths_are_those_of_the_specification() -> None:
    """One row for each signal, and no more."""
    assert [signal.http_path for signal in SIGNALS] == ["/v1/traces", "/v1/logs", "/v1/metrics"]


@pytest.mark.spec("OTLP-66")
def test_a_payload_can_be_shared() -> None:
    """It cannot be changed, so that a retry and a second destination send the same."""
    payload = Payload(TRACES, b"body", 3)
    with pytest.raises(FrozenInstanceError):
        payload.body = b"other"  # type: ignore[misc]
    assert len({payload, Payload(TRACES, b"body", 3)}) == 1


def test_a_failure_says_what_to_do_next() -> None:
    """Later or never, as two kinds of one error."""
    later = Unavailable("busy", retry_after=2.5)
    assert (str(later), later.retry_after, later.maybe_delivered) == ("busy", 2.5, False)
    never = Refused("too large")
    assert (str(never), never.reason) == ("too large", "too large")
    assert isinstance(later, SendError)
    assert isinstance(never, SendError)
    assert not isinstance(never, Unavailable)
