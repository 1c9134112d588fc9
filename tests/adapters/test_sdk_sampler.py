"""Samplers of the kit under the official TracerProvider."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import sampling as official_sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanKind, TraceState

from otlp_kit import model
from otlp_kit.adapters.sdk_sampler import SamplerOf
from otlp_kit.tracing.composite import Annotating, Composite, ParentThreshold, RuleBased
from otlp_kit.tracing.consistent import Probability
from otlp_kit.tracing.samplers import (
    AlwaysOff,
    AlwaysOn,
    AlwaysRecord,
    ParentBased,
    Sampling,
    TraceIdRatio,
)
from tests.tracing.parents import Parent, any_trace_states, ending, official, parents, trace_ids

TOP = ending((1 << 56) - 1)
SAME = [
    (AlwaysOn(), official_sampling.ALWAYS_ON),
    (AlwaysOff(), official_sampling.ALWAYS_OFF),
    (ParentBased(AlwaysOn()), official_sampling.DEFAULT_ON),
    (TraceIdRatio(0.5), official_sampling.TraceIdRatioBased(0.5)),
]


class Fixed(RandomIdGenerator):
    """Every trace has this id."""

    def __init__(self, trace_id: bytes) -> None:
        self._trace_id = int.from_bytes(trace_id, "big")

    def generate_trace_id(self) -> int:
        return self._trace_id


class Seen(SpanProcessor):
    """Everything that a processor gets."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def run(
    sampler: official_sampling.Sampler, parent: Parent | None = None, trace_id: bytes = TOP
) -> tuple[Any, ...]:
    """A span with an attribute, and its child: contexts, what was processed, what was exported."""
    seen, memory = Seen(), InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, id_generator=Fixed(trace_id), shutdown_on_exit=False)
    provider.add_span_processor(seen)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("t")
    context, _ = official(parent, trace_id)
    outer = tracer.start_span("outer", context, SpanKind.SERVER, {"a": 1})
    inner = tracer.start_span("inner", trace.set_span_in_context(outer, context))
    inner.end()
    outer.end()
    provider.shutdown()
    return (
        [(s.get_span_context().trace_flags, s.get_span_context().trace_state.to_header())
         for s in (outer, inner)],
        [(span.name, dict(span.attributes or {})) for span in seen.spans],
        [(span.name, dict(span.attributes or {})) for span in memory.get_finished_spans()],
    )  # fmt: skip


@pytest.mark.spec("SDK-P20")
@pytest.mark.parametrize(("ours", "theirs"), SAME, ids=lambda one: str(type(one).__name__))
@given(parents(any_trace_states), trace_ids)
def test_the_provider_makes_the_spans_that_it_makes_with_its_own(
    ours: Any, theirs: official_sampling.Sampler, parent: Parent | None, trace_id: bytes
) -> None:
    """The same contexts, recorded and exported spans, with the same attributes."""
    assert run(SamplerOf(ours), parent, trace_id) == run(theirs, parent, trace_id)


@pytest.mark.spec("SDK-P20")
@pytest.mark.parametrize("sampler", [AlwaysOn(), TraceIdRatio(0.0001), ParentBased(AlwaysOff())])
def test_it_has_the_description_of_the_sampler(sampler: Any) -> None:
    """Which the official SDK shows to operators."""
    assert SamplerOf(sampler).get_description() == str(sampler)


def test_thresholds_travel_from_service_to_service() -> None:
    """From a caller's header through two spans; other vendors and random bits come along."""
    sampler = SamplerOf(Composite(ParentThreshold(Probability(0.25))))
    contexts, _, exported = run(sampler)
    assert [state for _, state in contexts] == ["ot=th:c", "ot=th:c"]
    assert len(exported) == 2
    caller = Parent(remote=True, trace_state="a=1,ot=rv:ffffffffffffff;th:8,b=2")
    contexts, _, exported = run(sampler, caller)
    assert [state for _, state in contexts] == ["a=1,ot=rv:ffffffffffffff;th:8,b=2"] * 2
    assert len(exported) == 2
    contexts, _, exported = run(SamplerOf(Probability(0.25)), caller)
    assert [state for _, state in contexts] == ["ot=th:c;rv:ffffffffffffff,a=1,b=2"] * 2


def test_annotations_are_added_to_what_the_span_has() -> None:
    """The official tracer takes a sampler's attributes for all of them."""
    rules = RuleBased([(lambda span: "a" in span.attributes, Annotating({"why": "a"}, AlwaysOn()))])
    _, _, exported = run(SamplerOf(Composite(ParentThreshold(rules))))
    assert sorted(exported) == [("inner", {}), ("outer", {"a": 1, "why": "a"})]


@pytest.mark.spec("SDK-P20")
def test_what_is_only_recorded_is_not_exported() -> None:
    """Processors see it with its attributes, which the official sampler forgets."""
    contexts, seen, exported = run(SamplerOf(AlwaysRecord(AlwaysOff())))
    theirs = run(official_sampling.AlwaysRecordSampler(official_sampling.ALWAYS_OFF))
    assert (contexts, exported) == (theirs[0], theirs[2])
    assert [flags & 1 for flags, _ in contexts] == [0, 0]
    assert exported == []
    assert seen == [("inner", {}), ("outer", {"a": 1})]


class Asks:
    """Keeps what it was asked, and drops."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def decide(self, *asked: Any) -> Sampling:
        self.asked.append(asked)
        return Sampling(False, False)


def test_kinds_are_those_of_the_wire() -> None:
    """The API counts from 0, the wire and the kit's model from 1."""
    asks = Asks()
    tracer = TracerProvider(sampler=SamplerOf(asks), shutdown_on_exit=False).get_tracer("t")
    for kind in SpanKind:
        tracer.start_span("s", kind=kind)
    assert [model.SpanKind(asked[3]).name for asked in asks.asked] == [
        kind.name for kind in SpanKind
    ]
    SamplerOf(asks).should_sample(None, 1, "s")
    assert asks.asked[-1][3] == model.SpanKind.INTERNAL


@pytest.mark.spec("SDK-P20")
def test_the_trace_id_is_the_parents_and_made_before_the_question() -> None:
    """And an invalid parent is none."""
    asks = Asks()
    provider = TracerProvider(
        sampler=SamplerOf(asks), id_generator=Fixed(TOP), shutdown_on_exit=False
    )
    tracer = provider.get_tracer("t")
    tracer.start_span("root", trace.set_span_in_context(trace.INVALID_SPAN))
    context, _ = official(Parent(flags=1, remote=True, trace_state="a=1"), b"\x07" * 16)
    dropped = tracer.start_span("child", context)
    (no_parent, root_id, *_), (parent, child_id, *_) = asks.asked
    assert (no_parent, root_id) == (None, TOP)
    assert (parent.flags, parent.remote, parent.trace_state) == (1, True, "a=1")
    assert child_id == b"\x07" * 16
    assert dropped.get_span_context().span_id != trace.INVALID_SPAN_ID
    assert dropped.get_span_context().trace_state == {"a": "1"}


@given(st.booleans())
def test_a_tracestate_that_is_handed_in_stands_for_the_parents(valid: bool) -> None:
    """Official samplers around it hand it on."""
    context, _ = official(Parent(trace_state="a=1") if valid else None, TOP)
    around = official_sampling.AlwaysRecordSampler(SamplerOf(Probability(0.25)))
    handed = TraceState([("b", "2")])
    result = around.should_sample(context, int.from_bytes(TOP, "big"), "s", trace_state=handed)
    assert result.trace_state is not None
    assert result.trace_state.to_header() == ("ot=th:c,b=2" if valid else "ot=th:c")
