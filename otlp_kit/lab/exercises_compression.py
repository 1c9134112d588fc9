"""The checker for the exercise on compression: the page *concepts/compression*.

    floor(ids=..., ratio=..., line=...)         three predictions, before anything is compressed

Each is held against arithmetic that the page gives. As in `exercises`, a checker says what is wrong
and never prints the answer.
"""

from __future__ import annotations

import math

from otlp_kit.lab.exercises import Verdict

TRACE_ID, SPAN_ID = 16, 8
SPANS_OF_A_TRACE, BYTES_OF_A_SPAN = 4, 360
REQUEST, COMPRESSED, SECONDS = 184_000, 34_000, 0.003


def floor(*, ids: float, ratio: float, line: float) -> Verdict:
    """Three predictions for traces of 4 spans: a root and three children. A twentieth off will do.

    `ids`: how many bytes a span do random ids keep, on average over thousands of spans, however good
    the method? A span names its trace, itself and, unless it is a root, its parent, which is in the
    same request. `ratio`: a span has 360 bytes before compression; how many times smaller can it become
    at most, if all the rest were to vanish? `line`: a method makes 34,000 bytes of 184,000 in 0.003 s;
    on a line of how many bytes a second is it all the same whether you use it?
    """
    for name, value in (("ids", ids), ("ratio", ratio), ("line", line)):
        if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            return _not_yet(f"{name} is {value!r}, not a number above 0.", "Three numbers, please.")
    return _ids(ids) or _ratio(ratio) or _line(line) or Verdict(passed=True)


KEPT = TRACE_ID / SPANS_OF_A_TRACE + SPAN_ID
"""Bytes a span: what nobody could have known from what stands before it."""


def _ids(ids: float) -> Verdict | None:
    if _near(ids, KEPT):
        return None
    if _near(ids, TRACE_ID + 2 * SPAN_ID) or _near(ids, TRACE_ID + SPAN_ID + SPAN_ID * 3 / 4):
        return _not_yet(
            "ids: those are the bytes before compression.",
            "Which of the three ids has stood in the same request already?",
        )
    if _near(ids, TRACE_ID + SPAN_ID):
        return _not_yet(
            "ids: the parent's id is a repetition, and it is not the only one.",
            "How many spans have the same trace id?",
        )
    if _near(ids, SPAN_ID):
        return _not_yet(
            "ids: a trace id is random too, where it stands for the first time.",
            "Once a trace, shared among its spans.",
        )
    if _near(ids, KEPT + SPAN_ID) or _near(ids, KEPT + SPAN_ID * 3 / 4):
        return _not_yet(
            "ids: a parent's id is the id of another span of the request.",
            "What has been said before can be pointed at.",
        )
    if ids < KEPT:
        return _not_yet(
            "ids: so few bytes cannot hold them.",
            "Random bytes have nothing to predict them by. Count those that are new.",
        )
    return _not_yet("ids: fewer than that are new.", "Count the bytes that stand there first.")


def _ratio(ratio: float) -> Verdict | None:
    best = BYTES_OF_A_SPAN / KEPT
    if _near(ratio, best):
        return None
    if _near(ratio, 1 / best):
        return _not_yet("ratio: that is what remains of one byte.", "The other way round.")
    if _near(ratio, BYTES_OF_A_SPAN / (BYTES_OF_A_SPAN - KEPT)):
        return _not_yet(
            "ratio: you took the ids away and kept the rest.", "It is the ids that stay."
        )
    if ratio > best:
        return _not_yet(
            "ratio: then not even the ids would have room.", "Before, divided by what has to stay."
        )
    return _not_yet(
        "ratio: that can be exceeded, if all but the ids vanishes.", "Before, divided by after."
    )


def _line(line: float) -> Verdict | None:
    even = (REQUEST - COMPRESSED) / SECONDS
    if _near(line, even):
        return None
    if _near(line, REQUEST / SECONDS):
        return _not_yet(
            "line: so fast does the method read.",
            "What is left has to be sent as well. How many bytes does it spare the line?",
        )
    if _near(line, COMPRESSED / SECONDS):
        return _not_yet(
            "line: so fast does the method write.",
            "Its time is paid with the bytes that need not be sent.",
        )
    if _near(line, 8 * even):
        return _not_yet("line: those are bits.", "Bytes a second, please.")
    if line < even:
        return _not_yet(
            "line: on that one the request arrives earlier compressed.",
            "Where do the bytes that are spared take just as long as the method?",
        )
    return _not_yet(
        "line: on that one the request arrives earlier as it is.",
        "Where do the bytes that are spared take just as long as the method?",
    )


def _near(given: float, wanted: float) -> bool:
    return math.isclose(given, wanted, rel_tol=0.05)


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
