"""A whole simulation loses sight of no record, and obeys the laws that queues obey."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate import Outage, Program, Report, Retry, Server, poisson, simulate, steady
from otlp_kit.simulate.clients import NEVER

seconds = st.floats(0, 3)
retries = st.one_of(
    st.just(NEVER),
    st.builds(
        Retry,
        st.builds(Backoff, st.floats(0.1, 1), jitter=st.sampled_from(("none", "full", "equal"))),
        attempts=st.integers(1, 5),
        timeout=st.floats(0.1, 3),
        deadline=st.floats(0.1, 10),
        budget=st.sampled_from((0.0, 0.2, math.inf)),
    ),
)
programs = st.builds(
    Program,
    st.lists(st.floats(0, 20), max_size=60).map(sorted),
    capacity=st.integers(4, 20),
    batch_size=st.integers(1, 4),
    delay=st.floats(0.1, 6),
    when_full=st.sampled_from(("drop_newest", "drop_oldest", "sample", "block")),
    block_timeout=st.floats(0.1, 3),
    in_flight=st.integers(1, 3),
    retry=retries,
)
servers = st.builds(
    Server,
    round_trip=seconds,
    per_request=seconds,
    per_item=st.floats(0, 0.5),
    by_chance=st.booleans(),
    parallel=st.sampled_from((1, 2, math.inf)),
    backlog=st.sampled_from((0, 1, math.inf)),
    limit=st.sampled_from((1, 5, math.inf)),
    retry_after=st.one_of(st.none(), seconds),
    reject_every=st.sampled_from((0, 2)),
    refuse_over=st.sampled_from((2, math.inf)),
    outages=st.lists(
        st.builds(
            Outage,
            st.floats(0, 20),
            st.floats(0, 20),
            st.sampled_from(("refused", "silent", "unanswered")),
        ),
        max_size=2,
    ).map(tuple),
)


@given(st.lists(programs, max_size=3), servers, st.one_of(st.just(math.inf), st.floats(0, 25)))
@settings(max_examples=150)
def test_every_record_is_somewhere(clients: list[Program], server: Server, until: float) -> None:
    """Created = delivered + rejected + lost by reason + unknown + inside; the peer agrees."""
    report = simulate(*clients, server=server, until=until)
    totals = report.totals
    settled = report.delivered + totals.rejected + sum(report.lost.values()) + report.unknown
    assert report.offered == settled + report.inside
    assert (
        report.delivered
        <= report.stored
        <= report.offered - sum(report.lost.get(reason, 0) for reason in ("queue_full",))
    )
    assert sum(report.requests) <= report.attempts
    assert report.peak <= report.offered
    if until == math.inf:
        assert report.inside == 0
        assert report.offered == sum(len(list(client.arrivals)) for client in clients)
        assert sum(report.requests) == report.attempts
        assert report.peak <= sum(
            client.capacity + client.in_flight * client.batch_size for client in clients
        )


@given(st.lists(programs, min_size=1, max_size=3), servers)
def test_littles_law_holds_exactly(clients: list[Program], server: Server) -> None:
    """L = lambda W: the queue's length over time is the sum of all waits, whatever happens."""
    report = simulate(*clients, server=server)
    if report.seconds > 1e-9:  # less is no time that a rate can be told of
        rate = len(report.waits) / report.seconds
        assert report.mean_length == pytest.approx(rate * report.mean_wait, rel=1e-9, abs=1e-9)


@given(programs, servers, st.integers())
def test_the_seed_decides(client: Program, server: Server, seed: int) -> None:
    """The same call, the same report."""
    assert simulate(client, server=server, seed=seed) == simulate(client, server=server, seed=seed)


def one_by_one(rate: float, service: float, *, by_chance: bool, hands: int = 1) -> Report:
    """Each record a request of its own; the queue is the kit's, and never full."""
    return simulate(
        Program(
            poisson(rate, 40_000 / rate, seed=5),
            capacity=100_000, batch_size=1, delay=1e6, in_flight=hands,
        ),
        server=Server(per_request=service, by_chance=by_chance),
        seed=6,
    )  # fmt: skip


@pytest.mark.parametrize("load", [0.3, 0.5, 0.8])
def test_fixed_work_queues_as_pollaczek_and_khinchine_say(load: float) -> None:
    """M/D/1: Wq = rho S / (2 (1 - rho)), Lq = lambda Wq."""
    wait = load * 0.01 / (2 * (1 - load))
    report = one_by_one(load / 0.01, 0.01, by_chance=False)
    assert report.mean_wait == pytest.approx(wait, rel=0.06)
    assert report.mean_length == pytest.approx(load / 0.01 * wait, rel=0.06)


@pytest.mark.parametrize("load", [0.3, 0.5, 0.8])
def test_random_work_queues_twice_as_long(load: float) -> None:
    """M/M/1: Wq = rho S / (1 - rho); and p99 of a wait that is 0 with probability 1 - rho."""
    report = one_by_one(load / 0.01, 0.01, by_chance=True)
    assert report.mean_wait == pytest.approx(load * 0.01 / (1 - load), rel=0.12)
    p99 = math.log(load / 0.01) * 0.01 / (1 - load)
    assert report.wait(0.99) == pytest.approx(p99, rel=0.15)


def test_three_workers_wait_as_erlang_says() -> None:
    """M/M/c with c = 3, rho = 0.8: Erlang's C formula."""
    hands, load, service = 3, 0.8, 0.01
    offered = hands * load
    full = offered**hands / math.factorial(hands) / (1 - load)
    waits = full / (sum(offered**n / math.factorial(n) for n in range(hands)) + full)
    report = one_by_one(offered / service, service, by_chance=True, hands=hands)
    assert report.mean_wait == pytest.approx(waits * service / (hands * (1 - load)), rel=0.12)


@pytest.mark.parametrize(("in_flight", "size"), [(1, 100), (4, 100), (2, 512), (3, 7)])
def test_throughput_is_bounded_and_reaches_the_bound(in_flight: int, size: int) -> None:
    """X <= k B / (RTT + S), and under any overload X is that."""
    server = Server(round_trip=0.2, per_request=0.05, per_item=0.0001)
    bound = in_flight * size / (0.2 + server.seconds(size))
    report = simulate(
        Program(steady(2 * bound, 50), batch_size=size, delay=1.0, in_flight=in_flight),
        server=server,
        until=50.0,
    )
    assert report.delivered <= bound * 50
    assert report.delivered == pytest.approx(bound * 50, rel=0.05)


@pytest.mark.parametrize(("rate", "capacity"), [(400, 2000), (150, 500), (1000, 8000)])
def test_a_queue_fills_when_it_should(rate: float, capacity: int) -> None:
    """After N / (lambda - mu) seconds, give or take one batch, and not before."""
    leaving = 100  # a second: batches of 10 that take 0.1 s
    until = capacity / (rate - leaving)

    def lost(seconds: float) -> int:
        program = Program(steady(rate, seconds), capacity=capacity, batch_size=10, delay=1.0)
        return sum(simulate(program, server=Server(per_request=0.1)).lost.values())

    assert lost(until - 0.2) == 0
    assert lost(until + 0.4) > 0


@pytest.mark.parametrize(
    ("wait", "worst"),
    [
        (lambda: Backoff(base=1.0, cap=30.0, jitter="none"), 1.0),
        (lambda: Backoff(base=1.0, cap=30.0, jitter="full"), 0.4),
    ],
)
def test_a_storm_comes_back_together_unless_it_is_spread(
    wait: Callable[[], Backoff], worst: float
) -> None:
    """A thousand clients that failed in one instant: without jitter all of them are one bucket."""
    retry = Retry(wait(), timeout=0.5, deadline=60.0)
    report = simulate(
        *[Program([0.0], capacity=1, batch_size=1, delay=1.0, retry=retry) for _ in range(1000)],
        server=Server(outages=(Outage(0.0, 2.0),)),
    )
    assert report.delivered == 1000
    after = report.requests[20:]
    assert max(after) <= worst * 1000
    assert (max(after) == 1000) == (worst == 1.0)
