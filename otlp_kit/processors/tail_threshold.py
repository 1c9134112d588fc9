"""Thresholds and randomness: how likely was it that this trace is here?

A threshold stands for a probability: a trace is kept when its randomness, 56 bits, is at least the
threshold. Whoever decides with the same bits decides consistently: what survives 1 % also survives
10 %. The threshold travels as `ot=th:` in the trace state, so that a reader knows for how many traces
a kept one stands. It is pure, and keeps nothing.

    threshold_of(0.25)                          0xc0000000000000: a quarter lies above
    randomness_of(span)                         its trace id's last 56 bits, or its `rv`
    with_threshold("", threshold_of(0.25))      "ot=th:c"

Specification: https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/ and
https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from otlp_kit.model import Span

NEVER = 1 << 56
"""The threshold that no randomness reaches."""
ALWAYS = 0
_DIGITS = 14
_HEX = re.compile(r"[0-9a-f]{1,14}")
_RV = re.compile(r"[0-9a-f]{14}")
_MEMBERS = 32
"""How many members a trace state may have."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a trace."""

    policy: str | None
    """The first policy that kept it; None: it is not kept."""
    threshold: int
    """What its randomness had to reach, at least."""

    @property
    def kept(self) -> bool:
        return self.policy is not None


def threshold_of(probability: float) -> int:
    """The threshold that a share `probability` of all traces reaches. Raises `ValueError` outside (0, 1]."""
    if not 2.0**-56 <= probability <= 1:
        raise ValueError(f"probability must be more than 0 and at most 1, not {probability}")
    return NEVER - round(probability * NEVER)


def probability_of(threshold: int) -> float:
    """The share of all traces that reach `threshold`; one that is kept stands for 1 / share."""
    return (NEVER - threshold) / NEVER


def randomness_of(span: Span) -> int:
    """The 56 bits that decide: an explicit `rv` of the trace state, else the end of the trace id."""
    if "rv:" in span.trace_state:
        text = _subkeys(span.trace_state).get("rv", "")
        if _RV.fullmatch(text):
            return int(text, 16)
    return int.from_bytes(span.trace_id[-7:], "big")


def recorded_threshold(trace_state: str) -> int | None:
    """What earlier samplers wrote there, or None: nobody knows."""
    if "th:" not in trace_state:
        return None
    text = _subkeys(trace_state).get("th", "")
    return int(text.ljust(_DIGITS, "0"), 16) if _HEX.fullmatch(text) else None


def with_threshold(trace_state: str, threshold: int, *, unknown: int | None = ALWAYS) -> str:
    """`trace_state` after a decision with `threshold`: the higher of that and what stands there.

    Both decisions looked at the same bits, so what passed both has passed the higher one. Where
    nothing stands there, `unknown` is taken for it; with None nobody knows, and nothing is written.
    """
    recorded = recorded_threshold(trace_state)
    before = unknown if recorded is None else recorded
    if before is None or (threshold <= before and recorded is not None):
        return trace_state
    threshold = max(threshold, before)
    text = f"{threshold:014x}".rstrip("0") or "0"
    subkeys = {**_subkeys(trace_state), "th": text}
    own = "ot=" + ";".join(f"{key}:{value}" for key, value in subkeys.items())
    others = [member for member in _members(trace_state) if not member.startswith("ot=")]
    return ",".join([own, *others][:_MEMBERS])


def _members(trace_state: str) -> list[str]:
    return [stripped for member in trace_state.split(",") if (stripped := member.strip())]


def _subkeys(trace_state: str) -> dict[str, str]:
    """What the `ot` member holds."""
    for member in _members(trace_state):
        if member.startswith("ot="):
            pairs = (pair.partition(":") for pair in member[3:].split(";"))
            return {key: value for key, _, value in pairs if key}
    return {}
