"""Which spans are recorded and sampled, decided when they start: the samplers that every SDK has.

    sampler = ParentBased(TraceIdRatio(0.1))      # a tenth of all traces, each of them whole
    sampler = ParentBased(RateLimiting(5))        # at most five traces a second
    sampler = sampler_named("parentbased_traceidratio", "0.1")      # as OTEL_TRACES_SAMPLER has it

No sampler here leaves a trace of its probability in the span, so totals cannot be estimated from
what arrives; `otlp_kit.tracing.consistent.Probability` does. None knows how the span will end: that
is for tail sampling.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from otlp_kit.model import Value
from otlp_kit.tracing.decisions import (
    ALWAYS,
    DROP,
    NEVER,
    RECORD_AND_SAMPLE,
    RECORD_ONLY,
    SAMPLED,
    Asked,
    Intent,
    Parent,
    Sampler,
    Sampling,
)
from otlp_kit.tracing.rate_limiting import RateLimiting

__all__ = [
    "DROP",
    "RECORD_AND_SAMPLE",
    "RECORD_ONLY",
    "AlwaysOff",
    "AlwaysOn",
    "AlwaysRecord",
    "Parent",
    "ParentBased",
    "RateLimiting",
    "Sampler",
    "Sampling",
    "TraceIdRatio",
    "sampler_named",
]

log = logging.getLogger(__name__)

Attributes = Mapping[str, Value]
Links = Sequence[Any]


class AlwaysOn:
    """Samples every span; as a composable one with the threshold 0."""

    def decide(
        self, parent: Parent | None, trace_id: bytes, name: str, kind: int, attributes: Attributes,
        links: Links,
    ) -> Sampling:  # fmt: skip
        return RECORD_AND_SAMPLE

    def intent(self, span: Asked) -> Intent:
        return ALWAYS

    def __str__(self) -> str:
        return "AlwaysOnSampler"


class AlwaysOff:
    """Drops every span, also where the parent was sampled."""

    def decide(
        self, parent: Parent | None, trace_id: bytes, name: str, kind: int, attributes: Attributes,
        links: Links,
    ) -> Sampling:  # fmt: skip
        return DROP

    def intent(self, span: Asked) -> Intent:
        return NEVER

    def __str__(self) -> str:
        return "AlwaysOffSampler"


class TraceIdRatio:
    """Samples the traces whose id ends in 64 bits below `p` of their range, `p` from 0 to 1.

    The parent's decision is ignored, and what a smaller `p` samples a larger one samples too. Other
    languages may choose other traces (nobody specified the algorithm), so it is for roots only: as
    the root of `ParentBased`. Raises `ValueError` for a `p` out of range.
    """

    def __init__(self, p: float) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"the share of traces to keep is {p}, but has to be from 0 to 1")
        self._p = p
        self._bound = round(p * 2**64)
        self._told = False

    def decide(
        self, parent: Parent | None, trace_id: bytes, name: str, kind: int, attributes: Attributes,
        links: Links,
    ) -> Sampling:  # fmt: skip
        if parent is not None and not self._told:
            self._told = True
            log.warning(
                "%s decides for a child span: use it below ParentBased, or Probability", self
            )
        if int.from_bytes(trace_id[8:], "big") < self._bound:
            return RECORD_AND_SAMPLE
        return DROP

    def __str__(self) -> str:
        return f"TraceIdRatioBased{{{_decimal(self._p)}}}"


class ParentBased:
    """Does as the parent did, and asks `root` where there is none: traces stay whole.

    The other four samplers may change what becomes of the children of remote (another process) and
    local parents, sampled or not.
    """

    def __init__(
        self,
        root: Sampler,
        *,
        remote_sampled: Sampler | None = None,
        remote_not_sampled: Sampler | None = None,
        local_sampled: Sampler | None = None,
        local_not_sampled: Sampler | None = None,
    ) -> None:
        self._root = root
        on, off = AlwaysOn(), AlwaysOff()
        self._local = (local_not_sampled or off, local_sampled or on)
        self._remote = (remote_not_sampled or off, remote_sampled or on)

    def decide(
        self, parent: Parent | None, trace_id: bytes, name: str, kind: int, attributes: Attributes,
        links: Links,
    ) -> Sampling:  # fmt: skip
        if parent is None:
            sampler = self._root
        else:
            sampler = (self._remote if parent.remote else self._local)[parent.flags & SAMPLED]
        return sampler.decide(parent, trace_id, name, kind, attributes, links)

    def __str__(self) -> str:
        return (
            f"ParentBased{{root:{self._root},"
            f"remoteParentSampled:{self._remote[1]},remoteParentNotSampled:{self._remote[0]},"
            f"localParentSampled:{self._local[1]},localParentNotSampled:{self._local[0]}}}"
        )


class AlwaysRecord:
    """Records also what `root` drops, so that processors see every span; sampled is what was."""

    def __init__(self, root: Sampler) -> None:
        self._root = root

    def decide(
        self, parent: Parent | None, trace_id: bytes, name: str, kind: int, attributes: Attributes,
        links: Links,
    ) -> Sampling:  # fmt: skip
        sampling = self._root.decide(parent, trace_id, name, kind, attributes, links)
        if sampling is DROP:
            return RECORD_ONLY
        return sampling if sampling.recording else replace(sampling, recording=True)

    def __str__(self) -> str:
        return f"AlwaysRecordSampler{{{self._root}}}"


_NAMED: Mapping[str, Callable[[float], Sampler]] = {
    "always_on": lambda p: AlwaysOn(),
    "always_off": lambda p: AlwaysOff(),
    "traceidratio": TraceIdRatio,
    "parentbased_always_on": lambda p: ParentBased(AlwaysOn()),
    "parentbased_always_off": lambda p: ParentBased(AlwaysOff()),
    "parentbased_traceidratio": lambda p: ParentBased(TraceIdRatio(p)),
}


def sampler_named(name: str, argument: str | None = None) -> Sampler:
    """The sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` ask for.

    Never raises: a name that is not known is logged and is parentbased_always_on, an argument that
    is no share from 0 to 1 is logged and is 1.0. The empty text is as if it were not set.
    """
    make = _NAMED.get(name.lower() or "parentbased_always_on")
    if make is None:
        log.warning("there is no sampler %r: parentbased_always_on is used", name)
        return ParentBased(AlwaysOn())
    try:
        return make(float(argument) if argument and name.lower().endswith("ratio") else 1.0)
    except ValueError:
        log.warning("%s needs a number from 0 to 1, not %r: 1.0 is used", name, argument)
        return make(1.0)


def _decimal(number: float) -> str:
    """`number` without an exponent: six decimals, or as many as it takes to tell it from others."""
    short = f"{number:.6f}"
    return short if float(short) == number else f"{Decimal(repr(float(number))):f}"
