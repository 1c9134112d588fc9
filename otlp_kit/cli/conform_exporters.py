"""The exporters that `otlp-kit conform exporter` knows by name, as factories for `check_exporter`.

Those of the kit are what a pipeline would use: encode once, send, retry. Each is made with what its
transport needs and nothing else, so that the official ones need not be installed to check the kit's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from otlp_kit.encoding.otlp_json import encode_json
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.model import Span
from otlp_kit.wire import JSON, TRACES, Sender

MAX_REQUEST = 64 * 1024 * 1024


def kit_http(
    endpoint: str, *, max_request: int = MAX_REQUEST, **settings: Any
) -> OtlpExporter[Span]:
    """`HttpSender` with protobuf. `settings` are those of `http_sender`."""
    sender = http_sender(endpoint, **settings)
    return OtlpExporter(encode_spans, sender, TRACES, max_request=max_request)


def kit_json(
    endpoint: str, *, max_request: int = MAX_REQUEST, **settings: Any
) -> OtlpExporter[Span]:
    """`HttpSender` with JSON. `settings` are those of `http_sender`."""
    sender = http_sender(endpoint, **settings)
    return OtlpExporter(
        lambda spans: encode_json(TRACES, spans),
        sender,
        TRACES,
        max_request=max_request,
        content_type=JSON,
    )


def http_sender(
    endpoint: str,
    *,
    timeout: float = 10.0,
    headers: Mapping[str, str] | None = None,
    compression: str = "none",
    traces_endpoint: str | None = None,
) -> Sender:
    """An `HttpSender` that retries. A URL for traces is used as it is, with `/` for no path."""
    from otlp_kit.exporters.otlp_http import HttpSender
    from otlp_kit.reliability.retry import Retrying

    path = None
    if traces_endpoint:
        url = urlsplit(traces_endpoint)
        endpoint, path = f"{url.scheme}://{url.netloc}", url.path or "/"
    return Retrying(
        HttpSender(endpoint, path=path, timeout=timeout, headers=headers, compression=compression)
    )


def kit_grpc(
    endpoint: str,
    *,
    timeout: float = 10.0,
    headers: Mapping[str, str] | None = None,
    compression: str = "none",
    insecure: bool = False,
    max_request: int = MAX_REQUEST,
) -> OtlpExporter[Span]:
    """`GrpcSender`."""
    from otlp_kit.exporters.otlp_grpc import GrpcSender
    from otlp_kit.reliability.retry import Retrying

    sender = GrpcSender(
        endpoint, timeout=timeout, headers=headers, compression=compression, insecure=insecure
    )
    return OtlpExporter(encode_spans, Retrying(sender), TRACES, max_request=max_request)


def official_http() -> Callable[..., Any]:
    from otlp_kit.adapters import sdk_conformance

    return sdk_conformance.official_http


def official_grpc() -> Callable[..., Any]:
    from otlp_kit.adapters import sdk_conformance

    return sdk_conformance.official_grpc


class Named(NamedTuple):
    """`factory()` returns the factory: what it imports may not be installed."""

    transport: str
    factory: Callable[[], Callable[..., Any]]


NAMED = {
    "kit-http": Named("http/protobuf", lambda: kit_http),
    "kit-json": Named("http/json", lambda: kit_json),
    "kit-grpc": Named("grpc", lambda: kit_grpc),
    "official-http": Named("http/protobuf", official_http),
    "official-grpc": Named("grpc", official_grpc),
}
