"""Whole pipelines, as a program would use them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.model import Span
from otlp_kit.pipeline import http_span_pipeline, span_pipeline
from otlp_kit.processors.outcome import Outcome
from otlp_kit.wire import PROTOBUF, TRACES, Accepted, Payload

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
