"""How large must queue, batch, delay and in-flight be? Four bounds, as arithmetic.

    advice = size(Scenario(rate=1000, burst=5000, outage=16.0, round_trip=0.02, memory=50_000_000))
    advice.max_queue_size, advice.delay, advice.in_flight
    print(advice)                       each value with its reason

    throughput   in_flight x batch / request >= rate + backlog / recovery
    latency      delay + 2 x request <= latency
    outage       queue >= rate x (outage + longest wait + 2 x round trip) + burst - in other requests
    memory       (queue + in_flight x batch) x record size <= memory

They hold whatever chance does to the waits between attempts, and are no wider than they must be:
`sizing_check` plays the worst that can happen, and one step less loses records there, or is late. They
know nothing of threads, garbage collection or a peer that hangs: an outage here is one in which
requests are refused, and `rate` is the highest that lasts. The same arithmetic for a browser is
views/js/sizing.js, and a test holds the two equal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from otlp_kit.simulate.sizing_reasons import (
    DELAY,
    EXPORT,
    REQUEST,
    SHUTDOWN,
    STEP,
    reasons,
)
from otlp_kit.simulate.sizing_terms import Advice, Contradiction, Scenario

SIZES = (512, 1024, 2048, 256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Batches in the order in which they are tried."""
BODY = 4_000_000
"""The most bytes of one batch: a gRPC receiver takes 4 MiB by default."""
FEW, MOST = 4, 64
"""A larger batch is tried before more than `FEW` are in flight; more than `MOST` are never advised."""

COUNTED = 1000
"""Attempts within an outage that are looked at; of more, the wait after the last is the longest."""


def size(scenario: Scenario) -> Advice:
    """The smallest settings with which `scenario` goes well. Raises `Contradiction`.

    >>> advice = size(Scenario(rate=1000, burst=5000, outage=16.0))
    >>> advice.max_queue_size, advice.in_flight, advice.gone
    (51041, 1, 46.04)
    """
    fitting: list[Advice] = []
    problem: Contradiction | None = None
    for batch in SIZES:
        if batch > 1 and batch * scenario.record_bytes > BODY:
            continue
        try:
            advice = _with_batch(scenario, batch)
        except Contradiction as error:
            # Smaller batches fail for their own smallness; what the first said is about the wish.
            if problem is None or error.bound == "latency":
                problem = error
            continue
        if advice.in_flight <= FEW:
            return advice
        fitting.append(advice)
    if fitting:
        return min(fitting, key=lambda advice: advice.in_flight)
    assert problem
    raise problem


def gone(scenario: Scenario) -> float:
    """Seconds from the beginning of an outage to the attempt that succeeds, if chance is unkind.

    Unkind is: an attempt fails just before the peer is back, and the longest wait follows it. Which
    wait that is depends on how many attempts fit into the outage, if each wait before was short.
    """
    backoff, between = scenario.retry.backoff, scenario.round_trip
    low = backoff.wait(0, lambda: 0.0) / backoff.base
    high = backoff.wait(0, lambda: 1.0) / backoff.base
    allowed = scenario.retry.attempts if scenario.retry.budget == math.inf else 1
    highest = backoff.cap if backoff.factor > 1 else backoff.base
    wait, earliest, latest, longest, attempts = backoff.base, 0.0, 0.0, 0.0, 1
    while earliest < scenario.outage:  # an attempt so early fails
        if attempts == COUNTED:
            wait, latest = highest, math.inf
        longest = max(longest, min(scenario.outage, latest) + high * wait)
        attempts += 1
        alike = latest >= scenario.outage and wait == highest  # as all that follow
        if attempts > allowed or attempts > COUNTED or (alike and allowed == math.inf):
            break
        earliest += between + low * wait
        latest += between + high * wait
        wait = min(backoff.cap, wait * backoff.factor)
    if attempts > allowed:
        raise Contradiction(
            "outage",
            f"a batch may need {attempts} attempts or more in {scenario.outage:g} s without the"
            f" peer, and is sure of {allowed:g}",
            "allow as many attempts as there is time for",
            "wait longer between them",
        )
    return longest


def _with_batch(scenario: Scenario, batch: int) -> Advice:
    rate, burst, trip = scenario.rate, scenario.burst, scenario.round_trip
    work = scenario.per_record * batch
    if scenario.per_record * rate >= 1:
        raise Contradiction(
            "throughput",
            f"{rate:g} records a second of {scenario.per_record:g} s each cannot leave one by one",
            f"send fewer than {1 / scenario.per_record:g} a second",
            "sample",
        )
    away = gone(scenario)
    away += 2 * trip + work if away else 0.0
    backlog = burst + (math.floor(rate * away + 1e-6) + 1 if away else 0)
    needed = rate + backlog / scenario.recovery
    if scenario.per_record * needed > 1:
        raise Contradiction(
            "throughput",
            f"a backlog of {backlog:,} is not gone in {scenario.recovery:g} s",
            f"give it {math.ceil(backlog / (1 / scenario.per_record - rate)):,} s",
            "send less",
        )
    in_flight = max(1, math.ceil(needed * (trip + work) / batch))
    if in_flight > MOST:
        raise Contradiction(
            "throughput",
            f"{needed:,.0f} records a second over {trip:g} s need {in_flight:,} requests at once",
            "sample",
            "send to a peer that is nearer",
        )
    request = trip + in_flight * work
    two = 2 * request - (in_flight * scenario.per_record if batch > 1 else 0.0)
    delay = min(DELAY, math.floor((scenario.latency - two) / STEP + 1e-6) / 1000)
    if delay < STEP:
        raise Contradiction(
            "latency",
            f"a latency of {scenario.latency:g} s is less than two requests of {request:g} s",
            f"allow {math.ceil(two / STEP + 1) / 1000:g} s",
            "send to a peer that is nearer",
        )
    meanwhile = _meanwhile(rate, batch, delay, request)
    held = (in_flight - 1) * min(batch, math.floor(rate * delay))
    through_outage = backlog - held if away else 0
    queue = max(batch, through_outage, burst + meanwhile)
    memory = (queue + in_flight * batch) * scenario.record_bytes
    disk = backlog * scenario.record_bytes
    if memory > scenario.memory:
        raise Contradiction(
            "memory",
            f"{queue + in_flight * batch:,} records take {memory:,} bytes, more than"
            f" {scenario.memory:,}",
            f"allow {memory:,} bytes",
            *_shorter(scenario, memory, away),
            f"keep what waits on a disk, with {disk:,} bytes of room",
        )
    whole = float(math.floor(away + (in_flight - 1) * work) + 1)
    export, asked = max(EXPORT, whole), max(REQUEST, float(math.floor(2 * request) + 1))
    advice = Advice(
        max_queue_size=queue, max_batch_size=batch, delay=delay, in_flight=in_flight,
        export_timeout=max(export, asked), request_timeout=asked,
        shutdown_timeout=max(SHUTDOWN, export, asked),
        memory=memory, disk=disk, gone=away, reasons=(),
    )  # fmt: skip
    return replace(advice, reasons=tuple(reasons(scenario, advice, needed, request, meanwhile)))


def _meanwhile(rate: float, batch: int, delay: float, request: float) -> int:
    """What may be queued when a burst comes: less than a batch, and what came during a request."""
    return math.floor(rate * request) + min(batch - 1, math.floor(rate * delay)) + 1


def _shorter(scenario: Scenario, memory: int, away: float) -> Iterator[str]:
    """What outage would fit, if any."""
    over = (memory - scenario.memory) / scenario.record_bytes / scenario.rate
    if over < scenario.outage:
        yield f"expect an outage of {scenario.outage - over:.3g} s"
    if away > 2 * scenario.outage:
        yield f"wait less between attempts: of {away:g} s without the peer it is away for" + (
            f" {scenario.outage:g}"
        )
