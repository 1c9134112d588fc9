"""What an OTLP exporter of metrics prefers: temporality and aggregation for each instrument.

    MetricReader(*of(exporter))

A reader of the SDK asks its exporter. Those of this kit prefer what the environment says.

Specification: https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/
"""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)

from otlp_kit.settings import otel_env

_DELTA: dict[str, tuple[type, ...]] = {
    "cumulative": (),
    # What is counted here may be forgotten after each export; what a callback reports is a sum
    # already, and would have to be remembered to tell the difference.
    "lowmemory": (Counter, Histogram),
    "delta": (Counter, Histogram, ObservableCounter),
}


def of(exporter: object) -> tuple[Any, Any]:
    """Temporality and aggregation that `exporter` prefers, an official one or one of this kit."""
    if isinstance(exporter, MetricExporter):
        return exporter._preferred_temporality, exporter._preferred_aggregation
    return temporality(), aggregation()


def temporality() -> dict[type, AggregationTemporality]:
    """By `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`; cumulative if it is not set."""
    preference = otel_env.read("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE")
    instruments = (
        Counter,
        UpDownCounter,
        Histogram,
        ObservableCounter,
        ObservableUpDownCounter,
        ObservableGauge,
    )
    delta, cumulative = AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE
    return {kind: delta if kind in _DELTA[preference] else cumulative for kind in instruments}


def aggregation() -> dict[type, Aggregation]:
    """By `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`; explicit buckets without it."""
    name = otel_env.read("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION")
    if name == "explicit_bucket_histogram":
        return {Histogram: ExplicitBucketHistogramAggregation()}
    return {Histogram: ExponentialBucketHistogramAggregation()}
