"""The smallest HTTP there is for the shop's services: JSON in, JSON out, trace context in headers."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

Handle = Callable[[str, dict[str, Any]], dict[str, Any]]


class Failed(Exception):
    """A request that ends in an error; the text is what the caller is told."""


def server(port: int, service: str, handle: Handle) -> ThreadingHTTPServer:
    """A threaded server on loopback, with a span for each request."""
    tracer = trace.get_tracer(f"shop.{service}", "1.0")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            # The propagator looks for lower-case names; HTTP clients capitalise as they like.
            context = propagate.extract({k.lower(): v for k, v in self.headers.items()})
            with tracer.start_as_current_span(
                f"POST {self.path}",
                context=context,
                kind=SpanKind.SERVER,
                attributes={"http.request.method": "POST", "url.path": self.path},
            ) as span:
                try:
                    status, answer = 200, handle(self.path, question)
                except Failed as failed:
                    status, answer = 502, {"error": str(failed)}
                    span.set_status(Status(StatusCode.ERROR, str(failed)))
                span.set_attribute("http.response.status_code", status)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    http.daemon_threads = True
    return http


def serve_until_interrupted(http: ThreadingHTTPServer) -> None:
    """Serve; SIGINT is how the shop ends its services."""
    with contextlib.suppress(KeyboardInterrupt):
        http.serve_forever()


def call(url: str, question: dict[str, Any]) -> dict[str, Any]:
    """Ask another service; raises `Failed` with its words if it fails."""
    headers: dict[str, str] = {"Content-Type": "application/json"}
    propagate.inject(headers)
    request = urllib.request.Request(url, json.dumps(question).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        raise Failed(json.load(error)["error"]) from None
    except OSError as error:
        raise Failed(f"{url}: {error}") from None
