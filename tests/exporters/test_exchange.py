"""One sender for another while payloads are under way: each arrives, and each sender is closed once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from otlp_kit.exporters.exchange import Exchange
from otlp_kit.exporters.fan_out import FanOut
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.reliability.retry import Retrying
from otlp_kit.wire import TRACES, Accepted, Payload, Refused, Unavailable

PATIENCE = 30.0
PAYLOAD = Payload(TRACES, b"x", 1)


class Peer:
    """Answers as it is told, hangs while its gate is closed, refuses once it is closed itself."""

    def __init__(self, name: str = "", answer: Exception | None = None) -> None:
        self.name = name
        self.answer = answer
        self.gate = threading.Event()
        self.gate.set()
        self.sent = self.under_way = self.closed = 0
        self.cut_off = 0
        """Sends that were under way when it was closed, or came after that."""
        self.lock = threading.Lock()

    def send(self, payload: Payload, deadline: float) -> Accepted:
        with self.lock:
            self.under_way += 1
        assert self.gate.wait(PATIENCE)
        with self.lock:
            self.under_way -= 1
            if self.closed:
                self.cut_off += 1
                raise Refused("the sender is closed")
            if self.answer:
                raise self.answer
            self.sent += 1
        return Accepted(message=self.name)

    def close(self) -> None:
        with self.lock:
            self.closed += 1
            self.cut_off += self.under_way
        self.gate.set()


def wait_for(condition: Callable[[], bool]) -> None:
    last = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.0005)


def later() -> float:
    return time.monotonic() + PATIENCE


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def test_what_comes_later_goes_the_new_way() -> None:
    """And the old sender, with nothing under way, is closed."""
    old, new = Peer("old"), Peer("new")
    way = Exchange(old)
    assert way.send(PAYLOAD, later()).message == "old"
    way.exchange(new)
    assert way.send(PAYLOAD, later()).message == "new"
    assert way.sender is new
    wait_for(lambda: old.closed == 1)
    way.close()
    assert (old.closed, new.closed) == (1, 1)


def test_what_is_under_way_is_not_cut_off(pool: ThreadPoolExecutor) -> None:
    """Three sends hang at the old one; only the last that returns closes it."""
    old, new = Peer("old"), Peer("new")
    old.gate.clear()
    way = Exchange(old)
    hanging = [pool.submit(way.send, PAYLOAD, later()) for _ in range(3)]
    wait_for(lambda: old.under_way == 3)
    way.exchange(new)
    assert way.send(PAYLOAD, later()).message == "new"
    assert old.closed == 0
    assert repr(way) == "<Exchange [exchanged 1 | under way 0, through old senders 3]>"
    old.gate.set()
    assert {each.result(PATIENCE).message for each in hanging} == {"old"}
    wait_for(lambda: old.closed == 1)
    assert old.cut_off == 0
    way.close()


def test_inside_of_a_retry_the_next_attempt_goes_the_new_way(pool: ThreadPoolExecutor) -> None:
    """A peer that is gone does not have to come back for what was sent to it."""
    old, new = Peer("old", Unavailable("gone")), Peer("new")
    way = Exchange(old)
    retrying = Retrying(way, backoff=Backoff(base=0.001, cap=0.001))
    sending = pool.submit(retrying.send, PAYLOAD, later())
    way.exchange(new)
    assert sending.result(PATIENCE).message == "new"
    retrying.close()
    assert (old.closed, new.closed) == (1, 1)


def test_what_a_sender_raises_is_raised_and_counted(pool: ThreadPoolExecutor) -> None:
    """A send that fails is over, too: its sender is closed afterwards."""
    old = Peer(answer=Unavailable("away", retry_after=3.0))
    old.gate.clear()
    way = Exchange(old)
    failing = pool.submit(way.send, PAYLOAD, later())
    wait_for(lambda: old.under_way == 1)
    way.exchange(Peer())
    old.gate.set()
    error = failing.exception(PATIENCE)
    assert isinstance(error, Unavailable)
    assert error.retry_after == 3.0
    wait_for(lambda: old.closed == 1)


def test_close_ends_what_is_under_way_as_every_sender_does(pool: ThreadPoolExecutor) -> None:
    """Whoever hangs at an old or the current one is let go by its sender, and nobody comes in."""
    old, new = Peer(), Peer()
    way = Exchange(old)
    old.gate.clear()
    new.gate.clear()
    hanging = [pool.submit(way.send, PAYLOAD, later())]
    wait_for(lambda: old.under_way == 1)
    way.exchange(new)
    hanging.append(pool.submit(way.send, PAYLOAD, later()))
    wait_for(lambda: new.under_way == 1)
    way.close()
    way.close()
    assert all(isinstance(each.exception(PATIENCE), Refused) for each in hanging)
    with pytest.raises(Refused, match="the sender is closed"):
        way.send(PAYLOAD, later())
    assert (old.closed, new.closed) == (1, 1)
    assert "closed" in repr(way)


def test_close_waits_for_an_old_one_that_is_being_closed_but_not_forever() -> None:
    """A fan-out in the old place has payloads to send: it is given its time."""
    slow = Peer()
    slow.gate.clear()
    fan_out = FanOut({"slow": slow})
    way = Exchange(fan_out)
    way.send(PAYLOAD, later())
    way.exchange(Peer())
    wait_for(lambda: any(t.name == "otlp-kit-exchange" for t in threading.enumerate()))
    way.close(timeout=0.01)
    assert slow.closed == 0, "it hangs longer than that"
    slow.gate.set()
    wait_for(lambda: fan_out.totals()["slow"].delivered == 1)
    wait_for(lambda: slow.closed == 1)


def test_the_old_one_is_waited_for_at_the_end() -> None:
    """When close returns, what the old fan-out had in its queue has arrived."""
    slow = Peer()
    slow.gate.clear()
    way = Exchange(FanOut({"slow": slow}))
    way.send(PAYLOAD, later())
    way.exchange(Peer())
    threading.Timer(0.05, slow.gate.set).start()
    way.close()
    assert (slow.sent, slow.closed) == (1, 1)


def test_a_sender_that_cannot_be_closed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody who sends or exchanges hears of it; one without `close` needs none."""

    class Stubborn(Peer):
        def close(self) -> None:
            raise OSError("stuck")

    class Plain:
        def send(self, payload: Payload, deadline: float) -> Accepted:
            return Accepted()

    way = Exchange(Stubborn())
    way.exchange(Plain())
    way.exchange(Peer())
    way.close()
    assert len(caplog.messages) == 1
    assert "OSError: stuck" in caplog.text


def test_the_same_sender_is_no_exchange(pool: ThreadPoolExecutor) -> None:
    """It would be closed under those who use it; one on its way out cannot be taken back."""
    old, new = Peer(), Peer()
    way = Exchange(old)
    way.exchange(old)
    assert old.closed == 0
    old.gate.clear()
    hanging = pool.submit(way.send, PAYLOAD, later())
    wait_for(lambda: old.under_way == 1)
    way.exchange(new)
    with pytest.raises(ValueError, match="about to be closed"):
        way.exchange(old)
    assert way.sender is new
    old.gate.set()
    hanging.result(PATIENCE)
    way.close()
    assert old.cut_off == 0


def test_what_comes_after_the_end_is_closed() -> None:
    """A reload that meets the shutdown leaves no connection behind."""
    way, late = Exchange(Peer()), Peer()
    way.close()
    way.exchange(late)
    wait_for(lambda: late.closed == 1)


def test_an_exporter_s_shutdown_closes_what_is_current() -> None:
    """It is a `Sender` as any other."""
    old, new = Peer("old"), Peer("new")
    way = Exchange(old)
    exporter: OtlpExporter[int] = OtlpExporter(bytes, way, TRACES)
    way.exchange(new)
    assert exporter.export([1], later()) == Accepted(message="new")
    exporter.shutdown()
    assert (old.closed, new.closed) == (1, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_the_child_of_a_fork_counts_its_own(pool: ThreadPoolExecutor) -> None:
    """The parent's sends never return there, and its lock may have been held."""
    current = Peer("current")
    way = Exchange(current)
    current.gate.clear()
    hanging = pool.submit(way.send, PAYLOAD, later())
    wait_for(lambda: current.under_way == 1)
    way._lock.acquire()
    child = os.fork()
    if not child:
        try:
            current.gate.set()
            current.under_way = 0
            new = Peer("new")
            arrived = way.send(PAYLOAD, later()).message == "current"
            way.exchange(new)
            wait_for(lambda: current.closed == 1)
            way.close(PATIENCE)
            os._exit(0 if arrived and (current.closed, new.closed) == (1, 1) else 1)
        finally:
            os._exit(2)
    way._lock.release()
    assert os.waitpid(child, 0)[1] == 0
    current.gate.set()
    hanging.result(PATIENCE)
    way.close()


class Ways(RuleBasedStateMachine):
    """Sends that begin, hang and end in any order, and exchanges between them."""

    def __init__(self) -> None:
        super().__init__()
        self.peers = [Peer()]
        self.way = Exchange(self.peers[0])
        self.threads = ThreadPoolExecutor(16)
        self.sends: list[tuple[Peer, object]] = []

    @rule(hangs=st.booleans())
    def exchange(self, hangs: bool) -> None:
        self.peers.append(Peer())
        if hangs:
            self.peers[-1].gate.clear()
        self.way.exchange(self.peers[-1])

    @precondition(lambda self: sum(peer.under_way for peer in self.peers) < 12)
    @rule()
    def send(self) -> None:
        peer = self.peers[-1]
        over, hanging = peer.sent, peer.under_way
        self.threads.submit(self.way.send, PAYLOAD, later())
        wait_for(lambda: (peer.sent, peer.under_way) != (over, hanging))

    @rule(number=st.integers(0, 20))
    def let_go(self, number: int) -> None:
        self.peers[number % len(self.peers)].gate.set()

    @invariant()
    def nothing_is_cut_off_and_none_is_kept(self) -> None:
        *old, current = self.peers
        assert current.closed == 0
        assert sum(peer.cut_off for peer in self.peers) == 0
        for peer in old:
            if not peer.gate.is_set() and peer.under_way:
                assert peer.closed == 0
            else:
                wait_for(lambda peer=peer: peer.closed == 1)  # type: ignore[misc]

    def teardown(self) -> None:
        for peer in self.peers:
            peer.gate.set()
        self.threads.shutdown()
        self.way.close()
        assert [peer.closed for peer in self.peers] == [1] * len(self.peers)
        assert sum(peer.cut_off for peer in self.peers) == 0


TestWays = Ways.TestCase
TestWays.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@pytest.mark.slow
def test_a_storm_of_exchanges_loses_nothing(pool: ThreadPoolExecutor) -> None:
    """Six threads send as fast as they can while the sender is exchanged two hundred times."""
    peers = [Peer()]
    way, over = Exchange(peers[0]), threading.Event()

    def send() -> int:
        count = 0
        while not over.is_set():
            way.send(PAYLOAD, later())
            count += 1
        return count

    sending = [pool.submit(send) for _ in range(6)]
    for _ in range(200):
        peers.append(Peer())
        way.exchange(peers[-1])
        wait_for(lambda: peers[-1].sent > 0)
    over.set()
    sent = sum(each.result(PATIENCE) for each in sending)
    way.close()
    assert sent == sum(peer.sent for peer in peers)
    assert sum(peer.cut_off for peer in peers) == 0
    assert {peer.closed for peer in peers} == {1}
