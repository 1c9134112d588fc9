"""Metrics to bytes: `encode_metrics` writes an `ExportMetricsServiceRequest`.

One function for each kind of point, below one for the metric around them. Numbers that a field
cannot hold (a count beyond 64 bits) are the caller's error; attributes follow the rules of
`protobuf_common`.

Specification:
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

from otlp_kit.encoding.protobuf_common import (
    Append,
    Frames,
    encode_groups,
    pack_double,
    pack_fixed64,
    sized,
    utf8,
    varint,
)
from otlp_kit.model import (
    Buckets,
    Exemplar,
    ExponentialHistogramPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    SummaryPoint,
)

NUMBER_ATTRIBUTES = Frames(b"\x3a")
HISTOGRAM_ATTRIBUTES = Frames(b"\x4a")
EXPONENTIAL_ATTRIBUTES = Frames(b"\x0a")
FILTERED_ATTRIBUTES = Frames(b"\x3a")
METADATA = Frames(b"\x62")

pack_sfixed64 = struct.Struct("<q").pack


def encode_metrics(metrics: Iterable[Metric]) -> bytes:
    """The request that carries `metrics`, grouped by resource and scope in order of appearance."""
    return encode_groups(metrics, metric_message)


def metric_message(metric: Metric) -> bytes:
    """The body of one `Metric` message."""
    parts: list[bytes] = []
    for tag, text in (
        (b"\x0a", metric.name),
        (b"\x12", metric.description),
        (b"\x1a", metric.unit),
    ):
        if text:
            parts.append(sized(tag, utf8(text)))
    if metric.kind:
        tag, point_message = _KINDS[metric.kind]
        data = [sized(b"\x0a", point_message(point)) for point in metric.points]
        if metric.kind in ("sum", "histogram", "exponential_histogram") and metric.temporality:
            data.append(b"\x10" + varint(metric.temporality))
        if metric.kind == "sum" and metric.is_monotonic:
            data.append(b"\x18\x01")
        parts.append(sized(tag, b"".join(data)))
    METADATA.write(metric.metadata, parts.append)
    return b"".join(parts)


def _times(start: int, time: int, append: Append) -> None:
    if start:
        append(pack_fixed64(0x11, start))
    if time:
        append(pack_fixed64(0x19, time))


def _number(point: NumberPoint) -> bytes:
    parts: list[bytes] = []
    _times(point.start_time_unix_nano, point.time_unix_nano, parts.append)
    if isinstance(point.value, float):
        parts.append(b"\x21" + pack_double(point.value))
    _exemplars(b"\x2a", point.exemplars, parts.append)
    if isinstance(point.value, int):
        parts.append(b"\x31" + pack_sfixed64(point.value))
    NUMBER_ATTRIBUTES.write(point.attributes, parts.append)
    if point.flags:
        parts.append(b"\x40" + varint(point.flags))
    return b"".join(parts)


def _histogram(point: HistogramPoint) -> bytes:
    parts: list[bytes] = []
    append = parts.append
    _times(point.start_time_unix_nano, point.time_unix_nano, append)
    if point.count:
        append(pack_fixed64(0x21, point.count))
    if point.sum is not None:
        append(b"\x29" + pack_double(point.sum))
    if counts := point.bucket_counts:
        append(sized(b"\x32", struct.pack(f"<{len(counts)}Q", *counts)))
    if bounds := point.explicit_bounds:
        append(sized(b"\x3a", struct.pack(f"<{len(bounds)}d", *bounds)))
    _exemplars(b"\x42", point.exemplars, append)
    HISTOGRAM_ATTRIBUTES.write(point.attributes, append)
    if point.flags:
        append(b"\x50" + varint(point.flags))
    if point.min is not None:
        append(b"\x59" + pack_double(point.min))
    if point.max is not None:
        append(b"\x61" + pack_double(point.max))
    return b"".join(parts)


def _exponential(point: ExponentialHistogramPoint) -> bytes:
    parts: list[bytes] = []
    append = parts.append
    EXPONENTIAL_ATTRIBUTES.write(point.attributes, append)
    _times(point.start_time_unix_nano, point.time_unix_nano, append)
    if point.count:
        append(pack_fixed64(0x21, point.count))
    if point.sum is not None:
        append(b"\x29" + pack_double(point.sum))
    if point.scale:
        append(b"\x30" + varint(_zigzag(point.scale)))
    if point.zero_count:
        append(pack_fixed64(0x39, point.zero_count))
    _buckets(b"\x42", point.positive, append)
    _buckets(b"\x4a", point.negative, append)
    if point.flags:
        append(b"\x50" + varint(point.flags))
    _exemplars(b"\x5a", point.exemplars, append)
    if point.min is not None:
        append(b"\x61" + pack_double(point.min))
    if point.max is not None:
        append(b"\x69" + pack_double(point.max))
    if _is_set(point.zero_threshold):
        append(b"\x71" + pack_double(point.zero_threshold))
    return b"".join(parts)


def _summary(point: SummaryPoint) -> bytes:
    parts: list[bytes] = []
    _times(point.start_time_unix_nano, point.time_unix_nano, parts.append)
    if point.count:
        parts.append(pack_fixed64(0x21, point.count))
    if _is_set(point.sum):
        parts.append(b"\x29" + pack_double(point.sum))
    for quantile, value in point.quantiles:
        pair = (b"\x09", quantile), (b"\x11", value)
        body = b"".join(tag + pack_double(number) for tag, number in pair if _is_set(number))
        parts.append(sized(b"\x32", body))
    NUMBER_ATTRIBUTES.write(point.attributes, parts.append)
    if point.flags:
        parts.append(b"\x40" + varint(point.flags))
    return b"".join(parts)


def _exemplars(tag: bytes, exemplars: Sequence[Exemplar], append: Append) -> None:
    for exemplar in exemplars:
        parts: list[bytes] = []
        if exemplar.time_unix_nano:
            parts.append(pack_fixed64(0x11, exemplar.time_unix_nano))
        if isinstance(exemplar.value, float):
            parts.append(b"\x19" + pack_double(exemplar.value))
        if exemplar.span_id:
            parts.append(sized(b"\x22", exemplar.span_id))
        if exemplar.trace_id:
            parts.append(sized(b"\x2a", exemplar.trace_id))
        if isinstance(exemplar.value, int):
            parts.append(b"\x31" + pack_sfixed64(exemplar.value))
        FILTERED_ATTRIBUTES.write(exemplar.filtered_attributes, parts.append)
        append(sized(tag, b"".join(parts)))


def _buckets(tag: bytes, buckets: Buckets, append: Append) -> None:
    """Left out when there is nothing in them, so that a reader cannot tell unset from empty."""
    body = b"\x08" + varint(_zigzag(buckets.offset)) if buckets.offset else b""
    if buckets.bucket_counts:
        body += sized(b"\x12", b"".join(map(varint, buckets.bucket_counts)))
    if body:
        append(sized(tag, body))


def _zigzag(number: int) -> int:
    """Small negative numbers become small positive ones: 0, -1, 1, -2 are 0, 1, 2, 3."""
    return (number << 1 ^ number >> 31) & 0xFFFF_FFFF


def _is_set(number: float) -> bool:
    """proto3 leaves out a double whose bits are all zero; -0.0 is not that."""
    return pack_double(number) != bytes(8)


_KINDS: dict[str, tuple[bytes, Any]] = {
    "gauge": (b"\x2a", _number),
    "sum": (b"\x3a", _number),
    "histogram": (b"\x4a", _histogram),
    "exponential_histogram": (b"\x52", _exponential),
    "summary": (b"\x5a", _summary),
}
"""The field of `Metric` that holds each kind's points, and who writes one."""
