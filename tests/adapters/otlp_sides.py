"""Both sides of an OTLP exporter under test: what the SDK hands over, and a plain HTTP server.

Not a test: `test_otlp_http.py`, `test_otlp_grpc.py` and `test_otlp_protocol.py` use it.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otlp_kit.model import Span
from otlp_kit.wire import LOGS, METRICS, TRACES, Signal
from tests.adapters.test_sdk_points import collect

RESOURCE = Resource({"service.name": "shop", "ports": (1, 2)})


def spans(count: int = 2) -> list[Any]:
    """Finished spans of the official tracer: a parent with an event, and its children."""
    made = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(made))
    tracer = provider.get_tracer("official", "1.2.3")
    with tracer.start_as_current_span("parent", attributes={"k": [1, 2], "é": True}) as parent:
        parent.add_event("event", {"x": 1.5})
        for _ in range(count - 1):
            tracer.start_span("child").end()
    return list(made.get_finished_spans())


def logs() -> list[Any]:
    """Log records of the official logger, with bodies of several kinds."""
    made = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(made))
    bodies: list[Any] = ["text", 5, 2.5, True, ["a", 1], {"k": {"n": [1]}}, b"\x00\xff"]
    for body in bodies:
        record = LogRecord(timestamp=time.time_ns(), body=body, severity_number=SeverityNumber.WARN)
        provider.get_logger("official", "1").emit(record)
    return list(made.get_finished_logs())


def metrics() -> Any:
    """Seven data points of every kind of instrument."""
    return collect([(1, {"k": "v"}, False)])


MADE: dict[Signal, Callable[[], Any]] = {TRACES: spans, LOGS: logs, METRICS: metrics}
"""What an exporter of each signal is given."""


def comparable(records: list[Any]) -> list[Any]:
    """Records without the one thing in which the official encoder differs."""
    for record in records:
        if isinstance(record, Span):
            record.flags &= ~0xFF  # it leaves the W3C bits out
    return records


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    peer: tuple[str, int]


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Server:
    """A plain HTTP server on loopback: gives `answers` one by one, and then 200 for ever."""

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.arrived = threading.Semaphore(0)
        waiting = list(answers)
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.received.append(Received(self.path, headers, body, self.client_address))
                answer = waiting.pop(0) if waiting else Answer()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
                server.arrived.release()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that a test sends away is no news."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start `call` on a thread; what it returns is put into the list."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()), daemon=True)
    thread.start()
    return thread, results
