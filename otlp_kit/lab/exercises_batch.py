"""Checkers for the exercises on batches and queues: notebook 04, *learn/batch*, *concepts/queue*.

    batch_choice(delay=..., size=...)                 do these settings keep what was stated?
    trigger([...])                                    what leaves at each of `STEPS`?
    little(length=..., fill=..., capacity=...)        three predictions about a queue

The answers are played on virtual time (`otlp_kit.lab.play`), and judged by what happens. As in
`exercises`, a checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from otlp_kit.lab.exercises import Verdict
from otlp_kit.lab.play import Played, play
from otlp_kit.processors.buffer import BatchBuffer

QUEUE = 2048

# batch_choice: a steady stream, and one burst into it. Seconds, and records a second.
STEADY, MINUTE = 200, 60
BURST, BURST_AT = 1900, 30.0
ROUND_TRIP, EACH = 0.05, 0.0002
LATEST = 1.0
REQUESTS = 5


def batch_choice(*, delay: float, size: int) -> Verdict:
    """A delay (seconds) and a batch size that keep what was stated.

    200 spans a second come for a minute, and 1,900 more at once in its middle. A request takes
    0.05 s and 0.0002 s for each span in it; the queue has room for 2,048. No span may be lost, each
    has to be acknowledged within 1 s of its end, and there may be 5 requests a second on average.
    """
    try:
        BatchBuffer(capacity=QUEUE, batch_size=size, delay=delay)
    except (TypeError, ValueError) as error:
        return _not_yet(f"no processor starts with that: {error}.", "The message names the rule.")
    if not 0.001 <= delay <= MINUTE:
        return _not_yet(f"a delay of {delay:g} s makes no sense here.", "Think of 1 s.")
    steady = [n / STEADY for n in range(STEADY * MINUTE)]
    seconds, _ = _minute(delay, size, steady).latest
    run = _minute(delay, size, sorted(steady + [BURST_AT] * BURST))
    if run.lost:
        return _not_yet(
            f"{len(run.lost):,} spans find the queue full and are lost.",
            "Each request costs a round trip. How many spans a second do such batches carry away?",
        )
    if seconds > LATEST:
        return _not_yet(
            f"a span is acknowledged only {seconds:.2f} s after it ended, without any burst.",
            "The delay begins when the last export ends; then comes the export of the span itself.",
        )
    seconds, _ = run.latest
    if seconds > LATEST:
        return _not_yet(
            f"a span of the burst is acknowledged only {seconds:.2f} s after it ended.",
            "The burst leaves in full batches, one after the other; what fills none waits for the"
            " delay. How many requests are that, and how long is each?",
        )
    if (rate := len(run.exports) / MINUTE) > REQUESTS:
        return _not_yet(
            f"{rate:.1f} requests a second, of {len(run.delivered) / len(run.exports):.0f} spans"
            " on average.",
            "What lets most of these batches go, their size or the timer?",
        )
    return Verdict(passed=True)


def _minute(delay: float, size: int, came: list[float]) -> Played:
    buffer: BatchBuffer[int] = BatchBuffer(capacity=QUEUE, batch_size=size, delay=delay)
    return play(buffer, came, lambda count, at: ROUND_TRIP + EACH * count)


# trigger: a queue for five records, batches of three, a delay of five seconds.
Step: TypeAlias = tuple[str, float, Callable[[BatchBuffer[int]], None], str]
"""What happens, at what time, how it is done; and a rule to think of."""


def _offers(count: int) -> Callable[[BatchBuffer[int]], None]:
    def offer(buffer: BatchBuffer[int]) -> None:
        for record in range(count):
            buffer.offer(record)

    return offer


def _flush_then_offer(buffer: BatchBuffer[int]) -> None:
    buffer.flush()
    buffer.offer(0)


def _close_then_offer(buffer: BatchBuffer[int]) -> None:
    buffer.close()
    buffer.offer(0)


_PLAN: tuple[Step, ...] = (
    ("two records come", 0.0, _offers(2),
     "Nothing was flushed. Is a batch full, or the delay over?"),
    ("nobody does anything", 5.0, _offers(0),
     "The delay began at 0."),
    ("four records come", 6.0, _offers(4),
     "What fills a batch leaves; the timer does not care for the rest."),
    ("nobody does anything", 8.0, _offers(0),
     "An export begins the delay anew."),
    ("somebody flushes, then one record comes", 9.0, _flush_then_offer,
     "A flush is for what was there before. But does a batch leave with an empty seat?"),
    ("six records come", 10.0, _offers(6),
     "How many have room, and how many of those go into one batch?"),
    ("nobody does anything", 10.0, _offers(0),
     "What is left fills no batch, and nobody is in a hurry."),
    ("shutdown begins, then one record comes", 11.0, _close_then_offer,
     "After close nothing comes in, and nothing waits."),
)  # fmt: skip

STEPS = tuple(f"at {at:g}: {what}" for what, at, _, _ in _PLAN)
"""What happens before each `take`, to a buffer for 5 records, in batches of 3, with a delay of 5."""


def trigger(leaving: Sequence[int]) -> Verdict:
    """How many records leave at each of `STEPS`; the worker exports them at once, in no time."""
    if len(leaving) != len(STEPS) or not all(isinstance(one, int) for one in leaving):
        return _not_yet(
            f"{list(leaving)} is not a number for each of {len(STEPS)} steps.", "0 is a number too."
        )
    buffer: BatchBuffer[int] = BatchBuffer(capacity=5, batch_size=3, delay=5.0)
    for number, (step, (_, at, act, hint)) in enumerate(zip(STEPS, _PLAN, strict=True)):
        act(buffer)
        batch = buffer.take(at)
        if batch:
            buffer.restart(at)
        if leaving[number] != len(batch):
            few = "more" if len(batch) > leaving[number] else "fewer"
            return _not_yet(
                f"step {number + 1}, {step}: you said {leaving[number]}, but {few} leave.", hint
            )
    return Verdict(passed=True)


# little: an even stream, batches of 100, a delay of 2 s.
RATE, BATCH, DELAY = 400, 100, 2.0
SLOW = 150
OUTAGE, OUTAGE_AT, OUTAGE_BURST = 30.0, 10.0, 1000


def little(*, length: float, fill: float, capacity: float) -> Verdict:
    """Three predictions for 400 spans a second, which leave in batches of 100 or after 2 s.

    `length`: how many are queued on average while the exporter takes no time. `fill`: after how many
    seconds a queue for 2,048 loses its first span, when it starts empty and the exporter carries away
    only 150 spans a second. `capacity`: how large a queue has to be so that the peer may be gone for
    30 s, during which 1,000 more spans come at once. A twentieth off is near enough.
    """
    for name, value in (("length", length), ("fill", fill), ("capacity", capacity)):
        if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            return _not_yet(f"{name} is {value!r}, not a number.", "Three numbers, please.")
    return _length(length) or _fill(fill) or _capacity(capacity) or Verdict(passed=True)


def _length(length: float) -> Verdict | None:
    run = _play(QUEUE, 20, lambda count, at: 0.0)
    if _near(length, run.mean_length):
        return None
    if _near(length, run.mean_wait):
        return _not_yet("that is how long a span waits, in seconds.", "Times the arrival rate.")
    if _near(length, BATCH):
        return _not_yet(
            "that is the longest the queue gets; it is shorter nearly all of the time.",
            "The first of a batch waits for all others, the last for nobody. And on average?",
        )
    if _near(length, RATE * DELAY) or _near(length, RATE * DELAY / 2):
        return _not_yet(
            "so many would be queued if they waited for the timer.",
            "Two things let a batch go. Which comes first here?",
        )
    return _not_yet(
        f"the queue is {'shorter' if length > run.mean_length else 'longer'} than that on average.",
        "Arrival rate times the mean time that a span is queued.",
    )


def _fill(fill: float) -> Verdict | None:
    run = _play(QUEUE, 30, lambda count, at: count / SLOW)
    first = run.lost_at[0]
    if _near(fill, first):
        return None
    if _near(fill, QUEUE / RATE):
        return _not_yet(
            "at that moment nothing is lost: the exporter has carried some away.",
            "The queue grows by what comes and does not leave.",
        )
    if _near(fill, QUEUE / SLOW):
        return _not_yet(
            "by then spans have long been lost.",
            f"So long would {SLOW} a second take to empty the queue, if nothing came.",
        )
    return _not_yet(
        f"the first span is lost {'earlier' if fill > first else 'later'} than that.",
        "Room, divided by how fast it shrinks.",
    )


def _capacity(capacity: float) -> Verdict | None:
    back = OUTAGE_AT + OUTAGE

    def gone(count: int, at: float) -> float:
        return back - at if OUTAGE_AT <= at < back else 0.0

    if capacity < BATCH:
        return _not_yet("no batch would fit into that queue.", "Room for at least one batch.")
    run = _play(int(capacity), 60, gone, [OUTAGE_AT + OUTAGE / 2] * OUTAGE_BURST)
    if run.lost and len(run.lost) >= 0.9 * OUTAGE_BURST and _near(capacity, RATE * OUTAGE):
        return _not_yet(
            f"{len(run.lost):,} spans are lost: about as many as came at once.",
            "The queue has to hold the stream and the burst.",
        )
    if run.lost:
        return _not_yet(
            f"{len(run.lost):,} spans are lost during the outage.",
            "While the peer is gone nothing leaves: everything that comes has to have room.",
        )
    most = max(size for _, size in run.lengths)
    if capacity > 1.05 * most:
        return _not_yet(
            f"nothing is lost, but the queue never holds more than {most / capacity:.0%} of that.",
            "Memory is reserved for nothing. What comes while the peer is gone, and how long is it?",
        )
    return None


def _play(
    capacity: int,
    until: int,
    seconds: Callable[[int, float], float],
    more: Sequence[float] = (),
) -> Played:
    buffer: BatchBuffer[int] = BatchBuffer(capacity=capacity, batch_size=BATCH, delay=DELAY)
    return play(buffer, sorted([*(n / RATE for n in range(RATE * until)), *more]), seconds)


def _near(given: float, wanted: float) -> bool:
    return math.isclose(given, wanted, rel_tol=0.05)


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
