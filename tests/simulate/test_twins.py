"""What was simulated also happens: real threads, real time, and by how much the two differ.

Each scenario runs twice: in `simulate`, and as a `BatchProcessor` whose exporter sleeps for as long
as the `Server` says. `pytest -s tests/simulate/test_twins.py` prints both and the error. The bounds
are wide, since a busy machine sleeps longer than it was told to; the scenarios are chosen so that
what is compared lies far inside of them.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest

from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate import Outage, Program, Retry, Server, simulate, steady
from otlp_kit.wire import Accepted, Unavailable

pytestmark = pytest.mark.slow

OFTEN = Retry(Backoff(base=0.05, factor=1.0, cap=0.05, jitter="none"), deadline=10.0)


class SleepingExporter:
    """A `Server` that takes its time, and a client in front of it that keeps to a `Retry`."""

    concurrent = True

    def __init__(self, model: Server, retry: Retry, began: float) -> None:
        self._model, self._retry, self._began = model, retry, began
        self._hands = threading.Semaphore(int(min(model.parallel, 1000)))
        self.first_seen: dict[int, float] = {}
        self.attempts = 0
        self._lock = threading.Lock()

    def export(self, batch: Sequence[int], deadline: float) -> Accepted:
        now = time.monotonic() - self._began
        self.first_seen.update((record, now) for record in batch)
        for attempt in count():
            try:
                return self._request(batch)
            except Unavailable:
                wait = self._retry.backoff.wait(attempt, random.Random(attempt).random)
                last = attempt + 1 >= self._retry.attempts
                if last or time.monotonic() + wait >= deadline:
                    raise
                time.sleep(wait)
        raise AssertionError

    def _request(self, batch: Sequence[int]) -> Accepted:
        with self._lock:
            self.attempts += 1
        time.sleep(self._model.round_trip / 2)
        away = self._model.away(time.monotonic() - self._began)
        if not away:
            with self._hands:
                time.sleep(self._model.seconds(len(batch)))
        time.sleep(self._model.round_trip / 2)
        if away:
            raise Unavailable("nothing listens")
        return Accepted()

    def shutdown(self) -> None:
        pass


@dataclass(frozen=True)
class Outcome:
    """What both runs tell, all programs together."""

    offered: int
    delivered: int
    lost: int
    mean_wait: float
    attempts: int
    stood_still: float

    @property
    def loss(self) -> float:
        return self.lost / self.offered


def simulated(programs: Sequence[Program], server: Server) -> Outcome:
    report = simulate(*programs, server=server)
    return Outcome(
        report.offered,
        report.delivered,
        sum(report.lost.values()),
        report.mean_wait,
        report.attempts,
        report.stood_still,
    )


class _Running:
    """One program, for real."""

    def __init__(self, program: Program, server: Server, began: float) -> None:
        self.program, self.began = program, began
        self.exporter = SleepingExporter(server, program.retry, began)
        self.processor: BatchProcessor[int] = BatchProcessor(
            self.exporter,
            max_queue_size=program.capacity,
            max_batch_size=program.batch_size,
            delay=program.delay,
            when_full=program.when_full,
            block_timeout=program.block_timeout,
            in_flight=program.in_flight,
            export_timeout=program.retry.deadline,
        )
        self.came: list[float] = []
        self.stood_still = 0.0
        self.thread = threading.Thread(target=self._emit)

    def _emit(self) -> None:
        for record, due in enumerate(self.program.arrivals):
            while (now := time.monotonic() - self.began) < due:
                time.sleep(max(due - now, 0.002))
            self.came.append(now)
            self.processor.emit(record)
            self.stood_still += time.monotonic() - self.began - now


def real(programs: Sequence[Program], server: Server) -> Outcome:
    began = time.monotonic()
    running = [_Running(program, server, began) for program in programs]
    for one in running:
        one.thread.start()
    for one in running:
        one.thread.join()
        one.processor.shutdown()
    waits = [
        seen - one.came[record]
        for one in running
        for record, seen in one.exporter.first_seen.items()
    ]
    totals = [one.processor.totals() for one in running]
    assert all(one.inside == 0 for one in totals)
    return Outcome(
        sum(one.created for one in totals),
        sum(one.delivered for one in totals),
        sum(sum(one.dropped.values()) for one in totals),
        sum(waits) / len(waits),
        sum(one.exporter.attempts for one in running),
        sum(one.stood_still for one in running),
    )


def twins(name: str, *programs: Program, server: Server) -> tuple[Outcome, Outcome]:
    """Run both, and print by how much the real one differs."""
    said, was = simulated(programs, server), real(programs, server)
    print(f"\n{name}")
    for what in ("delivered", "lost", "mean_wait", "attempts", "stood_still"):
        one, other = getattr(said, what), getattr(was, what)
        error = f"{(other - one) / one:+.1%}" if one else f"{other:+g}"
        print(f"  {what:12} simulated {one:10.3f}   real {other:10.3f}   error {error}")
    assert said.offered == was.offered
    return said, was


def program(rate: float = 1000.0, seconds: float = 2.0, **settings: Any) -> Program:
    defaults: dict[str, Any] = {"capacity": 1000, "batch_size": 100, "delay": 0.5}
    return Program(steady(rate, seconds), **{**defaults, **settings})


def test_steady_and_under_capacity() -> None:
    """Five times as much could leave as comes: nothing is lost, and the wait is that of a batch."""
    said, was = twins("steady", program(), server=Server(round_trip=0.02))
    assert (said.lost, was.lost) == (0, 0)
    assert was.mean_wait == pytest.approx(said.mean_wait, abs=0.1)


def test_overload() -> None:
    """Twice as much comes as can leave: the same share is lost, and the queue is as full."""
    said, was = twins("overload", program(rate=2000, capacity=500), server=Server(round_trip=0.1))
    assert 0.3 < said.loss < 0.5
    assert was.loss == pytest.approx(said.loss, abs=0.1)
    assert was.mean_wait == pytest.approx(said.mean_wait, rel=0.4)


@pytest.mark.parametrize(("capacity", "share"), [(1600, 0.0), (400, 0.33)])
def test_an_outage_of_a_second(capacity: int, share: float) -> None:
    """A queue for what comes in it, and half as much again, loses nothing; a smaller one the rest."""
    server = Server(round_trip=0.02, outages=(Outage(0.5, 1.5),))
    said, was = twins(
        f"outage, room for {capacity}", program(capacity=capacity, retry=OFTEN), server=server
    )
    assert said.loss == pytest.approx(share, abs=0.1)
    assert was.loss == pytest.approx(said.loss, abs=0.1)
    if not share:
        assert (said.lost, was.lost) == (0, 0)


@pytest.mark.parametrize("in_flight", [1, 8])
def test_several_on_their_way_over_a_long_round_trip(in_flight: int) -> None:
    """One at a time carries a quarter of what comes; eight at a time twice of it."""
    said, was = twins(
        f"{in_flight} in flight",
        program(capacity=400, batch_size=50, in_flight=in_flight),
        server=Server(round_trip=0.2),
    )
    assert was.loss == pytest.approx(said.loss, abs=0.1)
    if in_flight == 8:
        assert (said.lost, was.lost) == (0, 0)
    else:
        assert said.loss > 0.4


def test_a_server_with_two_hands() -> None:
    """Eight at a time are of no use to a peer that serves two: it carries a third of what comes."""
    said, was = twins(
        "two hands",
        program(capacity=400, batch_size=50, in_flight=8),
        server=Server(per_request=0.3, parallel=2),
    )
    assert 0.2 < said.loss < 0.5
    assert was.loss == pytest.approx(said.loss, abs=0.1)


def test_clients_that_try_again_through_an_outage() -> None:
    """Twenty programs, attempts after 0, 0.2, 0.6 and 1.4 s; the peer is back after 1 s."""
    retry = Retry(Backoff(base=0.2, factor=2.0, cap=5.0, jitter="none"), deadline=10.0)
    one = Program([0.0], capacity=1, batch_size=1, delay=1.0, retry=retry)
    server = Server(outages=(Outage(0.0, 1.0),))
    said, was = twins("twenty clients", *[one] * 20, server=server)
    assert said.delivered == was.delivered == 20
    assert said.attempts == 20 * 4
    assert was.attempts == pytest.approx(said.attempts, rel=0.25)

    never = replace(one, retry=replace(retry, attempts=2))
    said, was = twins("twenty clients, two attempts", *[never] * 20, server=server)
    assert said.lost == was.lost == 20


def test_a_program_that_waits_for_room() -> None:
    """A thousand at once into a queue for two hundred: none is lost, and the program stands still."""
    waiting = Program(
        [0.0] * 1000, capacity=200, batch_size=100, delay=0.5, when_full="block", block_timeout=20.0
    )
    said, was = twins("block", waiting, server=Server(round_trip=0.2))
    assert (said.lost, was.lost) == (0, 0)
    assert was.stood_still == pytest.approx(said.stood_still, rel=0.3)
