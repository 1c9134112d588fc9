"""Checkers for the exercises on loss: notebook 05, *concepts/backpressure*, *concepts/conservation*.

    policy({"import": "block", ...})    who should give way, in each of four `NEEDS`?
    balance(ledger)                     does the ledger tell the whole `STORY`, once?

A policy is judged by playing it on virtual time. As in `exercises`, a checker says what is wrong and
never prints the answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, get_args

from otlp_kit.lab.exercises import Verdict
from otlp_kit.lab.play import Played, play
from otlp_kit.ledger import ALREADY_SHUTDOWN, EXPORT_FAILED, QUEUE_FULL, TIMEOUT, Ledger, Totals
from otlp_kit.processors.buffer import BatchBuffer, WhenFull

NEEDS = {
    "import": "A nightly import: it may take an hour longer, but every record has to arrive.",
    "cause": "A web server: when something breaks, the first records of the burst name the cause.",
    "screen": "A web server: its screen has to show how things are now.",
    "share": "A web server: what share of the burst failed is to be read from what arrives.",
}
"""Four programs, and what each needs when its queue is full. A web server does not wait."""

BURST, BEFORE, ROOM = 1000, 100, 200


def burst(when_full: WhenFull) -> Played:
    """100 records keep the exporter busy for 2 s; 1,000 come within 1 s; the queue has room for 200.

    With `block` the program waits for room, for at most a minute each time.
    """
    buffer: BatchBuffer[int] = BatchBuffer(
        capacity=ROOM,
        batch_size=BEFORE,
        delay=1.0,
        when_full=when_full,
        chance=random.Random(4).random,
    )
    came = [*[0.0] * BEFORE, *(n / BURST for n in range(BURST))]
    return play(
        buffer, came, lambda count, at: 2.0, block_timeout=60.0 if when_full == "block" else 0.0
    )


def policy(choices: Mapping[str, str]) -> Verdict:
    """For each of `NEEDS` (import, cause, screen, share) the policy that serves it."""
    for need, text in NEEDS.items():
        chosen: Any = choices.get(need)
        if chosen not in get_args(WhenFull):
            return _not_yet(
                f"{need}: {chosen!r} is no policy.", f"One of {', '.join(get_args(WhenFull))}."
            )
        if problem := _JUDGES[need](burst(chosen)):
            return _not_yet(f"{need}: with {chosen}, {problem}", text)
    return Verdict(passed=True)


def _import(run: Played) -> str:
    return f"{len(run.lost):,} of {BURST + BEFORE:,} records are lost." if run.lost else ""


def _cause(run: Played) -> str:
    missing = len(set(range(BEFORE, BEFORE + 100)).difference(run.delivered))
    return _waited(run) or (f"{missing} of the burst's first 100 are lost." if missing else "")


def _screen(run: Played) -> str:
    last = BEFORE + BURST
    missing = len(set(range(last - 100, last)).difference(run.delivered))
    return _waited(run) or (f"{missing} of the last 100 are lost." if missing else "")


def _share(run: Played) -> str:
    fifths = [0] * 5
    for record in run.delivered:
        if record >= BEFORE:
            fifths[(record - BEFORE) * 5 // BURST] += 1
    one_sided = min(fifths) * 2 < max(fifths)
    return _waited(run) or (
        f"what arrives of each fifth of the burst is {fifths}: that speaks for a part of it only."
        if one_sided
        else ""
    )


def _waited(run: Played) -> str:
    return f"the program stands still for {run.waited:.0f} s." if run.waited else ""


_JUDGES: dict[str, Callable[[Played], str]] = {
    "import": _import,
    "cause": _cause,
    "screen": _screen,
    "share": _share,
}

STORY = (
    ("records were emitted while the processor ran", 60),
    ("of them found the queue full", 7),
    ("left in a batch that was answered 200", 20),
    ("left in a batch that was answered 200, with rejected_spans: 3", 10),
    ("left in a batch that was answered 400", 6),
    ("left in a batch that was sent whole; the connection broke before an answer came", 8),
    ("left in a batch that could not be sent before its deadline was over", 5),
    ("were still queued when shutdown ran out of time", 4),
    ("more were emitted after shutdown", 2),
)
"""What happened to the records of one processor: (what, how many records)."""

REJECTED = 3


def balance(ledger: Ledger) -> Verdict:
    """The ledger of a processor with `STORY`: each record once, and under the right fate."""
    totals = ledger.totals()
    counts = [count for _, count in STORY]
    ran, full, good, partial, bad, broken, late, left, after = counts
    if totals.created != ran + after:
        return _not_yet(
            f"{totals.created} records were created, says the ledger; that is not what was emitted.",
            "Whoever comes to a full queue, or too late, came too.",
        )
    if totals.inside > 0:
        return _not_yet(
            f"{totals.inside} records are still inside, after shutdown: they are unexplained.",
            "Go through the story line by line: which line has no call?",
        )
    if totals.inside < 0:
        return _not_yet(
            f"{-totals.inside} fates too many: some record met two.",
            "Each record meets one fate. Which lines speak of the same records?",
        )
    wanted = Totals(
        created=ran + after,
        delivered=good + partial - REJECTED,
        rejected=REJECTED,
        unknown=broken,
        dropped={
            QUEUE_FULL: full,
            EXPORT_FAILED: bad,
            TIMEOUT: late + left,
            ALREADY_SHUTDOWN: after,
        },
    )
    return _fates(totals, wanted) or Verdict(passed=True)


def _fates(totals: Totals, wanted: Totals) -> Verdict | None:
    """The first fate that has not what it should have, in a ledger that balances."""
    hints = {
        "rejected": "A partial success: the batch was taken, some of its records were not.",
        "unknown": "Sent, and never answered: neither side of the sum may claim them.",
        "delivered": "Acknowledged, one by one: the others of those batches.",
        "stored": "Nothing in the story was written to a disk.",
    }
    for fate, hint in hints.items():
        got = getattr(totals, fate)
        if got != getattr(wanted, fate):
            return _not_yet(f"it balances, but {got} {fate} is not what happened.", hint)
    for reason in sorted({*wanted.dropped, *totals.dropped}):
        got = totals.dropped.get(reason, 0)
        if got != wanted.dropped.get(reason, 0):
            return _not_yet(
                f"it balances, but {got} dropped as {reason} is not what happened.",
                "otlp_kit.ledger names the reasons. A full queue, a deadline, a refusal and a"
                " closed door are four.",
            )
    return None


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
