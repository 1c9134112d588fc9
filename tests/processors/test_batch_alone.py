"""The batch processor where nothing but pytest is installed, as in a project that copied it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from otlp_kit.ledger import ALREADY_SHUTDOWN, EXPORT_FAILED, QUEUE_FULL
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.outcome import Outcome
from otlp_kit.wire import Accepted


class Gate:
    """An exporter that keeps what it gets, once it is let through; it fails if `broken`."""

    def __init__(self, *, opened: bool = True, broken: bool = False) -> None:
        self.got: list[int] = []
        self.busy, self.open, self.broken = threading.Event(), threading.Event(), broken
        if opened:
            self.open.set()

    def export(self, batch: Sequence[int], deadline: float) -> Accepted:
        self.busy.set()
        self.open.wait()
        if self.broken:
            raise OSError("the network is away")
        self.got += batch
        return Accepted()


def test_what_goes_in_comes_out_in_order() -> None:
    """A flush exports everything that was emitted before it, and the ledger balances."""
    exporter = Gate()
    processor = BatchProcessor(exporter, max_batch_size=4)
    for number in range(10):
        processor.emit(number)
    assert processor.force_flush(30) is Outcome.FLUSHED
    assert exporter.got == list(range(10))
    assert processor.shutdown(30) is Outcome.FLUSHED
    totals = processor.totals()
    assert (totals.created, totals.delivered, totals.inside) == (10, 10, 0)


def test_what_does_not_fit_is_counted() -> None:
    """While the exporter is stuck, a full queue drops, and the ledger says how many and why."""
    exporter = Gate(opened=False)
    processor = BatchProcessor(exporter, max_queue_size=4, max_batch_size=4)
    for number in range(4):
        processor.emit(number)
    assert exporter.busy.wait(30)
    for number in range(4, 14):
        processor.emit(number)
    exporter.open.set()
    processor.shutdown(30)
    assert exporter.got == list(range(8))
    assert processor.totals().dropped == {QUEUE_FULL: 6}


@pytest.mark.parametrize("broken", [False, True])
def test_after_shutdown_nothing_is_taken_and_nothing_raises(broken: bool) -> None:
    """Records that come too late are dropped and counted, whatever became of those before."""
    processor = BatchProcessor(Gate(broken=broken))
    processor.emit(1)
    assert processor.shutdown(30) is (Outcome.FAILED if broken else Outcome.FLUSHED)
    processor.emit(2)
    late = {ALREADY_SHUTDOWN: 1}
    assert processor.totals().dropped == (late | {EXPORT_FAILED: 1} if broken else late)
