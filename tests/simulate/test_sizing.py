"""What is advised is enough, whatever chance does, and not more than enough: the simulation says so."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate import NEVER, Retry
from otlp_kit.simulate.sizing import gone, size
from otlp_kit.simulate.sizing_check import check, one_step_worse
from otlp_kit.simulate.sizing_terms import SETTINGS, Contradiction, Scenario
from tests.simulate.sizing_scenarios import SCENARIOS

waits = st.floats(0.05, 2.0)
scenarios = st.builds(
    Scenario,
    rate=st.floats(0.1, 300),
    burst=st.sampled_from((0, 1, 30, 700)),
    outage=st.one_of(st.just(0.0), st.floats(0.01, 8.0)),
    latency=st.floats(0.5, 8.0),
    round_trip=st.sampled_from((0.0, 0.001, 0.05, 0.3)),
    per_record=st.sampled_from((0.0, 0.0, 0.0005, 0.01)),
    memory=st.sampled_from((60_000, 1_000_000, 50_000_000)),
    recovery=st.floats(1.0, 30.0),
    retry=st.builds(
        lambda base, factor, cap, jitter: Retry(Backoff(base, factor, max(base, cap), jitter)),
        waits,
        st.floats(1.0, 3.0),
        st.floats(0.1, 5.0),
        st.sampled_from(("none", "full", "equal", "around")),
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_advice_is_enough_and_one_step_less_is_not(name: str) -> None:
    """Nothing is lost or late; with any bound a step beyond, something is."""
    scenario = SCENARIOS[name]
    advice = size(scenario)
    found = check(advice, scenario, seed=1)
    assert found.well, str(found)
    assert found.peak * scenario.record_bytes <= advice.memory <= scenario.memory
    tried = list(one_step_worse(advice, scenario))
    assert tried
    assert [str(one) for one in tried if one.found.well] == []


def test_the_scenarios_are_decided_by_every_bound() -> None:
    """Among the twelve, each bound decides a setting, so that none is untested."""
    reasons = {why.bound for one in SCENARIOS.values() for why in size(one).reasons}
    assert reasons >= {"throughput", "latency", "outage", "burst", "memory or latency", "default"}
    assert len(SCENARIOS) == 12


@given(scenarios, st.integers(0, 1000))
@settings(max_examples=120)
def test_whatever_is_advised_loses_nothing(scenario: Scenario, seed: int) -> None:
    """For any sane load: no loss and no lateness, in the worst case and by chance; or a refusal."""
    try:
        advice = size(scenario)
    except Contradiction:
        return
    found = check(advice, scenario, seed=seed)
    assert (found.lost, found.late) == (0, False), f"{found}: {advice}"
    assert advice.memory <= scenario.memory


@given(st.integers(0, 10_000), st.floats(0.1, 20.0), st.sampled_from(("full", "equal", "around")))
def test_no_luck_is_worse_than_the_worst(seed: int, outage: float, jitter: str) -> None:
    """However the waits fall, the first attempt that succeeds is not later than `gone` says."""
    backoff = Backoff(base=0.5, cap=6.0, jitter=jitter)  # type: ignore[arg-type]
    worst = gone(Scenario(rate=1, outage=outage, round_trip=0.1, retry=Retry(backoff)))
    chance, at, attempt = random.Random(seed).random, 0.0, 0
    while at < outage:
        at += 0.1 + backoff.wait(attempt, chance)
        attempt += 1
    assert at - 0.1 <= worst + 1e-9


def test_longer_waits_make_an_outage_longer() -> None:
    """The same outage costs the queue more, the longer the wait that may follow it."""
    away = [
        gone(Scenario(rate=1, outage=16.0, retry=Retry(Backoff(base=1.0, cap=cap))))
        for cap in (1.0, 5.0, 30.0)
    ]
    assert away == [17.0, 21.0, 46.0]


@pytest.mark.parametrize(
    ("wishes", "bound", "remedy"),
    [
        ({"latency": 0.03}, "latency", "allow 0.041 s"),
        ({"outage": 16.0, "memory": 10_000_000}, "memory", "keep what waits on a disk"),
        ({"outage": 16.0, "memory": 20_000_000}, "memory", "expect an outage of"),
        ({"rate": 200_000, "round_trip": 0.5}, "throughput", "sample"),
        ({"rate": 100, "per_record": 0.02}, "throughput", "send fewer than 50 a second"),
        ({"outage": 16.0, "retry": NEVER}, "outage", "as many attempts as there is time"),
        ({"outage": 16.0, "retry": Retry(budget=0.1)}, "outage", "wait longer"),
        (
            {"rate": 40, "per_record": 0.02, "burst": 900, "latency": 9.0, "recovery": 10.0},
            "throughput",
            "give it 90 s",
        ),
    ],
)
def test_wishes_that_contradict_each_other_are_refused(
    wishes: dict[str, float], bound: str, remedy: str
) -> None:
    """The refusal says which bound it is and what would do instead."""
    with pytest.raises(Contradiction) as refused:
        size(replace(Scenario(rate=1000, latency=2.0), **wishes))
    assert refused.value.bound == bound
    assert any(remedy in one for one in refused.value.remedies), refused.value.remedies


def test_what_a_refusal_proposes_would_do() -> None:
    """More memory, as much as it says, and the same wishes are granted."""
    scenario = Scenario(rate=1000, outage=16.0, memory=10_000_000)
    with pytest.raises(Contradiction) as refused:
        size(scenario)
    needed = int(refused.value.remedies[0].split()[1].replace(",", ""))
    assert size(replace(scenario, memory=needed)).memory <= needed


@pytest.mark.parametrize(
    "wrong", [{"rate": 0}, {"burst": -1}, {"latency": float("inf")}, {"memory": 0}]
)
def test_what_cannot_be_is_no_scenario(wrong: dict[str, float]) -> None:
    """A number that no service has is refused with its name."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Scenario(**{"rate": 1.0, **wrong})  # type: ignore[arg-type]


def test_every_setting_has_its_reason() -> None:
    """What an advice prints is a line for each setting, and nothing without one."""
    advice = size(SCENARIOS["web shop"])
    lines = str(advice).splitlines()
    assert [line.split()[0] for line in lines] == list(SETTINGS[:7])
    assert all(why.text for why in advice.reasons)
