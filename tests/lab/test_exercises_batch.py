"""Each wrong answer to an exercise on batches and queues is refused for its own reason."""

from __future__ import annotations

from typing import Any

import pytest

from otlp_kit.lab.exercises_batch import STEPS, batch_choice, little, trigger
from otlp_kit.processors.buffer import BatchBuffer

LEAVING = [0, 2, 3, 0, 2, 3, 0, 2]
LITTLE = {"length": 50, "fill": 2048 / (400 - 150), "capacity": 400 * 30 + 1000}


@pytest.mark.parametrize(("delay", "size"), [(0.5, 512), (0.3, 1024), (0.4, 256)])
def test_settings_that_keep_the_statement_pass(delay: float, size: int) -> None:
    """There is more than one right answer."""
    assert batch_choice(delay=delay, size=size).passed


@pytest.mark.parametrize(
    ("delay", "size", "difference"),
    [
        (5.0, 512, "5.24 s after it ended, without any burst"),
        (0.9, 512, "1.08 s after it ended, without any burst"),
        (0.5, 100, "a span of the burst is acknowledged only 1.47 s"),
        (0.8, 512, "a span of the burst is acknowledged only 1.52 s"),
        (0.5, 1, "find the queue full and are lost"),
        (0.05, 512, "9.6 requests a second, of 24 spans"),
        (0.5, 4096, "queue size must be at least the batch size"),
        (0.0, 512, "delay must be more than 0 seconds"),
        (0.5, 0, "batch size must be at least 1"),
        ("0.5", 512, "no processor starts with that"),
        (1e-9, 512, "makes no sense here"),
        (float("inf"), 512, "makes no sense here"),
        (float("nan"), 512, "no processor starts with that"),
    ],
)
def test_wrong_settings_are_refused_for_their_own_reason(
    delay: Any, size: int, difference: str
) -> None:
    """Too late, too late in the burst, lost, too many requests, or impossible."""
    verdict = batch_choice(delay=delay, size=size)
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint


def test_the_eight_exports_pass() -> None:
    """What the buffer itself does, written out by hand."""
    assert trigger(LEAVING).passed
    assert len(STEPS) == len(LEAVING)
    buffer: BatchBuffer[str] = BatchBuffer(capacity=5, batch_size=3, delay=5.0)
    assert [bool(buffer.offer(record)) for record in "ab"] == [True, True]
    assert (buffer.take(0.0), buffer.take(5.0)) == ([], ["a", "b"])


def leaving(step: int, count: object) -> list[Any]:
    return [*LEAVING[: step - 1], count, *LEAVING[step:]]


@pytest.mark.parametrize(
    ("answer", "difference", "hint"),
    [
        (leaving(2, 0), "step 2, at 5: nobody does anything: you said 0, but more", "delay"),
        (leaving(3, 4), "step 3, at 6: four records come: you said 4, but fewer", "timer"),
        (leaving(4, 1), "step 4, at 8", "anew"),
        (leaving(5, 1), "step 5, at 9", "flush"),
        (leaving(6, 5), "step 6, at 10", "one batch"),
        (leaving(7, 2), "step 7, at 10", "in a hurry"),
        (leaving(8, 3), "step 8, at 11", "close"),
        (LEAVING[1:], "is not a number for each of 8 steps", ""),
        (leaving(1, None), "is not a number for each of 8 steps", ""),
    ],
)
def test_a_wrong_prediction_is_refused_at_its_step(
    answer: list[int], difference: str, hint: str
) -> None:
    """The first step at which the machine differs, and the rule that applies there."""
    verdict = trigger(answer)
    assert not verdict.passed
    assert difference in verdict.difference
    assert hint in verdict.hint


def test_three_right_predictions_pass() -> None:
    """The formulas of the page are near enough to what a played queue does."""
    assert little(**LITTLE).passed


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"length": 400 * 2.0}, "so many would be queued if they waited for the timer"),
        ({"length": 400 * 1.0}, "so many would be queued if they waited for the timer"),
        ({"length": 100}, "that is the longest the queue gets"),
        ({"length": 0.125}, "that is how long a span waits"),
        ({"length": 200}, "the queue is shorter than that"),
        ({"length": 1}, "the queue is longer than that"),
        ({"fill": 2048 / 400}, "the exporter has carried some away"),
        ({"fill": 2048 / 150}, "by then spans have long been lost"),
        ({"fill": 20}, "lost earlier than that"),
        ({"fill": 1}, "lost later than that"),
        ({"capacity": 400 * 30}, "about as many as came at once"),
        ({"capacity": 2048}, "spans are lost during the outage"),
        ({"capacity": 1000}, "spans are lost during the outage"),
        ({"capacity": 100_000}, "never holds more than 13% of that"),
        ({"capacity": 50}, "no batch would fit"),
        ({"length": "50"}, "length is '50', not a number"),
        ({"fill": float("nan")}, "fill is nan, not a number"),
        ({"capacity": -1}, "capacity is -1, not a number"),
    ],
)
def test_a_wrong_prediction_about_a_queue_is_refused_for_its_own_reason(
    change: dict[str, Any], difference: str
) -> None:
    """The usual ways to be wrong about a mean, a fill time and a size."""
    verdict = little(**{**LITTLE, **change})
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint
