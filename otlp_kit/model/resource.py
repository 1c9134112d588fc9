"""Who made the telemetry: the resource, and the instrumentation scope inside it.

Both travel once per group of records, not once per record. Attribute values are plain Python:
None (the empty value), str, bool, int (64 bit), float, bytes, and lists and dicts of those.

Specification: https://opentelemetry.io/docs/specs/otel/resource/sdk/ and
https://opentelemetry.io/docs/specs/otel/common/instrumentation-scope/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Value: TypeAlias = "str | bool | int | float | bytes | Sequence[Value] | Mapping[str, Value] | None"
Attributes: TypeAlias = dict[str, Value]


@dataclass(slots=True)
class Resource:
    """The entity that produced the telemetry: a service, a process, a host."""

    attributes: Attributes = field(default_factory=dict)
    schema_url: str = ""
    """The semantic conventions that `attributes` follow."""
    dropped_attributes_count: int = 0


@dataclass(slots=True)
class Scope:
    """The library that instrumented the code: its name and version."""

    name: str = ""
    version: str = ""
    attributes: Attributes = field(default_factory=dict)
    schema_url: str = ""
    """The semantic conventions that the records of this scope follow."""
    dropped_attributes_count: int = 0
