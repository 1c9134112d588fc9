"""Sampling by probability on which all services of a trace agree, and which can be counted back.

    sampler = Probability(0.1)                  # a tenth of all traces, the same ones everywhere
    adjusted_count(span.trace_state)            # 9.99939: such a span stands for ten

Each service compares the random bits of the trace with its own threshold. So nobody has to ask the
parent: whoever keeps more keeps all that others keep. The threshold travels in the tracestate
(`otlp_kit.tracing.tracestate`), and with it the number of spans that a kept one stands for. Samplers
with rules, and children that follow their parent, are made in `otlp_kit.tracing.composite`.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#probabilitysampler
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from otlp_kit.model import Value
from otlp_kit.tracing.decisions import (
    DROP,
    NEVER,
    RANDOM,
    RECORD_AND_SAMPLE,
    Asked,
    Intent,
    Parent,
    Sampling,
)
from otlp_kit.tracing.tracestate import (
    MAX_THRESHOLD,
    adjusted_count,
    encoded,
    probability_of,
    randomness,
    read,
    threshold_of,
    with_threshold,
)

__all__ = [
    "Probability",
    "adjusted_count",
    "probability_of",
    "randomness",
    "settled",
    "threshold_of",
]

log = logging.getLogger(__name__)


class Probability:
    """Samples where R >= T, whatever the parent did, and writes T into the tracestate.

    `p` is the share of traces to keep, from 2^-56 to 1; 0 keeps none. It is rounded to `precision`
    hexadecimal digits (see `threshold_of`), and `probability` is what came of it. Raises `ValueError`
    for others. It is a `Sampler`, and a `Composable` for rules. Where it has to trust in the randomness
    of a caller's trace id that the caller does not confirm, it says so in the log, once.
    """

    def __init__(self, p: float, precision: int = 4) -> None:
        self.threshold = threshold_of(p, precision) if p else MAX_THRESHOLD
        self.probability = probability_of(self.threshold)
        # Bytes compare as the numbers they are. For p = 0 the eighth byte makes it above them all.
        self._least = self.threshold.to_bytes(7, "big") if p else b"\xff" * 8
        self._kept = Sampling(True, True, None, f"ot=th:{encoded(self.threshold)}") if p else DROP
        self._intent = Intent(self.threshold) if p else NEVER
        self._told = False

    def decide(
        self,
        parent: Parent | None,
        trace_id: bytes,
        name: str,
        kind: int,
        attributes: Mapping[str, Value],
        links: Sequence[Any],
    ) -> Sampling:
        """Without a tracestate, the two possible answers are ready."""
        if parent is None:
            return self._kept if trace_id[9:] >= self._least else DROP
        state = parent.trace_state
        explicit = read(state)[1] if state else None
        if explicit is None and not (self._told or parent.flags & RANDOM):
            self._told = True
            log.warning(
                "%s has to presume that trace ids are random: a caller does not say so", self
            )
        sampled = trace_id[9:] >= self._least if explicit is None else explicit >= self.threshold
        if not state:
            return self._kept if sampled else DROP
        return settled(sampled, self.threshold if sampled else None, state)

    def intent(self, span: Asked) -> Intent:
        """The threshold, for every span."""
        return self._intent

    def __str__(self) -> str:
        return f"ProbabilitySampler{{{self.probability!r}}}"


def settled(
    sampled: bool,
    threshold: int | None,
    trace_state: str,
    attributes: Mapping[str, Value] | None = None,
    parents: str | None = None,
) -> Sampling:
    """The answer with `threshold` (None: erased) in the tracestate; a constant if nothing changes.

    `parents` is the tracestate of the parent, if `trace_state` is no longer it.
    """
    state = with_threshold(trace_state, threshold)
    if attributes is None and state == (trace_state if parents is None else parents):
        return RECORD_AND_SAMPLE if sampled else DROP
    return Sampling(sampled, sampled, attributes, state)
