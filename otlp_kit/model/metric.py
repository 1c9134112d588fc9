"""A metric as OTLP carries it: a name, a kind of aggregation, and data points.

One class of metric for all kinds, since kinds differ in their points: a gauge and a sum have
`NumberPoint`s, a histogram `HistogramPoint`s, and so on.

Specification: https://opentelemetry.io/docs/specs/otel/metrics/data-model/ and
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, TypeAlias

from otlp_kit.model.resource import Attributes, Resource, Scope

MetricKind: TypeAlias = Literal[
    "", "gauge", "sum", "histogram", "exponential_histogram", "summary"
]  # "" is a metric without data, which the wire allows


class Temporality(IntEnum):
    """What interval a point covers, numbered as on the wire."""

    UNSPECIFIED = 0
    DELTA = 1
    """Since the last point."""
    CUMULATIVE = 2
    """Since the stream began."""


@dataclass(slots=True)
class Exemplar:
    """One measurement kept as it was, with the span in which it was made."""

    value: int | float | None = None
    time_unix_nano: int = 0
    trace_id: bytes = b""
    span_id: bytes = b""
    filtered_attributes: Attributes = field(default_factory=dict)
    """Attributes of the measurement that the aggregation dropped."""


@dataclass(slots=True)
class NumberPoint:
    """One value of a gauge or a sum. `value` None stands for a point without a recorded value."""

    value: int | float | None = None
    time_unix_nano: int = 0
    start_time_unix_nano: int = 0
    attributes: Attributes = field(default_factory=dict)
    exemplars: list[Exemplar] = field(default_factory=list)
    flags: int = 0
    """Bit 0: no recorded value, the stream has a gap here."""


@dataclass(slots=True)
class HistogramPoint:
    """Counts in buckets with explicit bounds: `len(bucket_counts) == len(explicit_bounds) + 1`."""

    count: int = 0
    sum: float | None = None
    bucket_counts: list[int] = field(default_factory=list)
    explicit_bounds: list[float] = field(default_factory=list)
    """Upper bounds, inclusive and increasing; the last bucket has none."""
    min: float | None = None
    max: float | None = None
    time_unix_nano: int = 0
    start_time_unix_nano: int = 0
    attributes: Attributes = field(default_factory=dict)
    exemplars: list[Exemplar] = field(default_factory=list)
    flags: int = 0


@dataclass(slots=True)
class Buckets:
    """Consecutive buckets of an exponential histogram, beginning with index `offset`."""

    offset: int = 0
    bucket_counts: list[int] = field(default_factory=list)


@dataclass(slots=True)
class ExponentialHistogramPoint:
    """Counts in buckets whose bounds are powers of `2 ** 2 ** -scale`."""

    count: int = 0
    sum: float | None = None
    scale: int = 0
    zero_count: int = 0
    zero_threshold: float = 0.0
    """Values with a magnitude up to this are counted by `zero_count`."""
    positive: Buckets = field(default_factory=Buckets)
    negative: Buckets = field(default_factory=Buckets)
    min: float | None = None
    max: float | None = None
    time_unix_nano: int = 0
    start_time_unix_nano: int = 0
    attributes: Attributes = field(default_factory=dict)
    exemplars: list[Exemplar] = field(default_factory=list)
    flags: int = 0


@dataclass(slots=True)
class SummaryPoint:
    """Quantiles computed by the producer; kept for old sources, since they cannot be merged."""

    count: int = 0
    sum: float = 0.0
    quantiles: list[tuple[float, float]] = field(default_factory=list)
    """(quantile from 0 to 1, value) pairs."""
    time_unix_nano: int = 0
    start_time_unix_nano: int = 0
    attributes: Attributes = field(default_factory=dict)
    flags: int = 0


Point: TypeAlias = NumberPoint | HistogramPoint | ExponentialHistogramPoint | SummaryPoint


@dataclass(slots=True)
class Metric:
    """One metric with its points, all of the type that `kind` asks for."""

    name: str = ""
    kind: MetricKind = "gauge"
    unit: str = ""
    """A UCUM unit such as `s`, `By` or `{request}`."""
    description: str = ""
    points: Sequence[Point] = field(default_factory=list)
    temporality: int = Temporality.UNSPECIFIED
    """A `Temporality`, of sums and histograms; a plain int, since a newer peer may know more."""
    is_monotonic: bool = False
    """Of sums: whether the value only grows."""
    metadata: Attributes = field(default_factory=dict)
    resource: Resource = field(default_factory=Resource)
    scope: Scope = field(default_factory=Scope)
