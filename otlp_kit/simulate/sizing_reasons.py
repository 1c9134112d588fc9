"""Why each setting of an advice has its value, one sentence each, with the numbers that decided it.

    reasons(scenario, advice, needed, request, meanwhile)

`sizing` calculates; this only says it. A reason also knows what one step worse is, for
`sizing_check` to try.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from otlp_kit.simulate.sizing_terms import Advice, Reason, Scenario

BATCH, DELAY, EXPORT, REQUEST, SHUTDOWN = 512, 5.0, 30.0, 10.0, 30.0
"""Defaults of the specification, and of the processor: kept where no bound asks for another."""
STEP = 0.001
"""Delays are whole milliseconds, as the environment has them."""


def reasons(
    scenario: Scenario, advice: Advice, needed: float, request: float, meanwhile: int
) -> Iterator[Reason]:
    """One for each setting. `needed` is a rate, `request` seconds, `meanwhile` what a burst may find."""
    rate, batch, flying = scenario.rate, advice.max_batch_size, advice.in_flight
    queue = advice.max_queue_size
    if queue > max(batch, scenario.burst + meanwhile):
        yield Reason(
            "max_queue_size",
            "outage",
            f"{rate:,g}/s x {advice.gone:g} s, until an attempt succeeds at worst"
            + (f", and a burst of {scenario.burst:,}" if scenario.burst else "")
            + (f", less what {flying - 1} more in flight hold" if flying > 1 else ""),
            -batch,
        )
    elif queue > batch:
        yield Reason(
            "max_queue_size",
            "burst",
            f"a burst of {scenario.burst:,} finds {meanwhile:,} in the queue",
            -batch,
        )
    else:
        yield Reason("max_queue_size", "default", "as large as a batch: no bound asks for more")
    if batch == BATCH:
        yield Reason("max_batch_size", "default", "the default: no bound asks for another")
    else:
        larger = batch > BATCH
        yield Reason(
            "max_batch_size",
            "throughput" if larger else "memory or latency",
            f"a larger one than {BATCH} keeps requests in flight few"
            if larger
            else "a larger one would not fit into the memory, the request or the latency",
        )
    if advice.delay < DELAY:
        yield Reason(
            "delay",
            "latency",
            f"{scenario.latency:g} s less two requests of {request:g} s: the one that is under way,"
            " and its own",
            STEP,
        )
    else:
        yield Reason("delay", "default", f"the default: {scenario.latency:g} s would allow more")
    carries = flying * batch / (scenario.round_trip + scenario.per_record * batch or math.inf)
    yield Reason(
        "in_flight",
        "throughput",
        f"carries {carries:,.0f}/s; {needed:,.0f}/s are needed: {rate:,g}/s, and the backlog in"
        f" {scenario.recovery:g} s"
        if carries
        else "an answer takes no time",
        -1 if flying > 1 else 0,
    )
    if advice.export_timeout > EXPORT:
        yield Reason(
            "export_timeout",
            "outage",
            f"a batch that meets the outage is delivered after {advice.gone:g} s at worst",
            -1 if advice.export_timeout > advice.request_timeout else 0,
        )
    else:
        yield Reason("export_timeout", "default", "the default is longer than the outage")
    yield Reason(
        "request_timeout",
        "default" if advice.request_timeout == REQUEST else "latency",
        f"a request takes {request:g} s"
        + (", the default is longer" if advice.request_timeout == REQUEST else ", at most"),
    )
    yield Reason(
        "shutdown_timeout",
        "default" if advice.shutdown_timeout == SHUTDOWN else "outage",
        "as long as a batch may take" if advice.shutdown_timeout > SHUTDOWN else "the default",
    )
