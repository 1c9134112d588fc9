"""Composed samplers: the specification's example, its rules of consistency, and the official ones."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import _sampling_experimental as official_samplers
from opentelemetry.trace import TraceState

from otlp_kit.model import SpanKind, Value
from otlp_kit.tracing.composite import (
    Annotating,
    Asked,
    Composable,
    Composite,
    Intent,
    ParentThreshold,
    RuleBased,
)
from otlp_kit.tracing.consistent import Probability, adjusted_count, randomness
from otlp_kit.tracing.decisions import DROP, RECORD_AND_SAMPLE, Sampling
from otlp_kit.tracing.samplers import AlwaysOff, AlwaysOn
from otlp_kit.tracing.tracestate import MAX_THRESHOLD, read, with_threshold
from tests.tracing.parents import (
    Parent,
    any_trace_states,
    decide,
    ending,
    official,
    parents,
    probabilities,
    trace_ids,
    trace_states,
)

TOP = ending(MAX_THRESHOLD - 1)


def after(sampling: Sampling, parent: Parent | None) -> str:
    """The tracestate of the span."""
    if sampling.trace_state is not None:
        return sampling.trace_state
    return parent.trace_state if parent else ""


def as_officially(ours: Composable, theirs: Any, parent: Parent | None, trace_id: bytes) -> None:
    """Both keep the same spans, with the same threshold and random bits."""
    context, state = official(parent, trace_id)
    result = official_samplers.composite_sampler(theirs).should_sample(
        context, int.from_bytes(trace_id, "big"), "s", trace_state=state
    )
    sampling = decide(Composite(ours), trace_id, parent)
    assert sampling.sampled == sampling.recording == result.decision.is_sampled()
    if sampling.sampled:
        header = (result.trace_state or TraceState()).to_header()
        assert read(after(sampling, parent)) == read(header)


@given(parents(trace_states), trace_ids)
def test_on_and_off_are_the_official_ones(parent: Parent | None, trace_id: bytes) -> None:
    """On is a threshold of 0; off is none."""
    as_officially(AlwaysOn(), official_samplers.composable_always_on(), parent, trace_id)
    as_officially(AlwaysOff(), official_samplers.composable_always_off(), parent, trace_id)


@given(probabilities, parents(any_trace_states), trace_ids)
def test_a_composed_probability_is_the_plain_one(
    p: float, parent: Parent | None, trace_id: bytes
) -> None:
    """As the specification puts it: ProbabilitySampler is Composite(ComposableProbability)."""
    plain, composed = (
        decide(s, trace_id, parent) for s in (Probability(p), Composite(Probability(p)))
    )
    assert plain.sampled == composed.sampled
    assert after(plain, parent) == after(composed, parent)


@given(probabilities, parents(trace_states), trace_ids)
def test_children_follow_as_officially_where_flag_and_threshold_agree(
    p: float, parent: Parent | None, trace_id: bytes
) -> None:
    """With the parent's threshold, or without one where the parent has none."""
    if parent is not None:
        threshold = read(parent.trace_state)[0]
        agrees = randomness(trace_id, parent.trace_state) >= (threshold or 0)
        assume(threshold is None or agrees == bool(parent.flags & 1))
    sampler = Probability(p)
    as_officially(
        ParentThreshold(sampler),
        official_samplers.composable_parent_threshold(
            official_samplers.composable_traceid_ratio_based(sampler.probability)
        ),
        parent,
        trace_id,
    )


@pytest.mark.spec("SDK-P20")
@given(parents(any_trace_states), trace_ids)
def test_children_always_do_as_the_parent_did(parent: Parent | None, trace_id: bytes) -> None:
    """A threshold that does not explain the parent's flag is erased, and the flag is followed."""
    assume(parent is not None)
    assert parent is not None
    sampling = decide(Composite(ParentThreshold(AlwaysOff())), trace_id, parent)
    assert sampling.sampled == bool(parent.flags & 1)
    threshold = read(parent.trace_state)[0]
    kept = sampling.sampled and threshold is not None
    explained = kept and randomness(trace_id, parent.trace_state) >= (threshold or 0)
    assert after(sampling, parent) == with_threshold(
        parent.trace_state, threshold if explained else None
    )


def test_a_parent_that_cannot_have_been_kept_is_followed_without_its_threshold() -> None:
    """Sampled with R < T: somebody else sampled it, with a probability that nobody knows."""
    torn = Parent(flags=3, trace_state="ot=th:c,a=1")
    assert decide(Composite(ParentThreshold(AlwaysOff())), ending(0), torn) == Sampling(
        True, True, None, "a=1"
    )
    dropped = Parent(flags=2, trace_state="ot=th:c,a=1")
    assert decide(Composite(ParentThreshold(AlwaysOn())), TOP, dropped) == Sampling(
        False, False, None, "a=1"
    )


def test_a_child_without_news_gets_a_constant() -> None:
    """The usual case: the tracestate is the parent's."""
    sampler = Composite(ParentThreshold(Probability(0.1)))
    for parent in (Parent(), Parent(trace_state="ot=th:c"), Parent(trace_state="a=1")):
        assert decide(sampler, TOP, parent) is RECORD_AND_SAMPLE
    assert decide(sampler, TOP, Parent(flags=2)) is DROP


@pytest.mark.parametrize(
    ("name", "parent", "count"),
    [
        ("GET /health", None, None),
        ("POST /checkout", None, 1),
        ("GET /", None, pytest.approx(9.99938968568813)),
        ("GET /health", Parent(trace_state="ot=th:8"), 2),
        ("POST /checkout", Parent(flags=2), None),
        ("GET /", Parent(), 0),
    ],
)
def test_the_example_of_the_specification(name: str, parent: Parent | None, count: Any) -> None:
    """No health checks, all checkouts, a tenth of the rest; children follow their parent."""
    sampler = Composite(
        ParentThreshold(
            RuleBased(
                [
                    (lambda span: span.name == "GET /health", AlwaysOff()),
                    (lambda span: span.name.endswith("/checkout"), AlwaysOn()),
                    (lambda span: True, Probability(0.1)),
                ]
            )
        )
    )
    sampling = decide(sampler, TOP, parent, name)
    assert (adjusted_count(after(sampling, parent)) if sampling.sampled else None) == count


@given(parents(trace_states), trace_ids, st.booleans(), st.booleans())
def test_rules_decide_as_officially(
    parent: Parent | None, trace_id: bytes, first: bool, second: bool
) -> None:
    """The first that applies; where none does, the span is dropped."""
    ratio = official_samplers.composable_traceid_ratio_based(0.5)
    as_officially(
        RuleBased([(lambda _: first, Probability(0.5)), (lambda _: second, AlwaysOn())]),
        official_samplers.composable_rule_based(
            [
                (lambda **_: first, ratio),
                (lambda **_: second, official_samplers.composable_always_on()),
            ]
        ),
        parent,
        trace_id,
    )


def test_a_rule_sees_the_span_and_not_its_random_bits() -> None:
    """All that the sampler was asked, but for the trace id."""
    seen: list[Asked] = []
    parent = Parent(remote=True, trace_state="ot=th:8;rv:ffffffffffffff")
    sampler = Composite(RuleBased([(lambda span: bool(seen.append(span)), AlwaysOn())]))
    attributes: Mapping[str, Value] = {"http.route": "/"}
    links = (object(),)
    assert not sampler.decide(parent, TOP, "n", SpanKind.SERVER, attributes, links).sampled
    assert seen == [Asked(parent, 1 << 55, "n", SpanKind.SERVER, attributes, links)]


def test_annotations_are_added_to_sampled_spans() -> None:
    """The outer ones win; a dropped span gets none; what was given cannot be changed later."""
    mine: dict[str, Value] = {"rule": "checkout", "by": "outer"}
    sampler = Composite(Annotating(mine, Annotating({"by": "inner", "n": 1}, Probability(0.5))))
    mine.clear()
    kept = decide(sampler, TOP)
    assert kept.attributes == {"rule": "checkout", "by": "outer", "n": 1}
    assert kept.trace_state == "ot=th:8"
    with pytest.raises(TypeError):
        kept.attributes["rule"] = "x"  # type: ignore[index]
    assert decide(sampler, ending(0)) is DROP


class Wishes:
    """Always has this intent."""

    def __init__(self, intent: Intent) -> None:
        self._intent = intent

    def intent(self, span: Asked) -> Intent:
        return self._intent


def test_a_threshold_that_is_not_reliable_gets_random_bits_of_its_own() -> None:
    """Kept at its rate, whatever the trace id; and no threshold is sent on."""
    sampler = Composite(Wishes(Intent(1 << 55, reliable=False)), random.Random(4).getrandbits)
    for trace_id in (ending(0), TOP):
        answers = [decide(sampler, trace_id, Parent(trace_state="ot=th:0")) for _ in range(2000)]
        assert sum(one.sampled for one in answers) == pytest.approx(1000, abs=5 * 23)
        assert {one.trace_state for one in answers} == {""}


def test_a_sampler_may_change_entries_of_its_own() -> None:
    """It is told the decision; the threshold is written after it."""
    note = Intent(1 << 55, trace_state=lambda state, kept: f"{state},kept={kept}".lstrip(","))
    sampler = Composite(Wishes(note))
    assert decide(sampler, TOP).trace_state == "ot=th:8,kept=True"
    assert decide(sampler, ending(0)) == Sampling(False, False, None, "kept=False")
    parent = Parent(trace_state="ot=th:0;rv:00000000000000")
    assert decide(sampler, TOP, parent).trace_state == "ot=rv:00000000000000,kept=False"
    same = Wishes(Intent(0, trace_state=lambda state, kept: ""))
    assert decide(Composite(same), TOP, Parent(trace_state="a=1")).trace_state == "ot=th:0"


def test_descriptions_show_what_is_inside() -> None:
    """Rules by the name of their function."""

    def is_health_check(span: Asked) -> bool:
        return False

    sampler = Composite(
        ParentThreshold(
            RuleBased(
                [
                    (is_health_check, AlwaysOff()),
                    (is_health_check, Annotating({"a": 1}, AlwaysOn())),
                ]
            )
        )
    )
    assert str(sampler) == (
        "Composite{ParentThreshold{root=RuleBased{[(is_health_check:AlwaysOffSampler),"
        "(is_health_check:Annotating{{'a': 1},AlwaysOnSampler})]}}}"
    )
