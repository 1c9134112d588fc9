"""OTLP over gRPC under the official SDK: the three exporters, with the official arguments.

    from otlp_kit.adapters.otlp_grpc import OTLPSpanExporter
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter("http://collector:4317")))

They take what `opentelemetry.exporter.otlp.proto.grpc` takes, and what is left out comes from the
variables `OTEL_EXPORTER_OTLP_*` by the specification's rules: the scheme of the endpoint decides
about TLS, and `insecure` where there is none. Files with certificates are given as over HTTP, by
name. `credentials`, `channel_options`, `retryable_error_codes`, `meter_provider` and the compression
`deflate` raise `ValueError`, as does every argument that cannot be used; a bad variable is one
warning and the default.

Specification: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

from typing import Any, ClassVar

from otlp_kit.adapters.otlp_exporting import (
    OtlpLogExporter,
    OtlpMetricExporter,
    OtlpSpanExporter,
    compression_name,
    refuse,
)
from otlp_kit.exporters.otlp_grpc import GrpcSender
from otlp_kit.reliability.retry import Retrying
from otlp_kit.settings.otlp_exporter import GRPC, ExporterSettings, exporter_settings
from otlp_kit.settings.otlp_rules import Headers
from otlp_kit.wire import LOGS, METRICS, TRACES, Sender, Signal


def grpc_sender(settings: ExporterSettings) -> Sender:
    """What calls the endpoint of `settings`, and tries again within the deadline."""
    return Retrying(GrpcSender(**settings.sender()))


class _OverGrpc:
    """The official arguments, in their order, for spans and log records."""

    signal: ClassVar[Signal]

    def __init__(
        self,
        endpoint: str | None = None,
        insecure: bool | None = None,
        credentials: None = None,
        headers: Headers | None = None,
        timeout: float | None = None,
        compression: Any = None,
        channel_options: None = None,
        retryable_error_codes: None = None,
        *,
        meter_provider: None = None,
        max_request_size: int | None = None,
        certificate_file: str | None = None,
        client_key_file: str | None = None,
        client_certificate_file: str | None = None,
    ) -> None:
        refuse(
            credentials=credentials,
            channel_options=channel_options,
            retryable_error_codes=retryable_error_codes,
            meter_provider=meter_provider,
        )
        settings = exporter_settings(
            self.signal,
            GRPC,
            endpoint=endpoint,
            insecure=insecure,
            headers=headers,
            timeout=timeout,
            compression=compression_name(compression),
            max_request_size=max_request_size,
            certificate_file=certificate_file,
            client_key_file=client_key_file,
            client_certificate_file=client_certificate_file,
        )
        super().__init__(settings, grpc_sender(settings))  # type: ignore[call-arg]


class OTLPSpanExporter(_OverGrpc, OtlpSpanExporter):
    """Exports spans over gRPC."""

    signal = TRACES


class OTLPLogExporter(_OverGrpc, OtlpLogExporter):
    """Exports log records over gRPC."""

    signal = LOGS


class OTLPMetricExporter(OtlpMetricExporter):
    """Exports metrics over gRPC, at most `max_export_batch_size` data points in one request."""

    def __init__(
        self,
        endpoint: str | None = None,
        insecure: bool | None = None,
        credentials: None = None,
        headers: Headers | None = None,
        timeout: float | None = None,
        compression: Any = None,
        preferred_temporality: dict[type, Any] | None = None,
        preferred_aggregation: dict[type, Any] | None = None,
        max_export_batch_size: int | None = None,
        channel_options: None = None,
        retryable_error_codes: None = None,
        *,
        meter_provider: None = None,
        max_request_size: int | None = None,
        certificate_file: str | None = None,
        client_key_file: str | None = None,
        client_certificate_file: str | None = None,
    ) -> None:
        refuse(
            credentials=credentials,
            channel_options=channel_options,
            retryable_error_codes=retryable_error_codes,
            meter_provider=meter_provider,
        )
        settings = exporter_settings(
            METRICS,
            GRPC,
            endpoint=endpoint,
            insecure=insecure,
            headers=headers,
            timeout=timeout,
            compression=compression_name(compression),
            max_request_size=max_request_size,
            certificate_file=certificate_file,
            client_key_file=client_key_file,
            client_certificate_file=client_certificate_file,
        )
        super().__init__(
            settings,
            grpc_sender(settings),
            preferred_temporality,
            preferred_aggregation,
            max_export_batch_size,
        )
