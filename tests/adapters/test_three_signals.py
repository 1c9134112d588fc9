"""One program of the official SDK, two pipelines: what arrives by the kit's is what arrives by the official."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk import trace
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs import export as official_logs
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics import export as official_metrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import export as official_spans
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from otlp_kit import adapters
from otlp_kit.encoding.protobuf_metrics import encode_metrics
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.model import LogRecord, Metric, Span
from otlp_kit.receiver.service import Service
from otlp_kit.testing.loopback import LoopbackSender
from otlp_kit.wire import LOGS, METRICS, TRACES
from tests.receiver.test_http_server import Server

RESOURCE = Resource({"service.name": "shop", "host.cores": 8, "tags": ["a", "b"]}, "https://s/1")


def program(spans: Any, logs: Any, reader: Any) -> None:
    """Make some of everything, and end."""
    tracers = trace.TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    loggers = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
    meters = MeterProvider([reader], resource=RESOURCE, shutdown_on_exit=False)
    tracers.add_span_processor(spans)
    loggers.add_log_record_processor(logs)
    tracer, meter = tracers.get_tracer("web", "1.0"), meters.get_meter("web", "1.0")
    log = logging.Logger("shop")
    log.addHandler(LoggingHandler(logger_provider=loggers))
    counter, waits = meter.create_counter("orders", "1", "all of them"), meter.create_histogram("w")
    with tracer.start_as_current_span("order", kind=SpanKind.SERVER, start_time=1) as order:
        order.set_attributes({"n": 1, "ratio": 0.5, "yes": True, "list": [1, 2]})
        order.add_event("paid", {"by": "card"}, timestamp=5)
        log.warning("slow %s", "card", extra={"attempt": 2})
        counter.add(3, {"kind": "tea"})
        waits.record(0.25)
        with tracer.start_as_current_span(
            "charge", links=[Link(order.get_span_context(), {"why": "retry"})], start_time=2
        ) as charge:
            charge.set_status(Status(StatusCode.ERROR, "declined"))
    meter.create_observable_gauge(
        "temperature", [lambda _: [Observation(21.5, {"room": "server"})]]
    )
    for provider in (tracers, loggers, meters):
        provider.force_flush()
        provider.shutdown()


def gist(records: list[Any]) -> list[str]:
    """What was said, without what differs from run to run: ids, and times that the clock gave."""
    said = []
    for record in records:
        about = f"{sorted(record.resource.attributes.items(), key=str)} {record.scope.name}"
        if isinstance(record, Span):
            said.append(
                f"{about} {record.name} {record.kind} {record.start_unix_nano} {record.attributes} "
                f"{[(e.name, e.time_unix_nano, e.attributes) for e in record.events]} "
                f"{[one.attributes for one in record.links]} {record.status_code} "
                f"{record.status_message} {bool(record.parent_span_id)}"
            )
        elif isinstance(record, LogRecord):
            lines = {k: v for k, v in record.attributes.items() if not k.startswith("code.")}
            said.append(
                f"{about} {record.body} {record.severity_text} {record.severity_number} {lines} "
                f"{bool(record.trace_id)} {record.flags}"
            )
        elif isinstance(record, Metric):
            points = [
                (getattr(p, "value", None), getattr(p, "count", None), p.attributes)
                for p in record.points
            ]
            said.append(
                f"{about} {record.name} {record.unit} {record.description} {record.kind} "
                f"{record.temporality} {record.is_monotonic} {points}"
            )
    return sorted(said)


Pipeline = tuple[Any, Any, Any]


def official(server: Server) -> Pipeline:
    url = f"http://127.0.0.1:{server.port}/v1"
    return (
        official_spans.BatchSpanProcessor(OTLPSpanExporter(f"{url}/traces")),
        official_logs.BatchLogRecordProcessor(OTLPLogExporter(f"{url}/logs")),
        official_metrics.PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/metrics")),
    )


def by_official_exporters(server: Server) -> Pipeline:
    url = f"http://127.0.0.1:{server.port}/v1"
    return (
        adapters.BatchSpanProcessor(OTLPSpanExporter(f"{url}/traces")),
        adapters.BatchLogRecordProcessor(OTLPLogExporter(f"{url}/logs")),
        adapters.PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/metrics")),
    )


def through_the_kit(server: Server) -> Pipeline:
    sender = LoopbackSender(Service(server.store.put).handle)
    return (
        official_spans.BatchSpanProcessor(adapters.SpanExporterOf(sender)),
        official_logs.BatchLogRecordProcessor(adapters.LogExporterOf(sender)),
        official_metrics.PeriodicExportingMetricReader(adapters.MetricExporterOf(sender)),
    )


def all_of_the_kit(server: Server) -> Pipeline:
    sender = LoopbackSender(Service(server.store.put).handle)
    return (
        adapters.BatchSpanProcessor(OtlpExporter(adapters.encode_spans, sender, TRACES)),
        adapters.BatchLogRecordProcessor(OtlpExporter(adapters.encode_logs, sender, LOGS)),
        adapters.PeriodicExportingMetricReader(OtlpExporter(encode_metrics, sender, METRICS)),
    )


def received(pipeline: Callable[[Server], Pipeline]) -> list[str]:
    """What the program says to a receiver of its own."""
    with Server() as server:
        program(*pipeline(server))
        return gist(server.store.records())


@pytest.mark.spec("SDK-P23")
@pytest.mark.parametrize("pipeline", [by_official_exporters, through_the_kit, all_of_the_kit])
def test_the_content_is_that_of_the_official_pipeline(
    pipeline: Callable[[Server], Pipeline],
) -> None:
    """Kit processors with official exporters, official processors with kit exporters, kit only."""
    expected = received(official)
    assert received(pipeline) == expected
    assert len(expected) == 2 + 1 + 2 * 3  # metrics are collected at the flush, and at the end
