"""Each wrong answer to the exercise on pools is refused for its own reason."""

from __future__ import annotations

import pytest

from otlp_kit.lab.exercises_pools import CASES, pool_or_not

ANSWERS = {
    "span": "new", "scratch": "new", "tls": "pool", "handle": "pool", "body": "pool",
    "payload": "new",
}  # fmt: skip


def test_the_six_answers_pass() -> None:
    """Three of each, one for each case."""
    assert pool_or_not(**ANSWERS).passed
    assert set(CASES) == set(ANSWERS)


@pytest.mark.parametrize(
    ("name", "difference", "hint"),
    [
        ("span", "span: to reuse one takes 4 us, to make one 1.", "lock"),
        ("scratch", "scratch: to reuse one takes 3 us, to make one 0.1.", "lock"),
        ("tls", "tls: 4,997 us of each second make what was there already.", "Something other"),
        ("handle", "handle: 16,500 us of each second", "Something other"),
        ("body", "body: 19,940 us of each second", "Something other"),
        ("payload", "payload: 600 are out at once, and the pool owns 64.", "comes back soon"),
    ],
)
def test_each_wrong_answer_is_refused_for_its_own_reason(
    name: str, difference: str, hint: str
) -> None:
    """With the numbers of the case."""
    wrong = {"pool": "new", "new": "pool"}[ANSWERS[name]]
    verdict = pool_or_not(**(ANSWERS | {name: wrong}))
    assert not verdict.passed
    assert difference in verdict.difference
    assert hint in verdict.hint


@pytest.mark.parametrize("same", ["pool", "new"])
def test_one_answer_for_all_does_not_pass(same: str) -> None:
    """There is no rule without a measurement."""
    assert not pool_or_not(**dict.fromkeys(ANSWERS, same)).passed


@pytest.mark.parametrize("answer", ["Pool", "", "yes"])
def test_what_is_no_answer_is_named(answer: str) -> None:
    """Before anything is judged."""
    verdict = pool_or_not(**(ANSWERS | {"span": answer}))
    assert f"span: {answer!r} is no answer" in verdict.difference
