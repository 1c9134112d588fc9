"""What telemetry is: plain records, one dataclass each, with nothing but fields."""

from otlp_kit.model.log_record import LogRecord
from otlp_kit.model.metric import (
    Buckets,
    Exemplar,
    ExponentialHistogramPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    SummaryPoint,
    Temporality,
)
from otlp_kit.model.resource import Attributes, Resource, Scope, Value
from otlp_kit.model.span import Event, Link, Span, SpanKind, StatusCode

__all__ = [
    "Attributes",
    "Buckets",
    "Event",
    "Exemplar",
    "ExponentialHistogramPoint",
    "HistogramPoint",
    "Link",
    "LogRecord",
    "Metric",
    "NumberPoint",
    "Resource",
    "Scope",
    "Span",
    "SpanKind",
    "StatusCode",
    "SummaryPoint",
    "Temporality",
    "Value",
]
