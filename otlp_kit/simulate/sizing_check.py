"""Does an advice hold, and would less do? Plays the worst that a scenario can do to it.

    found = check(advice, scenario)
    found.lost, found.late, found.left          0, False, 0
    for tried in one_step_worse(advice, scenario):
        print(tried)                            max_queue_size 50,528: 512 lost

Four plays. *Unlucky*: the peer goes away just as the first record is on its way, then the full rate
comes, the burst last, and each wait between attempts is, of those that chance allows, the one that
does most harm. *All busy*: the burst comes while every request that may be under way is. *Lucky or
not*: the same load, an outage at some moment, waits by chance. *Calm*: a batch that leaves, and one
less than a batch behind it, which has to wait for the delay. All are the kit's own simulation; nothing
waits, and the same call finds the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from otlp_kit.ledger import Ledger
from otlp_kit.processors.buffer import BatchBuffer
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate.arrivals import merged, steady
from otlp_kit.simulate.clients import Client
from otlp_kit.simulate.events import Timeline
from otlp_kit.simulate.pipeline import Pipeline
from otlp_kit.simulate.report import Report, Tally
from otlp_kit.simulate.run import Program, simulate
from otlp_kit.simulate.server import Outage, Peer, Server
from otlp_kit.simulate.sizing_luck import Unkind
from otlp_kit.simulate.sizing_terms import Advice, Reason, Scenario

MOMENT = 1e-6
"""Just before."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the plays of one advice came to."""

    lost: int
    """Records given up, or of unknown fate, in all plays."""
    latency: float
    """Seconds from a record to its acknowledgement, at worst, while the peer is there."""
    late: bool
    """Whether that is more than was wished."""
    left: int
    """Records still queued when the backlog should be gone, beyond one batch for each in flight."""
    peak: int
    """The most records in memory at once."""

    @property
    def well(self) -> bool:
        return not (self.lost or self.late or self.left)

    def __str__(self) -> str:
        said = [f"{self.lost:,} lost"]
        if self.late:
            said.append(f"late, {self.latency:.3f} s")
        if self.left:
            said.append(f"{self.left:,} too many left after the recovery")
        return ", ".join(said)


@dataclass(frozen=True, slots=True)
class Tried:
    """One setting a step beyond its bound, and what came of it."""

    reason: Reason
    value: float
    found: Found

    def __str__(self) -> str:
        return f"{self.reason.setting} {self.value:,g}: {self.found}"


def check(advice: Advice, scenario: Scenario, *, seed: int | None = 0) -> Found:
    """Play `scenario` with `advice`, whoever it is from.

    `seed` is of the play by chance; None leaves that out.
    """
    worst = unlucky(advice, scenario)
    plays = [worst, all_busy(advice, scenario)]
    if seed is not None:
        plays.append(lucky_or_not(advice, scenario, seed))
    latency = calm(advice, scenario).seconds
    queued = worst.lengths[-1][1] if worst.lengths else 0
    return Found(
        lost=sum(sum(one.lost.values()) + one.unknown for one in plays),
        latency=latency,
        late=latency > scenario.latency + MOMENT,
        left=max(0, queued - advice.in_flight * advice.max_batch_size),
        peak=max(one.peak for one in plays),
    )


def one_step_worse(advice: Advice, scenario: Scenario) -> Iterator[Tried]:
    """For each setting that a bound decides: what a step less, or a longer delay, would do."""
    for reason in advice.reasons:
        if reason.step:
            other = advice.one_step_worse(reason)
            yield Tried(reason, getattr(other, reason.setting), check(other, scenario, seed=None))


def unlucky(advice: Advice, scenario: Scenario) -> Report:
    """The worst outage, until the backlog has to be gone."""
    begins = advice.delay + scenario.round_trip / 2  # when the request of the first record arrives
    ends = begins + scenario.outage
    back = advice.delay + advice.gone
    until = (
        back + scenario.recovery + scenario.round_trip + scenario.per_record * advice.max_batch_size
    )
    # A request of one record is as bad as a full one, unless records take time there.
    first = [advice.delay] * advice.max_batch_size if scenario.per_record else [0.0]
    arrivals = merged(
        first,
        steady(scenario.rate, until - advice.delay, start=advice.delay),
        [max(back - 10 * MOMENT, advice.delay)] * scenario.burst,
    )
    timeline, ledger = Timeline(), Ledger()
    tally = Tally(ledger, 1.0)
    server = _server(scenario, Outage(begins, ends))
    peer = Peer(server, timeline, random.Random(0).random, tally)
    backoff = scenario.retry.backoff
    unkind = Unkind(
        backoff.base, backoff.factor, backoff.cap, backoff.jitter,
        now=lambda: timeline.now, ends=ends - MOMENT, round_trip=scenario.round_trip,
    )  # fmt: skip
    program = _program(advice, scenario, arrivals, unkind)
    client = Client(timeline, peer.receive, program.retry, random.Random(0).random, ledger)
    pipeline = Pipeline(
        timeline,
        BatchBuffer(
            capacity=program.capacity, batch_size=program.batch_size, delay=program.delay
        ),
        client.export,
        tally,
        in_flight=program.in_flight,
        numbers=count(),
    )  # fmt: skip
    pipeline.feed(program.arrivals)
    timeline.run(until)
    return tally.report(seconds=timeline.now, attempts=client.attempts, stood_still=0.0)


def all_busy(advice: Advice, scenario: Scenario) -> Report:
    """A burst just before the first of all requests that may be under way is answered."""
    batch = advice.max_batch_size
    answered = scenario.round_trip + scenario.per_record * batch
    arrivals = merged(
        [0.0] * (advice.in_flight * batch),
        steady(scenario.rate, answered),
        [max(0.0, answered - 10 * MOMENT)] * scenario.burst,
    )
    program = _program(advice, scenario, arrivals, scenario.retry.backoff)
    return simulate(program, server=_server(scenario))


def lucky_or_not(advice: Advice, scenario: Scenario, seed: int) -> Report:
    """An outage and a burst at any moment, and waits as they come."""
    chance = random.Random(seed)
    begins = advice.delay + chance.random() * 2 * advice.delay
    bursts_at = begins + chance.random() * (advice.gone + advice.delay)
    arrivals = merged(
        steady(scenario.rate, begins + advice.gone + 1.0), [bursts_at] * scenario.burst
    )
    outages = (Outage(begins, begins + scenario.outage),)
    return simulate(
        _program(advice, scenario, arrivals, scenario.retry.backoff),
        server=_server(scenario, *outages),
        seed=seed,
    )


def calm(advice: Advice, scenario: Scenario) -> Report:
    """All records come at 0 s, so that its `seconds` are the latency of the last."""
    batch = advice.max_batch_size
    behind = max(1, batch - 1)
    return simulate(
        replace(
            _program(advice, scenario, [0.0] * (batch + behind), scenario.retry.backoff),
            capacity=max(advice.max_queue_size, batch + behind),
        ),
        server=_server(scenario),
    )


def _program(
    advice: Advice, scenario: Scenario, arrivals: list[float], backoff: Backoff
) -> Program:
    return Program(
        arrivals,
        capacity=advice.max_queue_size,
        batch_size=advice.max_batch_size,
        delay=advice.delay,
        in_flight=advice.in_flight,
        retry=replace(
            scenario.retry, backoff=backoff,
            timeout=advice.request_timeout, deadline=advice.export_timeout,
        ),
    )  # fmt: skip


def _server(scenario: Scenario, *outages: Outage) -> Server:
    return Server(
        round_trip=scenario.round_trip,
        per_item=scenario.per_record,
        parallel=1 if scenario.per_record else float("inf"),
        outages=outages,
    )
