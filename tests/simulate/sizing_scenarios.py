"""Twelve services, as data: what the tests of sizing play, in Python and in the browser."""

from __future__ import annotations

from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate import Retry
from otlp_kit.simulate.sizing_terms import Scenario


def steady_waits(seconds: float) -> Retry:
    """Attempts every so many seconds, give or take a fifth."""
    return Retry(Backoff(base=seconds, factor=1.0, cap=seconds, jitter="around"))


SCENARIOS: dict[str, Scenario] = {
    "idle service": Scenario(rate=0.5, outage=60.0, memory=1_000_000),
    "web shop": Scenario(rate=300, burst=2000, outage=10.0, latency=3.0, record_bytes=1500),
    "bursty cron": Scenario(rate=5, burst=8000, outage=5.0, latency=2.0),
    "ten thousand a second": Scenario(
        rate=10_000, outage=2.0, latency=2.0, round_trip=0.05, recovery=8.0,
        memory=100_000_000, retry=steady_waits(0.2),
    ),
    "far collector": Scenario(
        rate=9000, burst=1000, outage=3.0, latency=1.0, round_trip=0.08, recovery=10.0,
        retry=steady_waits(0.5),
    ),
    "restart of the collector": Scenario(rate=1000, burst=5000, outage=16.0, latency=2.0),
    "small memory": Scenario(
        rate=100, burst=50, outage=3.0, memory=300_000, record_bytes=600, retry=steady_waits(0.5)
    ),
    "logs instead of spans": Scenario(
        rate=4000, burst=10_000, outage=5.0, latency=1.0, record_bytes=250,
        retry=Retry(Backoff(base=0.5, cap=4.0)),
    ),
    "slow link": Scenario(
        rate=20, burst=100, outage=20.0, latency=4.0, round_trip=0.6, per_record=0.02,
        recovery=60.0, retry=Retry(Backoff(base=1.0, cap=10.0, jitter="equal")),
    ),
    "nightly batch": Scenario(
        rate=1, burst=20_000, outage=0.0, latency=5.0, round_trip=0.1, recovery=1.05
    ),
    "short latency": Scenario(
        rate=50, burst=20, outage=1.0, latency=0.25, round_trip=0.05, retry=steady_waits(0.1)
    ),
    "retry with backoff": Scenario(
        rate=500, outage=14.0, latency=2.0,
        retry=Retry(Backoff(base=1.0, cap=16.0, jitter="none")),
    ),
}  # fmt: skip
