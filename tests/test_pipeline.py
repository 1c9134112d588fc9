"""Whole pipelines, as a program would use them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.model import Span
from otlp_kit.pipeline import http_span_pipeline, span_pipeline, span_pipeline_of
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.outcome import Outcome
from otlp_kit.settings.schema import load_settings
from otlp_kit.testing.hostile_answers import Answer, failure, success
from otlp_kit.testing.hostile_grpc import GrpcAnswer, HostileGrpcServer
from otlp_kit.testing.hostile_record import Arrival
from otlp_kit.testing.hostile_server import HostileServer
from otlp_kit.wire import JSON, PROTOBUF, TRACES, Accepted, Payload

Posted = list[tuple[str, str, bytes]]


def some_span(name: str) -> Span:
    return Span(name, os.urandom(16), os.urandom(8))


@pytest.fixture
def server() -> Iterator[tuple[str, Posted]]:
    """A server of the standard library that takes everything and keeps it."""
    posted: Posted = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}", posted
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_spans_reach_a_server_in_a_form_that_the_official_library_reads(
    server: tuple[str, Posted],
) -> None:
    """From `emit` to what protobuf parses, over a real connection."""
    url, posted = server
    pipeline = http_span_pipeline(url)
    for number in range(600):
        pipeline.emit(some_span(f"span {number}"))
    assert pipeline.shutdown() is Outcome.FLUSHED
    assert {(path, kind) for path, kind, _ in posted} == {("/v1/traces", PROTOBUF)}
    names = [
        span.name
        for _, _, body in posted
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert names == [f"span {number}" for number in range(600)]
    assert str(pipeline.totals()) == "created 600 = delivered 600"


def test_any_sender_will_do() -> None:
    """The pipeline knows the shape of its last stage, not the stage."""
    sent: list[Payload] = []

    class Keeper:
        def send(self, payload: Payload, deadline: float) -> Accepted:
            sent.append(payload)
            return Accepted()

    pipeline = span_pipeline(Keeper(), delay=60.0)
    pipeline.emit(some_span("one"))
    assert pipeline.force_flush() is Outcome.FLUSHED
    assert [(payload.signal, payload.items) for payload in sent] == [(TRACES, 1)]
    assert pipeline.shutdown() is Outcome.FLUSHED


def test_a_server_that_is_not_there_costs_the_spans_and_says_so() -> None:
    """No retry without a wrapper for it: the ledger tells where they went."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    httpd.server_close()
    pipeline = span_pipeline(HttpSender(f"http://127.0.0.1:{httpd.server_address[1]}"))
    pipeline.emit(some_span("lost"))
    assert pipeline.shutdown() is Outcome.FAILED
    assert str(pipeline.totals()) == "created 1 = dropped 1 (export_failed 1)"


def test_the_pipeline_over_http_tries_again() -> None:
    """A server that is busy at first has the span in the end, once."""
    taken: list[int] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(200 if taken else 503)
            self.send_response(taken[-1])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        pipeline = http_span_pipeline(f"http://127.0.0.1:{httpd.server_address[1]}")
        pipeline.emit(some_span("late"))
        assert pipeline.shutdown(25) is Outcome.FLUSHED
        httpd.shutdown()
        thread.join()
    assert taken == [503, 200]
    assert str(pipeline.totals()) == "created 1 = delivered 1"


def pipeline_of(
    file: Path, text: str = "", environ: Mapping[str, str] = {}
) -> BatchProcessor[Span]:
    """The pipeline that a file with `text` and the variables `environ` describe."""
    file.write_text(text)
    return span_pipeline_of(load_settings(files=[file], environ=environ))


def test_settings_of_a_file_and_of_variables_reach_the_wire(tmp_path: Path) -> None:
    """Endpoint, headers, compression and batch size, from wherever they were said."""
    with HostileServer([success()]) as server:
        pipeline = pipeline_of(
            tmp_path / "kit.toml",
            """
            [exporter]
            headers = ["x-tenant=blue", "x-token=of the file"]
            compression = "gzip"
            [batch]
            max_batch_size = 100
            delay = "1h"
            """,
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"{server.endpoint}/gateway/",
                "OTLP_KIT_EXPORTER_TRACES_HEADERS": "x-token=of%20the%20variable",
            },
        )
        for number in range(250):
            pipeline.emit(some_span(f"span {number}"))
        assert pipeline.shutdown() is Outcome.FLUSHED
    assert [len(one.records()) for one in server.arrivals] == [100, 100, 50]
    for one in server.arrivals:
        assert (one.method, one.path) == ("POST", "/gateway/v1/traces")
        assert one.headers["content-type"] == PROTOBUF
        assert one.headers["content-encoding"] == "gzip"
        assert one.headers["x-token"] == "of the variable"
        assert "x-tenant" not in one.headers  # what is for one signal replaces what is for all
    names = [span.name for one in server.arrivals for span in one.records()]
    assert names == [f"span {number}" for number in range(250)]


def test_the_protocol_may_be_json(tmp_path: Path) -> None:
    """The official library reads it; the URL of one signal is used as it is."""
    with HostileServer([success(content_type=JSON)]) as server:
        pipeline = pipeline_of(
            tmp_path / "kit.toml",
            'exporter.protocol = "http/json"\nexporter.headers = "x-tenant=blue"\n',
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{server.endpoint}/spans?to=here"},
        )
        pipeline.emit(some_span("as text"))
        assert pipeline.shutdown() is Outcome.FLUSHED
    (one,) = server.arrivals
    assert (one.path, one.headers["content-type"]) == ("/spans?to=here", JSON)
    assert one.headers["x-tenant"] == "blue"
    request = json_format.Parse(one.body(), ExportTraceServiceRequest())
    assert request.resource_spans[0].scope_spans[0].spans[0].name == "as text"


def test_the_protocol_may_be_grpc(tmp_path: Path) -> None:
    """With the headers as metadata, by the one method of the signal."""
    with HostileGrpcServer([GrpcAnswer()]) as server:
        pipeline = pipeline_of(
            tmp_path / "kit.yaml",
            "exporter: {protocol: grpc, insecure: true, headers: ['x-tenant=blue']}",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": server.endpoint.removeprefix("http://")},
        )
        pipeline.emit(some_span("over HTTP/2"))
        assert pipeline.shutdown() is Outcome.FLUSHED
    (one,) = server.arrivals
    assert (one.path, one.headers["x-tenant"]) == (TRACES.grpc_method, "blue")
    request = ExportTraceServiceRequest.FromString(one.body())
    assert request.resource_spans[0].scope_spans[0].spans[0].name == "over HTTP/2"


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_batch_is_tried_as_often_as_the_settings_say(attempts: int, tmp_path: Path) -> None:
    """The first attempt counts; then the ledger has the record as lost."""
    with HostileServer([failure(503)]) as server:
        pipeline = pipeline_of(
            tmp_path / "kit.toml",
            f"""
            exporter.endpoint = "{server.endpoint}"
            retry = {{first_wait = "1ms", longest_wait = "2ms", max_attempts = {attempts}}}
            """,
        )
        pipeline.emit(some_span("in vain"))
        assert pipeline.shutdown() is Outcome.FAILED
        assert server.count == attempts
    assert str(pipeline.totals()) == "created 1 = dropped 1 (export_failed 1)"


def test_a_queue_is_as_long_as_the_settings_say(tmp_path: Path) -> None:
    """What comes when it is full gives way as `when_full` wants it, and is counted."""
    released = threading.Event()

    def taken_late(_: Arrival) -> Answer:
        released.wait(30)
        return success()

    with HostileServer(taken_late) as server:
        pipeline = pipeline_of(
            tmp_path / "kit.yaml",
            "batch: {max_queue_size: 8, max_batch_size: 8, delay: 1h, when_full: drop_oldest}",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": server.endpoint},
        )
        for number in range(8):
            pipeline.emit(some_span(f"span {number}"))
        assert server.wait_for(1, 30)
        for number in range(8, 18):
            pipeline.emit(some_span(f"span {number}"))
        released.set()
        assert pipeline.shutdown() is Outcome.FLUSHED
    names = [span.name for one in server.arrivals for span in one.records()]
    assert names == [f"span {number}" for number in range(18) if number not in (8, 9)]
    assert str(pipeline.totals()) == "created 18 = delivered 16 + dropped 2 (queue_full 2)"


def test_a_request_is_no_larger_than_the_settings_say(tmp_path: Path) -> None:
    """A batch that would be is split, and arrives whole."""
    with HostileServer([success()]) as server:
        pipeline = pipeline_of(
            tmp_path / "kit.toml",
            f'exporter = {{endpoint = "{server.endpoint}", max_request_size = "1KiB"}}\n',
        )
        for number in range(100):
            pipeline.emit(some_span(f"span {number}"))
        assert pipeline.shutdown() is Outcome.FLUSHED
    assert len(server.arrivals) > 1
    assert all(len(one.body()) <= 1024 for one in server.arrivals)
    names = [span.name for one in server.arrivals for span in one.records()]
    assert sorted(names) == sorted(f"span {number}" for number in range(100))
