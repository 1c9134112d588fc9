"""From settings to official exporters: what those over HTTP and over gRPC have in common.

    class OTLPSpanExporter(OtlpSpanExporter):       # see adapters/otlp_http.py
        def __init__(self, endpoint=None, ...):
            settings = exporter_settings(TRACES, endpoint=endpoint, ...)
            super().__init__(settings, http_sender(settings))

One export is one batch with one deadline: it is encoded once, split if it is too large, and tried
again by the sender where that is allowed. Nothing waits in an exporter: what fails is counted in
`totals()` and said by one warning. An empty batch succeeds, and nothing is sent.

Specification: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias, TypeVar

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from otlp_kit.adapters.sdk_convert import encode_spans, to_span
from otlp_kit.adapters.sdk_exporters import LogExporterOf, MetricExporterOf, SpanExporterOf
from otlp_kit.adapters.sdk_logs import encode_logs, to_log_record
from otlp_kit.adapters.sdk_owners import Owners
from otlp_kit.adapters.sdk_points import to_metrics
from otlp_kit.encoding.otlp_json import encode_json
from otlp_kit.encoding.protobuf_metrics import encode_metrics
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.model import Metric
from otlp_kit.model.metric import Point
from otlp_kit.settings.otlp_exporter import HTTP_JSON, ExporterSettings
from otlp_kit.wire import JSON, LOGS, METRICS, PROTOBUF, TRACES, Accepted, Sender

T = TypeVar("T")
Pair: TypeAlias = tuple[Metric, Point]
"""A data point with the metric that it is of."""

_INSTEAD = {
    "session": "the kit keeps connections of its own; give headers and certificate files",
    "credentials": "give certificate_file, client_certificate_file and client_key_file",
    "channel_options": "the kit sets those of its channel",
    "retryable_error_codes": "the specification says which are",
    "meter_provider": "let SelfMetrics watch the kit's processor in front of this, or read totals()",
}


def refuse(**arguments: object) -> None:
    """Raise `ValueError` for an official argument that was given and cannot be honoured."""
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(f"{name} is not supported: {_INSTEAD[name]}")


def compression_name(compression: Any) -> Any:
    """The name of a compression given as a member of any official enumeration, or as its name."""
    if not isinstance(compression, Enum):
        return compression
    name = compression.name.lower()
    return "none" if name == "nocompression" else name


class OtlpSpanExporter(SpanExporterOf):
    """Sends spans through `sender` as `settings` say."""

    def __init__(self, settings: ExporterSettings, sender: Sender) -> None:
        super().__init__(sender, settings.timeout)
        self._otlp = _exporter(settings, sender, encode_spans, _json_spans)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `spans`. Never raises."""
        sent = self._settle(len(spans), partial(_export, self._otlp, spans))
        return SpanExportResult.SUCCESS if sent else SpanExportResult.FAILURE


class OtlpLogExporter(LogExporterOf):
    """Sends log records through `sender` as `settings` say."""

    def __init__(self, settings: ExporterSettings, sender: Sender) -> None:
        super().__init__(sender, settings.timeout)
        self._otlp = _exporter(settings, sender, encode_logs, _json_logs)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Send `batch`. Never raises."""
        sent = self._settle(len(batch), partial(_export, self._otlp, batch))
        return LogRecordExportResult.SUCCESS if sent else LogRecordExportResult.FAILURE


class OtlpMetricExporter(MetricExporterOf):
    """Sends metrics through `sender` as `settings` say.

    `max_export_batch_size` is the most data points of one request; None is no limit.
    """

    def __init__(
        self,
        settings: ExporterSettings,
        sender: Sender,
        preferred_temporality: dict[type, Any] | None = None,
        preferred_aggregation: dict[type, Any] | None = None,
        max_export_batch_size: int | None = None,
    ) -> None:
        if max_export_batch_size is not None and max_export_batch_size < 1:
            raise ValueError(f"max_export_batch_size must be at least 1: {max_export_batch_size}")
        super().__init__(sender, settings.timeout, preferred_temporality, preferred_aggregation)
        self._most = max_export_batch_size
        self._otlp = _exporter(settings, sender, _protobuf_metrics, _json_metrics)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Send what was collected, in `timeout_millis` and the exporter's own timeout. Never raises."""
        allowed = math.inf if timeout_millis is None else timeout_millis / 1000
        deadline = time.monotonic() + min(allowed, self._timeout)
        points = _points(to_metrics(metrics_data))
        most = self._most or len(points) or 1
        results = [
            self._settle(len(part), partial(_export, self._otlp, part), deadline - time.monotonic())
            for part in ([points[i : i + most] for i in range(0, len(points), most)] or [[]])
        ]
        return MetricExportResult.SUCCESS if all(results) else MetricExportResult.FAILURE


def _exporter(
    settings: ExporterSettings,
    sender: Sender,
    to_protobuf: Callable[[Sequence[T]], bytes],
    to_json: Callable[[Sequence[T]], bytes],
) -> OtlpExporter[T]:
    as_json = settings.protocol == HTTP_JSON
    return OtlpExporter(
        to_json if as_json else to_protobuf,
        sender,
        settings.signal,
        max_request=settings.max_request,
        content_type=JSON if as_json else PROTOBUF,
    )


def _export(exporter: OtlpExporter[T], batch: Sequence[T], deadline: float) -> Accepted:
    return exporter.export(batch, deadline) if batch else Accepted()


def _json_spans(spans: Sequence[ReadableSpan]) -> bytes:
    return encode_json(TRACES, [to_span(span) for span in spans])


def _json_logs(records: Sequence[ReadableLogRecord]) -> bytes:
    owners = Owners()
    return encode_json(LOGS, [to_log_record(record, owners) for record in records])


# What counts in a batch of metrics are data points: as pairs they are counted, and split, one by one.


def _points(metrics: Sequence[Metric]) -> list[Pair]:
    return [(metric, point) for metric in metrics for point in metric.points]


def _metrics(points: Sequence[Pair]) -> list[Metric]:
    """The metrics that `points` belong to, with no other points."""
    return [
        replace(group[0][0], points=[point for _, point in group])
        for _, pairs in groupby(points, lambda pair: id(pair[0]))
        if (group := list(pairs))
    ]


def _protobuf_metrics(points: Sequence[Pair]) -> bytes:
    return encode_metrics(_metrics(points))


def _json_metrics(points: Sequence[Pair]) -> bytes:
    return encode_json(METRICS, _metrics(points))
