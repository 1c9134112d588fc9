"""The tracer provider: a sampler, limits and a resource, and the processors that take what ends.

    provider = TracerProvider(span_pipeline(sender), resource={"service.name": "shop"})
    opentelemetry.trace.set_tracer_provider(provider)

That line is all that a program changes which used the official SDK's provider: instrumentation and
its own code keep to the API. The processors are shut down when the interpreter exits.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#tracer-provider
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from opentelemetry import trace

from otlp_kit.model.resource import Resource, Scope, Value
from otlp_kit.model.span import Span
from otlp_kit.processors.forking import begin_anew_in_child
from otlp_kit.processors.outcome import Outcome, worst
from otlp_kit.processors.passing import Processor
from otlp_kit.runtime import lifecycle
from otlp_kit.tracing.ids import CheckedIds, IdGenerator, RandomIds
from otlp_kit.tracing.limits import SpanLimits
from otlp_kit.tracing.live_span import LiveSpan
from otlp_kit.tracing.samplers import AlwaysOn, ParentBased, Sampler
from otlp_kit.tracing.tracer import Tracer

log = logging.getLogger(__name__)


def _version() -> str:
    try:
        return version("otlp-kit")
    except PackageNotFoundError:  # a copy of this file, somewhere else
        return "unknown"


SDK = {
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "otlp_kit",
    "telemetry.sdk.version": _version(),
}


class TracerProvider(trace.TracerProvider):
    """Makes tracers whose spans go to `processors`, each with a path of its own.

    `resource` is a `Resource`, taken as it is, or attributes, to which those of this SDK are added.
    `sampler` is one of this kit (default: the parent's decision, else always) or of the official SDK.
    `ids` is a generator of the official shape. A processor that has `on_start(span, parent_context)`
    is told of every recorded span.
    """

    def __init__(
        self,
        *processors: Processor[Span],
        resource: Resource | Mapping[str, Value] | None = None,
        sampler: Any = None,
        limits: SpanLimits | None = None,
        ids: IdGenerator | None = None,
    ) -> None:
        self._processors = processors
        self.resource = resource if isinstance(resource, Resource) else resource_of(resource or {})
        self.sampler: Sampler = kit_sampler(sampler or ParentBased(AlwaysOn()))
        self._limits = limits or SpanLimits()
        self._ids = RandomIds() if ids is None else CheckedIds(ids)
        self._on_start = [p.on_start for p in processors if hasattr(p, "on_start")]
        self._tracers: dict[Any, Tracer] = {}
        self._lock = threading.Lock()
        self._sampled_out = 0
        self._shut_down = False
        for processor in processors:
            lifecycle.attach(processor)
        begin_anew_in_child(self)

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> trace.Tracer:
        """The tracer of an instrumentation scope; the same one for the same scope."""
        if self._shut_down:
            return trace.NoOpTracer()
        if not instrumenting_module_name:
            log.warning("a tracer without a name: its spans will not tell who made them")
        scope = Scope(
            instrumenting_module_name or "",
            instrumenting_library_version or "",
            dict(attributes or {}),
            schema_url or "",
        )
        return self._tracers.setdefault(repr(scope), self._tracer(scope))

    def _tracer(self, scope: Scope) -> Tracer:
        return Tracer(
            self.resource,
            scope,
            self.sampler,
            self._limits,
            self._ids,
            self._emitter(),
            self._count_sampled_out,
            self._on_start,
        )

    def _emitter(self) -> Callable[[LiveSpan], None]:
        if len(self._processors) == 1:
            return self._processors[0].emit
        processors = self._processors

        def emit(span: LiveSpan) -> None:
            for processor in processors:
                try:
                    processor.emit(span)
                except Exception:
                    # One that fails must not keep the span from the others.
                    log.exception("%r failed at the end of a span", processor)

        return emit

    def _count_sampled_out(self) -> None:
        with self._lock:
            self._sampled_out += 1

    @property
    def sampled_out(self) -> int:
        """How many spans the sampler did not want recorded; no processor has seen them."""
        return self._sampled_out

    def begin_anew(self) -> None:
        """In the child of a fork, which counts its own spans."""
        self._lock = threading.Lock()  # another thread of the parent may have held it
        self._sampled_out = 0

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Have every processor export what has ended. True if all of them did, in time."""
        last = time.monotonic() + timeout_millis / 1000
        return self._all(lambda processor: processor.force_flush(_left(last)))

    def shutdown(self, timeout_millis: int = 30000) -> bool:
        """Shut every processor down. Spans that end later are counted as dropped."""
        self._shut_down = True
        last = time.monotonic() + timeout_millis / 1000

        def end(processor: Processor[Span]) -> Outcome:
            lifecycle.detach(processor)
            return processor.shutdown(_left(last))

        return self._all(end)

    def _all(self, do: Callable[[Processor[Span]], Outcome]) -> bool:
        return worst([do(processor) for processor in self._processors]) is Outcome.FLUSHED

    def __repr__(self) -> str:
        paths = " ".join(repr(processor) for processor in self._processors)
        return f"<TracerProvider [{self.sampler} | sampled out {self.sampled_out}] {paths}>"


def resource_of(attributes: Mapping[str, Value]) -> Resource:
    """A resource with `attributes`, the name of this SDK, and a service name if there is none."""
    return Resource({"service.name": "unknown_service", **SDK, **attributes})


def kit_sampler(sampler: Any) -> Sampler:
    """`sampler` as one of this kit; the official SDK's are asked in their own way."""
    if hasattr(sampler, "decide"):
        return sampler  # type: ignore[no-any-return]
    if not hasattr(sampler, "should_sample"):
        raise TypeError(f"sampler must be one of this kit or of the official SDK, not {sampler!r}")
    from otlp_kit.tracing.official_sampler import OfficialSampler

    return OfficialSampler(sampler)


def _left(last: float) -> float:
    return max(0.0, last - time.monotonic())
