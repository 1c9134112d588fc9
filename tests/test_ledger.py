"""The ledger: one fate per record, and a sum that holds."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.ledger import ALREADY_SHUTDOWN, EXPORT_FAILED, QUEUE_FULL, Ledger

FATES = ("delivered", "rejected", "stored", "unknown")
REASONS = (QUEUE_FULL, ALREADY_SHUTDOWN, EXPORT_FAILED)

entries = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("created", *FATES)), st.integers(0, 9)),
        st.tuples(st.sampled_from([f"dropped {reason}" for reason in REASONS]), st.integers(0, 9)),
        st.tuples(
            st.sampled_from([f"turned_away {reason}" for reason in REASONS]), st.integers(0, 9)
        ),
    )
)


@given(entries, st.integers(0, 9))
def test_a_reading_is_the_sum_of_the_entries(written: list[tuple[str, int]], queued: int) -> None:
    """Whatever is written in whatever order, held against a plain counter."""
    ledger, expected = Ledger(), Counter(created=queued)
    for entry, count in written:
        name, _, reason = entry.partition(" ")
        if reason:
            getattr(ledger, name)(reason, count)
            expected[reason] += count
            expected["created"] += count if name == "turned_away" else 0
        else:
            getattr(ledger, name)(count)
            expected[name] += count
    totals = ledger.totals(queued=queued)
    assert totals.created == expected["created"]
    assert {fate: getattr(totals, fate) for fate in FATES} == {
        fate: expected[fate] for fate in FATES
    }
    assert dict(totals.dropped) == {
        reason: expected[reason] for reason in REASONS if expected[reason]
    }
    assert totals.created == (
        sum(getattr(totals, fate) for fate in FATES) + sum(totals.dropped.values()) + totals.inside
    )


@pytest.mark.spec("SDK-2.3")
def test_the_reasons_are_spelled_as_the_conventions_spell_them() -> None:
    """`error.type` of the metric `otel.sdk.processor.span.processed`."""
    assert (QUEUE_FULL, ALREADY_SHUTDOWN) == ("queue_full", "already_shutdown")


def test_a_reading_does_not_change() -> None:
    """It is a snapshot: neither the ledger nor its reader can alter it."""
    ledger = Ledger()
    ledger.turned_away(QUEUE_FULL)
    before = ledger.totals()
    ledger.turned_away(QUEUE_FULL, 5)
    assert str(before) == "created 1 = dropped 1 (queue_full 1)"
    with pytest.raises(FrozenInstanceError):
        before.created = 9  # type: ignore[misc]
    with pytest.raises(TypeError):
        before.dropped[QUEUE_FULL] = 9  # type: ignore[index]


def test_it_reads_as_a_sum() -> None:
    """Only what happened is named, with separators for thousands."""
    ledger = Ledger()
    assert repr(ledger) == "<Ledger [created 0 = 0]>"
    ledger.created(12_345)
    ledger.delivered(12_000)
    ledger.rejected(40)
    ledger.unknown(5)
    ledger.dropped(EXPORT_FAILED, 100)
    assert repr(ledger) == (
        "<Ledger [created 12,345 = delivered 12,000 + rejected 40 + unknown 5 + inside 200"
        " + dropped 100 (export_failed 100)]>"
    )


def test_no_entry_is_lost_between_threads() -> None:
    """And a reading in between never shows a record dropped that was not created."""
    ledger, seen = Ledger(), []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def write() -> None:
        for _ in range(500):
            ledger.turned_away(QUEUE_FULL)
            seen.append(ledger.totals().inside)

    try:
        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert str(ledger.totals()) == "created 2,000 = dropped 2,000 (queue_full 2,000)"
    assert set(seen) == {0}
