"""A guess of the exit matrix is judged by what real processes did."""

from __future__ import annotations

from typing import Any

import pytest

from otlp_kit.lab.exercises_exit import ENDINGS, exit_matrix
from tools import facts

ROWS = ("end", "exception", "sys_exit", "sigint", "sigterm", "os_exit", "sigkill", "fork_sys_exit",
        "fork_os_exit", "mp_fork", "mp_spawn")  # fmt: skip


def measured() -> dict[str, int]:
    """What arrived from the official processor when the benchmark ran."""
    known = facts.load()
    return {
        ending: int(known[f"exit.official.{row}.delivered"].value)
        for ending, row in zip(ENDINGS, ROWS, strict=True)
    }


def test_what_was_measured_passes() -> None:
    """The checker knows no other truth than the matrix."""
    assert exit_matrix(measured()).passed


@pytest.mark.parametrize(
    ("changed", "difference", "hint"),
    [
        ({"exception": 0}, "exception: 0 of 100 is not it", "ends in good order"),
        ({"SIGINT": 0}, "SIGINT: 0 of 100", "Ctrl-C"),
        ({"SIGTERM": 100}, "SIGTERM: 100 of 100", "getsignal"),
        ({"os._exit": 100}, "os._exit: 100 of 100", "documentation of os._exit"),
        ({"SIGKILL": 100}, "SIGKILL: 100 of 100", "do anything"),
        ({"fork, child by sys.exit": 300}, "300 of 200 spans cannot arrive", "none is sent twice"),
        ({"fork, child by sys.exit": 100}, "sys.exit: 100 of 200", "inherits the exit hook"),
        ({"fork, child by os._exit": 0}, "os._exit: 0 of 200", "one by one"),
        ({"multiprocessing, fork": 200}, "fork: 200 of 200", "popen_fork.py"),
        ({"multiprocessing, spawn": 100}, "spawn: 100 of 200", "a new interpreter"),
        ({"SIGTERM": 88}, "SIGTERM: 88 is a part", "together"),
        ({"sys.exit": -100}, "sys.exit: -100 of 100 spans cannot arrive", "Each process"),
        ({"normal end": "all"}, "normal end: 'all' is not a whole number", "Count"),
        ({"SIGHUP": 0}, "there is no ending 'SIGHUP'", "SIGTERM"),
    ],
)
def test_a_wrong_guess_is_refused_for_its_own_reason(
    changed: dict[str, Any], difference: str, hint: str
) -> None:
    """The first ending that is wrong is named, with a hint that fits it."""
    verdict = exit_matrix({**measured(), **changed})
    assert not verdict.passed
    assert difference in verdict.difference
    assert hint in verdict.hint


def test_a_guess_that_leaves_an_ending_out_is_asked_for_it() -> None:
    """Half a matrix proves nothing."""
    assert exit_matrix({}).difference == "normal end is missing."
    guess = measured()
    del guess["SIGKILL"]
    assert exit_matrix(guess).difference == "SIGKILL is missing."
