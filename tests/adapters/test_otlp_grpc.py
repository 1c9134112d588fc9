"""The exporters over gRPC with the official arguments, under the official SDK."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as OfficialLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as OfficialMetrics,
)
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OfficialSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.trace.export import SpanExportResult

from otlp_kit.adapters.otlp_grpc import OTLPLogExporter, OTLPMetricExporter, OTLPSpanExporter
from otlp_kit.encoding.protobuf_read_metrics import decode_metrics
from otlp_kit.wire import LOGS, METRICS, SIGNALS, TRACES, Signal
from tests.adapters.otlp_forking import fork_and_export
from tests.adapters.otlp_sides import MADE, comparable, in_thread, metrics, spans
from tests.adapters.test_otlp_http import SOONER, named
from tests.receiver.test_official_exporters import Receiver

CLASSES: dict[Signal, tuple[Any, Any]] = {
    TRACES: (OTLPSpanExporter, OfficialSpans),
    LOGS: (OTLPLogExporter, OfficialLogs),
    METRICS: (OTLPMetricExporter, OfficialMetrics),
}


class Server:
    """A gRPC server on raw bytes: gives `answers` one by one, and then success for ever."""

    def __init__(self, *answers: Callable[[Any], bytes], tls: Any = None) -> None:
        self.bodies: list[bytes] = []
        self.metadata: list[dict[str, Any]] = []
        self.peers: list[str] = []
        self.arrived = threading.Semaphore(0)
        self._waiting = list(answers)
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        add = self._server.add_secure_port if tls else self._server.add_insecure_port
        self.port = add("127.0.0.1:0", *([tls] if tls else []))
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def service(self, details: Any) -> Any:
        assert details.method in {signal.grpc_method for signal in SIGNALS}
        return grpc.unary_unary_rpc_method_handler(self._export)

    def _export(self, body: bytes, context: Any) -> bytes:
        self.bodies.append(body)
        self.metadata.append(dict(context.invocation_metadata()))
        self.peers.append(context.peer())
        answer = self._waiting.pop(0) if self._waiting else (lambda _: b"")
        self.arrived.release()
        return answer(context)

    def __enter__(self) -> Server:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait(10)


def failing(code: Any, retry_after: int | None = None) -> Callable[[Any], bytes]:
    """An answer that aborts with `code`, and the wait in seconds that it asks for."""

    def answer(context: Any) -> bytes:
        if retry_after is not None:
            detail = AnyMessage()
            detail.Pack(RetryInfo(retry_delay=Duration(seconds=retry_after)))
            status = Status(code=code.value[0], details=[detail]).SerializeToString()
            context.set_trailing_metadata((("grpc-status-details-bin", status),))
        context.abort(code, "as the test says")
        raise AssertionError("abort raises")

    return answer


@pytest.fixture(scope="module")
def shared() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(shared: Receiver) -> Receiver:
    shared.store._batches.clear()
    return shared


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
@pytest.mark.parametrize("signal", SIGNALS, ids=named)
def test_the_content_is_what_the_official_exporter_delivers(
    receiver: Receiver, signal: Signal, compression: Any
) -> None:
    """The same records at the same receiver."""
    own, official = CLASSES[signal]
    made = MADE[signal]()
    reference = official(receiver.grpc, insecure=True)
    reference.export(made)
    reference.shutdown()
    expected = comparable(receiver.store.records())
    receiver.store._batches.clear()
    exporter = own(receiver.grpc, insecure=True, compression=compression)
    assert exporter.export(made).name == "SUCCESS"
    exporter.shutdown()
    assert comparable(receiver.store.records()) == expected != []
    assert exporter.totals().delivered == exporter.totals().created > 0


@pytest.mark.spec("OTLP-93")
@pytest.mark.spec("OTLP-96")
@pytest.mark.spec("OTLP-98")
@pytest.mark.spec("OTLP-102")
@pytest.mark.parametrize("signal", SIGNALS, ids=named)
def test_the_environment_is_enough(signal: Signal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoint, headers and compression; what an argument says goes before it."""
    own, _ = CLASSES[signal]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0")
    with Server() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url + "/")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "A=1,b=2%20c")
        for exporter in (own(), own(headers=[("A", "3")], compression=grpc.Compression(0))):
            assert exporter.export(MADE[signal]()).name == "SUCCESS"
            exporter.shutdown()
    first, second = server.metadata
    assert (first["a"], first["b"]) == ("1", "2 c")
    assert (second["a"], second.get("b")) == ("3", None)
    assert "OTel-OTLP-Exporter-Python/" in first["user-agent"]


@pytest.mark.spec("PEER-8")
@pytest.mark.spec("OTLP-30")
def test_a_partial_success_is_a_success_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """What was rejected is counted, and nothing is sent again."""
    partial = ExportTracePartialSuccess(rejected_spans=2, error_message="too old")
    body = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    with Server(lambda _: body) as server:
        exporter = OTLPSpanExporter(server.url)
        assert exporter.export(spans(3)) is SpanExportResult.SUCCESS
        exporter.shutdown()
    assert len(server.bodies) == 1
    assert caplog.messages == ["2 of 3 records rejected: too old"]
    assert str(exporter.totals()) == "created 3 = delivered 1 + rejected 2"


@pytest.mark.spec("PEER-9")
@pytest.mark.spec("OTLP-38")
@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED]
)
def test_what_must_not_be_retried_is_a_failure_at_once(code: Any) -> None:
    """Exhausted without a time to come back as well: the official exporter tries again."""
    with Server(failing(code)) as server:
        exporter = OTLPSpanExporter(server.url)
        assert exporter.export(spans()) is SpanExportResult.FAILURE
        exporter.shutdown()
    assert len(server.bodies) == 1
    assert exporter.totals().dropped == {"export_failed": 2}


@pytest.mark.spec("OTLP-101")
@pytest.mark.spec("PEER-23")
def test_a_transient_error_is_tried_again_with_the_same_bytes() -> None:
    """Encoded once; the second answer counts."""
    with Server(failing(grpc.StatusCode.UNAVAILABLE)) as server:
        exporter = OTLPSpanExporter(server.url)
        assert exporter.export(spans()) is SpanExportResult.SUCCESS
        exporter.shutdown()
    first, second = server.bodies
    assert first == second
    assert str(exporter.totals()) == "created 2 = delivered 2"


@pytest.mark.spec("PEER-4")
@pytest.mark.spec("PEER-10")
def test_shutdown_ends_the_wait_for_another_attempt() -> None:
    """A server asks for a minute; nobody waits for it."""
    with Server(failing(grpc.StatusCode.UNAVAILABLE, 60)) as server:
        exporter = OTLPSpanExporter(server.url, timeout=600)
        thread, results = in_thread(lambda: exporter.export(spans()))
        assert server.arrived.acquire(timeout=SOONER)
        exporter.shutdown()
        thread.join(SOONER)
    assert results == [SpanExportResult.FAILURE]
    assert exporter.export(spans()) is SpanExportResult.FAILURE
    assert exporter.totals().inside == 0


@pytest.mark.spec("PEER-5")
def test_a_dead_server_costs_the_timeout_at_most() -> None:
    """One that does not answer, and one that is not there."""
    done = threading.Event()

    def silent(_: Any) -> bytes:
        done.wait(SOONER)
        return b""

    with Server(silent) as server:
        exporter = OTLPSpanExporter(server.url, timeout=0.3)
        thread, results = in_thread(lambda: exporter.export(spans()))
        thread.join(SOONER)
        done.set()
    assert results == [SpanExportResult.FAILURE]
    exporter = OTLPSpanExporter(server.url, timeout=0.3)
    thread, results = in_thread(lambda: exporter.export(spans()))
    thread.join(SOONER)
    assert results == [SpanExportResult.FAILURE]
    assert exporter.totals().inside == 0


def test_metrics_are_sent_in_parts_of_so_many_points() -> None:
    """The official answer to servers that take 4 MB at most."""
    with Server() as server:
        exporter = OTLPMetricExporter(server.url, max_export_batch_size=3)
        assert exporter.export(metrics()) is MetricExportResult.SUCCESS
        exporter.shutdown()
    parts = [decode_metrics(body) for body in server.bodies]
    assert [sum(len(metric.points) for metric in part) for part in parts] == [3, 3, 1]


def test_a_request_over_the_limit_is_split() -> None:
    """In two until each part fits."""
    with Server() as server:
        exporter = OTLPSpanExporter(server.url, max_request_size=1500)
        assert exporter.export(spans(32)) is SpanExportResult.SUCCESS
        exporter.shutdown()
    assert max(map(len, server.bodies)) <= 1500
    assert exporter.totals().delivered == 32


@pytest.mark.parametrize("signal", SIGNALS, ids=named)
def test_the_arguments_are_the_official_ones(signal: Signal) -> None:
    """The same names in the same order; more are by name only."""
    own, official = (inspect.signature(made).parameters for made in CLASSES[signal])
    positional = [
        [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        for parameters in (own, official)
    ]
    assert positional[0] == positional[1]
    assert set(official) <= set(own)


@pytest.mark.parametrize("signal", SIGNALS, ids=named)
@pytest.mark.parametrize(
    ("named", "value"),
    [
        ("credentials", grpc.ssl_channel_credentials()),
        ("channel_options", (("grpc.keepalive_time_ms", 1),)),
        ("retryable_error_codes", [grpc.StatusCode.UNKNOWN]),
        ("meter_provider", object()),
        ("compression", grpc.Compression.Deflate),
        ("compression", Compression.Deflate),
        ("endpoint", "ftp://localhost"),
        ("timeout", -1),
        ("headers", {"grpc-timeout": "1S"}),
        ("certificate_file", "/no/such/file"),
    ],
)
def test_an_argument_that_cannot_be_honoured_is_an_error(
    signal: Signal, named: str, value: Any
) -> None:
    """It names the argument; none is ignored."""
    with pytest.raises(ValueError, match=named):
        CLASSES[signal][0](**{named: value})


@pytest.mark.spec("PEER-26")
@pytest.mark.parametrize("signal", SIGNALS, ids=named)
def test_no_bad_variable_stops_a_program(
    signal: Signal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is one warning; an exporter to the default is made."""
    bad = {"ENDPOINT": "ftp://h", "TIMEOUT": "x", "COMPRESSION": "zip", "HEADERS": "x"}
    for name, value in bad.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    CLASSES[signal][0]().shutdown()
    assert len(caplog.messages) == len(bad)
    assert all(f"OTEL_EXPORTER_OTLP_{name} " in caplog.text.replace(":", " ") for name in bad)


@given(
    st.dictionaries(
        st.sampled_from(["ENDPOINT", "TRACES_ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION"]),
        st.one_of(
            st.text(st.characters(exclude_characters="\0"), max_size=20),
            st.text("htps:/[]@%.=,019", max_size=20).map("http://".__add__),
            st.text("htps:/[]@%.=,019", max_size=20).map("k=".__add__),
        ),
    )
)
def test_no_text_in_the_environment_stops_a_program(texts: dict[str, str]) -> None:
    """What the settings let pass, the sender takes."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in texts.items():
            patch.setitem(os.environ, f"OTEL_EXPORTER_OTLP_{name}", value)
        OTLPSpanExporter().shutdown()


@pytest.mark.spec("OTLP-94")
@pytest.mark.spec("OTLP-95")
def test_certificates_by_argument_and_by_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides show one; a target without a scheme means TLS; a client without is refused."""
    authority = trustme.CA()
    served, client = authority.issue_cert("localhost", "127.0.0.1"), authority.issue_cert("client")
    files = {name: str(tmp_path / name) for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(files["ca"])
    client.cert_chain_pems[0].write_to_path(files["cert"])
    client.private_key_pem.write_to_path(files["key"])
    chain = served.private_key_pem.bytes(), served.cert_chain_pems[0].bytes()
    tls = grpc.ssl_server_credentials([chain], authority.cert_pem.bytes(), True)
    with Server(tls=tls) as server:
        stranger = OTLPSpanExporter(server.url, certificate_file=files["ca"], timeout=0.5)
        assert stranger.export(spans()) is SpanExportResult.FAILURE
        known = OTLPSpanExporter(
            f"127.0.0.1:{server.port}",
            certificate_file=files["ca"],
            client_key_file=files["key"],
            client_certificate_file=files["cert"],
        )
        assert known.export(spans()) is SpanExportResult.SUCCESS
        for name, file in (("CERTIFICATE", "ca"), ("CLIENT_KEY", "key")):
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", files[file])
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", files["cert"])
        by_variable = OTLPSpanExporter(server.url)
        assert by_variable.export(spans()) is SpanExportResult.SUCCESS
        for exporter in (stranger, known, by_variable):
            exporter.shutdown()
    assert len(server.bodies) == 2


@pytest.mark.spec("PEER-13")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_the_child_of_a_fork_has_a_connection_of_its_own() -> None:
    """Parent and children export at once; every span arrives whole, and nobody shares a socket."""
    with Server() as server:
        fork_and_export("grpc", server.url)
    assert len(server.bodies) == 61
    requests = [ExportTraceServiceRequest.FromString(body) for body in server.bodies]
    ids = {one.resource_spans[0].scope_spans[0].spans[0].span_id for one in requests}
    assert len(ids) == 61
    assert len(set(server.peers)) == 4
