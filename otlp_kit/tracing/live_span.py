"""A span that is still going on: the API's `Span`, and the record that its end hands over.

    span = tracer.start_span("GET /")
    span.set_attribute("http.route", "/")
    span.end()                          # the processor has it: this very object

One object is both, so ending a span costs no copy of it. It is a `model.Span` from the start, and
after `end` nothing changes it any more. No lock is taken but where something is dropped or added to a
list: a plain attribute is one step of a dict.

Specification: https://opentelemetry.io/docs/specs/otel/trace/api/#span-operations
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Callable, Mapping
from itertools import islice
from time import monotonic, time_ns
from types import TracebackType
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

from otlp_kit.encoding.repair import as_text
from otlp_kit.model.resource import Attributes, Value
from otlp_kit.model.span import Event, Link, Span, StatusCode
from otlp_kit.processors.delivery import Quietly
from otlp_kit.tracing.limits import UNLIMITED, SpanLimits

log = logging.getLogger(__name__)

SAMPLED, RANDOM = 0x1, 0x2
HAS_IS_REMOTE, IS_REMOTE = 0x100, 0x200
NO_EVENTS: Any = ()
NO_LINKS: Any = ()
"""Before the first one: most spans have none, and two empty lists are a third of such a span."""

_PLAIN = frozenset({str, bool, int, float})
_too_late = Quietly(monotonic, "calls")
_beyond_limits = Quietly(monotonic, "spans")


class Kind(int):
    """A span's kind as on the wire. It equals the API's member of that name, too."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, trace.SpanKind):
            return int(self) == other.value + 1
        return int(self) == other

    __hash__ = int.__hash__


class _Lists:
    """The lock for adding to lists and for counting what is dropped; of all spans together."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self.lock = threading.Lock()  # another thread of the parent may have held it


_lists = _Lists()


class LiveSpan(Span):
    """Made by a tracer. As long as `is_recording()`, it takes what the API allows."""

    __slots__ = (
        "__weakref__",
        "_context",
        "_emit",
        "_limits",
        "_record_exception",
        "_set_status",
    )

    _emit: Callable[[LiveSpan], None]
    _limits: SpanLimits
    _context: SpanContext | None
    _record_exception: bool
    _set_status: bool
    """What an exception does that leaves the block."""

    remote = False
    """It is of this process, whatever it is the parent of."""

    # Two spans are never equal, whatever they hold.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    # --- identity

    def get_span_context(self) -> SpanContext:
        """What is propagated: made when somebody asks, since most spans are never asked."""
        context = getattr(self, "_context", None)
        if context is None:
            context = self._context = span_context(self)
        return context

    @property
    def sampled(self) -> bool:
        """Whether the span is to be exported. One that is not may still be recorded."""
        return bool(self.flags & SAMPLED)

    def is_recording(self) -> bool:
        return not self.end_unix_nano

    # --- what it holds

    def set_attribute(self, key: str, value: Value) -> None:
        """Set one attribute; a new key beyond the limit is dropped and counted."""
        if self.end_unix_nano:
            _warn_too_late("attribute", self)
            return
        attributes = self.attributes
        limits = self._limits
        if type(key) is not str:
            key = as_text(key)
        if key == "" or (len(attributes) >= limits.attributes and key not in attributes):
            self._drop(1)
        elif type(value) in _PLAIN and limits.value_length == UNLIMITED:
            attributes[key] = value
        else:
            attributes[key] = limits.value(value)

    def set_attributes(self, attributes: Mapping[str, Value]) -> None:
        """Set several, as `set_attribute` does one."""
        if not isinstance(attributes, Mapping):
            log.warning("attributes of %r are ignored: %r is no mapping", self.name, attributes)
            return
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def add_event(
        self, name: str, attributes: Attributes | None = None, timestamp: int | None = None
    ) -> None:
        """Note that `name` happened, now or at `timestamp` (nanoseconds since the Unix epoch)."""
        if self.end_unix_nano:
            _warn_too_late("event", self)
            return
        limits = self._limits
        kept, dropped = limits.taken(attributes or {}, limits.attributes_per_event)
        event = Event(name, time_ns() if timestamp is None else timestamp, kept, dropped)
        with _lists.lock:
            if self.end_unix_nano:  # the attributes may be anybody's mapping, and take their time
                return
            self.events = events = self.events or []
            events.append(event)
            beyond = len(events) > limits.events
            if beyond:
                # The latest stay: how it ended is what one looks for.
                del events[0]
                self.dropped_events_count += 1
        if beyond:
            self._say_once()

    def add_link(self, context: SpanContext, attributes: Attributes | None = None) -> None:
        """Point to another span."""
        if self.end_unix_nano:
            _warn_too_late("link", self)
        elif isinstance(context, SpanContext):
            self._link(context, attributes)
        else:
            log.warning("link of %r is ignored: %r is no span context", self.name, context)

    def _link(self, context: SpanContext | None, attributes: Mapping[str, Any] | None) -> None:
        if context is None or not (context.is_valid or attributes or context.trace_state):
            return
        limits = self._limits
        link = to_link(context, limits, attributes)
        with _lists.lock:
            if self.end_unix_nano:
                return
            self.links = links = self.links or []
            links.append(link)
            beyond = len(links) > limits.links
            if beyond:
                del links[0]
                self.dropped_links_count += 1
        if beyond:
            self._say_once()

    def update_name(self, name: str) -> None:
        if self.end_unix_nano:
            _warn_too_late("name", self)
        else:
            self.name = name

    def set_status(
        self, status: trace.Status | trace.StatusCode, description: str | None = None
    ) -> None:
        """Say how it went. OK is final; UNSET says nothing; only an ERROR has a description."""
        if self.end_unix_nano:
            _warn_too_late("status", self)
            return
        if isinstance(status, trace.Status):
            code, description = status.status_code, status.description
        elif isinstance(status, trace.StatusCode):
            code = status
        else:
            log.warning("status of %r is ignored: %r is none", self.name, status)
            return
        if code is trace.StatusCode.UNSET or self.status_code == StatusCode.OK:
            return
        self.status_code = code.value
        self.status_message = ""
        if description and code is trace.StatusCode.ERROR:
            self.status_message = description if isinstance(description, str) else ""

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add an event that tells of `exception`. `attributes` go over its own."""
        if not isinstance(exception, BaseException):
            log.warning("exception of %r is ignored: %r is none", self.name, exception)
            return
        kind = type(exception)
        module = "" if kind.__module__ in ("builtins", None) else f"{kind.__module__}."
        told: Attributes = {
            "exception.type": module + kind.__qualname__,
            "exception.message": _message(exception),
            "exception.stacktrace": _stack(exception),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", told | dict(attributes or {}), timestamp)

    # --- its end

    def end(self, end_time: int | None = None) -> None:
        """Hand the span over, once. `end_time` is nanoseconds since the Unix epoch, default now."""
        try:
            emit = self._emit
            del self._emit  # one step: of two threads that end a span, one gets here
        except AttributeError:
            _warn_too_late("end", self)
            return
        # 0 says that it goes on.
        self.end_unix_nano = time_ns() if end_time is None else end_time or 1
        # A thread that is just setting an attribute writes into what nobody reads any more.
        attributes = self.attributes = self.attributes.copy()
        if len(attributes) > self._limits.attributes:  # several threads found the last place
            self._drop(len(attributes) - self._limits.attributes)
            self.attributes = dict(islice(attributes.items(), self._limits.attributes))
        try:
            emit(self)
        except Exception:
            # The processor may be anybody's, and whoever ends a span has work to do.
            log.exception("a processor failed at the end of a span")

    def __enter__(self) -> LiveSpan:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        """End the span; an exception that leaves the block is told of first."""
        if exception is not None and self.is_recording():
            self.escaping(exception, escaped=True)
        self.end()

    def escaping(self, exception: BaseException, *, escaped: bool) -> None:
        """`exception` leaves the span's block: record it and set the status, as far as was asked."""
        if self._record_exception:
            self.record_exception(exception, escaped=escaped)
        if self._set_status:
            reason = f"{type(exception).__name__}: {_message(exception)}"
            self.set_status(trace.StatusCode.ERROR, reason)

    def _drop(self, count: int) -> None:
        with _lists.lock:
            self.dropped_attributes_count += count
        self._say_once(count)

    def _say_once(self, count: int = 1) -> None:
        """Say that something was dropped, if these `count` are the first. No lock is held."""
        dropped = self.dropped_attributes_count + self.dropped_events_count
        if dropped + self.dropped_links_count == count:
            _beyond_limits.warn(
                f"{self.name!r} is beyond its limits, or has an empty key: what is dropped is counted"
            )

    def __repr__(self) -> str:
        state = "recording" if self.is_recording() else "ended"
        return f"<LiveSpan {self.name!r} [{state} | {self.trace_id.hex()} | {self.span_id.hex()}]>"

    # --- what instrumentation reads of the official SDK's span, beyond the API

    context = property(get_span_context)

    @property
    def start_time(self) -> int:
        return self.start_unix_nano

    @property
    def end_time(self) -> int | None:
        return self.end_unix_nano or None

    @property
    def status(self) -> trace.Status:
        return trace.Status(trace.StatusCode(self.status_code), self.status_message or None)


trace.Span.register(LiveSpan)


def span_context(span: Any) -> SpanContext:
    """The API's context of whatever has ids, flags and a trace state."""
    state = TraceState.from_header([span.trace_state]) if span.trace_state else None
    return SpanContext(
        int.from_bytes(span.trace_id, "big"),
        int.from_bytes(span.span_id, "big"),
        span.remote,
        TraceFlags(span.flags & 0xFF),
        state,
    )


def to_link(context: SpanContext, limits: SpanLimits, attributes: Any) -> Link:
    kept, dropped = limits.taken(attributes or {}, limits.attributes_per_link)
    remote = IS_REMOTE if context.is_remote else 0
    return Link(
        context.trace_id.to_bytes(16, "big"),
        context.span_id.to_bytes(8, "big"),
        context.trace_state.to_header(),
        kept,
        dropped,
        context.trace_flags & 0xFF | HAS_IS_REMOTE | remote,
    )


def _message(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception:
        return as_text(exception)


def _stack(exception: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(exception))
    except Exception:
        # The exception's own `__str__` may raise, and must not take the program with it.
        return "".join(traceback.format_tb(exception.__traceback__))


def _warn_too_late(what: str, span: LiveSpan) -> None:
    _too_late.warn(f"{what} of {span.name!r} is ignored: the span has ended")
