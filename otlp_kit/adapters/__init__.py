"""The official SDK's sockets: classes and functions that fit where the SDK expects its own."""

from otlp_kit.adapters.sdk_convert import encode_spans, to_span
from otlp_kit.adapters.sdk_exporters import LogExporterOf, MetricExporterOf, SpanExporterOf
from otlp_kit.adapters.sdk_log_processor import BatchLogRecordProcessor
from otlp_kit.adapters.sdk_logs import encode_logs, to_log_record
from otlp_kit.adapters.sdk_metrics import SelfMetrics
from otlp_kit.adapters.sdk_points import encode_metrics, to_metrics
from otlp_kit.adapters.sdk_processors import BatchSpanProcessor, SimpleSpanProcessor
from otlp_kit.adapters.sdk_reader import PeriodicExportingMetricReader

__all__ = [
    "BatchLogRecordProcessor",
    "BatchSpanProcessor",
    "LogExporterOf",
    "MetricExporterOf",
    "PeriodicExportingMetricReader",
    "SelfMetrics",
    "SimpleSpanProcessor",
    "SpanExporterOf",
    "encode_logs",
    "encode_metrics",
    "encode_spans",
    "to_log_record",
    "to_metrics",
    "to_span",
]
