"""A log record as OTLP carries it: a body with a time, a severity and, often, a trace to belong to.

Specification: https://opentelemetry.io/docs/specs/otel/logs/data-model/ and
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/logs/v1/logs.proto
"""

from __future__ import annotations

from dataclasses import dataclass, field

from otlp_kit.model.resource import Attributes, Resource, Scope, Value


@dataclass(slots=True)
class LogRecord:
    """One log record. Times are nanoseconds since the Unix epoch; 0 means unknown."""

    body: Value = None
    time_unix_nano: int = 0
    """When it happened."""
    observed_time_unix_nano: int = 0
    """When the pipeline first saw it."""
    severity_number: int = 0
    """1 to 24, in six ranges of four from TRACE to FATAL; 0 is unspecified."""
    severity_text: str = ""
    """The name of the severity, as the source wrote it."""
    event_name: str = ""
    """Not empty for an event: a record whose shape is known by this name."""
    attributes: Attributes = field(default_factory=dict)
    trace_id: bytes = b""
    """16 bytes, or empty: the record belongs to no trace."""
    span_id: bytes = b""
    """8 bytes, or empty."""
    flags: int = 0
    """Bits 0 to 7: W3C trace flags."""
    dropped_attributes_count: int = 0
    resource: Resource = field(default_factory=Resource)
    scope: Scope = field(default_factory=Scope)
