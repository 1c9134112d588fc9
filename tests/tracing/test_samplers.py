"""Each sampler decides as the official one does, and as the specification's tables say."""

from __future__ import annotations

import dataclasses
import logging
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import sampling as official_sampling
from opentelemetry.sdk.trace.sampling import Decision

from otlp_kit.tracing.decisions import Sampling
from otlp_kit.tracing.samplers import (
    DROP,
    RECORD_AND_SAMPLE,
    RECORD_ONLY,
    AlwaysOff,
    AlwaysOn,
    AlwaysRecord,
    ParentBased,
    RateLimiting,
    Sampler,
    TraceIdRatio,
    sampler_named,
)
from tests.tracing.parents import (
    Parent,
    any_trace_states,
    decide,
    official,
    parents,
    ratios,
    trace_ids,
)

DECISIONS = {
    Decision.DROP: (False, False),
    Decision.RECORD_ONLY: (True, False),
    Decision.RECORD_AND_SAMPLE: (True, True),
}


def as_officially(
    sampler: Sampler, theirs: official_sampling.Sampler, parent: Parent | None, trace_id: bytes
) -> None:
    """Both decide the same and leave the tracestate as it was."""
    context, _ = official(parent, trace_id)
    result = theirs.should_sample(context, int.from_bytes(trace_id, "big"), "s")
    ours = decide(sampler, trace_id, parent)
    assert (ours.recording, ours.sampled) == DECISIONS[result.decision]
    assert ours.trace_state is None
    assert ours.attributes is None


@pytest.mark.spec("SDK-P20")
@given(parents(any_trace_states), trace_ids)
def test_always_and_never(parent: Parent | None, trace_id: bytes) -> None:
    """They do not look at anything."""
    assert decide(AlwaysOn(), trace_id, parent) is RECORD_AND_SAMPLE
    assert decide(AlwaysOff(), trace_id, parent) is DROP
    as_officially(AlwaysOn(), official_sampling.ALWAYS_ON, parent, trace_id)
    as_officially(AlwaysOff(), official_sampling.ALWAYS_OFF, parent, trace_id)


@pytest.mark.spec("SDK-P20")
@given(ratios, parents(any_trace_states), trace_ids)
def test_a_ratio_chooses_the_traces_that_the_official_one_chooses(
    p: float, parent: Parent | None, trace_id: bytes
) -> None:
    """A trace that passes services of both kinds is whole; the parent's flag is not looked at."""
    as_officially(TraceIdRatio(p), official_sampling.TraceIdRatioBased(p), parent, trace_id)


@pytest.mark.spec("SDK-P20")
@given(ratios, ratios, trace_ids)
def test_what_a_smaller_ratio_samples_a_larger_one_samples_too(
    one: float, other: float, trace_id: bytes
) -> None:
    """So a backend may keep more than its frontend, and has all that the frontend has."""
    small, large = sorted((one, other))
    if decide(TraceIdRatio(small), trace_id).sampled:
        assert decide(TraceIdRatio(large), trace_id).sampled


@pytest.mark.spec("SDK-P20")
@pytest.mark.parametrize("p", [0.0, 0.001, 0.1, 0.5, 0.9, 1.0])
def test_a_ratio_keeps_its_share(p: float) -> None:
    """Of random ids, within five standard deviations."""
    n, ids, sampler = 20_000, random.Random(20), TraceIdRatio(p)
    kept = sum(decide(sampler, ids.randbytes(16)).sampled for _ in range(n))
    assert abs(kept - n * p) <= 5 * math.sqrt(n * p * (1 - p))


@pytest.mark.spec("SDK-P20")
@pytest.mark.parametrize(
    ("sampler", "description"),
    [
        (AlwaysOn(), "AlwaysOnSampler"),
        (AlwaysOff(), "AlwaysOffSampler"),
        (TraceIdRatio(0.0001), "TraceIdRatioBased{0.000100}"),
        (TraceIdRatio(1), "TraceIdRatioBased{1.000000}"),
        (TraceIdRatio(1.25e-9), "TraceIdRatioBased{0.00000000125}"),
        (TraceIdRatio(1 / 3), "TraceIdRatioBased{0.3333333333333333}"),
        (AlwaysRecord(AlwaysOff()), "AlwaysRecordSampler{AlwaysOffSampler}"),
        (RateLimiting(5), "RateLimiting{5}"),
    ],
)
def test_descriptions(sampler: object, description: str) -> None:
    """Those of the specification; two ratios never look alike."""
    assert str(sampler) == description


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan, math.inf])
def test_a_ratio_out_of_range_is_refused(p: float) -> None:
    """Where it is made, not where it is used."""
    with pytest.raises(ValueError, match="has to be from 0 to 1"):
        TraceIdRatio(p)


def test_a_ratio_that_decides_for_a_child_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """Other languages may have chosen other traces."""
    sampler = TraceIdRatio(0.5)
    decide(sampler)
    assert not caplog.records
    decide(sampler, parent=Parent())
    decide(sampler, parent=Parent())
    [record] = caplog.records
    assert "decides for a child span" in record.getMessage()
    assert record.levelno == logging.WARNING


class Answers:
    """Always gives its own answer."""

    def __init__(self, answer: Sampling) -> None:
        self.answer = answer

    def decide(self, *_: object) -> Sampling:
        return self.answer


@pytest.mark.spec("SDK-P20")
@pytest.mark.parametrize(
    ("parent", "asked"),
    [
        (None, "root"),
        (Parent(flags=1, remote=True), "remote_sampled"),
        (Parent(flags=0, remote=True), "remote_not_sampled"),
        (Parent(flags=3, remote=False), "local_sampled"),
        (Parent(flags=2, remote=False), "local_not_sampled"),
    ],
)
def test_parent_based_asks_one_of_five(parent: Parent | None, asked: str) -> None:
    """The specification's table, row by row."""
    names = ("root", "remote_sampled", "remote_not_sampled", "local_sampled", "local_not_sampled")
    answers = {name: Answers(Sampling(True, False, {"asked": name})) for name in names}
    sampling = decide(ParentBased(**answers), parent=parent)  # type: ignore[arg-type]
    assert sampling.attributes == {"asked": asked}


@pytest.mark.spec("SDK-P20")
@given(parents(any_trace_states), trace_ids, st.lists(st.booleans(), min_size=4, max_size=4))
def test_parent_based_decides_as_the_official_one(
    parent: Parent | None, trace_id: bytes, on: list[bool]
) -> None:
    """With any four samplers for children, and by default."""
    ours = [AlwaysOn() if one else AlwaysOff() for one in on]
    theirs = [official_sampling.ALWAYS_ON if one else official_sampling.ALWAYS_OFF for one in on]
    as_officially(
        ParentBased(TraceIdRatio(0.5), remote_sampled=ours[0], remote_not_sampled=ours[1],
                    local_sampled=ours[2], local_not_sampled=ours[3]),
        official_sampling.ParentBased(official_sampling.TraceIdRatioBased(0.5), *theirs),
        parent, trace_id,
    )  # fmt: skip
    as_officially(
        ParentBased(TraceIdRatio(0.5)),
        official_sampling.ParentBasedTraceIdRatio(0.5),
        parent,
        trace_id,
    )
    assert str(ParentBased(AlwaysOff())) == official_sampling.DEFAULT_OFF.get_description()


@pytest.mark.parametrize(
    ("root", "sampling"),
    [
        (DROP, RECORD_ONLY),
        (RECORD_ONLY, RECORD_ONLY),
        (RECORD_AND_SAMPLE, RECORD_AND_SAMPLE),
        (Sampling(False, False, None, "a=1"), Sampling(True, False, None, "a=1")),
    ],
)
def test_always_record_only_adds_recording(root: Sampling, sampling: Sampling) -> None:
    """The specification's table: what is sampled stays as it was."""
    assert decide(AlwaysRecord(Answers(root))) == sampling


def test_an_answer_cannot_be_changed() -> None:
    """The constants are handed to everybody."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        DROP.sampled = True  # type: ignore[misc]


@pytest.mark.spec("SDK-P20")
@pytest.mark.parametrize(
    "name",
    ["always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off",
     "parentbased_traceidratio", "ParentBased_Always_ON", "unheard_of"],
)  # fmt: skip
@pytest.mark.parametrize("argument", [None, "0.25", "1", "2", "-1", "nan", "a tenth"])
def test_the_environment_names_the_sampler_that_it_names_officially(
    name: str, argument: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the argument is bad (1.0 holds) or the name is unknown (the default holds)."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", name)
    monkeypatch.delenv("OTEL_TRACES_SAMPLER_ARG", raising=False)
    if argument is not None:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    theirs = official_sampling._get_from_env_or_default().get_description()
    ours = str(sampler_named(name, argument))
    assert ours.replace("{0.250000}", "{0.25}").replace("{1.000000}", "{1.0}") == theirs


def test_what_is_wrong_in_the_environment_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Once per mistake, with the value; a name or argument that is not set is no mistake."""
    assert str(sampler_named("", "")) == str(sampler_named("parentbased_always_on"))
    sampler_named("traceidratio", None)
    sampler_named("always_on", "whatever")
    assert not caplog.records
    sampler_named("jaeger_remote")
    sampler_named("traceidratio", "a tenth")
    unknown, bad = (record.getMessage() for record in caplog.records)
    assert "no sampler 'jaeger_remote'" in unknown
    assert "traceidratio needs a number from 0 to 1, not 'a tenth'" in bad
