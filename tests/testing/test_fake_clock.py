"""A clock that stands still until it is turned."""

from __future__ import annotations

import threading

from otlp_kit.testing.fake_clock import FakeClock


def test_time_passes_only_by_hand() -> None:
    """Reading the clock does not move it."""
    clock = FakeClock()
    assert clock.monotonic() == clock.monotonic() == 0
    clock.advance(2.5)
    assert clock.monotonic() == 2.5


def test_a_sleeper_wakes_when_its_time_has_come_and_not_before() -> None:
    """`advance` returns after those whose time has come are awake."""
    clock, results = FakeClock(), []
    sleeper = threading.Thread(target=lambda: results.append(clock.wait(threading.Event(), 5)))
    sleeper.start()
    assert clock.await_sleepers(1)
    clock.advance(4)
    assert sleeper.is_alive()
    clock.advance(1)
    sleeper.join(10)
    assert results == [False]


def test_an_event_wakes_a_sleeper_at_once() -> None:
    """The clock need not move for that."""
    clock, event, results = FakeClock(), threading.Event(), []
    sleeper = threading.Thread(target=lambda: results.append(clock.wait(event, 5)))
    sleeper.start()
    event.set()
    sleeper.join(10)
    assert results == [True]
    assert clock.monotonic() == 0


def test_waiting_for_sleepers_gives_up() -> None:
    """A test that expects a sleeper fails instead of hanging."""
    assert not FakeClock().await_sleepers(1, timeout=0.01)
