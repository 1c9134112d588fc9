"""The checker for the exercise on ends of processes: notebook 03, and the page *learn/first-loss*.

    exit_matrix(guess)    how many spans arrive, for each way in which a process ends?

As in `exercises`, a checker says what is wrong and never prints the answer. The answers are those of
real processes: a test compares them with what `benchmarks.exit_matrix` measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otlp_kit.lab.exercises import Verdict

SPANS = 100
"""How many each process emits; where there is a child, the child emits as many again."""


@dataclass(frozen=True, slots=True)
class _Ending:
    emitted: int
    arrive: int
    hint: str


_HOOKS = "The provider registers an exit hook. Which ends of a process does Python see coming?"
_ENDINGS = {
    "normal end": _Ending(SPANS, SPANS, _HOOKS),
    "exception": _Ending(
        SPANS, SPANS, "A traceback is not a crash: after printing it, Python ends in good order."
    ),
    "sys.exit": _Ending(SPANS, SPANS, "sys.exit raises an exception, SystemExit."),
    "SIGINT": _Ending(
        SPANS, SPANS, "Python has a handler for this one: what does Ctrl-C raise in a program?"
    ),
    "SIGTERM": _Ending(
        SPANS, 0, "Python has a handler for SIGINT. What does signal.getsignal(SIGTERM) say?"
    ),
    "os._exit": _Ending(SPANS, 0, "Read what the documentation of os._exit says of handlers."),
    "SIGKILL": _Ending(SPANS, 0, "Can a process do anything about this signal?"),
    "fork, child by sys.exit": _Ending(
        2 * SPANS, 2 * SPANS, "The child inherits the exit hook, but not what its parent has queued."
    ),
    "fork, child by os._exit": _Ending(
        2 * SPANS, SPANS, "Two processes end, each in its own way: add them up one by one."
    ),
    "multiprocessing, fork": _Ending(
        2 * SPANS, SPANS, "How does multiprocessing end a child that it forked? See popen_fork.py."
    ),
    "multiprocessing, spawn": _Ending(
        2 * SPANS, 2 * SPANS, "A spawned child is a new interpreter: it ends like any program."
    ),
}  # fmt: skip
ENDINGS = tuple(_ENDINGS)
"""What a guess has to name."""


def exit_matrix(guess: Mapping[str, int]) -> Verdict:
    """`guess` says for each of `ENDINGS` how many spans arrive with the official batch processor.

    Nothing was exported before the end, the collector is well, and nobody has called `force_flush`
    or `shutdown`.
    """
    if unknown := [name for name in guess if name not in _ENDINGS]:
        return _not_yet(f"there is no ending {unknown[0]!r}.", f"They are: {', '.join(ENDINGS)}.")
    for name, ending in _ENDINGS.items():
        if name not in guess:
            return _not_yet(f"{name} is missing.", "Guess all of them before you look.")
        number = guess[name]
        if isinstance(number, bool) or not isinstance(number, int):
            return _not_yet(f"{name}: {number!r} is not a whole number.", "Count spans.")
        if not 0 <= number <= ending.emitted:
            return _not_yet(
                f"{name}: {number} of {ending.emitted} spans cannot arrive.",
                "Each process emits 100, and none is sent twice: a fork does not copy the queue"
                " into the child's hands.",
            )
        if number % SPANS:
            return _not_yet(
                f"{name}: {number} is a part of what one process emitted.",
                "They wait in one queue, and leave it together or not at all.",
            )
        if number != ending.arrive:
            return _not_yet(f"{name}: {number} of {ending.emitted} is not it.", ending.hint)
    return Verdict(passed=True)


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
