"""The official Python exporters of the three signals, over HTTP and gRPC, against the receiver."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otlp_kit.adapters import to_span
from otlp_kit.encoding.protobuf_read_logs import decode_logs
from otlp_kit.encoding.protobuf_read_metrics import decode_metrics
from otlp_kit.receiver.grpc_server import serve_grpc
from otlp_kit.receiver.http_server import bind, otlp_app, serve
from otlp_kit.receiver.service import Service
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.wire import LOGS, METRICS, TRACES, Unavailable

LIMIT = 200_000


class Receiver:
    """Both protocols around one service, on a thread of its own."""

    def __init__(self, put: Any = None) -> None:
        self.store = MemoryStore()
        self.service = Service(put or self.store.put, max_body=LIMIT)
        self._socket = bind("127.0.0.1", 0)
        self.http = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        with bind("127.0.0.1", 0) as probe:
            self.grpc = f"127.0.0.1:{probe.getsockname()[1]}"
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await asyncio.gather(
            serve([(otlp_app(self.service), self._socket)], self._stop),
            serve_grpc(self.service, self.grpc, self._stop),
        )

    def __enter__(self) -> Receiver:
        self._thread.start()
        self._ready.wait(10)
        host, port = self.grpc.split(":")
        last = time.monotonic() + 10
        while time.monotonic() < last:
            with socket.socket() as probe:
                if not probe.connect_ex((host, int(port))):
                    return self
            time.sleep(0.01)
        raise AssertionError("the gRPC server did not start")

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def call(self, body: bytes, method: str = TRACES.grpc_method, **options: Any) -> bytes:
        """One gRPC call with raw bytes."""
        with grpc.insecure_channel(self.grpc) as channel:
            return channel.unary_unary(method)(body, timeout=10, **options)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def shared() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(shared: Receiver) -> Receiver:
    shared.store._batches.clear()
    return shared


@pytest.mark.spec("OTLP-3")
@pytest.mark.parametrize("protocol", ["http", "http gzip", "grpc", "grpc gzip"])
def test_spans_arrive_as_they_were_made(receiver: Receiver, protocol: str) -> None:
    """Every span once, content equal."""
    made = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    tracer = provider.get_tracer("official", "1.2.3")
    with tracer.start_as_current_span("parent", attributes={"k": [1, 2], "b": True}) as parent:
        parent.add_event("event", {"x": 1.5})
        tracer.start_span("child").end()
    spans = list(made.get_finished_spans())
    exporter: Any = (
        HttpSpans(f"{receiver.http}/v1/traces", compression=_http_compression(protocol))
        if protocol.startswith("http")
        else GrpcSpans(receiver.grpc, insecure=True, compression=_grpc_compression(protocol))
    )
    exporter.export(spans)
    exporter.shutdown()
    expected = [to_span(span) for span in spans]
    for span in expected:
        span.flags &= ~0xFF  # the official encoder leaves the W3C bits out
    assert receiver.store.records() == expected


def _http_compression(protocol: str) -> Compression:
    return Compression.Gzip if "gzip" in protocol else Compression.NoCompression


def _grpc_compression(protocol: str) -> Any:
    return grpc.Compression.Gzip if "gzip" in protocol else grpc.Compression.NoCompression


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_log_records_arrive_as_they_were_made(receiver: Receiver, protocol: str) -> None:
    """Body of every kind, severity, attributes."""
    made = InMemoryLogRecordExporter()
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(made))
    logger = provider.get_logger("official", "1")
    bodies: list[Any] = ["text", 5, 2.5, True, ["a", 1], {"k": {"n": [1]}}, b"\x00\xff"]
    for body in bodies:
        logger.emit(
            LogRecord(timestamp=time.time_ns(), body=body, severity_number=SeverityNumber.WARN,
                      severity_text="WARN", attributes={"n": 1})
        )  # fmt: skip
    records = made.get_finished_logs()
    exporter: Any = (
        HttpLogs(f"{receiver.http}/v1/logs")
        if protocol == "http"
        else GrpcLogs(receiver.grpc, insecure=True)
    )
    exporter.export(records)
    exporter.shutdown()
    assert receiver.store.records() == decode_logs(encode_logs(records).SerializeToString())
    assert [record.body for record in receiver.store.records()] == bodies


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_metrics_arrive_as_they_were_made(receiver: Receiver, protocol: str) -> None:
    """Every kind of instrument, with exponential histograms and exemplars."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(
        metric_readers=[reader],
        views=[View(instrument_name="fine", aggregation=ExponentialBucketHistogramAggregation())],
    )
    meter = provider.get_meter("official", "1")
    tracer = TracerProvider().get_tracer("official")
    with tracer.start_as_current_span("sampled"):
        meter.create_counter("count", "{thing}", "things").add(3, {"k": "v"})
        meter.create_up_down_counter("level").add(-2)
        meter.create_gauge("gauge").set(1.5)
        for value in (0.0, 0.5, 7.0, 2000.0):
            meter.create_histogram("coarse", "ms").record(value)
            meter.create_histogram("fine", "ms").record(value)
    data = reader.get_metrics_data()
    exporter: Any = (
        HttpMetrics(f"{receiver.http}/v1/metrics")
        if protocol == "http"
        else GrpcMetrics(receiver.grpc, insecure=True)
    )
    exporter.export(data)
    exporter.shutdown()
    stored = receiver.store.records()
    assert data is not None
    assert stored == decode_metrics(encode_metrics(data).SerializeToString())
    assert {metric.name for metric in stored} == {"count", "level", "gauge", "coarse", "fine"}
    assert {metric.kind for metric in stored} == {
        "sum",
        "gauge",
        "histogram",
        "exponential_histogram",
    }
    assert any(point.exemplars for metric in stored for point in metric.points)


@pytest.mark.spec("OTLP-21")
@pytest.mark.spec("OTLP-22")
@pytest.mark.parametrize("signal", [TRACES, LOGS, METRICS], ids=lambda signal: signal.name)
def test_an_empty_grpc_request_succeeds(receiver: Receiver, signal: Any) -> None:
    """No telemetry is no error."""
    assert receiver.call(b"", signal.grpc_method) == b""


@pytest.mark.spec("OTLP-41")
def test_bad_data_over_grpc_is_an_invalid_argument(receiver: Receiver) -> None:
    """Permanent: the same bytes will never be right."""
    with pytest.raises(grpc.RpcError) as error:
        receiver.call(b"\xff\xff")
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "not a valid traces request" in error.value.details()


@pytest.mark.spec("OTLP-40")
@pytest.mark.spec("OTLP-42")
def test_a_store_that_cannot_store_is_unavailable_with_a_wait() -> None:
    """The sender is told to come back, and when."""

    def put(*_: object) -> int:
        raise Unavailable("the disk is full")

    body = b"\x0a\x22\x12\x20\x12\x1e\x0a\x10" + b"t" * 16 + b"\x12\x08" + b"s" * 8 + b"\x2a\x00"
    with Receiver(put) as receiver, pytest.raises(grpc.RpcError) as error:
        receiver.call(body)
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    [raw] = [
        value for key, value in error.value.trailing_metadata() if key == "grpc-status-details-bin"
    ]
    status = Status.FromString(raw)
    assert (status.code, status.message) == (14, "cannot store: the disk is full")
    retry_info = RetryInfo()
    assert status.details[0].Unpack(retry_info)
    assert retry_info.retry_delay.seconds == 5


@pytest.mark.spec("OTLP-15")
@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
def test_a_grpc_request_over_the_limit_is_exhausted(receiver: Receiver, compression: Any) -> None:
    """Also when it is small before decompression."""
    with pytest.raises(grpc.RpcError) as error:
        receiver.call(bytes(LIMIT * 5), compression=compression)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not [
        key for key, _ in error.value.trailing_metadata() if key == "grpc-status-details-bin"
    ]


def test_an_unknown_method_is_unimplemented(receiver: Receiver) -> None:
    """As grpcio says it."""
    with pytest.raises(grpc.RpcError) as error:
        receiver.call(b"", "/some.Service/Method")
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_random_bytes_on_the_grpc_port_harm_nobody(receiver: Receiver) -> None:
    """The connection is closed, and the next client is served."""
    host, port = receiver.grpc.split(":")
    with socket.create_connection((host, int(port)), 10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(500))
        client.settimeout(20)
        try:
            while client.recv(4096):
                pass
        except ConnectionError:
            pass
    assert receiver.call(b"") == b""
