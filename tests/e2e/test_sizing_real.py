"""What was advised, for real: threads, time, retries, and a peer that goes away. Nothing is lost.

Real sleeps are longer than they were told to be, and a busy machine makes them longer still, so the
scenarios have shorter outages than the twelve, and what is compared is loss, not time.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from otlp_kit.cli.rehearsal import rehearse
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate import Retry
from otlp_kit.simulate.sizing import size
from otlp_kit.simulate.sizing_terms import Scenario

pytestmark = pytest.mark.slow

SHORT = Retry(Backoff(base=0.2, cap=0.8))
REAL = {
    "restart, sixteen times as fast": Scenario(
        rate=1000, burst=500, outage=1.0, latency=1.0, retry=SHORT
    ),
    "far collector": Scenario(
        rate=2000, burst=3000, outage=0.8, latency=1.0, round_trip=0.4, recovery=3.0, retry=SHORT
    ),
    "slow link": Scenario(
        rate=100, burst=150, outage=1.0, latency=1.5, round_trip=0.1, per_record=0.002,
        recovery=5.0, retry=SHORT,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_the_advice_loses_nothing_for_real(name: str) -> None:
    """Created is delivered, by the ledger of the processor."""
    scenario = REAL[name]
    # A sleep that is late is an outage that lasts longer: a second of it is allowed for.
    advice = size(replace(scenario, outage=scenario.outage + 1.0))
    totals = rehearse(advice, scenario, seconds=4.0)
    assert totals.created == round(scenario.rate * 4.0) + scenario.burst
    assert totals.delivered == totals.created, str(totals)


def test_half_of_the_advice_loses_for_real() -> None:
    """The outage and the burst are there: with a queue for half of them, records are lost."""
    scenario = REAL["restart, sixteen times as fast"]
    advice = size(scenario)
    small = replace(advice, max_queue_size=1000 // 2 + scenario.burst // 2)
    totals = rehearse(replace(small, max_batch_size=200), scenario, seconds=4.0)
    assert totals.dropped["queue_full"] > 0
