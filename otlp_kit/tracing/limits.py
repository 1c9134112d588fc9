"""How much a span may hold, and what an attribute may be.

    limits = SpanLimits(attributes=32, value_length=1000)
    kept, dropped = limits.taken(attributes, limits.attributes)

What is beyond a limit is dropped and counted, not refused: a span is worth more than its hundredth
attribute. Values are copied where they could change later.

Specification: https://opentelemetry.io/docs/specs/otel/common/#attribute-limits and
https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

from otlp_kit.encoding.protobuf_common import MAX_DEPTH
from otlp_kit.encoding.repair import as_text
from otlp_kit.model.resource import Attributes, Value

log = logging.getLogger(__name__)

UNLIMITED = sys.maxsize
MAX_PARTS = 10_000
"""Lists, mappings and objects in one value. A list that holds one list twice, and that another twice,
and so on, is small in the program and has no end on the wire."""
_PLAIN = frozenset({str, bool, int, float, type(None)})
"""Types whose values neither change nor need a look."""

KNOWN_KEYS = 4096
_known_keys: set[str] = set()
"""Keys that were looked at before: a program has a few, and uses them all the time."""


@dataclass(frozen=True, slots=True)
class SpanLimits:
    """Counts, and `value_length`: characters of a text, bytes of a bytes value. None is no limit.

    Raises `ValueError` for a limit below 0.
    """

    attributes: int = 128
    events: int = 128
    links: int = 128
    attributes_per_event: int = 128
    attributes_per_link: int = 128
    value_length: int = UNLIMITED

    def __post_init__(self) -> None:
        for field in fields(self):
            limit = getattr(self, field.name)
            if limit is None:
                object.__setattr__(self, field.name, UNLIMITED)
            elif limit < 0:
                raise ValueError(f"{field.name} must be at least 0 or None, not {limit}")

    @property
    def room_for_plain(self) -> int:
        """How many attributes may be kept without a look at their length."""
        return self.attributes if self.value_length == UNLIMITED else -1

    def taken(self, attributes: Mapping[str, Value], limit: int) -> tuple[Attributes, int]:
        """A copy of `attributes` with at most `limit` of them, and how many were dropped.

        A key that is no text becomes one, and the empty key is dropped. What is no mapping is
        reported and ignored.
        """
        if not isinstance(attributes, Mapping):
            log.warning("attributes are ignored: %r is no mapping", attributes)
            return {}, 0
        copied = dict(attributes)
        if len(copied) <= limit and self.value_length == UNLIMITED and are_plain(copied):
            return copied, 0
        keyed = {key if isinstance(key, str) else as_text(key): copied[key] for key in copied}
        keyed.pop("", None)
        kept = {key: self.value(value) for key, value in islice(keyed.items(), limit)}
        return kept, len(copied) - len(kept)

    def value(self, value: Any) -> Any:
        """`value` as an attribute may have it: cut to length, copied if it could change.

        What is of another type becomes its text; what is nested too deeply, or comes after `MAX_PARTS`
        others, the empty value.
        """
        if type(value) in _PLAIN and self.value_length == UNLIMITED:
            return value
        return self._copied(value, 0, iter(range(MAX_PARTS)))

    def _copied(self, value: Any, depth: int, left: Iterator[int]) -> Any:
        if isinstance(value, (str, bytes)):
            return value[: self.value_length]
        if value is None or isinstance(value, (int, float)):
            return value
        if depth >= MAX_DEPTH or next(left, None) is None:
            return None
        if isinstance(value, (bytearray, memoryview)):
            return bytes(value)[: self.value_length]
        if isinstance(value, Mapping):
            return {key: self._copied(inner, depth + 1, left) for key, inner in value.items()}
        if isinstance(value, Sequence):
            return tuple(self._copied(inner, depth + 1, left) for inner in value)
        return as_text(value)[: self.value_length]


def are_plain(attributes: Attributes) -> bool:
    """Whether all keys are texts, and all values of a kind that cannot change."""
    return _PLAIN.issuperset(map(type, attributes.values())) and (
        _known_keys.issuperset(attributes) or _are_keys(attributes)
    )


def _are_keys(keys: Iterable[Any]) -> bool:
    """Whether `keys` are texts, none of them empty. They are remembered, as long as there are few."""
    if not all(type(key) is str and key for key in keys):
        return False
    if len(_known_keys) < KNOWN_KEYS:
        _known_keys.update(keys)
    return True
