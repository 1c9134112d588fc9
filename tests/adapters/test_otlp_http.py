"""The exporters over HTTP with the official arguments, under the official SDK."""

from __future__ import annotations

import gzip
import inspect
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from google.protobuf.json_format import MessageToJson, Parse
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.common.http import Compression as CommonCompression
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as OfficialLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as OfficialMetrics,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OfficialSpans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.metrics import Counter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExportResult
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from otlp_kit.adapters.otlp_http import OTLPLogExporter, OTLPMetricExporter, OTLPSpanExporter
from otlp_kit.encoding.protobuf_read_metrics import decode_metrics
from otlp_kit.wire import LOGS, METRICS, SIGNALS, TRACES, Signal
from tests.adapters.otlp_forking import fork_and_export
from tests.adapters.otlp_sides import MADE, Answer, Server, comparable, in_thread, metrics, spans
from tests.receiver.test_official_exporters import Receiver

CLASSES: dict[Signal, tuple[Any, Any]] = {
    TRACES: (OTLPSpanExporter, OfficialSpans),
    LOGS: (OTLPLogExporter, OfficialLogs),
    METRICS: (OTLPMetricExporter, OfficialMetrics),
}
SOONER = 20.0
"""Seconds within which a thread of a test is over, of a wait that would be longer."""


def named(signal: Signal) -> str:
    return signal.name


@pytest.fixture(scope="module")
def shared() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(shared: Receiver) -> Receiver:
    shared.store._batches.clear()
    return shared


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
@pytest.mark.parametrize("signal", SIGNALS, ids=named)
def test_the_content_is_what_the_official_exporter_delivers(
    receiver: Receiver, signal: Signal, protocol: str, compression: str
) -> None:
    """The same records at the same receiver, in protobuf and in JSON."""
    own, official = CLASSES[signal]
    made = MADE[signal]()
    endpoint = receiver.http + signal.http_path
    official(endpoint).export(made)
    expected = comparable(receiver.store.records())
    receiver.store._batches.clear()
    exporter = own(endpoint, protocol=protocol, compression=compression)
    assert exporter.export(made).name == "SUCCESS"
    exporter.shutdown()
    assert comparable(receiver.store.records()) == expected != []
    assert exporter.totals().delivered == exporter.totals().created > 0


@pytest.mark.spec("OTLP-58")
@pytest.mark.spec("OTLP-102")
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_what_a_request_looks_like(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Path, type, agent, headers; a body that the official library reads."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2%20c")
    with Server() as server:
        exporter = OTLPSpanExporter(
            f"{server.url}/own/path?tenant=7", headers={"A": "3"}, protocol=protocol
        )
        exporter.export(spans())
        exporter.shutdown()
    [request] = server.received
    assert request.path == "/own/path?tenant=7"
    as_json = protocol == "http/json"
    assert request.headers["content-type"] == f"application/{'json' if as_json else 'x-protobuf'}"
    assert "OTel-OTLP-Exporter-Python/" in request.headers["user-agent"]
    assert (request.headers["a"], request.headers["b"]) == ("3", "2 c")
    if as_json:
        # It takes the hexadecimal ids for base64, which are letters too; the rest is the same.
        read = Parse(request.body, ExportTraceServiceRequest())
    else:
        read = ExportTraceServiceRequest.FromString(request.body)
    assert [s.name for s in read.resource_spans[0].scope_spans[0].spans] == ["child", "parent"]


@pytest.mark.spec("OTLP-89")
@pytest.mark.spec("OTLP-90")
@pytest.mark.spec("OTLP-98")
@pytest.mark.parametrize("signal", SIGNALS, ids=named)
def test_the_environment_is_enough(signal: Signal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base gets the signal's path; the signal's own URL is used as it is, `/` if it has none."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0")
    own, _ = CLASSES[signal]
    with Server() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{server.url}/base/")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        own().export(MADE[signal]())
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal.name.upper()}_ENDPOINT", server.url)
        own().export(MADE[signal]())
    assert [one.path for one in server.received] == [f"/base{signal.http_path}", "/"]
    assert {one.headers["content-encoding"] for one in server.received} == {"gzip"}


@pytest.mark.parametrize(
    ("compression", "used"),
    [
        (Compression.NoCompression, None),
        (CommonCompression.NONE, None),
        (grpc.Compression.NoCompression, None),
        (Compression.Gzip, "gzip"),
        (CommonCompression.GZIP, "gzip"),
        (grpc.Compression.Gzip, "gzip"),
        ("gzip", "gzip"),
    ],
)
def test_compression_is_any_official_enumerations(compression: Any, used: str | None) -> None:
    """Or its name."""
    with Server() as server:
        OTLPSpanExporter(server.url, compression=compression).export(spans())
    [request] = server.received
    assert request.headers.get("content-encoding") == used
    body = gzip.decompress(request.body) if used else request.body
    assert ExportTraceServiceRequest.FromString(body).resource_spans


@pytest.mark.spec("PEER-8")
@pytest.mark.spec("OTLP-30")
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_a_partial_success_is_a_success_with_a_warning(
    protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What was rejected is counted, and nothing is sent again."""
    partial = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=2, error_message="too old")
    )
    answer = (
        Answer(200, {"Content-Type": "application/json"}, MessageToJson(partial).encode())
        if protocol == "http/json"
        else Answer(200, {"Content-Type": "application/x-protobuf"}, partial.SerializeToString())
    )
    with Server(answer) as server:
        exporter = OTLPSpanExporter(server.url, protocol=protocol)
        assert exporter.export(spans(3)) is SpanExportResult.SUCCESS
    assert len(server.received) == 1
    assert caplog.messages == ["2 of 3 records rejected: too old"]
    assert str(exporter.totals()) == "created 3 = delivered 1 + rejected 2"


@pytest.mark.spec("PEER-11")
@pytest.mark.spec("OTLP-56")
@pytest.mark.parametrize("status", [302, 304, 400, 500])
def test_what_is_not_2xx_is_a_failure(status: int) -> None:
    """A redirect too: an official exporter takes it for success, and all is lost."""
    with Server(Answer(status, {"Location": "/login"})) as server:
        exporter = OTLPSpanExporter(server.url)
        assert exporter.export(spans()) is SpanExportResult.FAILURE
    assert len(server.received) == 1
    assert exporter.totals().dropped == {"export_failed": 2}


@pytest.mark.spec("OTLP-101")
def test_a_transient_error_is_tried_again_with_the_same_bytes() -> None:
    """Encoded once; the second answer counts."""
    with Server(Answer(503)) as server:
        exporter = OTLPSpanExporter(server.url, compression="gzip")
        assert exporter.export(spans()) is SpanExportResult.SUCCESS
    first, second = server.received
    assert first.body == second.body
    assert str(exporter.totals()) == "created 2 = delivered 2"


@pytest.mark.spec("PEER-4")
def test_shutdown_ends_the_wait_for_another_attempt() -> None:
    """A server asks for a minute; nobody waits for it."""
    with Server(Answer(503, {"Retry-After": "60"})) as server:
        exporter = OTLPSpanExporter(server.url, timeout=600)
        thread, results = in_thread(lambda: exporter.export(spans()))
        assert server.arrived.acquire(timeout=SOONER)
        exporter.shutdown()
        thread.join(SOONER)
    assert results == [SpanExportResult.FAILURE]
    assert exporter.export(spans()) is SpanExportResult.FAILURE
    assert exporter.totals().inside == 0


@pytest.mark.spec("PEER-5")
@pytest.mark.spec("OTLP-98")
def test_a_dead_server_costs_the_timeout_at_most() -> None:
    """One that accepts and is silent, and one that is not there; the accounts tell which."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_port = silent.getsockname()[1]
        exporter = OTLPSpanExporter(f"http://127.0.0.1:{silent_port}/", timeout=0.3)
        thread, results = in_thread(lambda: exporter.export(spans()))
        thread.join(SOONER)
    assert results == [SpanExportResult.FAILURE]
    assert exporter.totals().unknown == 2
    exporter = OTLPSpanExporter(f"http://127.0.0.1:{silent_port}/", timeout=0.3)
    thread, results = in_thread(lambda: exporter.export(spans()))
    thread.join(SOONER)
    assert results == [SpanExportResult.FAILURE]
    assert sum(exporter.totals().dropped.values()) == 2


def test_a_request_over_the_limit_is_split() -> None:
    """In two until each part fits; the official exporter drops the batch."""
    with Server() as server:
        exporter = OTLPSpanExporter(server.url, max_request_size=1500)
        assert exporter.export(spans(32)) is SpanExportResult.SUCCESS
    sizes = [len(request.body) for request in server.received]
    assert len(sizes) > 1
    assert max(sizes) <= 1500
    assert exporter.totals().delivered == 32


@pytest.mark.parametrize("most", [1, 3, 100])
def test_metrics_are_sent_in_parts_of_so_many_points(most: int) -> None:
    """Together they are what one request would hold, point by point."""
    data = metrics()
    with Server() as server:
        OTLPMetricExporter(server.url).export(data)
        exporter = OTLPMetricExporter(server.url, max_export_batch_size=most)
        assert exporter.export(data) is MetricExportResult.SUCCESS
    whole, *parts = [decode_metrics(request.body) for request in server.received]
    counts = [sum(len(metric.points) for metric in part) for part in parts]
    assert sum(counts) == exporter.totals().delivered == 7
    assert all(count == most for count in counts[:-1])
    assert max(counts) <= most
    points = [(metric.name, point) for metric in whole for point in metric.points]
    assert [(m.name, point) for part in parts for m in part for point in m.points] == points


@pytest.mark.spec("OTLP-67")
def test_nothing_is_not_sent() -> None:
    """An empty batch succeeds without a request."""
    with Server() as server:
        assert OTLPSpanExporter(server.url).export([]) is SpanExportResult.SUCCESS
        exporter = OTLPMetricExporter(server.url)
        assert exporter.export(type(metrics())([])) is MetricExportResult.SUCCESS
    assert server.received == []


@pytest.mark.spec("SDK-P23")
def test_metrics_prefer_what_the_official_exporter_prefers(monkeypatch: Any) -> None:
    """By the environment and by argument."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    for asked in (None, {Counter: AggregationTemporality.CUMULATIVE}):
        own, official = (
            made(preferred_temporality=asked) for made in (OTLPMetricExporter, OfficialMetrics)
        )
        assert own._preferred_temporality == official._preferred_temporality


@pytest.mark.parametrize("signal", SIGNALS, ids=named)
def test_the_arguments_are_the_official_ones(signal: Signal) -> None:
    """The same names in the same order; more are by name only."""
    own, official = (inspect.signature(made).parameters for made in CLASSES[signal])
    positional = [
        [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        for parameters in (own, official)
    ]
    assert positional[0] == positional[1]
    assert set(official) - set(own) == {"_transport"}


@pytest.mark.parametrize("signal", SIGNALS, ids=named)
@pytest.mark.parametrize(
    ("named", "value"),
    [
        ("session", object()),
        ("meter_provider", object()),
        ("compression", Compression.Deflate),
        ("protocol", "grpc"),
        ("protocol", "carrier pigeon"),
        ("endpoint", "localhost:4318"),
        ("timeout", -1),
        ("headers", {"a": "b\nc"}),
        ("certificate_file", "/no/such/file"),
    ],
)
def test_an_argument_that_cannot_be_honoured_is_an_error(
    signal: Signal, named: str, value: Any
) -> None:
    """It names the argument; none is ignored."""
    with pytest.raises(ValueError, match=named):
        CLASSES[signal][0](**{named: value})
    with pytest.raises(ValueError, match="max_export_batch_size"):
        OTLPMetricExporter(max_export_batch_size=0)


@pytest.mark.spec("PEER-26")
@pytest.mark.parametrize("signal", SIGNALS, ids=named)
def test_no_bad_variable_stops_a_program(
    signal: Signal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is one warning; an exporter to the default is made."""
    bad = {"ENDPOINT": "h", "TIMEOUT": "x", "COMPRESSION": "zip", "PROTOCOL": "x", "HEADERS": "x"}
    for name, value in bad.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    CLASSES[signal][0]()
    assert len(caplog.messages) == len(bad)
    assert all(f"OTEL_EXPORTER_OTLP_{name} " in caplog.text.replace(":", " ") for name in bad)


@settings(max_examples=50)
@example({"ENDPOINT": "HTTP://0%0"})
@given(
    st.dictionaries(
        st.sampled_from(["ENDPOINT", "TRACES_ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION"]),
        st.one_of(
            # No environment can hold half of a surrogate pair, nor a zero.
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
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


def test_a_class_over_http_takes_json_from_the_environment_and_leaves_grpc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever takes the class has chosen HTTP."""
    with Server() as server:
        for protocol in ("http/json", "grpc"):
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            OTLPSpanExporter(server.url).export(spans())
    types = [request.headers["content-type"] for request in server.received]
    assert types == ["application/json", "application/x-protobuf"]


def test_the_proxy_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As by the official exporter; one that cannot be used is a warning without its password."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        monkeypatch.setenv("http_proxy", server.url)
        for made in (OTLPSpanExporter, OfficialSpans):
            assert made("http://collector.invalid/v1/traces").export(spans()).name == "SUCCESS"
        monkeypatch.setenv("http_proxy", "http://user:hunter2@127.0.0.1:1")
        assert OTLPSpanExporter(f"{server.url}/direct").export(spans()).name == "SUCCESS"
    proxied = "http://collector.invalid/v1/traces"
    assert [request.path for request in server.received] == [proxied, proxied, "/direct"]
    assert caplog.messages == []
    OTLPSpanExporter("http://collector.invalid")
    assert "the proxy for http in the environment is ignored" in caplog.text
    assert "hunter2" not in caplog.text


def test_no_secret_is_shown() -> None:
    """Not by an exporter, and not by what it holds."""
    exporter = OTLPSpanExporter(headers={"authorization": "Bearer hunter2"})
    assert "hunter2" not in repr(exporter) + repr(exporter._sender)


@pytest.mark.spec("OTLP-95")
def test_certificates_by_argument_and_by_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides show one; a client without is refused, and the batch is accounted for."""
    authority = trustme.CA()
    client = authority.issue_cert("client.example")
    files = {name: str(tmp_path / name) for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(files["ca"])
    client.cert_chain_pems[0].write_to_path(files["cert"])
    client.private_key_pem.write_to_path(files["key"])
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    with Server(tls=tls) as server:
        stranger = OTLPSpanExporter(server.url, files["ca"], timeout=0.5)
        assert stranger.export(spans()) is SpanExportResult.FAILURE
        known = OTLPSpanExporter(server.url, files["ca"], files["key"], files["cert"])
        assert known.export(spans()) is SpanExportResult.SUCCESS
        for name, file in (("CERTIFICATE", "ca"), ("CLIENT_KEY", "key")):
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", files[file])
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", files["cert"])
        assert OTLPSpanExporter(server.url).export(spans()) is SpanExportResult.SUCCESS
    assert len(server.received) == 2


@pytest.mark.spec("PEER-13")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_the_child_of_a_fork_has_a_connection_of_its_own() -> None:
    """Parent and children export at once; every span arrives whole, and nobody shares a socket."""
    with Server() as server:
        fork_and_export("http", server.url)
    assert len(server.received) == 61
    ids = set()
    for request in server.received:
        [group] = ExportTraceServiceRequest.FromString(request.body).resource_spans
        ids.add(group.scope_spans[0].spans[0].span_id)
    assert len(ids) == 61
    assert len({request.peer for request in server.received}) == 4


def test_under_the_official_batch_processor() -> None:
    """What it flushes has arrived."""
    with Server() as server:
        exporter = OTLPSpanExporter(server.url)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        provider.get_tracer("t").start_span("s").end()
        provider.force_flush()
        provider.shutdown()
    assert len(server.received) == 1
    assert str(exporter.totals()) == "created 1 = delivered 1"
