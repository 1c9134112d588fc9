"""Samplers built out of samplers: rules, children that follow their parent, attributes that say why.

    sampler = Composite(ParentThreshold(RuleBased([
        (lambda span: span.name == "GET /health", AlwaysOff()),
        (lambda span: span.attributes.get("http.route") == "/checkout", AlwaysOn()),
        (lambda span: True, Probability(0.1)),
    ])))

The parts are `Composable`: each says which threshold it would like, `Composite` decides once and
keeps the tracestate true, so that a span which was kept by the second rule stands for one and by the
third for ten. `AlwaysOn`, `AlwaysOff` and `Probability` are parts and samplers in one.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#compositesampler
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from otlp_kit.model import Value
from otlp_kit.tracing.consistent import settled
from otlp_kit.tracing.decisions import NEVER, SAMPLED, Asked, Composable, Intent, Parent, Sampling
from otlp_kit.tracing.tracestate import read

__all__ = [
    "Annotating",
    "Asked",
    "Composable",
    "Composite",
    "Intent",
    "ParentThreshold",
    "RuleBased",
]

Predicate: TypeAlias = Callable[[Asked], bool]
_UNKNOWN = Intent(0, reliable=False)


class Composite:
    """Decides what `delegate` would like: the sampler to give to a tracer.

    `random_bits(56)` is asked where a delegate has a threshold but says that it is not reliable.
    """

    def __init__(
        self, delegate: Composable, random_bits: Callable[[int], int] = random.getrandbits
    ) -> None:
        self._delegate = delegate
        self._random_bits = random_bits

    def decide(
        self,
        parent: Parent | None,
        trace_id: bytes,
        name: str,
        kind: int,
        attributes: Mapping[str, Value],
        links: Sequence[Any],
    ) -> Sampling:
        """The parent's threshold counts only if it explains the parent's sampled flag."""
        before = "" if parent is None else parent.trace_state
        threshold, explicit = read(before) if before else (None, None)
        bits = int.from_bytes(trace_id[9:], "big") if explicit is None else explicit
        followed = parent is not None and bool(parent.flags & SAMPLED)
        if threshold is not None and (bits >= threshold) != followed:
            threshold = None
        intent = self._delegate.intent(Asked(parent, threshold, name, kind, attributes, links))
        wanted = intent.threshold
        if not intent.reliable and wanted:
            bits = self._random_bits(56)
        sampled = wanted is not None and bits >= wanted
        state = before if intent.trace_state is None else intent.trace_state(before, sampled)
        return settled(
            sampled,
            wanted if sampled and intent.reliable else None,
            state,
            intent.attributes if sampled else None,
            parents=before,
        )

    def __str__(self) -> str:
        return f"Composite{{{self._delegate}}}"


class ParentThreshold:
    """Does as the parent did, with the parent's threshold if it has one; asks `root` for roots."""

    def __init__(self, root: Composable) -> None:
        self._root = root

    def intent(self, span: Asked) -> Intent:
        if span.parent is None:
            return self._root.intent(span)
        if not span.parent.flags & SAMPLED:
            return NEVER
        return _UNKNOWN if span.threshold is None else Intent(span.threshold)

    def __str__(self) -> str:
        return f"ParentThreshold{{root={self._root}}}"


class RuleBased:
    """What the sampler of the first rule that applies would like; where none applies, nothing.

    `rules`: pairs of a function of a span about to start (`Asked`) and a composable sampler.
    """

    def __init__(self, rules: Sequence[tuple[Predicate, Composable]]) -> None:
        self._rules = tuple(rules)

    def intent(self, span: Asked) -> Intent:
        for applies, sampler in self._rules:
            if applies(span):
                return sampler.intent(span)
        return NEVER

    def __str__(self) -> str:
        rules = (f"({getattr(rule, '__name__', rule)}:{sampler})" for rule, sampler in self._rules)
        return f"RuleBased{{[{','.join(rules)}]}}"


class Annotating:
    """As `delegate`, and sampled spans get `attributes`, which win over those of the delegate."""

    def __init__(self, attributes: Mapping[str, Value], delegate: Composable) -> None:
        self._attributes = MappingProxyType(dict(attributes))
        self._delegate = delegate

    def intent(self, span: Asked) -> Intent:
        intent = self._delegate.intent(span)
        if not intent.attributes:
            return intent._replace(attributes=self._attributes)
        return intent._replace(
            attributes=MappingProxyType({**intent.attributes, **self._attributes})
        )

    def __str__(self) -> str:
        return f"Annotating{{{dict(self._attributes)},{self._delegate}}}"
