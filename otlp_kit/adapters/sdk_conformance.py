"""The official exporters as `check_exporter` wants them: factories, and spans of the SDK to send.

    check_exporter(official_http, "http/protobuf")
    check_exporter(official_grpc, "grpc")

The official constructors take the URL of one signal; a base URL is given to them in the environment,
as a user would. Settings that they have no place for are not in the signatures.

Specification: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

Make = TypeVar("Make", bound=Callable[..., SpanExporter])
Exporter = TypeVar("Exporter", bound=SpanExporter)

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

_environment = threading.Lock()
"""The environment is shared by all threads: one constructor at a time."""


def official_spans(count: int, size: int = 0) -> list[ReadableSpan]:
    """A batch of `count` spans of the SDK with an attribute of `size` characters each."""
    return [
        ReadableSpan(
            f"span {i}",
            SpanContext(1, i + 1, is_remote=False, trace_flags=TraceFlags(1)),
            resource=Resource({"service.name": "conformance"}),
            attributes={"text": "x" * size} if size else {},
            instrumentation_scope=InstrumentationScope("otlp_kit"),
            start_time=1,
            end_time=2,
        )
        for i in range(count)
    ]


def sends_official_spans(make: Make) -> Make:
    """A decorator: a factory of exporters that take spans of the SDK."""
    make.records = official_spans  # type: ignore[attr-defined]
    return make


@sends_official_spans
def official_http(
    endpoint: str,
    *,
    timeout: float = 10.0,
    headers: Mapping[str, str] | None = None,
    compression: str = "none",
    max_request: int | None = None,
    traces_endpoint: str | None = None,
) -> SpanExporter:
    """The official exporter for http/protobuf."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return _at(
        endpoint,
        lambda: OTLPSpanExporter(
            endpoint=traces_endpoint,
            timeout=timeout,
            headers=headers,
            compression=Compression(compression),
            max_request_size=max_request,
        ),
    )


@sends_official_spans
def official_grpc(
    endpoint: str,
    *,
    timeout: float = 10.0,
    headers: Mapping[str, str] | None = None,
    compression: str = "none",
    insecure: bool | None = None,
) -> SpanExporter:
    """The official exporter for grpc."""
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    packed = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
    return _at(
        endpoint,
        lambda: OTLPSpanExporter(
            timeout=timeout, headers=dict(headers or {}), compression=packed, insecure=insecure
        ),
    )


def _at(endpoint: str, make: Callable[[], Exporter]) -> Exporter:
    with _environment:
        before = os.environ.get(ENDPOINT)
        os.environ[ENDPOINT] = endpoint
        try:
            return make()
        finally:
            if before is None:
                del os.environ[ENDPOINT]
            else:
                os.environ[ENDPOINT] = before
