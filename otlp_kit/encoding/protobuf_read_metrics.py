"""Bytes to metrics: `decode_metrics` reads an `ExportMetricsServiceRequest`.

A metric's data is a oneof: of several kinds the last one counts, and parts of the same kind are
merged.

Specification:
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from otlp_kit.encoding.protobuf_read import (
    RECORD_PARTS,
    DecodeError,
    Level,
    fields,
    fixed,
    int32,
    packed_varints,
    read_attribute,
    read_groups,
    text,
    uint32,
    unpack_double,
)
from otlp_kit.model import (
    Buckets,
    Exemplar,
    ExponentialHistogramPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    Resource,
    Scope,
    SummaryPoint,
)
from otlp_kit.model.metric import MetricKind, Point


def decode_metrics(body: bytes) -> list[Metric]:
    """All metrics of the request, in order. Raises `DecodeError` if the bytes are not a request."""
    return list(read_groups(body, _metric))


def _metric(data: bytes, level: Level, resource: Resource, scope: Scope) -> Metric:
    metric = Metric(kind="", temporality=0, resource=resource, scope=scope)
    for tag, raw in fields(data, level):
        if tag == 0x0A:
            metric.name = text(raw)
        elif tag == 0x12:
            metric.description = text(raw)
        elif tag == 0x1A:
            metric.unit = text(raw)
        elif tag in _KINDS:
            _data(raw, level.below, metric, *_KINDS[tag])
        elif tag == 0x62:
            read_attribute(raw, level.below, metric.metadata)
    return metric


def _data(
    data: bytes,
    level: Level,
    metric: Metric,
    kind: MetricKind,
    read: Callable[[bytes, Level], Point],
) -> None:
    if metric.kind != kind:
        metric.kind, metric.points = kind, []
        metric.temporality, metric.is_monotonic = 0, False
    points: list[Point] = metric.points  # type: ignore[assignment]  # a list since two lines
    for tag, raw in fields(data, level):
        if tag == 0x0A:
            level.budget.take(RECORD_PARTS)
            points.append(read(raw, level.below))
        elif tag == 0x10 and kind in ("sum", "histogram", "exponential_histogram"):
            metric.temporality = int32(raw)
        elif tag == 0x18 and kind == "sum":
            metric.is_monotonic = raw != 0


def _number(data: bytes, level: Level) -> NumberPoint:
    point = NumberPoint()
    for tag, raw in fields(data, level):
        if tag == 0x11:
            point.start_time_unix_nano = fixed(raw)
        elif tag == 0x19:
            point.time_unix_nano = fixed(raw)
        elif tag == 0x21:
            [point.value] = unpack_double(raw)
        elif tag == 0x2A:
            point.exemplars.append(_exemplar(raw, level.below))
        elif tag == 0x31:
            point.value = _sfixed64(raw)
        elif tag == 0x3A:
            read_attribute(raw, level.below, point.attributes)
        elif tag == 0x40:
            point.flags = uint32(raw)
    return point


def _histogram(data: bytes, level: Level) -> HistogramPoint:
    point = HistogramPoint()
    for tag, raw in fields(data, level):
        if tag == 0x11:
            point.start_time_unix_nano = fixed(raw)
        elif tag == 0x19:
            point.time_unix_nano = fixed(raw)
        elif tag == 0x21:
            point.count = fixed(raw)
        elif tag == 0x29:
            [point.sum] = unpack_double(raw)
        elif tag in (0x32, 0x31):  # packed, or one by one
            point.bucket_counts += _packed64(raw, "Q", level)
        elif tag in (0x3A, 0x39):
            point.explicit_bounds += _packed64(raw, "d", level)
        elif tag == 0x42:
            point.exemplars.append(_exemplar(raw, level.below))
        elif tag == 0x4A:
            read_attribute(raw, level.below, point.attributes)
        elif tag == 0x50:
            point.flags = uint32(raw)
        elif tag == 0x59:
            [point.min] = unpack_double(raw)
        elif tag == 0x61:
            [point.max] = unpack_double(raw)
    return point


def _exponential(data: bytes, level: Level) -> ExponentialHistogramPoint:
    point = ExponentialHistogramPoint()
    for tag, raw in fields(data, level):
        if tag == 0x0A:
            read_attribute(raw, level.below, point.attributes)
        elif tag == 0x11:
            point.start_time_unix_nano = fixed(raw)
        elif tag == 0x19:
            point.time_unix_nano = fixed(raw)
        elif tag == 0x21:
            point.count = fixed(raw)
        elif tag == 0x29:
            [point.sum] = unpack_double(raw)
        elif tag == 0x30:
            point.scale = _zigzag(raw)
        elif tag == 0x39:
            point.zero_count = fixed(raw)
        elif tag == 0x42:
            _buckets(raw, level.below, point.positive)
        elif tag == 0x4A:
            _buckets(raw, level.below, point.negative)
        elif tag == 0x50:
            point.flags = uint32(raw)
        elif tag == 0x5A:
            point.exemplars.append(_exemplar(raw, level.below))
        elif tag == 0x61:
            [point.min] = unpack_double(raw)
        elif tag == 0x69:
            [point.max] = unpack_double(raw)
        elif tag == 0x71:
            [point.zero_threshold] = unpack_double(raw)
    return point


def _summary(data: bytes, level: Level) -> SummaryPoint:
    point = SummaryPoint()
    for tag, raw in fields(data, level):
        if tag == 0x11:
            point.start_time_unix_nano = fixed(raw)
        elif tag == 0x19:
            point.time_unix_nano = fixed(raw)
        elif tag == 0x21:
            point.count = fixed(raw)
        elif tag == 0x29:
            [point.sum] = unpack_double(raw)
        elif tag == 0x32:
            quantile = value = 0.0
            for inner, number in fields(raw, level.below):
                if inner == 0x09:
                    [quantile] = unpack_double(number)
                elif inner == 0x11:
                    [value] = unpack_double(number)
            point.quantiles.append((quantile, value))
        elif tag == 0x3A:
            read_attribute(raw, level.below, point.attributes)
        elif tag == 0x40:
            point.flags = uint32(raw)
    return point


def _exemplar(data: bytes, level: Level) -> Exemplar:
    exemplar = Exemplar()
    for tag, raw in fields(data, level):
        if tag == 0x11:
            exemplar.time_unix_nano = fixed(raw)
        elif tag == 0x19:
            [exemplar.value] = unpack_double(raw)
        elif tag == 0x22:
            exemplar.span_id = raw
        elif tag == 0x2A:
            exemplar.trace_id = raw
        elif tag == 0x31:
            exemplar.value = _sfixed64(raw)
        elif tag == 0x3A:
            read_attribute(raw, level.below, exemplar.filtered_attributes)
    return exemplar


def _buckets(data: bytes, level: Level, into: Buckets) -> None:
    for tag, raw in fields(data, level):
        if tag == 0x08:
            into.offset = _zigzag(raw)
        elif tag == 0x10:
            level.budget.take(1)
            into.bucket_counts.append(raw)
        elif tag == 0x12:
            into.bucket_counts += packed_varints(raw, level)


def _sfixed64(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


def _zigzag(number: int) -> int:
    number &= 0xFFFF_FFFF
    return number >> 1 ^ -(number & 1)


def _packed64(raw: bytes, kind: str, level: Level) -> list[Any]:
    level.budget.take(len(raw) // 16)  # two numbers take about as much memory as a part
    if len(raw) % 8:
        raise DecodeError("a packed list of 64-bit numbers ends in the middle of one")
    return list(struct.unpack(f"<{len(raw) // 8}{kind}", raw))


_KINDS: dict[int, tuple[MetricKind, Callable[[bytes, Level], Point]]] = {
    0x2A: ("gauge", _number),
    0x3A: ("sum", _number),
    0x4A: ("histogram", _histogram),
    0x52: ("exponential_histogram", _exponential),
    0x5A: ("summary", _summary),
}
