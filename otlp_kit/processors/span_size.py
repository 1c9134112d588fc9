"""How many bytes of memory does a span hold? An estimate that is seldom too low.

    span_bytes(span)      the object, its ids, texts, attributes, events and links

Counted is what would be freed if nobody else held the span: also texts that several spans share, such
as the keys of attributes. Not counted are its resource and its scope, which belong to all spans of a
service: `owner_bytes(resource)` counts such a one. It asks Python for the sizes (`sys.getsizeof`),
so it knows no wire format; encoded, a span is several times smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sys import getsizeof
from typing import Any

from otlp_kit.model import Resource, Scope, Span

_ID_BYTES = getsizeof(bytes(16)) + 2 * getsizeof(bytes(8))
_TIME_BYTES = 2 * getsizeof(1 << 60)
_GC_BYTES = getsizeof([]) - [].__sizeof__()
_FIXED = _ID_BYTES + _TIME_BYTES + _GC_BYTES + 2 * getsizeof([])
_FLAT = frozenset({str, bool, int, float, bytes, type(None)})


def span_bytes(span: Span) -> int:
    """About how many bytes `span` holds, without its resource and scope."""
    total = _FIXED + type(span).__basicsize__ + getsizeof(span.name) + _map_bytes(span.attributes)
    if span.status_message:
        total += getsizeof(span.status_message)
    if span.trace_state:
        total += getsizeof(span.trace_state)
    if span.events:
        total += getsizeof(span.events)
        for event in span.events:
            total += getsizeof(event) + getsizeof(event.name) + _TIME_BYTES
            total += _map_bytes(event.attributes)
    if span.links:
        total += getsizeof(span.links)
        for link in span.links:
            total += getsizeof(link) + _ID_BYTES + getsizeof(link.trace_state)
            total += _map_bytes(link.attributes)
    return total


def owner_bytes(owner: Resource | Scope) -> int:
    """About how many bytes a resource or a scope holds."""
    return getsizeof(owner) + getsizeof(owner.schema_url) + _map_bytes(owner.attributes)


def _map_bytes(attributes: Any) -> int:
    total: int = getsizeof(attributes)
    if attributes:
        values = attributes.values()
        total += sum(map(getsizeof, attributes)) + sum(map(getsizeof, values))
        if not _FLAT.issuperset(map(type, values)):
            total += sum(map(_inner_bytes, values))
    return total


def _inner_bytes(value: Any) -> int:
    """What a list or a map holds besides itself."""
    if isinstance(value, Mapping):
        return _map_bytes(value) - getsizeof(value)
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        return 0
    return sum(map(getsizeof, value)) + sum(map(_inner_bytes, value))
