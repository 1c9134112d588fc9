"""From settings to senders, looked at from the server's side."""

from __future__ import annotations

import math
import time

import pytest

from otlp_kit.pipeline import sender_of
from otlp_kit.settings.otlp_exporter import exporter_settings
from otlp_kit.testing.hostile_answers import success
from otlp_kit.testing.hostile_grpc import GrpcAnswer, HostileGrpcServer
from otlp_kit.testing.hostile_server import HostileServer
from otlp_kit.wire import JSON, METRICS, TRACES, Accepted, Payload


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_over_http_the_endpoint_is_used_to_the_letter() -> None:
    """Its path and query too, with the headers and the compression that were asked for."""
    with HostileServer([success()]) as server:
        settings = exporter_settings(
            TRACES,
            "http/json",
            endpoint=f"{server.endpoint}/spans?tenant=a",
            headers={"api-key": "k"},
            compression="gzip",
            environ={},
        )
        sender = sender_of(settings)
        payload = Payload(TRACES, b'{"resourceSpans":[]}', 1, JSON)
        assert sender.send(payload, time.monotonic() + 5) == Accepted()
        arrival = server.arrivals[0]
    assert arrival.path == "/spans?tenant=a"
    assert arrival.headers["api-key"] == "k"
    assert arrival.headers["content-encoding"] == "gzip"
    assert arrival.body() == payload.body


def test_over_grpc_the_method_is_the_signals() -> None:
    """The endpoint has no path; headers become metadata."""
    with HostileGrpcServer([GrpcAnswer()]) as server:
        settings = exporter_settings(
            METRICS, "grpc", endpoint=server.endpoint, headers={"api-key": "k"}, environ={}
        )
        assert (
            sender_of(settings).send(Payload(METRICS, b"", 1), time.monotonic() + 5).rejected == 0
        )
        arrival = server.arrivals[0]
    assert arrival.path == METRICS.grpc_method
    assert arrival.headers["api-key"] == "k"


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_no_limit_is_a_number_that_a_socket_takes(protocol: str) -> None:
    """A timeout of 0 means no limit, which neither library has a word for."""
    settings = exporter_settings(TRACES, protocol, timeout=0, environ={})
    assert settings.timeout == math.inf
    sender_of(settings)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_no_secret_is_shown(protocol: str) -> None:
    """Not in the repr of what holds it."""
    settings = exporter_settings(TRACES, protocol, headers={"api-key": "hunter2"}, environ={})
    assert "hunter2" not in repr(sender_of(settings)) + repr(settings)
