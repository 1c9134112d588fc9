"""The outside authority for logs and metrics: records to and from the official classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from otlp_kit.model import (
    Buckets,
    Exemplar,
    ExponentialHistogramPoint,
    HistogramPoint,
    LogRecord,
    Metric,
    NumberPoint,
    Resource,
    Scope,
    SummaryPoint,
)
from tests.encoding.official import from_any, from_attributes, to_any, to_attributes

POINT_TIMES = ("time_unix_nano", "start_time_unix_nano", "flags")
HISTOGRAM = (*POINT_TIMES, "count", "sum", "min", "max", "bucket_counts", "explicit_bounds")
EXPONENTIAL = (*POINT_TIMES, "count", "sum", "min", "max", "scale", "zero_count", "zero_threshold")
LOG = ("time_unix_nano", "observed_time_unix_nano", "severity_number", "severity_text", "event_name",
       "dropped_attributes_count", "flags", "trace_id", "span_id")  # fmt: skip


def in_groups(
    records: list[Any], request: Any, signal: str, fill: Callable[[Any, Any], None]
) -> Any:
    """Records in contiguous groups, into an official request; `fill` writes one."""
    resource = scope = None
    resource_group: Any = None
    scope_group: Any = None
    outer, inner, item = {
        "logs": ("resource_logs", "scope_logs", "log_records"),
        "metrics": ("resource_metrics", "scope_metrics", "metrics"),
    }[signal]
    for record in records:
        if record.resource is not resource:
            resource, scope = record.resource, None
            resource_group = getattr(request, outer).add(schema_url=resource.schema_url)
            resource_group.resource.SetInParent()
            resource_group.resource.dropped_attributes_count = resource.dropped_attributes_count
            to_attributes(resource.attributes, resource_group.resource.attributes)
        if record.scope is not scope:
            scope = record.scope
            scope_group = getattr(resource_group, inner).add(schema_url=scope.schema_url)
            scope_group.scope.SetInParent()
            scope_group.scope.name, scope_group.scope.version = scope.name, scope.version
            scope_group.scope.dropped_attributes_count = scope.dropped_attributes_count
            to_attributes(scope.attributes, scope_group.scope.attributes)
        fill(record, getattr(scope_group, item).add())
    return request


def out_of_groups(request: Any, signal: str, read: Callable[[Any], Any]) -> list[Any]:
    """The records of an official request; `read` makes one without its resource and scope."""
    records = []
    outer, inner, item = {
        "logs": ("resource_logs", "scope_logs", "log_records"),
        "metrics": ("resource_metrics", "scope_metrics", "metrics"),
    }[signal]
    for resource_group in getattr(request, outer):
        held = resource_group.resource
        resource = Resource(
            from_attributes(held.attributes),
            resource_group.schema_url,
            held.dropped_attributes_count,
        )
        for scope_group in getattr(resource_group, inner):
            held = scope_group.scope
            scope = Scope(held.name, held.version, from_attributes(held.attributes),
                          scope_group.schema_url, held.dropped_attributes_count)  # fmt: skip
            for message in getattr(scope_group, item):
                record = read(message)
                record.resource, record.scope = resource, scope
                records.append(record)
    return records


def to_logs_request(records: list[LogRecord]) -> ExportLogsServiceRequest:
    return in_groups(records, ExportLogsServiceRequest(), "logs", _fill_log)  # type: ignore[no-any-return]


def _fill_log(record: LogRecord, message: Any) -> None:
    for name in LOG:
        setattr(message, name, getattr(record, name))
    if record.body is not None:
        to_any(record.body, message.body)
    to_attributes(record.attributes, message.attributes)


def from_logs_request(request: ExportLogsServiceRequest) -> list[LogRecord]:
    return out_of_groups(
        request,
        "logs",
        lambda message: LogRecord(
            body=from_any(message.body),
            attributes=from_attributes(message.attributes),
            **{name: getattr(message, name) for name in LOG},
        ),
    )


def to_metrics_request(metrics: list[Metric]) -> ExportMetricsServiceRequest:
    return in_groups(metrics, ExportMetricsServiceRequest(), "metrics", _fill_metric)  # type: ignore[no-any-return]


def _fill_metric(metric: Metric, message: Any) -> None:
    message.name, message.unit, message.description = metric.name, metric.unit, metric.description
    to_attributes(metric.metadata, message.metadata)
    if not metric.kind:
        return
    data = getattr(message, metric.kind)
    data.SetInParent()
    if metric.kind in ("sum", "histogram", "exponential_histogram"):
        data.aggregation_temporality = metric.temporality
    if metric.kind == "sum":
        data.is_monotonic = metric.is_monotonic
    for point in metric.points:
        _fill_point(point, data.data_points.add())


def _fill_point(point: Any, message: Any) -> None:
    to_attributes(point.attributes, message.attributes)
    names = {
        NumberPoint: POINT_TIMES,
        HistogramPoint: HISTOGRAM,
        ExponentialHistogramPoint: EXPONENTIAL,
        SummaryPoint: (*POINT_TIMES, "count", "sum"),
    }[type(point)]
    for name in names:
        value = getattr(point, name)
        if isinstance(value, list):
            getattr(message, name).extend(value)
        elif value is not None:
            setattr(message, name, value)
    if isinstance(point, NumberPoint):
        _fill_value(point.value, message)
    if isinstance(point, SummaryPoint):
        for quantile, value in point.quantiles:
            message.quantile_values.add(quantile=quantile, value=value)
        return
    if isinstance(point, ExponentialHistogramPoint):
        for name in ("positive", "negative"):
            buckets = getattr(point, name)
            if buckets != Buckets():
                getattr(message, name).offset = buckets.offset
                getattr(message, name).bucket_counts.extend(buckets.bucket_counts)
    for exemplar in point.exemplars:
        added = message.exemplars.add(
            time_unix_nano=exemplar.time_unix_nano,
            trace_id=exemplar.trace_id,
            span_id=exemplar.span_id,
        )
        _fill_value(exemplar.value, added)
        to_attributes(exemplar.filtered_attributes, added.filtered_attributes)


def _fill_value(value: float | None, message: Any) -> None:
    if isinstance(value, float):
        message.as_double = value
    elif isinstance(value, int):
        message.as_int = value


def from_metrics_request(request: ExportMetricsServiceRequest) -> list[Metric]:
    return out_of_groups(request, "metrics", _read_metric)


def _read_metric(message: Any) -> Metric:
    kind = message.WhichOneof("data") or ""
    data = getattr(message, kind) if kind else None
    return Metric(
        name=message.name,
        kind=kind,
        unit=message.unit,
        description=message.description,
        points=[_read_point(kind, point) for point in data.data_points] if data else [],
        temporality=getattr(data, "aggregation_temporality", 0),
        is_monotonic=getattr(data, "is_monotonic", False),
        metadata=from_attributes(message.metadata),
    )


def _read_point(kind: str, message: Any) -> Any:
    attributes = from_attributes(message.attributes)

    def plain(names: tuple[str, ...]) -> dict[str, Any]:
        values = {}
        for name in names:
            value = getattr(message, name)
            optional = name in ("min", "max") or (name == "sum" and kind != "summary")
            if optional and not message.HasField(name):
                value = None
            values[name] = list(value) if name in ("bucket_counts", "explicit_bounds") else value
        return values

    if kind == "summary":
        pairs = [(pair.quantile, pair.value) for pair in message.quantile_values]
        return SummaryPoint(
            attributes=attributes, quantiles=pairs, **plain((*POINT_TIMES, "count", "sum"))
        )
    exemplars = [
        Exemplar(
            _read_value(e),
            e.time_unix_nano,
            e.trace_id,
            e.span_id,
            from_attributes(e.filtered_attributes),
        )
        for e in message.exemplars
    ]
    common = {"attributes": attributes, "exemplars": exemplars}
    if kind == "histogram":
        return HistogramPoint(**common, **plain(HISTOGRAM))
    if kind == "exponential_histogram":
        return ExponentialHistogramPoint(
            **common,
            **plain(EXPONENTIAL),
            positive=Buckets(message.positive.offset, list(message.positive.bucket_counts)),
            negative=Buckets(message.negative.offset, list(message.negative.bucket_counts)),
        )
    return NumberPoint(_read_value(message), **common, **plain(POINT_TIMES))


def _read_value(message: Any) -> Any:
    which = message.WhichOneof("value")
    return getattr(message, which) if which else None
