"""OTLP over HTTP under the official SDK: the three exporters, with the official arguments.

    from otlp_kit.adapters.otlp_http import OTLPSpanExporter
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))

They take what `opentelemetry.exporter.otlp.proto.http` takes: an `endpoint` is the whole URL of the
signal, times are seconds, and what is left out comes from the variables `OTEL_EXPORTER_OTLP_*` by
the specification's rules. `protocol` is `http/protobuf` or `http/json`. `session`, `meter_provider`
and the compression `deflate` raise `ValueError`, as does every argument that cannot be used; a bad
variable is one warning and the default. `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` are honoured, as
everywhere in Python.

Specification: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from otlp_kit.adapters.otlp_exporting import (
    OtlpLogExporter,
    OtlpMetricExporter,
    OtlpSpanExporter,
    compression_name,
    refuse,
)
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.reliability.retry import Retrying
from otlp_kit.settings.otlp_exporter import (
    GRPC,
    HTTP_PROTOBUF,
    ExporterSettings,
    chosen_protocol,
    exporter_settings,
)
from otlp_kit.wire import LOGS, METRICS, TRACES, Sender, Signal


def http_settings(
    signal: Signal, protocol: str | None, compression: Any, **arguments: Any
) -> ExporterSettings:
    """The settings of an exporter over HTTP, whatever else the environment prefers."""
    if protocol == GRPC:
        raise ValueError("protocol must be one over HTTP here; grpc has classes of its own")
    if protocol is None:
        protocol = chosen_protocol(signal)
        # Whoever takes this class has chosen; between protobuf and JSON it leaves the choice.
        protocol = HTTP_PROTOBUF if protocol == GRPC else protocol
    return exporter_settings(
        signal, protocol, compression=compression_name(compression), **arguments
    )


def http_sender(settings: ExporterSettings) -> Sender:
    """What posts to exactly the endpoint of `settings`, and tries again within the deadline."""
    return Retrying(HttpSender(**settings.sender()))


class _OverHttp:
    """The official arguments, in their order, for spans and log records."""

    signal: ClassVar[Signal]

    def __init__(
        self,
        endpoint: str | None = None,
        certificate_file: str | None = None,
        client_key_file: str | None = None,
        client_certificate_file: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        compression: Any = None,
        session: None = None,
        *,
        max_request_size: int | None = None,
        meter_provider: None = None,
        protocol: str | None = None,
    ) -> None:
        refuse(session=session, meter_provider=meter_provider)
        settings = http_settings(
            self.signal,
            protocol,
            compression,
            endpoint=endpoint,
            certificate_file=certificate_file,
            client_key_file=client_key_file,
            client_certificate_file=client_certificate_file,
            headers=headers,
            timeout=timeout,
            max_request_size=max_request_size,
        )
        super().__init__(settings, http_sender(settings))  # type: ignore[call-arg]


class OTLPSpanExporter(_OverHttp, OtlpSpanExporter):
    """Exports spans over HTTP."""

    signal = TRACES


class OTLPLogExporter(_OverHttp, OtlpLogExporter):
    """Exports log records over HTTP."""

    signal = LOGS


class OTLPMetricExporter(OtlpMetricExporter):
    """Exports metrics over HTTP, at most `max_export_batch_size` data points in one request."""

    def __init__(
        self,
        endpoint: str | None = None,
        certificate_file: str | None = None,
        client_key_file: str | None = None,
        client_certificate_file: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        compression: Any = None,
        session: None = None,
        preferred_temporality: dict[type, Any] | None = None,
        preferred_aggregation: dict[type, Any] | None = None,
        max_export_batch_size: int | None = None,
        *,
        max_request_size: int | None = None,
        meter_provider: None = None,
        protocol: str | None = None,
    ) -> None:
        refuse(session=session, meter_provider=meter_provider)
        settings = http_settings(
            METRICS,
            protocol,
            compression,
            endpoint=endpoint,
            certificate_file=certificate_file,
            client_key_file=client_key_file,
            client_certificate_file=client_certificate_file,
            headers=headers,
            timeout=timeout,
            max_request_size=max_request_size,
        )
        super().__init__(
            settings,
            http_sender(settings),
            preferred_temporality,
            preferred_aggregation,
            max_export_batch_size,
        )
