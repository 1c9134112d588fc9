"""What a sampler is asked, and what it answers: the shapes of head sampling.

    sampling = sampler.decide(parent, trace_id, "GET /cart", SpanKind.SERVER, {}, ())
    if sampling.recording: ...

`Sampler` decides. `Composable` only says what it would like, as a threshold, so that several can be
combined before anything is decided (`otlp_kit.tracing.composite`). No OpenTelemetry package and no
clock in here: the same samplers run in a test, in a tracer and in a browser.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#shouldsample
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from otlp_kit.model import Value

SAMPLED = 0x01
"""The W3C trace flag that children follow."""
RANDOM = 0x02
"""The W3C trace flag which confirms that the last 56 bits of the trace id are random."""


class Parent(Protocol):
    """What a sampler may know of the parent; a root has none, also where the context is invalid."""

    @property
    def flags(self) -> int:
        """W3C trace flags in the low eight bits: `SAMPLED`, `RANDOM`."""

    @property
    def remote(self) -> bool:
        """Whether the parent came from another process."""

    @property
    def trace_state(self) -> str:
        """The W3C tracestate header; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """The answer. Sampled but not recording does not exist: there would be a gap in the trace."""

    recording: bool
    sampled: bool
    attributes: Mapping[str, Value] | None = None
    """Added to those of the span."""
    trace_state: str | None = None
    """The tracestate of the span; None: as the parent's."""


DROP = Sampling(False, False)
RECORD_ONLY = Sampling(True, False)
RECORD_AND_SAMPLE = Sampling(True, True)


class Sampler(Protocol):
    """Decides at the start of a span; `str(sampler)` is the description that operators see."""

    def decide(
        self,
        parent: Parent | None,
        trace_id: bytes,
        name: str,
        kind: int,
        attributes: Mapping[str, Value],
        links: Sequence[Any],
    ) -> Sampling:
        """`trace_id`: 16 bytes, the parent's if there is one; `kind`: a `SpanKind` of the model."""


class Asked(NamedTuple):
    """A span about to start, as composable samplers and their rules see it.

    The random bits of the trace are left out on purpose: a rule that looked at them would make the
    threshold say something false.
    """

    parent: Parent | None
    threshold: int | None
    """The parent's, where there is one and it agrees with the parent's sampled flag."""
    name: str
    kind: int
    attributes: Mapping[str, Value]
    links: Sequence[Any]


class Intent(NamedTuple):
    """What a composable sampler would like."""

    threshold: int | None
    """Keep the span if its 56 random bits are at least this; None: keep it never."""
    reliable: bool = True
    """Whether a kept span stands for 1 / p spans, so that counts can be derived from it."""
    attributes: Mapping[str, Value] | None = None
    """Added to the span if it is sampled."""
    trace_state: Callable[[str, bool], str] | None = None
    """The new tracestate, of the old one and the decision; must leave the entry `ot` alone."""


ALWAYS = Intent(0)
NEVER = Intent(None, reliable=False)


class Composable(Protocol):
    """Says what it would like for a span, and leaves the decision to `composite.Composite`."""

    def intent(self, span: Asked) -> Intent:
        """The same for every span of a trace that looks the same; must not change `span`."""
