"""Programs, one peer, and what becomes of the records: a whole simulation in one call.

    report = simulate(
        Program(steady(1000, 10), capacity=2048, retry=Retry(deadline=20.0)),
        server=Server(round_trip=0.1, outages=(Outage(3.0, 5.0),)),
    )
    report.lost, report.mean_length, report.wait(0.99), report.requests

It is no measurement: an export takes the time that `Server` says, and emitting none. It uses no
thread and no clock, and chance has a seed, so that the same call returns the same report.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from otlp_kit.ledger import Ledger
from otlp_kit.processors.buffer import BatchBuffer, WhenFull
from otlp_kit.simulate.clients import NEVER, Client, Retry
from otlp_kit.simulate.events import Timeline
from otlp_kit.simulate.pipeline import Pipeline
from otlp_kit.simulate.report import Report, Tally
from otlp_kit.simulate.server import Peer, Server


@dataclass(frozen=True, slots=True)
class Program:
    """One process: when its records come, and the settings of its batch processor.

    The settings are those of `BatchProcessor`, with its defaults; `block_timeout` counts only for
    the policy `block`. `arrivals` are times in seconds, increasing (see `arrivals`).
    """

    arrivals: Iterable[float]
    capacity: int = 2048
    batch_size: int = 512
    delay: float = 5.0
    when_full: WhenFull = "drop_newest"
    block_timeout: float = 1.0
    in_flight: int = 1
    retry: Retry = NEVER


def simulate(
    *programs: Program,
    server: Server | None = None,
    seed: int = 0,
    until: float = math.inf,
    bucket: float = 0.1,
) -> Report:
    """Run `programs` against one `server` until nothing is left to happen, or until `until` seconds.

    `bucket` is how many seconds one number of `Report.requests` stands for. Raises `ValueError` for
    settings that contradict each other.

    >>> from otlp_kit.simulate.arrivals import steady
    >>> report = simulate(
    ...     Program(steady(100, 60), capacity=200, batch_size=50, delay=1.0),
    ...     server=Server(round_trip=1.0),
    ... )
    >>> print(report.totals)
    created 6,000 = delivered 3,200 + dropped 2,800 (queue_full 2,800)
    """
    timeline, chance = Timeline(), random.Random(seed).random
    ledger, numbers = Ledger(), count()
    tally = Tally(ledger, bucket)
    peer = Peer(server or Server(), timeline, chance, tally)
    clients = [Client(timeline, peer.receive, one.retry, chance, ledger) for one in programs]
    pipelines = []
    for program, client in zip(programs, clients, strict=True):
        pipeline = Pipeline(
            timeline,
            BatchBuffer(
                capacity=program.capacity,
                batch_size=program.batch_size,
                delay=program.delay,
                when_full=program.when_full,
                chance=chance,
            ),
            client.export,
            tally,
            in_flight=program.in_flight,
            block_timeout=program.block_timeout if program.when_full == "block" else 0.0,
            numbers=numbers,
        )
        pipeline.feed(program.arrivals)
        pipelines.append(pipeline)
    timeline.run(until)
    return tally.report(
        seconds=timeline.now,
        attempts=sum(client.attempts for client in clients),
        stood_still=sum(pipeline.waited for pipeline in pipelines),
    )
