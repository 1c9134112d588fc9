"""What telemetry is: plain records, one dataclass each, with nothing but fields."""

from otlp_kit.model.resource import Attributes, Resource, Scope, Value
from otlp_kit.model.span import Event, Link, Span, SpanKind, StatusCode

__all__ = [
    "Attributes",
    "Event",
    "Link",
    "Resource",
    "Scope",
    "Span",
    "SpanKind",
    "StatusCode",
    "Value",
]
