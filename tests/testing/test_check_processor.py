"""The conformance kit for processors passes those that are right, and names what is wrong."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from otlp_kit.ledger import Ledger
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.simple import SimpleProcessor
from otlp_kit.testing.check_processor import check_processor
from otlp_kit.testing.processor_storm import Clock
from otlp_kit.testing.scripted_exporter import ScriptedExporter
from tests.testing import wrong_processors
from tests.testing.wrong_processors import Careful


def batch(**settings: Any) -> Callable[[ScriptedExporter, Ledger, Clock], BatchProcessor[int]]:
    return lambda exporter, ledger, clock: BatchProcessor(
        exporter, max_queue_size=20, max_batch_size=5, ledger=ledger, clock=clock, **settings
    )


@pytest.mark.spec("SDK-P6")
@pytest.mark.spec("SDK-P7")
@pytest.mark.spec("SDK-P12")
@pytest.mark.parametrize("when_full", ["drop_newest", "drop_oldest"])
def test_the_batch_processor_passes(when_full: str) -> None:
    """Whoever gives way when the queue is full."""
    report = check_processor(batch(when_full=when_full))
    assert report.records > 10_000
    assert report.pauses >= 5
    assert re.fullmatch(
        r"[\d,]+ records, 150 schedules of 25 steps, \d+ pauses, 30 storms: every record accounted for",
        str(report),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({"when_full": "block"}, {}),
        ({"when_full": "sample"}, {"ordered": False}),
        ({"when_full": "block", "in_flight": 3}, {"concurrent": True}),
    ],
)
def test_the_other_policies_pass(settings: dict[str, Any], allowed: dict[str, bool]) -> None:
    """Waiting for room, giving up one at random, and several batches in flight."""
    check_processor(batch(**settings), **allowed)


@pytest.mark.slow
@pytest.mark.spec("PEER-19")
def test_the_simple_processor_passes() -> None:
    """It exports on the threads that emit, one at a time."""
    check_processor(
        lambda exporter, ledger, clock: SimpleProcessor(exporter, ledger=ledger, clock=clock)
    )


def test_the_fixture_without_a_fault_passes() -> None:
    """So that each of the others fails for its planted fault and nothing else."""
    check_processor(Careful)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        pytest.param("DropsSilently", r"expected all (\d+) emitted records created; found \d+ missing without a count", marks=pytest.mark.spec("PEER-1")),
        pytest.param("FlushesInWords", r"expected force_flush to say FLUSHED only when all was exported; found \d+ records neither exported nor counted", marks=pytest.mark.spec("PEER-3")),
        pytest.param("LooksBeforeItQueues", r"expected nothing inside after shutdown; found 1 stranded: .*\n.*\(wrong_processors.py:\d+\)", marks=pytest.mark.spec("PEER-18")),
        pytest.param("ExportsOnEveryThread", r"found Export was called by \d threads at once", marks=pytest.mark.spec("PEER-19")),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_and_named(wrong: str, expected: str) -> None:
    """The message tells what was done, what should have come of it, and what did."""
    with pytest.raises(AssertionError, match=expected) as caught:
        check_processor(getattr(wrong_processors, wrong))
    assert re.search(
        r"\ndone: (schedule \d+ of seed 0:|emit, asleep at its line) ", str(caught.value)
    )


@pytest.mark.spec("PEER-18")
def test_a_stranded_record_is_found_without_luck() -> None:
    """No storm is needed: a producer is put to sleep at each line of `emit`, the right one too."""
    with pytest.raises(AssertionError, match=r"line \d+ while another thread called shutdown"):
        check_processor(wrong_processors.LooksBeforeItQueues, schedules=0, storms=0)


class RaisesWhenClosed(Careful):
    def emit(self, record: int) -> None:
        if self.closed:
            raise RuntimeError("closed")
        super().emit(record)


class AnswersYes(Careful):
    def force_flush(self, timeout: float) -> Any:
        return super().force_flush(timeout).name == "FLUSHED"


class GivesUpEarly(Careful):
    def shutdown(self, timeout: float) -> Any:
        return super().shutdown(0.0)


class HasNoPatience(Careful):
    def force_flush(self, timeout: float) -> Any:
        return super().force_flush(timeout if timeout > 1 else 0.0)


class SendsAgain(Careful):
    def take(self) -> list[int]:
        records = super().take()
        return records + records[:1]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (RaisesWhenClosed, "emit never raises; found RuntimeError"),
        (AnswersYes, "force_flush to return one of FLUSHED, FAILED, TIMED_OUT; found (True|False)"),
        (
            GivesUpEarly,
            "shutdown to say FAILED or FLUSHED, since 0 records are inside; found TIMED",
        ),
        (HasNoPatience, "force_flush to wait for 0.5 seconds; found TIMED_OUT before"),
        (SendsAgain, "exported a record twice in one batch"),
    ],
)
def test_smaller_faults_are_found(wrong: type[Careful], expected: str) -> None:
    """Those that a reader's own processor is most likely to begin with."""
    with pytest.raises(AssertionError, match=expected):
        check_processor(wrong)


class LosesWakeUps(Careful):
    def run(self) -> None:
        while not (self.closed and not self.queue):
            self.clock.wait(self.wake, 5.0)
            self.export_all()
            self.wake.clear()  # and with it what came during the export
        self.delivery.close()
        self.finished.set()


class TakesItsTime(Careful):
    def force_flush(self, timeout: float) -> Any:
        return super().force_flush(30.0)


@pytest.mark.parametrize(
    ("wrong", "timeout"),
    [
        pytest.param(LosesWakeUps, 1000.0, marks=pytest.mark.spec("PEER-17")),
        pytest.param(TakesItsTime, 0.5, marks=pytest.mark.spec("PEER-3")),
    ],
)
def test_a_call_that_does_not_return_is_reported(
    wrong: type[Careful], timeout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check does not hang with it."""
    monkeypatch.setattr("otlp_kit.testing.processor_schedule.LIMIT", 1.0)
    expected = f"force_flush to return within {timeout} seconds; found it still waits"
    with pytest.raises(AssertionError, match=expected):
        check_processor(wrong)


def test_a_seed_makes_the_same_schedules() -> None:
    """A failure can be had again; another seed looks elsewhere."""

    def message(seed: int) -> str:
        with pytest.raises(AssertionError) as caught:
            check_processor(wrong_processors.FlushesInWords, seed=seed)
        return str(caught.value).split("done:")[1]

    assert message(1) == message(1)
    assert message(1) != message(2)


def test_the_switch_interval_is_restored() -> None:
    """Storms shorten it for the whole interpreter."""
    before = sys.getswitchinterval()
    check_processor(Careful, schedules=1, storms=1)
    assert sys.getswitchinterval() == before
