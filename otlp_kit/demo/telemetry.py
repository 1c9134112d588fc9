"""How the shop's services set up the official SDK: one call each, at the start.

Each returns what to call at the end of the process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber, get_logger, set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

DELAY_MILLIS = 500
"""So that the page is alive. A real service would keep the defaults."""


def _resource(service: str) -> Resource:
    instance = f"{service}-{os.getpid()}"
    return Resource.create({"service.name": service, "service.instance.id": instance})


def _traces(service: str, exporter: SpanExporter) -> Callable[[], None]:
    provider = TracerProvider(resource=_resource(service))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=DELAY_MILLIS))
    trace.set_tracer_provider(provider)
    return provider.shutdown


def http_traces(service: str) -> Callable[[], None]:
    """Spans over OTLP/HTTP with protobuf."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return _traces(service, OTLPSpanExporter())


def grpc_traces(service: str, endpoint: str) -> Callable[[], None]:
    """Spans over OTLP/gRPC."""
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    return _traces(service, OTLPSpanExporter(endpoint, insecure=True))


def http_metrics(service: str) -> Callable[[], None]:
    """Metrics over OTLP/HTTP, once a second, with exemplars of sampled spans."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=1000)
    provider = MeterProvider(resource=_resource(service), metric_readers=[reader])
    metrics.set_meter_provider(provider)
    return provider.shutdown


def http_logs(service: str) -> Callable[[], None]:
    """Log records over OTLP/HTTP."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    provider = LoggerProvider(resource=_resource(service))
    processor = BatchLogRecordProcessor(OTLPLogExporter(), schedule_delay_millis=DELAY_MILLIS)
    provider.add_log_record_processor(processor)
    set_logger_provider(provider)
    return provider.shutdown


def log(severity: SeverityNumber, body: str, **attributes: Any) -> None:
    """One log record of the current span."""
    get_logger("shop").emit(
        LogRecord(
            timestamp=time.time_ns(),
            severity_number=severity,
            severity_text=severity.name,
            body=body,
            attributes=attributes,
        )
    )
