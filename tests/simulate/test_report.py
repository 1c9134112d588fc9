"""A report says what was told, and computes as the statistics module does."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.ledger import EXPORT_FAILED, Ledger
from otlp_kit.simulate.report import Report, Tally


def told() -> Tally:
    """Four records: two leave together, one gives way after 3 s, one at the door."""
    ledger = Ledger()
    tally = Tally(ledger, bucket=0.5)
    for record, at in ((0, 1.0), (1, 2.0), (2, 3.0)):
        tally.came(record, at)
        tally.queued(record, at)
    tally.taken([0, 1], 4.0)
    tally.requested(4.2)
    tally.stored([0, 1])
    tally.requested(4.9)
    tally.stored([0, 1])
    ledger.delivered(2)
    tally.exported([0, 1], 5.0)
    tally.gave_way(2, 6.0)
    tally.came(3, 6.0)
    tally.gave_way(3, 6.0)
    return tally


def report(seconds: float = 8.0) -> Report:
    return told().report(seconds=seconds, attempts=2, stood_still=0.0)


def test_it_counts_what_it_was_told() -> None:
    """Each record once on this side; what the peer took twice is a duplicate there."""
    made = report()
    assert str(made.totals) == "created 4 = delivered 2 + dropped 2 (queue_full 2)"
    assert (made.offered, made.delivered, made.inside, made.unknown) == (4, 2, 0, 0)
    assert (made.stored, made.duplicates, made.batches, made.attempts) == (2, 2, 1, 2)
    assert made.loss == 0.5
    assert made.peak == 3
    assert made.requests == (0, 0, 0, 0, 0, 0, 0, 0, 1, 1)
    assert made.lengths == ((1.0, 1), (2.0, 2), (3.0, 3), (4.0, 1), (6.0, 0))


def test_waits_are_those_of_records_that_were_queued() -> None:
    """3, 2 and 3 s; who was turned away at the door did not wait."""
    made = report()
    assert made.waits == (2.0, 3.0, 3.0)
    assert made.mean_wait == pytest.approx(8 / 3)
    assert made.mean_length == 1.0  # 8 record seconds in 8 s


def test_what_is_left_inside_is_counted_until_the_end() -> None:
    """A simulation that was cut off: the queue is as long as it was."""
    tally = Tally(Ledger(), bucket=1.0)
    tally.came(0, 1.0)
    tally.queued(0, 1.0)
    made = tally.report(seconds=5.0, attempts=0, stood_still=0.0)
    assert made.inside == 1
    assert made.mean_length == pytest.approx(4 / 5)
    assert made.waits == ()


@given(st.lists(st.floats(0, 100), min_size=2, max_size=200))
def test_percentiles_are_waits_that_happened(waits: list[float]) -> None:
    """Not exceeded by that share, and the smallest such; the middle one as statistics has it."""
    ledger = Ledger()
    tally = Tally(ledger, bucket=1.0)
    for record, wait in enumerate(waits):
        tally.came(record, 0.0)
        tally.queued(record, 0.0)
        tally.taken([record], wait)
    made = tally.report(seconds=100.0, attempts=0, stood_still=0.0)
    assert made.wait(0.5) == statistics.median_low(waits)
    assert (made.wait(0), made.wait(1)) == (min(waits), max(waits))
    for share in (0.1, 0.9, 0.99):
        covered = sum(wait <= made.wait(share) for wait in waits)
        fewer = sum(wait < made.wait(share) for wait in waits)
        assert fewer / len(waits) < share <= covered / len(waits)


def test_nothing_is_a_report_too() -> None:
    """No record: no loss, no wait, no length."""
    made = Tally(Ledger(), bucket=1.0).report(seconds=0.0, attempts=0, stood_still=0.0)
    assert (made.loss, made.mean_wait, made.mean_length, made.wait(0.9)) == (0.0, 0.0, 0.0, 0.0)
    assert made.requests == ()


def test_it_shows_itself() -> None:
    """In one line: fates, memory, queue, requests."""
    assert repr(report()) == (
        "<Report [created 4 = delivered 2 + dropped 2 (queue_full 2) | at most 3 in memory |"
        " queued 1.0 on average, for 2.667 s, p99 3.000 s | 2 requests in 8.0 s]>"
    )


def test_reasons_are_the_ledgers() -> None:
    """What a client gave up is lost beside what gave way."""
    ledger = Ledger()
    tally = Tally(ledger, bucket=1.0)
    tally.came(0, 0.0)
    ledger.dropped(EXPORT_FAILED, 1)
    made = tally.report(seconds=1.0, attempts=1, stood_still=0.0)
    assert dict(made.lost) == {"export_failed": 1}


def test_what_cannot_be_counted_is_refused() -> None:
    """A bucket of nothing, a share of more than all."""
    with pytest.raises(ValueError, match="bucket must be more than 0 seconds"):
        Tally(Ledger(), bucket=0.0)
    with pytest.raises(ValueError, match="a share lies between 0 and 1"):
        report().wait(99)
