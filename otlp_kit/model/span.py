"""A span as OTLP carries it: a named, timed operation with its identity and its parent.

These are records, finished and plain. Starting, ending and nesting spans is a tracer's business.

Specification: https://opentelemetry.io/docs/specs/otel/trace/api/#span and
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from otlp_kit.model.resource import Attributes, Resource, Scope

INVALID_TRACE_ID = bytes(16)
INVALID_SPAN_ID = bytes(8)


class SpanKind(IntEnum):
    """The role of a span in an interaction, numbered as on the wire."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class StatusCode(IntEnum):
    """How the operation ended, numbered as on the wire."""

    UNSET = 0
    OK = 1
    ERROR = 2


@dataclass(slots=True)
class Event:
    """Something that happened at one moment inside a span."""

    name: str = ""
    time_unix_nano: int = 0
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes_count: int = 0


@dataclass(slots=True)
class Link:
    """A pointer to another span that is related but is not the parent."""

    trace_id: bytes = b""
    span_id: bytes = b""
    trace_state: str = ""
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes_count: int = 0
    flags: int = 0


@dataclass(slots=True)
class Span:
    """One finished operation. Times are nanoseconds since the Unix epoch."""

    name: str = ""
    trace_id: bytes = b""
    """16 bytes, not all zero."""
    span_id: bytes = b""
    """8 bytes, not all zero."""
    parent_span_id: bytes = b""
    """8 bytes; empty for the root of a trace."""
    start_unix_nano: int = 0
    end_unix_nano: int = 0
    kind: int = SpanKind.INTERNAL
    """A `SpanKind`; a plain int, since a newer peer may know more kinds."""
    attributes: Attributes = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    status_code: int = StatusCode.UNSET
    """A `StatusCode`; a plain int, for the same reason."""
    status_message: str = ""
    trace_state: str = ""
    """The W3C `tracestate` header, as it was propagated."""
    flags: int = 0
    """Bits 0 to 7: W3C trace flags; bit 8: whether bit 9 is known; bit 9: the parent was remote."""
    dropped_attributes_count: int = 0
    dropped_events_count: int = 0
    dropped_links_count: int = 0
    resource: Resource = field(default_factory=Resource)
    scope: Scope = field(default_factory=Scope)

    def problem(self) -> str | None:
        """Why a receiver must not take this span, or None: its ids are checked as trace.proto says."""
        if len(self.trace_id) != 16 or self.trace_id == INVALID_TRACE_ID:
            return "trace_id must be 16 bytes and not all zero"
        if len(self.span_id) != 8 or self.span_id == INVALID_SPAN_ID:
            return "span_id must be 8 bytes and not all zero"
        if self.parent_span_id and len(self.parent_span_id) != 8:
            return "parent_span_id must be empty or 8 bytes"
        return None
