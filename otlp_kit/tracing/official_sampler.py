"""A sampler of the official SDK's shape as one of this kit.

    TracerProvider(processor, sampler=my_official_sampler)     # wraps it by itself

The official interface asks with the API's objects: the parent's context, the trace id as a number.
They are made for each span, so such a sampler costs more than the kit's own.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#shouldsample
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.context import get_current
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanKind, set_span_in_context

from otlp_kit.model.resource import Value
from otlp_kit.tracing.live_span import span_context
from otlp_kit.tracing.samplers import Sampling

KINDS = tuple(SpanKind)


class OfficialSampler:
    """Asks `official.should_sample`."""

    def __init__(self, official: Any) -> None:
        self._official = official

    def decide(
        self,
        parent: Any,
        trace_id: bytes,
        name: str,
        kind: int,
        attributes: Mapping[str, Value],
        links: Sequence[Any],
    ) -> Sampling:
        above = INVALID_SPAN if parent is None else NonRecordingSpan(span_context(parent))
        context = set_span_in_context(above, get_current())  # with the baggage that is in it
        number = int.from_bytes(trace_id, "big")
        api_kind = KINDS[kind - 1]
        result = self._official.should_sample(context, number, name, api_kind, attributes, links)
        state = result.trace_state
        return Sampling(
            result.decision.is_recording(),
            result.decision.is_sampled(),
            result.attributes,
            state.to_header() if state is not None else "",  # none at all clears it
        )

    def __str__(self) -> str:
        return str(self._official.get_description())
