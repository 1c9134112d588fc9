"""Parents of all sorts, and the same ones as the official API has them."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from otlp_kit.model import SpanKind
from otlp_kit.tracing.decisions import Sampler, Sampling

SPAN_ID = 0x0102030405060708


@dataclass
class Parent:
    """A parent, sampled and with a random trace id unless told otherwise."""

    flags: int = 0x03
    remote: bool = False
    trace_state: str = ""


def decide(
    sampler: Sampler, trace_id: bytes = b"\x01" * 16, parent: Any = None, name: str = "s"
) -> Sampling:
    """What `sampler` says to a span without attributes and links."""
    return sampler.decide(parent, trace_id, name, SpanKind.INTERNAL, {}, ())


def ending(bits: int) -> bytes:
    """A trace id whose last 56 bits are these."""
    return b"\xff" * 9 + bits.to_bytes(7, "big")


def official(parent: Parent | None, trace_id: bytes) -> tuple[Context, TraceState | None]:
    """The context that holds `parent`, and its tracestate."""
    if parent is None:
        return Context(), None
    state = TraceState.from_header([parent.trace_state])
    span_context = SpanContext(
        int.from_bytes(trace_id, "big"),
        SPAN_ID,
        parent.remote,
        TraceFlags(parent.flags),
        state,
    )
    return set_span_in_context(NonRecordingSpan(span_context), Context()), state


trace_ids = st.binary(min_size=16, max_size=16).filter(lambda one: any(one))
probabilities = st.one_of(
    st.floats(2.0**-56, 1), st.integers(1, 10**6).map(lambda n: 1 / n), st.just(1.0)
)
ratios = st.one_of(st.just(0.0), st.floats(0, 1), st.integers(1, 10**6).map(lambda n: 1 / n))

_hex = st.text("0123456789abcdef", min_size=14, max_size=14)
thresholds = st.text("0123456789abcdef", min_size=1, max_size=14)
_fields = {
    "th": thresholds.map(lambda value: f"th:{value}"),
    "rv": _hex.map(lambda value: f"rv:{value}"),
    "p": st.integers(0, 63).map(lambda n: f"p:{n}"),
    "k1": st.text(string.ascii_letters + string.digits + "._-", max_size=8).map("k1:".__add__),
}
_malformed = st.sampled_from(
    ["th:", "th:0x8", "th:C", "th:000000000000000", "th:-1", "th", "th: 8", "th:8_0",
     "rv:", "rv:6e6d1a75832a2", "rv:6E6D1A75832A2F", "rv:6e6d1a75832a2f0", "rv:+6d1a75832a2f3"]
)  # fmt: skip


def _ot(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.tuples(*(_fields[name] for name in names)).map(lambda f: "ot=" + ";".join(f))


ot_entries = (
    st.lists(st.sampled_from(sorted(_fields)), min_size=1, unique=True).map(tuple).flatmap(_ot)
)
bad_entries = st.lists(_malformed, min_size=1, max_size=3).map(lambda f: "ot=" + ";".join(f))
vendors = st.lists(
    st.sampled_from(["congo=t61rcWkgMzE", "a=ot:th:8", "t@ot=th:8", "not=th:c", "z9/x=1;th:4"]),
    unique=True, max_size=4,
)  # fmt: skip


def _headers(entry: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """`entry` somewhere among those of other vendors, or not at all."""
    return st.tuples(vendors, st.one_of(st.none(), entry), st.integers(0, 4)).map(
        lambda drawn: ",".join(
            [*drawn[0][: drawn[2]], *([drawn[1]] if drawn[1] else []), *drawn[0][drawn[2] :]]
        )
    )


trace_states = _headers(ot_entries)
"""Headers as they should be."""
any_trace_states = _headers(st.one_of(ot_entries, bad_entries))
"""And as they may be."""


def parents(states: st.SearchStrategy[str]) -> st.SearchStrategy[Parent | None]:
    """No parent, or a local or remote one, sampled or not."""
    return st.one_of(
        st.none(), st.builds(Parent, flags=st.sampled_from([0, 1, 2, 3]), trace_state=states,
                             remote=st.booleans()),
    )  # fmt: skip
