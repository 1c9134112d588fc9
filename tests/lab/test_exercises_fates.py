"""Each wrong policy is refused for what it does, each wrong account for what is wrong in it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from otlp_kit.lab.exercises_fates import NEEDS, REJECTED, STORY, balance, burst, policy
from otlp_kit.ledger import ALREADY_SHUTDOWN, EXPORT_FAILED, QUEUE_FULL, TIMEOUT, Ledger

CHOICES = {
    "import": "block",
    "cause": "drop_newest",
    "screen": "drop_oldest",
    "share": "sample",
}


def test_the_policies_that_serve_pass() -> None:
    """One for each need, and each of the four is somebody's."""
    assert policy(CHOICES).passed
    assert set(CHOICES) == set(NEEDS)


@pytest.mark.parametrize(
    ("need", "chosen", "difference"),
    [
        ("import", "drop_newest", "800 of 1,100 records are lost"),
        ("import", "sample", "800 of 1,100 records are lost"),
        ("cause", "drop_oldest", "100 of the burst's first 100 are lost"),
        ("cause", "sample", "of the burst's first 100 are lost"),
        ("cause", "block", "the program stands still for 16 s"),
        ("screen", "drop_newest", "100 of the last 100 are lost"),
        ("screen", "sample", "of the last 100 are lost"),
        ("screen", "block", "the program stands still"),
        ("share", "drop_newest", "[200, 0, 0, 0, 0]"),
        ("share", "drop_oldest", "[0, 0, 0, 0, 200]"),
        ("share", "block", "the program stands still"),
        ("share", "drop_random", "'drop_random' is no policy"),
    ],
)
def test_a_policy_that_does_not_serve_is_refused_for_what_it_does(
    need: str, chosen: str, difference: str
) -> None:
    """What is lost, who waits, or what the rest does not speak for."""
    verdict = policy({**CHOICES, need: chosen})
    assert not verdict.passed
    assert verdict.difference.startswith(f"{need}: ")
    assert difference in verdict.difference
    assert verdict.hint


def test_a_need_without_a_policy_is_refused() -> None:
    """The first one that is missing is named."""
    assert policy({}).difference == "import: None is no policy."


def test_the_sampled_burst_is_what_a_plain_reservoir_would_keep() -> None:
    """Algorithm R, written down again: 200 of the 1,000, each with the same chance."""
    chance = random.Random(4).random
    kept = list(range(100, 300))
    for seen, record in enumerate(range(300, 1100), start=201):
        if (place := int(chance() * seen)) < 200:
            kept[place] = record
    assert Counter(burst("sample").delivered) == Counter([*range(100), *kept])


def account(
    *,
    created: int = 62,
    delivered: int = 27,
    rejected: int = REJECTED,
    unknown: int = 8,
    stored: int = 0,
    **dropped: int,
) -> Ledger:
    """The right account of the story, but for what is given."""
    ledger = Ledger()
    ledger.created(created)
    ledger.delivered(delivered)
    ledger.rejected(rejected)
    ledger.unknown(unknown)
    ledger.stored(stored)
    right = {QUEUE_FULL: 7, EXPORT_FAILED: 6, TIMEOUT: 9, ALREADY_SHUTDOWN: 2}
    for reason, count in {**right, **dropped}.items():
        ledger.dropped(reason, count)
    return ledger


def test_the_whole_story_told_once_passes() -> None:
    """It balances, and every fate is the right one."""
    assert account().totals().inside == 0
    assert balance(account()).passed
    assert sum(count for _, count in STORY[1:-1]) == STORY[0][1]


@pytest.mark.parametrize(
    ("ledger", "difference"),
    [
        (lambda: Ledger(), "0 records were created"),
        (lambda: account(created=60), "60 records were created"),
        (lambda: account(created=69), "69 records were created"),
        (lambda: account(unknown=0), "8 records are still inside"),
        (lambda: account(delivered=30), "3 fates too many"),
        (lambda: account(delivered=30, rejected=0), "0 rejected is not what happened"),
        (lambda: account(delivered=20, rejected=10), "10 rejected is not what happened"),
        (lambda: account(unknown=0, delivered=35), "0 unknown is not what happened"),
        (lambda: account(unknown=0, export_failed=14), "0 unknown is not what happened"),
        (lambda: account(timeout=4, export_failed=11), "11 dropped as export_failed"),
        (lambda: account(timeout=5, already_shutdown=6), "6 dropped as already_shutdown"),
        (lambda: account(queue_full=0, too_large=7), "0 dropped as queue_full"),
        (lambda: account(delivered=20, stored=7), "20 delivered is not what happened"),
    ],
)
def test_a_wrong_account_is_refused_for_its_own_reason(
    ledger: Callable[[], Ledger], difference: str
) -> None:
    """Not everything came, something is left, counted twice, or under the wrong fate."""
    verdict = balance(ledger())
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint
