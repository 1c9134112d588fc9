"""A sampler of this kit where the official SDK expects its own.

    provider = TracerProvider(sampler=SamplerOf(ParentBased(RateLimiting(5))))
    provider = TracerProvider(sampler=SamplerOf(Composite(ParentThreshold(Probability(0.1)))))

The official tracer hands its samplers no tracestate, so this takes the parent's out of the context.
It also takes a sampler's attributes for all that the span has; here those of the kit's sampler are
added to those that the span was started with.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#sampler
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from otlp_kit import model
from otlp_kit.tracing import samplers

# The API counts kinds from 0 (internal), the wire from 1.
KINDS = {kind: model.SpanKind[kind.name] for kind in SpanKind}


class _Parent(NamedTuple):
    """The parent as a sampler of the kit sees it."""

    flags: int
    remote: bool
    trace_state: str


class SamplerOf(Sampler):
    """Asks `sampler`; links are handed on as the API has them, kinds as the wire numbers them."""

    def __init__(self, sampler: samplers.Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """`trace_state`, if a caller has one, stands for the parent's."""
        context = get_current_span(parent_context).get_span_context()
        parent, state = None, trace_state
        if context.is_valid:
            state = context.trace_state if trace_state is None else trace_state
            header = state.to_header() if state else ""
            parent = _Parent(context.trace_flags, context.is_remote, header)
        given: Any = attributes or {}
        sampling = self._sampler.decide(
            parent,
            trace_id.to_bytes(16, "big"),
            name,
            KINDS[kind or SpanKind.INTERNAL],
            given,
            links or (),
        )
        if sampling.trace_state is not None:
            state = TraceState.from_header([sampling.trace_state])
        if not sampling.recording:
            return SamplingResult(Decision.DROP, None, state)
        added: Any = sampling.attributes
        return SamplingResult(
            Decision.RECORD_AND_SAMPLE if sampling.sampled else Decision.RECORD_ONLY,
            {**given, **added} if added else attributes,
            state,
        )

    def get_description(self) -> str:
        """The description of the kit's sampler."""
        return str(self._sampler)
