"""The fan-out: no destination waits for another, and each one's account balances."""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from otlp_kit.exporters.fan_out import FanOut
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.ledger import EXPORT_FAILED, FORK, QUEUE_FULL, TIMEOUT
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.wire import TRACES, Accepted, Payload, Refused, Unavailable

PATIENCE = 30.0


def payload(items: int = 1, size: int = 1) -> Payload:
    return Payload(TRACES, b"x" * size, items)


class Destination:
    """Answers as it is told, hangs while its gate is closed, keeps what it was given."""

    def __init__(self) -> None:
        self.answer: Any = Accepted()
        self.gate = threading.Event()
        self.gate.set()
        self.holds = threading.Event()
        self.seen: list[Payload] = []
        self.deadlines: list[float] = []
        self.closed = 0

    def send(self, payload: Payload, deadline: float) -> Accepted:
        self.seen.append(payload)
        self.deadlines.append(deadline)
        self.holds.set()
        assert self.gate.wait(PATIENCE)
        self.holds.clear()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]

    def close(self) -> None:
        self.closed += 1


def wait_for(condition: Callable[[], bool]) -> None:
    last = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.0005)


@pytest.mark.spec("OTLP-66")
def test_a_dead_destination_delays_neither_the_others_nor_the_caller() -> None:
    """It hangs for the whole test; ten payloads come through beside it."""
    near, dead = Destination(), Destination()
    dead.gate.clear()
    fan_out = FanOut({"dead": dead, "near": near}, max_payloads=4)
    for _ in range(10):
        fan_out.send(payload(3), 0.0)
        wait_for(lambda: not fan_out.totals()["near"].inside)
    totals = fan_out.totals()
    assert (totals["near"].created, totals["near"].delivered) == (30, 30)
    assert totals["dead"].created == 30
    assert totals["dead"].inside == 3 * (1 + 4)
    assert totals["dead"].dropped == {QUEUE_FULL: 3 * 5}
    dead.gate.set()
    assert not fan_out.close(PATIENCE), "five payloads are missing there"
    assert fan_out.totals()["dead"].delivered == 15
    assert (near.closed, dead.closed) == (1, 1)


@pytest.mark.spec("OTLP-66")
def test_one_encode_serves_all() -> None:
    """Every destination is given the same object, in the order in which they were sent."""
    destinations = {name: Destination() for name in ("a", "b", "c")}
    fan_out = FanOut(destinations)
    encoded: list[int] = []
    exporter: OtlpExporter[int] = OtlpExporter(
        lambda batch: bytes(encoded.append(len(batch)) or batch), fan_out, TRACES
    )
    for number in range(5):
        assert exporter.export([number], 0.0) == Accepted()
    exporter.shutdown()
    a, b, c = destinations.values()
    assert [seen.body for seen in a.seen] == [bytes([n]) for n in range(5)]
    assert all(x is y is z for x, y, z in zip(a.seen, b.seen, c.seen, strict=True))
    assert len(encoded) == 5
    assert [each.closed for each in (a, b, c)] == [1, 1, 1]


@pytest.mark.spec("OTLP-66")
def test_each_has_its_own_answers_and_accounts() -> None:
    """Acknowledged, rejected, failed, unknown, and nonsense: each in its own ledger."""
    answers: dict[str, Any] = {
        "well": Accepted(),
        "partly": Accepted(2, "bad"),
        "away": Unavailable("away"),
        "unsure": Unavailable("no answer", maybe_delivered=True),
        "never": Refused("no"),
        "exits": SystemExit(1),
        "silent": None,
        "greedy": Accepted(99),
    }
    destinations = {name: Destination() for name in answers}
    for name, destination in destinations.items():
        destination.answer = answers[name]
    fan_out = FanOut(destinations)
    assert fan_out.send(payload(5), 0.0) == Accepted()
    assert not fan_out.flush(PATIENCE)
    assert {name: str(totals) for name, totals in fan_out.totals().items()} == {
        "well": "created 5 = delivered 5",
        "partly": "created 5 = delivered 3 + rejected 2",
        "away": "created 5 = dropped 5 (export_failed 5)",
        "unsure": "created 5 = unknown 5",
        "never": "created 5 = dropped 5 (export_failed 5)",
        "exits": "created 5 = dropped 5 (export_failed 5)",
        "silent": "created 5 = dropped 5 (export_failed 5)",
        "greedy": "created 5 = rejected 5",
    }
    assert fan_out.flush(PATIENCE), "nothing failed since the last flush"
    fan_out.close(PATIENCE)


def test_what_nobody_has_room_for_stays_the_callers() -> None:
    """Nothing is counted here: the ledgers begin with what the sender upstream counts as delivered."""
    slow = {name: Destination() for name in ("a", "b")}
    for destination in slow.values():
        destination.gate.clear()
    fan_out = FanOut(slow, max_payloads=1)
    fan_out.send(payload(), 0.0)
    assert all(each.holds.wait(PATIENCE) for each in slow.values())
    fan_out.send(payload(), 0.0)
    with pytest.raises(Unavailable, match="the queue of every destination is full"):
        fan_out.send(payload(), 0.0)
    slow["a"].gate.set()
    wait_for(lambda: not fan_out.totals()["a"].inside)
    assert fan_out.send(payload(7), 0.0) == Accepted(0, "no room in the queue of b")
    assert [totals.created for totals in fan_out.totals().values()] == [9, 9]
    slow["b"].gate.set()
    fan_out.close(PATIENCE)


def test_a_queue_is_bounded_in_bytes() -> None:
    """Few large payloads fill it as well as many small ones."""
    slow, near = Destination(), Destination()
    slow.gate.clear()
    fan_out = FanOut({"slow": slow, "near": near}, max_bytes=100)
    fan_out.send(payload(size=100), 0.0)
    assert slow.holds.wait(PATIENCE)  # on its way, so no longer in the queue
    for size, fits in ((60, True), (41, False), (40, True), (1, False)):
        wait_for(lambda: not fan_out.totals()["near"].inside)
        answer = fan_out.send(payload(size=size), 0.0)
        assert (answer == Accepted()) is fits
    with pytest.raises(Refused, match="101 bytes") as raised:
        fan_out.send(payload(size=101), 0.0)
    assert raised.value.too_large
    slow.gate.set()
    assert not fan_out.close(PATIENCE), "two found no room"
    assert [len(seen.body) for seen in slow.seen] == [100, 60, 40]


@pytest.mark.spec("OTLP-64")
def test_close_is_bounded_and_counts_what_it_gives_up() -> None:
    """What is queued for a dead destination is dropped; the sender is told; what hangs is inside."""
    clock = FakeClock()
    near, dead = Destination(), Destination()
    dead.gate.clear()
    fan_out = FanOut({"near": near, "dead": dead}, send_timeout=20, clock=clock)
    for _ in range(3):
        fan_out.send(payload(2), 0.0)
    assert dead.holds.wait(PATIENCE)
    results: list[bool] = []
    closing = threading.Thread(target=lambda: results.append(fan_out.close(5)))
    closing.start()
    wait_for(lambda: near.closed == 1)
    assert clock.await_sleepers(1)
    clock.advance(5)
    closing.join(PATIENCE)
    assert results == [False]
    wait_for(lambda: dead.closed == 1)
    assert str(fan_out.totals()["dead"]) == "created 6 = inside 2 + dropped 4 (timeout 4)"
    assert str(fan_out.totals()["near"]) == "created 6 = delivered 6"
    with pytest.raises(Refused, match="closed"):
        fan_out.send(payload(), 0.0)
    dead.answer = Refused("the sender is closed")
    clock.advance(15)
    dead.gate.set()
    wait_for(lambda: not fan_out.totals()["dead"].inside)
    assert fan_out.totals()["dead"].dropped == {TIMEOUT: 6}, "its 20 seconds were over"
    assert not fan_out.close(PATIENCE), "the last payload failed since"
    assert dead.closed == 1


def test_a_destination_has_its_time_from_when_its_turn_comes() -> None:
    """Not from when the payload was handed over, nor the caller's."""
    clock = FakeClock()
    slow = Destination()
    slow.gate.clear()
    fan_out = FanOut({"slow": slow}, send_timeout=20, clock=clock)
    fan_out.send(payload(), 1.0)
    assert slow.holds.wait(PATIENCE)
    fan_out.send(payload(), 1.0)
    clock.advance(7)
    slow.gate.set()
    wait_for(lambda: len(slow.seen) == 2)
    assert slow.deadlines == [20, 27]
    fan_out.close(PATIENCE)


def test_the_callers_context_travels_with_the_payload() -> None:
    """It says that this is an export, so that what a client records meanwhile is not exported too."""
    exporting = contextvars.ContextVar("exporting", default=False)
    found: list[bool] = []

    class Recording(Destination):
        def send(self, payload: Payload, deadline: float) -> Accepted:
            found.append(exporting.get())
            return Accepted()

    fan_out = FanOut({"a": Recording(), "b": Recording()})
    fan_out.send(payload(), 0.0)
    token = exporting.set(True)
    fan_out.send(payload(), 0.0)
    exporting.reset(token)
    assert fan_out.close(PATIENCE)
    assert Counter(found) == {False: 2, True: 2}


def test_a_sender_that_waits_for_its_own_fan_out_is_told_no() -> None:
    """It would wait for itself."""
    found: list[bool] = []

    class Waiting(Destination):
        def send(self, payload: Payload, deadline: float) -> Accepted:
            found.extend((fan_out.flush(PATIENCE), fan_out.close(PATIENCE)))
            return Accepted()

    fan_out = FanOut({"a": Waiting()})
    fan_out.send(payload(), 0.0)
    assert fan_out.close(PATIENCE)
    assert found == [False, False]


def test_trouble_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """A dead destination does not fill the log."""
    clock = FakeClock()
    away, partly = Destination(), Destination()
    away.answer, partly.answer = Unavailable("cannot connect"), Accepted(1, "bad id")
    fan_out = FanOut({"away": away, "partly": partly}, clock=clock)
    for seconds in (0, 59, 1):
        clock.advance(seconds)
        fan_out.send(payload(2), 0.0)
        wait_for(lambda: not any(totals.inside for totals in fan_out.totals().values()))
    fan_out.close(PATIENCE)
    failed, rejected = "away: sending 2 records failed: cannot connect", "partly: 1 of 2 records"
    assert sum(message == failed for message in caplog.messages) == 2
    assert sum(message.startswith(rejected) for message in caplog.messages) == 2


def test_it_shows_its_state() -> None:
    """Each way with its queue and its account."""
    fan_out = FanOut({"a": Destination(), "b": Destination()}, max_payloads=9)
    assert repr(fan_out) == "<FanOut [a: queued 0/9, created 0 = 0 | b: queued 0/9, created 0 = 0]>"
    fan_out.close(PATIENCE)


@pytest.mark.parametrize(
    ("destinations", "settings", "names"),
    [
        ({}, {}, "destinations"),
        ({"a": Destination()}, {"max_payloads": 0}, "max_payloads"),
        ({"a": Destination()}, {"max_bytes": 0}, "max_bytes"),
        ({"a": Destination()}, {"send_timeout": 0}, "send_timeout"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    destinations: Any, settings: dict[str, Any], names: str
) -> None:
    """At construction."""
    with pytest.raises(ValueError, match=names):
        FanOut(destinations, **settings)


def test_a_child_begins_with_empty_queues_and_workers_of_its_own() -> None:
    """What was inside is sent by the parent, once; the child counts it as dropped (fork)."""
    near, slow = Destination(), Destination()
    slow.gate.clear()
    fan_out = FanOut({"near": near, "slow": slow})
    for _ in range(3):
        fan_out.send(payload(2), 0.0)
    assert slow.holds.wait(PATIENCE)
    wait_for(lambda: not fan_out.totals()["near"].inside)
    child = os.fork()
    if not child:
        try:
            assert {name: str(totals) for name, totals in fan_out.totals().items()} == {
                "near": "created 0 = 0",
                "slow": f"created 6 = dropped 6 ({FORK} 6)",
            }
            near.seen.clear()
            slow.seen.clear()
            slow.gate.set()
            assert fan_out.send(payload(1), 0.0) == Accepted()
            assert fan_out.close(PATIENCE)
            assert (len(near.seen), len(slow.seen)) == (1, 1)
            assert fan_out.totals()["slow"].delivered == 1
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    slow.gate.set()
    assert fan_out.close(PATIENCE)
    assert fan_out.totals()["slow"].delivered == 6


ANSWERS: list[Any] = [
    Accepted(),
    Accepted(1, "one"),
    Unavailable("away"),
    Unavailable("unsure", maybe_delivered=True),
    Refused("no"),
    RuntimeError("odd"),
    None,
]
PAYLOADS, BYTES, SECONDS = 3, 100, 20.0


class Model:
    """What is known of one destination, told in the simplest way."""

    def __init__(self) -> None:
        self.destination = Destination()
        self.fates: Counter[str] = Counter()
        self.flying: tuple[Payload, float] | None = None
        self.queue: list[Payload] = []
        self.failures = 0

    @property
    def hangs(self) -> bool:
        return not self.destination.gate.is_set()

    def has_room(self, size: int) -> bool:
        held = sum(len(each.body) for each in self.queue)
        return len(self.queue) < PAYLOADS and held + size <= BYTES

    def settle(self, payload: Payload, late: bool) -> None:
        answer = self.destination.answer
        if isinstance(answer, Accepted):
            rejected = min(answer.rejected, payload.items)
            self.fates["rejected"] += rejected
            self.fates["delivered"] += payload.items - rejected
        elif isinstance(answer, Unavailable) and answer.maybe_delivered:
            self.fates["unknown"] += payload.items
            self.failures += 1
        else:
            self.failures += 1
            self.fates[TIMEOUT if late else EXPORT_FAILED] += payload.items

    def inside(self) -> int:
        return sum(p.items for p in self.queue) + (self.flying[0].items if self.flying else 0)


class Accounts(RuleBasedStateMachine):
    """One fan-out, whatever its destinations do; each ledger is predicted to the record."""

    @initialize(count=st.integers(1, 3))
    def start(self, count: int) -> None:
        self.clock = FakeClock()
        self.ways = {name: Model() for name in "abc"[:count]}
        self.fan_out = FanOut(
            {name: way.destination for name, way in self.ways.items()},
            max_payloads=PAYLOADS,
            max_bytes=BYTES,
            send_timeout=SECONDS,
            clock=self.clock,
        )
        self.handed_over = self.told = 0
        self.closed = False

    @rule(items=st.integers(1, 4), size=st.sampled_from([1, 30, 60, 100, 101]))
    def send(self, items: int, size: int) -> None:
        sent = payload(items, size)
        room = [way for way in self.ways.values() if way.has_room(size)]
        if self.closed or size > BYTES:
            with pytest.raises(Refused):
                self.fan_out.send(sent, 0.0)
            return
        if not room:
            with pytest.raises(Unavailable):
                self.fan_out.send(sent, 0.0)
            return
        answer = self.fan_out.send(sent, 0.0)
        assert bool(answer.message) == (len(room) < len(self.ways))
        self.handed_over += items
        for way in self.ways.values():
            if way not in room:
                way.fates[QUEUE_FULL] += items
                way.failures += 1
            elif not way.hangs:
                way.settle(sent, late=False)
            elif way.flying:
                way.queue.append(sent)
            else:
                way.flying = sent, self.clock.monotonic() + SECONDS
                assert way.destination.holds.wait(PATIENCE)

    def pick(self, index: int) -> Model:
        return list(self.ways.values())[index % len(self.ways)]

    @rule(index=st.integers(0, 2), answer=st.sampled_from(ANSWERS))
    def one_changes_its_mind(self, index: int, answer: Any) -> None:
        self.pick(index).destination.answer = answer

    @rule(index=st.integers(0, 2))
    def one_hangs(self, index: int) -> None:
        self.pick(index).destination.gate.clear()

    @rule(index=st.integers(0, 2))
    def one_goes_on(self, index: int) -> None:
        way = self.pick(index)
        if way.flying:
            sent, deadline = way.flying
            way.settle(sent, late=self.clock.monotonic() >= deadline)
        for sent in way.queue:
            way.settle(sent, late=False)
        way.flying, way.queue = None, []
        way.destination.gate.set()

    @rule(seconds=st.sampled_from([1.0, SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def ask(self, ask: Callable[[float], bool]) -> bool:
        """What a call returns that waits; if something hangs, the clock turns until it gives up."""
        answers: list[bool] = []
        thread = threading.Thread(target=lambda: answers.append(ask(0.5)))
        thread.start()
        if any(way.flying for way in self.ways.values()):
            while thread.is_alive():
                if self.clock.await_sleepers(1, 0.01):
                    self.clock.advance(0.5)
        thread.join(PATIENCE)
        [answer] = answers
        return answer

    def all_arrived(self) -> bool:
        """Whether nothing hangs, and nothing has failed since this was asked before."""
        hangs = any(way.flying for way in self.ways.values())
        failures = sum(way.failures for way in self.ways.values())
        told, self.told = self.told, failures
        return not hangs and failures == told

    @rule()
    def flush(self) -> None:
        assert self.ask(self.fan_out.flush) is self.all_arrived()

    @rule()
    def close(self) -> None:
        arrived = self.ask(self.fan_out.close)
        self.closed = True
        for way in self.ways.values():
            way.fates[TIMEOUT] += sum(each.items for each in way.queue)
            way.failures += len(way.queue)
            way.queue = []
        assert arrived is self.all_arrived()
        for way in self.ways.values():
            wait_for(lambda way=way: way.destination.closed == 1)  # type: ignore[misc]

    def settled(self) -> None:
        for name, way in self.ways.items():
            wait_for(lambda n=name, w=way: self.fan_out.totals()[n].inside == w.inside())  # type: ignore[misc]

    @invariant()
    def balanced(self) -> None:
        self.settled()
        for name, totals in self.fan_out.totals().items():
            way = self.ways[name]
            found = {
                "delivered": totals.delivered,
                "rejected": totals.rejected,
                "unknown": totals.unknown,
                **totals.dropped,
            }
            assert +Counter(found) == +way.fates
            assert totals.created == self.handed_over
            assert way.destination.closed <= self.closed

    def teardown(self) -> None:
        for index in range(len(self.ways)):
            self.one_goes_on(index)
        self.close()
        self.balanced()
        assert all(not totals.inside for totals in self.fan_out.totals().values())


TestAccounts = pytest.mark.slow(Accounts.TestCase)
TestAccounts.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)


@pytest.mark.slow
def test_threads_that_send_flush_and_close_at_once_leave_nothing_unexplained() -> None:
    """What was accepted is what each ledger began with, however the calls fall together."""
    for _ in range(40):
        destinations = {name: Destination() for name in ("a", "b")}
        fan_out = FanOut(destinations, max_payloads=2)
        accepted: list[int] = []

        def produce(fan_out: FanOut = fan_out, accepted: list[int] = accepted) -> None:
            for items in range(1, 50):
                try:
                    fan_out.send(payload(items), 0.0)
                    accepted.append(items)
                except (Unavailable, Refused):
                    pass

        threads = [threading.Thread(target=produce) for _ in range(3)]
        threads.append(threading.Thread(target=fan_out.flush))
        threads.append(threading.Thread(target=fan_out.close))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        fan_out.close(PATIENCE)
        for name, totals in fan_out.totals().items():
            assert totals.created == sum(accepted)
            assert totals.inside == 0
            assert totals.delivered == sum(sent.items for sent in destinations[name].seen)
