"""Metrics of the official SDK: to bytes, or to records of this kit.

    body = encode_metrics(metrics_data)
    metrics = to_metrics(metrics_data)

What a reader of the SDK collects, every kind of point with its exemplars and its temporality. The
content is what the official encoder writes.

Specification: https://opentelemetry.io/docs/specs/otel/metrics/data-model/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics.export import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricsData,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as SdkMetric

from otlp_kit.adapters.sdk_owners import listed, to_resource, to_scope
from otlp_kit.encoding import protobuf_metrics
from otlp_kit.model import (
    Buckets,
    Exemplar,
    ExponentialHistogramPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    Resource,
    Scope,
)
from otlp_kit.model.metric import MetricKind


def encode_metrics(data: MetricsData) -> bytes:
    """The `ExportMetricsServiceRequest` that carries what was collected."""
    return protobuf_metrics.encode_metrics(to_metrics(data))


def to_metrics(data: MetricsData) -> list[Metric]:
    """What was collected, as records: what a receiver decodes from `encode_metrics(data)`."""
    metrics = []
    for by_resource in data.resource_metrics:
        resource = to_resource(by_resource.resource)
        for by_scope in by_resource.scope_metrics:
            scope = to_scope(by_scope.scope)
            metrics += [_metric(metric, resource, scope) for metric in by_scope.metrics]
    return metrics


def count_points(metrics: Sequence[Metric]) -> int:
    """How many data points `metrics` have: what a metrics exporter counts."""
    return sum(len(metric.points) for metric in metrics)


def _metric(metric: SdkMetric, resource: Resource, scope: Scope) -> Metric:
    data = metric.data
    kind, point = _KINDS.get(type(data), ("", None))
    return Metric(
        name=metric.name,
        kind=kind,
        unit=metric.unit or "",
        description=metric.description or "",
        points=[point(one) for one in data.data_points] if point else [],
        temporality=int(getattr(data, "aggregation_temporality", 0)),
        is_monotonic=getattr(data, "is_monotonic", False),
        resource=resource,
        scope=scope,
    )


def _about(point: Any) -> dict[str, Any]:
    return {
        "time_unix_nano": point.time_unix_nano,
        "start_time_unix_nano": point.start_time_unix_nano or 0,
        "attributes": listed(point.attributes),
        "exemplars": [_exemplar(one) for one in point.exemplars],
    }


def _exemplar(exemplar: SdkExemplar) -> Exemplar:
    trace_id, span_id = exemplar.trace_id, exemplar.span_id
    traced = trace_id is not None and span_id is not None
    return Exemplar(
        value=exemplar.value,
        time_unix_nano=exemplar.time_unix_nano,
        trace_id=trace_id.to_bytes(16, "big") if traced and trace_id is not None else b"",
        span_id=span_id.to_bytes(8, "big") if traced and span_id is not None else b"",
        filtered_attributes=listed(exemplar.filtered_attributes),
    )


def _sum(point: NumberDataPoint) -> NumberPoint:
    return NumberPoint(value=point.value, **_about(point))


def _gauge(point: NumberDataPoint) -> NumberPoint:
    # A gauge covers no interval: a start, if the SDK has one, is not sent.
    return NumberPoint(value=point.value, **{**_about(point), "start_time_unix_nano": 0})


def _distribution(point: HistogramDataPoint | ExponentialHistogramDataPoint) -> dict[str, Any]:
    """The SDK's sums of integers are integers; the wire has floats."""
    summary = {name: float(getattr(point, name)) for name in ("sum", "min", "max")}
    return {"count": point.count, **summary, **_about(point)}


def _histogram(point: HistogramDataPoint) -> HistogramPoint:
    return HistogramPoint(
        bucket_counts=list(point.bucket_counts),
        explicit_bounds=[float(bound) for bound in point.explicit_bounds],
        **_distribution(point),
    )


def _exponential(point: ExponentialHistogramDataPoint) -> ExponentialHistogramPoint:
    positive, negative = (
        Buckets(side.offset, list(side.bucket_counts)) if side.bucket_counts else Buckets()
        for side in (point.positive, point.negative)
    )
    return ExponentialHistogramPoint(
        scale=point.scale,
        zero_count=point.zero_count,
        positive=positive,
        negative=negative,
        flags=point.flags,
        **_distribution(point),
    )


_KINDS: dict[type, tuple[MetricKind, Callable[[Any], Any] | None]] = {
    Sum: ("sum", _sum),
    Gauge: ("gauge", _gauge),
    Histogram: ("histogram", _histogram),
    ExponentialHistogram: ("exponential_histogram", _exponential),
}
