"""A budget is never overdrawn, and served in the order in which its takers came."""

from __future__ import annotations

import threading

import pytest

from otlp_kit.pools.budget import Budget, SystemClock
from otlp_kit.testing.fake_clock import FakeClock


def taker(budget: Budget, amount: int, timeout: float) -> tuple[threading.Thread, list[bool]]:
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(budget.take(amount, timeout)))
    thread.start()
    return thread, seen


def test_who_asks_for_much_is_not_overtaken() -> None:
    """Two units are free, but somebody who came earlier waits for three."""
    clock = FakeClock()
    budget = Budget(3, clock)
    assert budget.take(1, 0)
    large, got_large = taker(budget, 3, 10.0)
    assert clock.await_sleepers(1)
    assert not budget.take(1, 0)
    small, got_small = taker(budget, 1, 10.0)
    assert clock.await_sleepers(2)
    budget.give(1)
    large.join(10)
    assert (got_large, got_small, budget.taken) == ([True], [], 3)
    budget.give(3)
    small.join(10)
    assert (got_small, budget.taken, budget.waiting) == ([True], 1, 0)


def test_those_behind_one_who_gives_up_are_served() -> None:
    """The first wants too much and leaves; for the second there had been enough all along."""
    clock = FakeClock()
    budget = Budget(3, clock)
    assert budget.take(1, 0)
    large, got_large = taker(budget, 3, 1.0)
    assert clock.await_sleepers(1)
    small, got_small = taker(budget, 2, 10.0)
    assert clock.await_sleepers(2)
    clock.advance(1.0)
    large.join(10)
    small.join(10)
    assert (got_large, got_small, budget.taken) == ([False], [True], 3)


class Interrupted(SystemClock):
    """Ctrl-C while waiting; `meanwhile` happens just before."""

    def __init__(self) -> None:
        self.meanwhile = lambda: None

    def wait(self, event: threading.Event, timeout: float) -> bool:
        self.meanwhile()
        raise KeyboardInterrupt


@pytest.mark.parametrize("served", [False, True])
def test_an_interrupt_loses_nothing(served: bool) -> None:
    """Whether or not the budget came in the same instant."""
    clock = Interrupted()
    budget = Budget(1, clock)
    assert budget.take(1, 0)
    if served:
        clock.meanwhile = lambda: budget.give(1)
    with pytest.raises(KeyboardInterrupt):
        budget.take(1, 5.0)
    if not served:
        budget.give(1)
    assert (budget.taken, budget.waiting) == (0, 0)
    assert budget.take(1, 0)


def test_threads_do_not_overdraw_it() -> None:
    """Eight threads take one to three of four, for real."""
    budget = Budget(4, SystemClock())
    over: list[int] = []

    def work(amount: int) -> None:
        for _ in range(200):
            assert budget.take(amount, 30.0)
            if budget.taken > 4:
                over.append(budget.taken)
            budget.give(amount)

    threads = [threading.Thread(target=work, args=(1 + n % 3,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (over, budget.taken, budget.waiting) == ([], 0, 0)
