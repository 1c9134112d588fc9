"""The periodic reader: its intervals, its deadlines, its accounts."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from otlp_kit.model import Metric, NumberPoint
from otlp_kit.processors.outcome import Outcome
from otlp_kit.processors.periodic import PeriodicReader
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.wire import Accepted, Refused


class Exporter:
    """Writes down what it gets; hangs while it is not open."""

    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.error: Exception | None = None
        self.open = threading.Event()
        self.open.set()
        self.arrived, self.exported = threading.Semaphore(0), threading.Semaphore(0)
        self.shutdowns = 0

    def export(self, batch: Sequence[Any], deadline: float) -> Accepted:
        self.arrived.release()
        assert self.open.wait(30)
        if self.error:
            raise self.error
        self.batches.append(batch)
        self.exported.release()
        return Accepted()

    def shutdown(self) -> None:
        self.shutdowns += 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    made = Exporter()
    yield made
    made.open.set()


def counting() -> Any:
    """A source whose every collection is the next number."""
    numbers = iter(range(1000))
    return lambda: [next(numbers)]


@pytest.mark.spec("SDK-P17")
def test_it_collects_at_intervals(clock: FakeClock, exporter: Exporter) -> None:
    """Nothing before the first is over, then once for each."""
    reader = PeriodicReader(counting(), exporter, interval=10, clock=clock)
    assert clock.await_sleepers(1)
    clock.advance(9.9)
    assert exporter.batches == []
    for expected in ([0], [1], [2]):
        assert clock.await_sleepers(1)
        clock.advance(10)
        assert exporter.exported.acquire(timeout=10)
        assert exporter.batches[-1] == expected
    assert reader.shutdown() is Outcome.FLUSHED
    assert exporter.batches == [[0], [1], [2], [3]]
    assert exporter.shutdowns == 1


@pytest.mark.spec("SDK-P17")
def test_a_flush_collects_now(clock: FakeClock, exporter: Exporter) -> None:
    """And begins the interval anew."""
    reader = PeriodicReader(counting(), exporter, interval=10, clock=clock)
    assert reader.force_flush() is Outcome.FLUSHED
    assert exporter.batches == [[0]]
    assert clock.monotonic() == 0
    exporter.error = Refused("no")
    assert reader.force_flush() is Outcome.FAILED
    assert str(reader.totals()) == "created 2 = delivered 1 + dropped 1 (export_failed 1)"
    reader.shutdown()


def test_flush_and_shutdown_keep_their_time(clock: FakeClock, exporter: Exporter) -> None:
    """Timed out while the exporter hangs; a later shutdown ends it."""
    exporter.open.clear()
    reader = PeriodicReader(counting(), exporter, interval=10, clock=clock)
    for call in (reader.force_flush, reader.shutdown):
        outcomes: list[Outcome] = []
        thread = threading.Thread(target=lambda call=call, to=outcomes: to.append(call(0.1)))
        thread.start()
        while not outcomes:
            clock.await_sleepers(1, 0.01)
            clock.advance(0.1)
        thread.join(10)
        assert outcomes == [Outcome.TIMED_OUT]
    exporter.open.set()
    assert reader.shutdown(1000) is Outcome.FLUSHED
    assert reader.force_flush() is Outcome.FLUSHED
    assert reader.totals().inside == 0


def test_what_cannot_be_collected_is_reported_and_the_next_may_succeed(
    clock: FakeClock, exporter: Exporter, caplog: pytest.LogCaptureFixture
) -> None:
    """An instrument's callback is anybody's code."""
    broken = [True]

    def collect() -> list[int]:
        if broken.pop():
            raise RuntimeError("sensor off")
        return [1]

    reader = PeriodicReader(collect, exporter, clock=clock)
    assert reader.force_flush() is Outcome.FAILED
    assert "sensor off" in caplog.text
    broken.append(False)
    assert reader.force_flush() is Outcome.FLUSHED
    broken.append(False)
    assert reader.shutdown() is Outcome.FLUSHED


def test_data_points_are_counted_and_nothing_is_not_exported(
    clock: FakeClock, exporter: Exporter
) -> None:
    """`count` says what an item is."""
    metrics = [[], [Metric("m", points=[NumberPoint(1), NumberPoint(2)])], []]
    reader: PeriodicReader[Metric] = PeriodicReader(
        lambda: metrics.pop(0),
        exporter,
        count=lambda found: sum(len(metric.points) for metric in found),
        clock=clock,
    )
    reader.force_flush()
    assert exporter.batches == []
    reader.force_flush()
    reader.shutdown()
    assert str(reader.totals()) == "created 2 = delivered 2"
    assert len(exporter.batches) == 1


@pytest.mark.slow
@pytest.mark.spec("PEER-14")
def test_a_child_goes_on_by_itself_though_the_parent_was_exporting() -> None:
    """The official reader's child exports nothing, for ever: it inherits a lock that is held."""
    program = """
import os, threading
from otlp_kit.processors.periodic import PeriodicReader
from otlp_kit.wire import Accepted

entered, go = threading.Event(), threading.Event()
class Exporter:
    def export(self, batch, deadline):
        if os.getpid() == parent:
            entered.set(); go.wait(20)
        print(os.getpid() == parent, batch, flush=True)
        return Accepted()
    def shutdown(self):
        pass
parent = os.getpid()
reader = PeriodicReader(lambda: [1], Exporter(), interval=3600)
threading.Thread(target=reader.force_flush).start()
entered.wait(20)
if os.fork() == 0:
    print(reader.force_flush(20).name, reader.totals(), flush=True)
    os._exit(0)
os.wait()
go.set()
reader.shutdown()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        "False [1]",
        "FLUSHED created 2 = delivered 1 + dropped 1 (fork 1)",
        "True [1]",
        "True [1]",
    ], done.stderr


@pytest.mark.parametrize("wrong", [{"interval": 0}, {"export_timeout": 0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], exporter: Exporter) -> None:
    """The error names the rule."""
    with pytest.raises(ValueError, match="must be more than 0 seconds"):
        PeriodicReader(list, exporter, **wrong)
