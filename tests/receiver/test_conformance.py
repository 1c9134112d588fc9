"""The specification's lines on transport, limits and answers, over real sockets, read by the
official classes. What `conformance_lines` lists and is not here is proved beside its module."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, Parse
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import DEFAULT_ENDPOINT
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb2

from otlp_kit.encoding.answers import encode_success
from otlp_kit.encoding.otlp_json import encode_json_success
from otlp_kit.receiver.limits import MAX_BODY
from otlp_kit.receiver.service import Request, Service
from otlp_kit.settings.schema import load_settings, model
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.wire import JSON, LOGS, METRICS, PROTOBUF, SIGNALS, TRACES, Accepted, Signal
from otlp_kit.wire import Unavailable as Full
from tests.encoding.test_otlp_json import with_hex_ids
from tests.receiver.test_official_exporters import LIMIT, Receiver

MAX_ANSWER = 4 * 1024 * 1024
RESPONSES: dict[Signal, Any] = {
    TRACES: trace_pb2.ExportTraceServiceResponse,
    LOGS: logs_pb2.ExportLogsServiceResponse,
    METRICS: metrics_pb2.ExportMetricsServiceResponse,
}
REJECTED = {TRACES: "rejected_spans", LOGS: "rejected_log_records", METRICS: "rejected_data_points"}
WAYS = ["protobuf", "protobuf gzip", "json", "json gzip", "grpc", "grpc gzip"]
by_signal = pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)


def request_of(signal: Signal, *, good: int = 1, bad: int = 0) -> Any:
    """An official request; a log record cannot be bad."""
    if signal == TRACES:
        traces = trace_pb2.ExportTraceServiceRequest()
        spans = traces.resource_spans.add().scope_spans.add().spans
        for number in range(good + bad):
            spans.add(trace_id=b"t" * 16, span_id=b"s" * 8 if number < good else b"")
        return traces
    if signal == LOGS:
        logs = logs_pb2.ExportLogsServiceRequest()
        records = logs.resource_logs.add().scope_logs.add().log_records
        for _ in range(good):
            records.add(severity_text="INFO")
        return logs
    metrics = metrics_pb2.ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    for number in range(good + bad):
        metric.gauge.data_points.add(time_unix_nano=5 if number < good else 0, as_int=1)
    return metrics


def as_json(message: Any) -> bytes:
    return json.dumps(with_hex_ids(MessageToDict(message, use_integers_for_enums=True))).encode()


class Answer:
    """What came back over HTTP."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.version = response.status, response.version
        self.kind = response.getheader("content-type")
        self.headers = response.headers
        self.body = response.read()

    def read(self, message: Any) -> Any:
        """The body in the encoding that its content type names, by the official parser."""
        if self.kind == JSON:
            return Parse(self.body, message)
        assert self.kind == PROTOBUF
        message.ParseFromString(self.body)
        return message


def send(
    address: str, body: bytes, path: str = "/v1/traces", method: str = "POST", **headers: str
) -> Answer:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"content-type": PROTOBUF, **named})
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def export(receiver: Receiver, signal: Signal, request: Any, way: str) -> Any:
    """Send an official request one of the six ways; the official response."""
    protocol, _, compressed = way.partition(" ")
    if protocol == "grpc":
        compression = grpc.Compression.Gzip if compressed else None
        raw = receiver.call(
            request.SerializeToString(), signal.grpc_method, compression=compression
        )
        return RESPONSES[signal].FromString(raw)
    body = request.SerializeToString() if protocol == "protobuf" else as_json(request)
    kind = PROTOBUF if protocol == "protobuf" else JSON
    headers = {"content_encoding": "gzip"} if compressed else {}
    sent = gzip.compress(body) if compressed else body
    answer = send(receiver.http, sent, signal.http_path, content_type=kind, **headers)
    assert (answer.status, answer.kind) == (200, kind)
    return answer.read(RESPONSES[signal]())


@pytest.fixture(scope="module")
def shared() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(shared: Receiver) -> Receiver:
    shared.store._batches.clear()
    return shared


@pytest.mark.spec("OTLP-1")
@pytest.mark.spec("OTLP-2")
@pytest.mark.spec("OTLP-5")
@pytest.mark.spec("OTLP-10")
@pytest.mark.spec("OTLP-22")
@pytest.mark.spec("OTLP-23")
@pytest.mark.spec("OTLP-59")
@pytest.mark.parametrize("way", WAYS)
@by_signal
def test_a_request_is_taken_whichever_way_it_comes(
    receiver: Receiver, signal: Signal, way: str
) -> None:
    """Plain and gzip, protobuf and JSON on one port, gRPC: the response says nothing, it is stored."""
    response = export(receiver, signal, request_of(signal), way)
    assert not response.HasField("partial_success")
    assert len(receiver.store.records()) == 1


@pytest.mark.spec("OTLP-21")
@by_signal
def test_nothing_to_export_is_a_success(receiver: Receiver, signal: Signal) -> None:
    """No bytes, an empty object, groups without items: 200, and nothing else is said."""
    empty = request_of(signal, good=0)
    for body, kind in [(b"", PROTOBUF), (b"{}", JSON), (empty.SerializeToString(), PROTOBUF),
                       (as_json(empty), JSON)]:  # fmt: skip
        answer = send(receiver.http, body, signal.http_path, content_type=kind)
        assert (answer.status, answer.kind) == (200, kind)
        assert answer.read(RESPONSES[signal]()) == RESPONSES[signal]()
        assert b"partialSuccess" not in answer.body  # not even null


@pytest.mark.spec("OTLP-24")
@pytest.mark.spec("OTLP-25")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("signal", [TRACES, METRICS], ids=lambda signal: signal.name)
def test_a_partial_success_counts_and_explains(
    receiver: Receiver, signal: Signal, way: str
) -> None:
    """200, the counter of the signal, an English sentence; what is valid is stored."""
    response = export(receiver, signal, request_of(signal, good=1, bad=2), way)
    assert getattr(response.partial_success, REJECTED[signal]) == 2
    assert re.search(r"\b2 .* rejected: \w+", response.partial_success.error_message)
    [stored] = receiver.store.records()
    assert len(getattr(stored, "points", [stored])) == 1


@pytest.mark.spec("OTLP-24")
@pytest.mark.spec("OTLP-26")
@by_signal
def test_answers_are_what_the_official_classes_read(signal: Signal) -> None:
    """A count and a reason; or a warning, which has a message and rejects nothing."""
    for accepted in (Accepted(3, "three are odd"), Accepted(0, "look at this"), Accepted(2**40)):
        for response in (
            RESPONSES[signal].FromString(encode_success(accepted)),
            Parse(encode_json_success(signal, accepted), RESPONSES[signal]()),
        ):
            assert response.HasField("partial_success")
            partial = response.partial_success
            assert getattr(partial, REJECTED[signal]) == accepted.rejected
            assert partial.error_message == accepted.message


@pytest.mark.spec("OTLP-3")
@pytest.mark.spec("OTLP-4")
def test_the_ports_are_where_official_exporters_look() -> None:
    """4318 for HTTP, 4317 for gRPC, unless others are asked for."""
    receiver = model(load_settings(environ={})).receiver
    assert f"http://localhost:{receiver.http.port}/" == DEFAULT_ENDPOINT
    assert f"localhost:{receiver.grpc.port}" == GrpcSpans()._endpoint


@pytest.mark.spec("OTLP-5")
@by_signal
def test_methods_and_paths_are_the_official_ones(signal: Signal) -> None:
    """The service's descriptor names the gRPC method; the paths are `/v1/` and the signal."""
    module: Any = {TRACES: trace_pb2, LOGS: logs_pb2, METRICS: metrics_pb2}[signal]
    [service] = module.DESCRIPTOR.services_by_name.values()
    assert signal.grpc_method == f"/{service.full_name}/{service.methods[0].name}"
    assert signal.http_path == f"/v1/{signal.name}"


@pytest.mark.spec("OTLP-6")
@pytest.mark.parametrize("path", ["/", "/traces", "/v1/traces/", "/other/v1/traces", "/V1/TRACES"])
def test_other_paths_are_not_taken(receiver: Receiver, path: str) -> None:
    """A server may take other paths; this one says what it takes."""
    answer = send(receiver.http, b"", path)
    assert answer.status == 404
    assert "/v1/traces" in answer.read(Status()).message


@pytest.mark.spec("OTLP-7")
def test_http_2_is_not_spoken_but_a_wish_for_it_is_no_error(receiver: Receiver) -> None:
    """An upgrade is not taken up; the preface of HTTP/2 ends the connection, so clients fall back."""
    answer = send(receiver.http, b"", upgrade="h2c", connection="Upgrade, HTTP2-Settings",
                  http2_settings="AAMAAABkAAQAoAAAAAIAAAAA")  # fmt: skip
    assert (answer.status, answer.version) == (200, 11)
    host, port = receiver.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        answered = b""
        while piece := client.recv(4096):
            answered += piece
    assert answered == b"" or answered.startswith(b"HTTP/1.1 4")


@pytest.mark.spec("OTLP-11")
def test_each_protocol_has_its_port(receiver: Receiver) -> None:
    """gRPC on the port of HTTP fails cleanly, and both ports serve on."""
    with grpc.insecure_channel(receiver.http.removeprefix("http://")) as channel:
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary(TRACES.grpc_method)(b"", timeout=10)
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert receiver.call(b"") == b""
    assert send(receiver.http, b"").status == 200


@pytest.mark.spec("OTLP-14")
@pytest.mark.parametrize(
    "kind", [f"{JSON}; charset=utf-8", f"{JSON};charset=UTF-8; x=y", f"{PROTOBUF} ; v=1"]
)
def test_parameters_of_a_content_type_are_no_part_of_it(receiver: Receiver, kind: str) -> None:
    """The answer has the type alone."""
    answer = send(receiver.http, b"{}" if "json" in kind else b"", content_type=kind)
    assert (answer.status, answer.kind) == (200, kind.split(";")[0].strip())


@pytest.mark.spec("OTLP-15")
@pytest.mark.spec("OTLP-16")
def test_limits_are_exact_and_64_mib_by_default(receiver: Receiver) -> None:
    """A body of the size of the limit is taken, one more byte is not, before and after unpacking."""
    assert MAX_BODY == Service(MemoryStore().put).max_body == 67_108_864
    request = trace_pb2.ExportTraceServiceRequest()
    group = request.resource_spans.add(schema_url="x" * (LIMIT - 20))
    group.schema_url += "x" * (LIMIT - request.ByteSize())
    assert request.ByteSize() == LIMIT
    for way in WAYS:
        if not way.startswith("json"):
            assert export(receiver, TRACES, request, way) == RESPONSES[TRACES]()
    group.schema_url += "x"
    body = request.SerializeToString()
    assert send(receiver.http, body).status == 413
    assert send(receiver.http, gzip.compress(body), content_encoding="gzip").status == 413
    for compression in (None, grpc.Compression.Gzip):
        with pytest.raises(grpc.RpcError) as error:
            receiver.call(body, compression=compression)
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


LONG = "é" * 3_000_000


@pytest.mark.spec("OTLP-20")
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    "request_",
    [
        Request("POST", "/" + LONG, {}),
        Request(LONG, "/v1/traces", {}),
        Request("POST", "/v1/traces", {"content-type": LONG}),
        Request("POST", "/v1/traces", {"content-encoding": LONG}),
        Request("POST", "/v1/traces", {}, b'{"' + LONG.encode() + b'": nan}'),
        Request("POST", "/v1/traces", {}, json.dumps({"resourceSpans": LONG}).encode()),
    ],
    ids=["path", "method", "type", "encoding", "text", "value"],
)
def test_no_request_makes_an_answer_large(request_: Request, kind: str) -> None:
    """What is quoted of a request is cut: an answer stays below 4 MiB, and a message readable."""
    headers = {"content-type": kind, **request_.headers}
    asked = Request(request_.method, request_.path, headers, request_.body)
    response = Service(MemoryStore().put).handle(asked)
    assert 400 <= response.status < 500
    assert len(response.body) < MAX_ANSWER


FAILURES: dict[str, tuple[dict[str, Any], int]] = {
    "unknown path": ({"path": "/v1/nothing"}, 404),
    "wrong method": ({"method": "PUT"}, 405),
    "too large": ({"body": bytes(LIMIT + 1)}, 413),
    "too large inside": (
        {"body": gzip.compress(bytes(LIMIT + 1)), "content_encoding": "gzip"},
        413,
    ),
    "unknown compression": ({"content_encoding": "br"}, 415),
    "bad compression": ({"body": b"abc", "content_encoding": "gzip"}, 400),
    "bad data": ({"body": b"\xff\xff"}, 400),
}


@pytest.mark.spec("OTLP-43")
@pytest.mark.spec("OTLP-44")
@pytest.mark.spec("OTLP-46")
@pytest.mark.spec("OTLP-58")
@pytest.mark.spec("OTLP-59")
@pytest.mark.spec("OTLP-61")
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize(("asked", "status"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_a_status_in_the_encoding_of_the_request(
    receiver: Receiver, asked: dict[str, Any], status: int, kind: str
) -> None:
    """With a message for people and, when the same request would fail again, a BadRequest."""
    answer = send(receiver.http, **{"body": b"", "content_type": kind, **asked})
    assert (answer.status, answer.kind) == (status, kind)
    read = answer.read(Status())
    assert len(read.message) > 10
    assert receiver.store.records() == []
    if status == 400:
        assert bad_request(read) == read.message
    else:
        assert not read.details
    if status == 405:
        assert answer.headers["allow"] == "POST"


def bad_request(status: Any) -> str:
    """The description of the one violation in the details, by the official classes."""
    [detail] = status.details
    held = BadRequest()
    assert detail.Unpack(held)
    [violation] = held.field_violations
    return str(violation.description)


@pytest.mark.spec("OTLP-46")
@by_signal
def test_bad_data_over_grpc_carries_a_bad_request_too(receiver: Receiver, signal: Signal) -> None:
    """In the status of the trailing metadata, which says the same as the call's code and text."""
    with pytest.raises(grpc.RpcError) as error:
        receiver.call(b"\x0a\x05half", signal.grpc_method)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    [raw] = [v for k, v in error.value.trailing_metadata() if k == "grpc-status-details-bin"]
    status = Status.FromString(raw)
    assert (status.code, status.message) == (3, error.value.details())
    assert bad_request(status) == status.message


@pytest.mark.spec("OTLP-43")
@pytest.mark.spec("OTLP-50")
@pytest.mark.spec("OTLP-59")
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_a_full_disk_is_503_and_a_defect_500_in_either_encoding(kind: str) -> None:
    """The one with a time to come back, the other without; both as a `Status`."""
    body = request_of(TRACES)
    sent = body.SerializeToString() if kind == PROTOBUF else as_json(body)
    for trouble, status, wait in ((Full("the disk is full"), 503, "5"), (ValueError(), 500, None)):

        def put(*_: object, trouble: Exception = trouble) -> int:
            raise trouble

        with Receiver(put) as receiver:
            answer = send(receiver.http, sent, content_type=kind)
        assert (answer.status, answer.kind, answer.headers["retry-after"]) == (status, kind, wait)
        assert answer.read(Status()).message


@pytest.mark.spec("OTLP-43")
@pytest.mark.spec("OTLP-58")
@pytest.mark.spec("OTLP-61")
def test_a_content_type_that_is_not_taken_is_answered_in_protobuf(receiver: Receiver) -> None:
    """415: there is no encoding of the request to answer in."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/grpc", ""):
        answer = send(receiver.http, b"{}", content_type=kind)
        assert (answer.status, answer.kind) == (415, PROTOBUF)
        assert PROTOBUF in answer.read(Status()).message
