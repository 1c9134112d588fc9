"""The tracer: starts spans, and makes them current.

    with tracer.start_as_current_span("GET /") as span:
        ...                                     # a span started here is its child

Who the parent is, the context says; whether the span is recorded, the sampler. A span that is not
recorded still has an identity, so that the trace goes on through it.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-creation
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from time import time_ns
from types import TracebackType
from typing import Any, TypeVar

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, SpanKind

from otlp_kit.model.resource import Attributes, Resource, Scope
from otlp_kit.processors.exporting import exporting
from otlp_kit.tracing.ids import CheckedIds, RandomIds
from otlp_kit.tracing.limits import SpanLimits, are_plain
from otlp_kit.tracing.live_span import (
    HAS_IS_REMOTE,
    IS_REMOTE,
    NO_EVENTS,
    NO_LINKS,
    RANDOM,
    SAMPLED,
    Kind,
    LiveSpan,
    span_context,
)
from otlp_kit.tracing.samplers import RECORD_AND_SAMPLE, Sampler

log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])

# The key under which the API keeps the current span: the only one in such a context.
(CURRENT_SPAN,) = trace.set_span_in_context(INVALID_SPAN, Context())
KINDS = tuple(Kind(kind.value + 1) for kind in SpanKind)
INTERNAL = KINDS[SpanKind.INTERNAL.value]
NO_ATTRIBUTES: Attributes = {}
RecordedStart = Callable[[LiveSpan, Context], None]


class ForeignParent:
    """A parent that is no span of this kit's: one that came over the wire, or another SDK's."""

    __slots__ = ("flags", "remote", "span_id", "trace_id", "trace_state")

    def __init__(self, context: SpanContext) -> None:
        self.trace_id = context.trace_id.to_bytes(16, "big")
        self.span_id = context.span_id.to_bytes(8, "big")
        self.flags = int(context.trace_flags)
        self.remote = context.is_remote
        self.trace_state = context.trace_state.to_header()


class DroppedSpan(NonRecordingSpan):
    """A span that the sampler does not want: an identity, for its children and for propagation."""

    __slots__ = ("flags", "span_id", "trace_id", "trace_state")

    remote = False

    def __init__(self, trace_id: bytes, span_id: bytes, flags: int, trace_state: str) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.flags = flags
        self.trace_state = trace_state

    def get_span_context(self) -> SpanContext:
        return span_context(self)


class Tracer(trace.Tracer):
    """Made by `TracerProvider.get_tracer`, for one instrumentation scope."""

    def __init__(
        self,
        resource: Resource,
        scope: Scope,
        sampler: Sampler,
        limits: SpanLimits,
        ids: RandomIds | CheckedIds,
        emit: Callable[[LiveSpan], None],
        dropped: Callable[[], None],
        on_start: Sequence[RecordedStart] = (),
    ) -> None:
        self._resource = resource
        self._scope = scope
        self._decide = sampler.decide
        self._limits, self._room = limits, limits.room_for_plain
        self._both_ids, self._span_id = ids.generate_both, ids.generate_span_id
        self._random = RANDOM if ids.is_trace_id_random() else 0
        self._emit = emit
        self._dropped = dropped
        self._on_start = on_start

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> trace.Span:
        """Start a span whose parent is that of `context` (default: the current one).

        `start_time` is nanoseconds since the Unix epoch, default now. Inside an export nothing is
        recorded: its spans would have to be exported in their turn.
        """
        parent: Any = (get_current() if context is None else context).get(CURRENT_SPAN)
        if parent is not None and type(parent) is not LiveSpan and type(parent) is not DroppedSpan:
            parent = _foreign(parent)
        if exporting.get():
            return NonRecordingSpan(span_context(parent) if parent else trace.INVALID_SPAN_CONTEXT)
        if parent is None:
            both = (self._both_ids() or 1).to_bytes(24, "big")
            trace_id, span_id = both[:16], both[16:]
            parent_span_id, trace_state, flags = b"", "", self._random
        else:
            span_id = (self._span_id() or 1).to_bytes(8, "big")
            trace_id, parent_span_id = parent.trace_id, parent.span_id
            trace_state, flags = parent.trace_state, parent.flags & RANDOM
        wire_kind = KINDS[kind._value_] if type(kind) is SpanKind else INTERNAL
        try:
            sampling = self._decide(
                parent, trace_id, name, wire_kind, attributes or NO_ATTRIBUTES, links or ()
            )
        except Exception:
            # The sampler may be anybody's. What it cannot decide is recorded.
            log.exception("the sampler failed")
            sampling = RECORD_AND_SAMPLE
        if sampling.trace_state is not None:
            trace_state = sampling.trace_state
        if sampling.sampled:
            flags |= SAMPLED
        if not sampling.recording:
            self._dropped()
            return DroppedSpan(trace_id, span_id, flags, trace_state)

        # What `LiveSpan(...)` would do, without the call and its twenty arguments.
        span = _new(LiveSpan)
        span.name = name
        span.trace_id = trace_id
        span.span_id = span_id
        span.parent_span_id = parent_span_id
        span.end_unix_nano = 0
        span.kind = wire_kind
        span.events = NO_EVENTS
        span.links = NO_LINKS
        span.status_code = 0
        span.status_message = ""
        span.trace_state = trace_state
        span.flags = flags | HAS_IS_REMOTE
        span.dropped_events_count = 0
        span.dropped_links_count = 0
        span.resource = self._resource
        span.scope = self._scope
        span._emit = self._emit
        limits = span._limits = self._limits
        span._record_exception = record_exception
        span._set_status = set_status_on_exception
        span.dropped_attributes_count = 0
        copied = span.attributes = attributes.copy() if type(attributes) is dict else {}
        if attributes and not (copied and len(copied) <= self._room and are_plain(copied)):
            span.attributes, dropped = limits.taken(attributes, limits.attributes)
            if dropped:
                span._drop(dropped)
        if sampling.attributes:
            span.set_attributes(sampling.attributes)
        if parent is not None and parent.remote:
            span.flags |= IS_REMOTE
        if links:
            for link in links:
                if isinstance(link, trace.Link):  # people leave a None among them
                    span._link(link.context, link.attributes)
        span.start_unix_nano = time_ns() if start_time is None else start_time
        if self._on_start:
            self._tell_start(span, get_current() if context is None else context)
        return span  # type: ignore[return-value]  # it is registered as one

    def _tell_start(self, span: LiveSpan, context: Context) -> None:
        for hook in self._on_start:
            try:
                hook(span, context)
            except Exception:
                # The processor may be anybody's, and the program that starts a span has work to do.
                log.exception("a processor failed at the start of a span")

    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Any:
        """A context manager in which a new span is the current one; also a decorator.

        The span starts when the block is entered, and ends when it is left, unless `end_on_exit` is
        false. A decorated function, or coroutine function, has a new span for each call.
        """
        reports = (record_exception, set_status_on_exception)
        arguments = (name, context, kind, attributes, links, start_time, *reports)
        return CurrentSpan(self, arguments, end_on_exit)


class CurrentSpan:
    """A span for the time of a `with` block, or of each call of a function."""

    __slots__ = ("_arguments", "_end", "_span", "_token", "_tracer")

    def __init__(self, tracer: Tracer, arguments: tuple[Any, ...], end_on_exit: bool) -> None:
        self._tracer = tracer
        self._arguments = arguments
        self._end = end_on_exit

    def __enter__(self) -> trace.Span:
        span = self._span = self._tracer.start_span(*self._arguments)
        self._token = attach(Context(get_current() | {CURRENT_SPAN: span}))
        return span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        detach(self._token)
        span = self._span
        # A generator that is closed, a task that is cancelled: those are no errors.
        if isinstance(exception, Exception) and span.is_recording():
            span.escaping(exception, escaped=False)  # type: ignore[attr-defined]
        if self._end:
            span.end()

    def __call__(self, function: F) -> F:
        def again() -> CurrentSpan:
            return CurrentSpan(self._tracer, self._arguments, self._end)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with again():
                return function(*args, **kwargs)

        @functools.wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            with again():
                return await function(*args, **kwargs)

        return call_async if inspect.iscoroutinefunction(function) else call  # type: ignore[return-value]


_new = LiveSpan.__new__


def _foreign(span: Any) -> ForeignParent | None:
    """What a span of another making is as a parent; None if it cannot be one."""
    if not isinstance(span, trace.Span):
        return None
    context = span.get_span_context()
    return ForeignParent(context) if context is not None and context.is_valid else None
