"""Probability samplers agree with each other and with the official one, and totals come back."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from opentelemetry.sdk.trace._sampling_experimental import (
    composable_traceid_ratio_based,
    composite_sampler,
)

from otlp_kit.tracing.consistent import (
    Probability,
    adjusted_count,
    probability_of,
    randomness,
    threshold_of,
)
from otlp_kit.tracing.decisions import DROP, RECORD_AND_SAMPLE, Sampling
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


@given(probabilities, parents(trace_states), trace_ids)
def test_it_decides_as_the_official_one(p: float, parent: Parent | None, trace_id: bytes) -> None:
    """The same spans, and the same threshold and random bits in what it sends on."""
    sampler = Probability(p)
    theirs = composite_sampler(composable_traceid_ratio_based(sampler.probability))
    context, state = official(parent, trace_id)
    result = theirs.should_sample(context, int.from_bytes(trace_id, "big"), "s", trace_state=state)
    ours = decide(sampler, trace_id, parent)
    assert (ours.recording, ours.sampled) == (result.decision.is_sampled(),) * 2
    before = parent.trace_state if parent else ""
    after = before if ours.trace_state is None else ours.trace_state
    if result.decision.is_sampled():
        assert result.trace_state is not None
        assert read(after) == read(result.trace_state.to_header())
    else:
        # The official one leaves `ot` as it was where nothing but `th` is in it; that has to go.
        assert after == with_threshold(before, None)


@given(probabilities, probabilities, parents(any_trace_states), trace_ids)
def test_who_keeps_more_keeps_all_that_others_keep(
    one: float, other: float, parent: Parent | None, trace_id: bytes
) -> None:
    """Whatever the parent did, in whatever state the header is."""
    small, large = sorted((one, other))
    if decide(Probability(small), trace_id, parent).sampled:
        assert decide(Probability(large), trace_id, parent).sampled


@given(probabilities, parents(any_trace_states), trace_ids)
def test_kept_is_what_reaches_the_threshold(
    p: float, parent: Parent | None, trace_id: bytes
) -> None:
    """R >= T; a kept span says T, a dropped one says nothing, and neither changes anything else."""
    before = parent.trace_state if parent else ""
    ours = decide(Probability(p), trace_id, parent)
    after = before if ours.trace_state is None else ours.trace_state
    assert ours.sampled == (randomness(trace_id, before) >= threshold_of(p))
    assert after == with_threshold(before, threshold_of(p) if ours.sampled else None)


@pytest.mark.parametrize(
    ("bits", "sampled"),
    [(0xC0000000000000, True), (0xBFFFFFFFFFFFFF, False), (0, False), (MAX_THRESHOLD - 1, True)],
)
def test_the_threshold_itself_is_kept(bits: int, sampled: bool) -> None:
    """With and without a tracestate, from the trace id and from rv."""
    sampler = Probability(0.25)
    for parent in (None, Parent(), Parent(trace_state="a=1")):
        assert decide(sampler, ending(bits), parent).sampled is sampled
    explicit = Parent(trace_state=f"ot=rv:{bits:014x}")
    for end in (0, MAX_THRESHOLD - 1):
        assert decide(sampler, ending(end), explicit).sampled is sampled


def test_rv_counts_from_where_the_specification_says() -> None:
    """Its example keeps with probabilities from 56.9 % through 100 %."""
    parent = Parent(trace_state="ot=rv:6e6d1a75832a2f")
    assert [decide(Probability(p), ending(0), parent).sampled for p in (0.5, 0.568, 0.57, 1)] == [
        False, False, True, True,
    ]  # fmt: skip


def test_zero_never_samples_and_one_always() -> None:
    """Zero is no probability: it erases the threshold and names none."""
    for bits in (0, MAX_THRESHOLD - 1):
        assert decide(Probability(0), ending(bits)) is DROP
        assert decide(Probability(0), ending(bits), Parent(trace_state="ot=th:8")) == Sampling(
            False, False, None, ""
        )
        kept = decide(Probability(1), ending(bits))
        assert kept == Sampling(True, True, None, "ot=th:0")


def test_nothing_is_made_where_nothing_changes() -> None:
    """The answer is one of the constants, or the one that the sampler keeps ready."""
    sampler = Probability(0.25)
    assert decide(sampler, ending(MAX_THRESHOLD - 1)) is decide(
        sampler, ending(MAX_THRESHOLD - 2), Parent()
    )
    assert decide(sampler, ending(0)) is DROP
    same = Parent(trace_state="ot=th:c")
    assert decide(sampler, ending(MAX_THRESHOLD - 1), same) is RECORD_AND_SAMPLE


@pytest.mark.parametrize("p", [-0.1, 1.5, 2.0**-57, math.nan])
def test_what_is_no_probability_is_refused(p: float) -> None:
    """Where the sampler is made."""
    with pytest.raises(ValueError, match="range from 2\\^-56 to 1"):
        Probability(p)


@pytest.mark.parametrize(
    ("parent", "warns"),
    [
        (None, False),
        (Parent(flags=1), True),
        (Parent(flags=3), False),
        (Parent(flags=1, trace_state="ot=rv:6e6d1a75832a2f"), False),
        (Parent(flags=1, trace_state="ot=th:8"), True),
    ],
)
def test_unconfirmed_randomness_is_reported_once(
    parent: Parent | None, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The id of a caller without the random flag and without rv may be anything."""
    sampler = Probability(0.25)
    for _ in range(2):
        decide(sampler, parent=parent)
    assert len(caplog.records) == warns


def test_totals_come_back() -> None:
    """Services with four different shares, a million spans: each estimate is within 5 %."""
    ids = random.Random(12)
    for p in (0.5, 0.1, 0.03, 0.01):
        sampler = Probability(p)
        answers = (decide(sampler, ids.randbytes(16)) for _ in range(250_000))
        total = sum(adjusted_count(kept.trace_state or "") for kept in answers if kept.sampled)
        assert total == pytest.approx(250_000, rel=0.05)


def test_it_describes_the_probability_that_holds() -> None:
    """The one after rounding."""
    sampler = Probability(1 / 3)
    assert str(sampler) == "ProbabilitySampler{0.3333282470703125}"
    assert sampler.probability == probability_of(sampler.threshold)
