"""Filtering: what goes on, what is counted, and what happens when a condition fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.ledger import ALREADY_SHUTDOWN, FILTERED, Ledger
from otlp_kit.model import LogRecord, Resource, Span
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.filter import FilterProcessor, Match
from otlp_kit.processors.outcome import Outcome
from otlp_kit.wire import Accepted
from tests.processors.end import End


class Exporter:
    """Takes everything."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def export(self, batch: Sequence[Any], deadline: float) -> Accepted:
        self.got += batch
        return Accepted()

    def shutdown(self) -> None:
        pass


@given(st.lists(st.integers()))
def test_what_no_condition_is_true_of_goes_on_and_the_path_adds_up(numbers: list[int]) -> None:
    """Against Python's own filter; created = delivered + filtered."""
    exporter, ledger = Exporter(), Ledger()
    batch = BatchProcessor[int](exporter, max_queue_size=4096, ledger=ledger)
    drop = [lambda number: number % 2 == 0, lambda number: number % 3 == 0]
    processor = FilterProcessor(batch, drop, ledger=ledger)
    for number in numbers:
        processor.emit(number)
    assert processor.shutdown() is Outcome.FLUSHED
    assert exporter.got == [n for n in numbers if n % 2 and n % 3]
    totals = processor.totals()
    assert totals.created == len(numbers) == len(exporter.got) + totals.dropped.get(FILTERED, 0)
    assert (totals.inside, totals.delivered) == (0, len(exporter.got))


@pytest.mark.parametrize(
    ("condition", "record", "dropped"),
    [
        (Match("http.route", "/health.*"), Span(attributes={"http.route": "/healthz"}), True),
        (Match("http.route", "/health"), Span(attributes={"http.route": "/healthz"}), False),
        (Match("http.route", "health.*"), Span(attributes={"http.route": "/healthz"}), False),
        (Match("http.route", ".*"), Span(), False),
        (Match("code", "2.."), Span(attributes={"code": 204}), True),
        (Match("k", "None"), LogRecord(attributes={"k": None}), False),
        (Match("tenant", "a", of="resource"), LogRecord(resource=Resource({"tenant": "a"})), True),
        (Match("tenant", "a", of="resource"), LogRecord(attributes={"tenant": "a"}), False),
        (lambda log: log.severity_number < 9, LogRecord(severity_number=5), True),
    ],
)
def test_a_condition_is_data_or_a_function(condition: Any, record: Any, dropped: bool) -> None:
    """A `Match` needs the attribute to be there, and its whole text to match."""
    end = End()
    processor = FilterProcessor[Any](end, [condition], ledger=end.ledger)
    processor.emit(record)
    assert end.records == ([] if dropped else [record])
    assert dict(processor.totals().dropped) == ({FILTERED: 1} if dropped else {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("route", "("), r"Match\(key='route', pattern='\(', of='record'\): .*missing \)"),
        (("route", None), "the pattern is not valid"),
        (("route", "x", "scope"), "of must be record or resource"),
    ],
)
def test_a_bad_condition_is_refused_when_it_is_made(
    arguments: tuple[Any, ...], message: str
) -> None:
    """The error names the condition."""
    with pytest.raises(ValueError, match=message):
        Match(*arguments)


def test_a_record_that_cannot_be_judged_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """A condition that raises is as good as false, and is logged once."""
    end = End()
    conditions = [lambda record: 1 / 0, Match("route", "/health")]
    processor = FilterProcessor[Any](end, conditions, ledger=end.ledger)
    health = Span(attributes={"route": "/health"})
    for record in (Span(), 7, health):
        processor.emit(record)
    assert end.records == [Span(), 7]
    assert processor.totals().dropped == {FILTERED: 1}
    assert len(caplog.records) == 1


@pytest.mark.parametrize("outcome", Outcome)
def test_flush_and_shutdown_are_passed_on(outcome: Outcome) -> None:
    """With their timeouts; the answer is the next processor's."""
    end = End(outcome=outcome)
    processor = FilterProcessor[Any](end, [], ledger=end.ledger)
    assert (processor.force_flush(1.5), processor.shutdown(2.5)) == (outcome, outcome)
    assert end.asked == [("force_flush", 1.5), ("shutdown", 2.5)]


def test_after_shutdown_the_reason_is_the_one_that_came_first() -> None:
    """A filtered record is filtered, whether or not the path is still open."""
    ledger = Ledger()
    batch = BatchProcessor[int](Exporter(), ledger=ledger)
    processor = FilterProcessor(batch, [lambda number: number < 0], ledger=ledger)
    processor.shutdown()
    processor.emit(-1)
    processor.emit(1)
    assert processor.totals().dropped == {FILTERED: 1, ALREADY_SHUTDOWN: 1}
    assert processor.totals().created == 2
    assert repr(processor).startswith("<FilterProcessor [1 conditions] -> <BatchProcessor")
