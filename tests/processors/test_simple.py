"""The simple processor: one export a record, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from otlp_kit.processors.outcome import Outcome
from otlp_kit.processors.simple import SimpleProcessor
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.wire import Accepted, Refused, Unavailable


class Gate:
    """An exporter that holds its caller until it is let go, and counts who is inside."""

    def __init__(self, behave: Any = None) -> None:
        self.behave = behave
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.inside = self.most_inside = self.shutdowns = 0
        self.records: list[Any] = []

    def export(self, batch: Sequence[Any], deadline: float) -> Accepted:
        self.inside += 1
        self.most_inside = max(self.inside, self.most_inside)
        self.entered.set()
        assert self.open.wait(30)
        self.inside -= 1
        self.records += batch
        if isinstance(self.behave, BaseException):
            raise self.behave
        return self.behave or Accepted()  # type: ignore[no-any-return]

    def shutdown(self) -> None:
        self.shutdowns += 1


def in_background(call: Any) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    return thread, results


def test_a_record_is_exported_when_emit_returns() -> None:
    """By itself, at once."""
    exporter = Gate()
    processor = SimpleProcessor(exporter)
    processor.emit("a")
    assert exporter.records == ["a"]
    assert str(processor.totals()) == "created 1 = delivered 1"


@pytest.mark.spec("SDK-P7")
@pytest.mark.spec("PEER-19")
def test_exports_never_overlap() -> None:
    """Eight threads emit; one is in the exporter at a time."""
    exporter = Gate()
    processor = SimpleProcessor(exporter)
    threads = [
        threading.Thread(target=lambda: [processor.emit(n) for n in range(200)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert exporter.most_inside == 1
    assert processor.totals().delivered == 1600


def test_who_has_had_a_turn_may_wait_for_the_next() -> None:
    """The turn is another's, though that one has not woken up: this is no feedback."""
    clock, exporter = FakeClock(), Gate()
    exporter.open.clear()
    processor = SimpleProcessor(exporter, clock=clock)
    first, _ = in_background(lambda: [processor.emit(n) for n in range(3)])
    assert exporter.entered.wait(10)
    second, _ = in_background(lambda: processor.emit("b"))
    assert clock.await_sleepers(1)
    exporter.open.set()
    first.join(10)
    second.join(10)
    assert str(processor.totals()) == "created 4 = delivered 4"


@pytest.mark.spec("PEER-19")
def test_the_official_one_lets_them_overlap() -> None:
    """Recorded as it is: two threads are in the official exporter at once."""
    both = threading.Barrier(2)

    class Meeting(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            both.wait(10)
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Meeting()))
    tracer = provider.get_tracer("test")
    threads = [threading.Thread(target=lambda: tracer.start_span("s").end()) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not both.broken


@pytest.mark.parametrize(
    ("behave", "totals"),
    [
        (Accepted(1, "bad"), "created 1 = rejected 1"),
        (Refused("no"), "created 1 = dropped 1 (export_failed 1)"),
        (Unavailable("lost", maybe_delivered=True), "created 1 = unknown 1"),
        (KeyError("bug"), "created 1 = dropped 1 (export_failed 1)"),
        ("ok", "created 1 = dropped 1 (export_failed 1)"),
    ],
)
def test_whatever_the_exporter_does_emit_returns_and_counts(behave: Any, totals: str) -> None:
    """Never an exception at the caller."""
    processor = SimpleProcessor(Gate(behave))
    processor.emit("a")
    assert str(processor.totals()) == totals


def test_nobody_waits_for_a_turn_longer_than_the_timeout() -> None:
    """The second record is dropped for want of time; the first goes on."""
    clock, exporter = FakeClock(), Gate()
    exporter.open.clear()
    processor = SimpleProcessor(exporter, export_timeout=3, clock=clock)
    first, _ = in_background(lambda: processor.emit("a"))
    assert exporter.entered.wait(10)
    second, _ = in_background(lambda: processor.emit("b"))
    assert clock.await_sleepers(1)
    clock.advance(3)
    second.join(10)
    assert str(processor.totals()) == "created 2 = inside 1 + dropped 1 (timeout 1)"
    exporter.open.set()
    first.join(10)
    assert processor.totals().inside == 0


@pytest.mark.spec("SDK-P6")
def test_flush_and_shutdown_keep_their_time() -> None:
    """Both say so when an export is still on its way; the exporter is released when it is not."""
    clock, exporter = FakeClock(), Gate()
    exporter.open.clear()
    processor = SimpleProcessor(exporter, clock=clock)
    emitting, _ = in_background(lambda: processor.emit("a"))
    assert exporter.entered.wait(10)
    for call in (processor.force_flush, processor.shutdown):
        thread, outcomes = in_background(lambda call=call: call(0.1))
        assert clock.await_sleepers(1)
        clock.advance(0.1)
        thread.join(10)
        assert outcomes == [Outcome.TIMED_OUT]
    assert exporter.shutdowns == 0
    exporter.open.set()
    emitting.join(10)
    assert processor.shutdown() is Outcome.FLUSHED
    assert processor.shutdown() is Outcome.FLUSHED
    assert exporter.shutdowns == 1
    processor.emit("late")
    assert dict(processor.totals().dropped) == {"already_shutdown": 1}


def test_an_exporter_that_emits_into_its_own_processor_does_not_wait_for_itself() -> None:
    """The record that feeds back is dropped and counted."""

    class Loop(Gate):
        def export(self, batch: Sequence[Any], deadline: float) -> Accepted:
            processor.emit("again")
            assert processor.force_flush() is Outcome.FAILED
            return super().export(batch, deadline)

    processor: SimpleProcessor[str] = SimpleProcessor(Loop())
    processor.emit("a")
    assert str(processor.totals()) == "created 2 = delivered 1 + dropped 1 (timeout 1)"
