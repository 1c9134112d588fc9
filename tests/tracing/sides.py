"""The two tracers that are compared: the official SDK's, and the kit's. Both hand back records.

    for side in both():
        with side.provider.get_tracer("shop").start_as_current_span("order"):
            ...
        [record] = side.records()

A record of either side is a `model.Span`; `plain` makes dictionaries of them, in which 1, 1.0 and True
differ, and `forest` puts the children of a span into it and leaves out what no two runs share.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import SpanLimits as SdkLimits
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from opentelemetry.trace import TracerProvider

from otlp_kit.adapters import to_span
from otlp_kit.ledger import Totals
from otlp_kit.model import Resource, Span, SpanKind
from otlp_kit.processors.outcome import Outcome
from otlp_kit.runtime import lifecycle
from otlp_kit.tracing import SpanLimits
from otlp_kit.tracing import TracerProvider as KitProvider

PATIENCE = 30.0
"""Seconds for spans of other threads to end: a safeguard, not a measurement."""
ATTRIBUTES: Any = {"service.name": "shop"}
PORTS = {"net.peer.port", "client.port", "network.peer.port"}
"""Attributes of a server's span that tell from which port the client called, new for each call."""


class Kept:
    """A processor of either side. Spans are read when they are asked for, not when they end."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._started = 0
        self._ended: list[Any] = []

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        with self._changed:
            self._started += 1

    def emit(self, record: Any) -> None:
        with self._changed:
            self._ended.append(record)
            self._changed.notify_all()

    def ended(self) -> list[Any]:
        """Those that ended, in that order, once every span that was started has."""
        with self._changed:
            done = self._changed.wait_for(lambda: len(self._ended) >= self._started, PATIENCE)
            assert done, f"{self._started} spans started, {len(self._ended)} ended"
            return list(self._ended)

    def so_far(self) -> list[Any]:
        with self._changed:
            return list(self._ended)

    def force_flush(self, timeout: float) -> Outcome:
        return Outcome.FLUSHED

    def shutdown(self, timeout: float) -> Outcome:
        return Outcome.FLUSHED

    def totals(self) -> Totals:
        return Totals(created=len(self._ended), delivered=len(self._ended))


class _ForSdk(SpanProcessor):
    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self._kept.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        self._kept.emit(span)


class Side:
    """A provider, and what it recorded."""

    def __init__(self, provider: TracerProvider, kept: Kept) -> None:
        self.provider = provider
        self._kept = kept

    def records(self, *, wait: bool = True) -> list[Span]:
        """What ended, in that order; by default once everything that was started has."""
        ended = self._kept.ended() if wait else self._kept.so_far()
        return [to_span(span) if isinstance(span, ReadableSpan) else span for span in ended]


def official(*, ids: Any = None, sampler: Any = None, limits: dict[str, Any] | None = None) -> Side:
    """The official provider. `limits` have the kit's names; None is no limit."""
    kept = Kept()
    names = {
        "attributes": "max_span_attributes",
        "events": "max_events",
        "links": "max_links",
        "attributes_per_event": "max_event_attributes",
        "attributes_per_link": "max_link_attributes",
        "value_length": "max_attribute_length",
    }
    given = {
        names[name]: SdkLimits.UNSET if limit is None else limit
        for name, limit in (limits or {}).items()
    }
    provider = SdkProvider(
        resource=SdkResource(ATTRIBUTES),
        shutdown_on_exit=False,
        id_generator=ids,
        sampler=sampler,
        span_limits=SdkLimits(**given),
    )
    provider.add_span_processor(_ForSdk(kept))
    return Side(provider, kept)


def kit(*, ids: Any = None, sampler: Any = None, limits: dict[str, Any] | None = None) -> Side:
    """The kit's provider."""
    kept = Kept()
    provider = KitProvider(
        kept,
        resource=Resource(ATTRIBUTES),
        ids=ids,
        sampler=sampler,
        limits=SpanLimits(**limits) if limits is not None else None,
    )
    lifecycle.detach(kept)  # thousands are made, and none has anything to do at exit
    return Side(provider, kept)


class Counting:
    """Ids that count up, so that two runs of one program get the same. The official shape."""

    def __init__(self, *, random: bool = False) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._random = random

    def _next(self) -> int:
        with self._lock:
            self._last += 1
            return self._last

    def generate_trace_id(self) -> int:
        return 0xAAAA << 100 | self._next()

    def generate_span_id(self) -> int:
        return 0xBBBB << 40 | self._next()

    def is_trace_id_random(self) -> bool:
        return self._random


def exact(value: Any) -> Any:
    """`value` so that numbers of different types differ, and NaN equals itself."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact(item) for item in value]
    return value if isinstance(value, str) else (type(value).__name__, repr(value))


def plain(record: Span) -> dict[str, Any]:
    """Every field of a record as plain data; attributes, wherever they stand, by `exact`."""
    found = {}
    for field in fields(Span):
        value = getattr(record, field.name)
        if field.name == "attributes":
            found[field.name] = exact(value)
        elif field.name in ("events", "links"):
            found[field.name] = [_part(item) for item in value]
        elif field.name in ("resource", "scope"):
            found[field.name] = _part(value)
        else:
            found[field.name] = value
    return found


def _part(item: Any) -> dict[str, Any]:
    part = {field.name: getattr(item, field.name) for field in fields(item)}
    return part | {"attributes": exact(part["attributes"])}


def forest(records: Sequence[Span]) -> list[dict[str, Any]]:
    """The trees, as `plain` with `children` in each, oldest first; ids and times are checked and left out.

    What an id points at is told as a path of positions: `[0, 2]` is the third child of the first
    root. A traceback is told as its last line, and addresses of objects and ports of clients are
    left out.
    """
    known = {record.span_id: record for record in records}
    assert len(known) == len(records), "a span id came twice"
    children: dict[bytes, list[Span]] = {}
    for record in sorted(records, key=lambda record: record.start_unix_nano):
        parent = known.get(record.parent_span_id)
        assert parent is None or parent.trace_id == record.trace_id
        children.setdefault(record.parent_span_id if parent else b"", []).append(record)
    paths: dict[bytes, list[int]] = {}

    def number(of: bytes, path: list[int]) -> None:
        for position, record in enumerate(children.get(of, [])):
            paths[record.span_id] = [*path, position]
            number(record.span_id, paths[record.span_id])

    def tree(record: Span) -> dict[str, Any]:
        assert record.problem() is None
        assert 0 < record.start_unix_nano <= record.end_unix_nano
        shown = plain(record)
        for name in ("trace_id", "span_id", "start_unix_nano", "end_unix_nano"):
            del shown[name]
        has_parent = bool(shown.pop("parent_span_id"))
        shown["parent"] = "known" if record.parent_span_id in known else has_parent
        for event in shown["events"]:
            at = event.pop("time_unix_nano")
            assert record.start_unix_nano <= at <= record.end_unix_nano
            if "exception.stacktrace" in event["attributes"]:
                _shorten(event["attributes"])
        for link in shown["links"]:
            del link["trace_id"]
            link["to"] = paths.get(link.pop("span_id"), "elsewhere")
        if record.kind == SpanKind.SERVER:
            for name in PORTS & {*shown["attributes"]}:
                shown["attributes"][name] = "any"
        shown["children"] = [tree(child) for child in children.get(record.span_id, [])]
        return shown

    number(b"", [])
    return [_without_addresses(tree(root)) for root in children.get(b"", [])]


def outline(trees: Iterable[dict[str, Any]]) -> list[Any]:
    """Names and kinds only, nested: what a test can write down as expected."""
    return [
        [f"{tree['name']} ({_KINDS[tree['kind']]})", *outline(tree["children"])] for tree in trees
    ]


_KINDS = ["?", "internal", "server", "client", "producer", "consumer"]


def _shorten(attributes: dict[str, Any]) -> None:
    text = attributes["exception.stacktrace"]
    assert "Traceback (most recent call last)" in text
    attributes["exception.stacktrace"] = text.rstrip().splitlines()[-1]


def _without_addresses(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_addresses(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_addresses(item) for item in value]
    return re.sub(r" at 0x[0-9a-f]+", " at 0x", value) if isinstance(value, str) else value
