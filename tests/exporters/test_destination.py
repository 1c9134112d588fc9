"""One destination: what may wait, in which order it leaves, and which fate each answer means."""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

import pytest

from otlp_kit.exporters.destination import Destination
from otlp_kit.ledger import EXPORT_FAILED, FORK, QUEUE_FULL, TIMEOUT
from otlp_kit.wire import TRACES, Accepted, Payload, Refused, Unavailable


class Closing:
    """A sender that only closes, or fails to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.closed = error, 0

    def send(self, payload: Payload, deadline: float) -> Accepted:
        raise NotImplementedError

    def close(self) -> None:
        self.closed += 1
        if self.error:
            raise self.error


def payload(items: int = 1, size: int = 1) -> Payload:
    return Payload(TRACES, b"x" * size, items)


def destination(max_payloads: int = 3, max_bytes: int = 100) -> Destination:
    return Destination("far", Closing(), max_payloads, max_bytes)


def test_first_in_first_out_within_both_bounds() -> None:
    """What is on its way takes no room; what is turned away is counted."""
    far = destination()
    context = copy_context()
    first, second = payload(2, 60), payload(3, 40)
    far.offer(first, context)
    far.offer(second, context)
    assert not far.has_room(1), "100 bytes"
    far.turn_away(payload(5))
    assert far.take() == (first, context)
    assert far.has_room(60)
    assert not far.has_room(61)
    assert far.inside == 2
    far.settle(Accepted(), 10.0, 0.0)
    assert far.take() == (second, context)
    far.offer(payload(), context)
    far.offer(payload(), context)
    far.offer(payload(), context)
    assert not far.has_room(0), "three payloads"
    assert str(far.ledger.totals()) == (
        f"created 13 = delivered 2 + inside 6 + dropped 5 ({QUEUE_FULL} 5)"
    )


@pytest.mark.parametrize(
    ("outcome", "now", "account", "failures"),
    [
        (Accepted(), 0.0, "delivered 5", 0),
        (Accepted(), 99.0, "delivered 5", 0),
        (Accepted(2, "bad"), 0.0, "delivered 3 + rejected 2", 0),
        (Accepted(99, "bad"), 0.0, "rejected 5", 0),
        (Accepted(-1), 0.0, "delivered 5", 0),
        (Unavailable("away"), 0.0, f"dropped 5 ({EXPORT_FAILED} 5)", 1),
        (Unavailable("away"), 10.0, f"dropped 5 ({TIMEOUT} 5)", 1),
        (Unavailable("?", maybe_delivered=True), 10.0, "unknown 5", 1),
        (Refused("no"), 0.0, f"dropped 5 ({EXPORT_FAILED} 5)", 1),
        (SystemExit(1), 0.0, f"dropped 5 ({EXPORT_FAILED} 5)", 1),
        (None, 0.0, f"dropped 5 ({EXPORT_FAILED} 5)", 1),
        (Accepted("all"), 0.0, f"dropped 5 ({EXPORT_FAILED} 5)", 1),  # type: ignore[arg-type]
    ],
)
def test_every_answer_is_one_fate(outcome: Any, now: float, account: str, failures: int) -> None:
    """Each record meets exactly one, whatever the sender did."""
    far = destination()
    far.offer(payload(5), copy_context())
    far.take()
    far.settle(outcome, 10.0, now)
    assert str(far.ledger.totals()) == f"created 5 = {account}"
    assert (far.settled, far.failures, far.inside) == (1, failures, 0)


def test_what_waits_may_be_given_up() -> None:
    """What is on its way is not: its answer will come."""
    far = destination()
    for items in (1, 2, 3):
        far.offer(payload(items), copy_context())
    far.take()
    far.give_up(TIMEOUT)
    assert str(far.ledger.totals()) == "created 6 = inside 1 + dropped 5 (timeout 5)"
    assert (far.settled, far.failures, far.inside) == (2, 2, 1)
    assert far.has_room(100)


def test_after_a_fork_it_begins_anew() -> None:
    """What was inside is the parent's, what was on its way too."""
    far = destination()
    far.offer(payload(2), copy_context())
    far.offer(payload(3), copy_context())
    far.take()
    far.begin_anew()
    assert str(far.ledger.totals()) == f"created 5 = dropped 5 ({FORK} 5)"
    assert (far.settled, far.failures, far.inside, far.has_room(100)) == (0, 0, 0, True)


def test_a_nonsensical_answer_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """By the destination's name; the second within a minute is not."""
    far = destination()
    for now in (0.0, 59.0, 60.0):
        far.offer(payload(), copy_context())
        far.take()
        far.settle(None, 100.0, now)
    told = "far: sending 1 records failed: the sender returned None, not Accepted"
    assert caplog.messages == [told, told]


def test_closing_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    """A sender that fails is reported; one that holds nothing need not have the method."""
    sender = Closing(RuntimeError("stuck"))
    Destination("far", sender, 1, 1).close_sender()
    assert (sender.closed, caplog.messages) == (1, ["far failed to close"])

    class Minimal:
        def send(self, payload: Payload, deadline: float) -> Accepted:
            return Accepted()

    Destination("far", Minimal(), 1, 1).close_sender()
