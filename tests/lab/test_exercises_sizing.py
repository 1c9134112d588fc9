"""Each wrong size is refused for what it does in the outage."""

from __future__ import annotations

from typing import Any

import pytest

from otlp_kit.lab.exercises_sizing import MEMORY, size_it


@pytest.mark.parametrize(
    ("capacity", "batch_size", "cap"), [(3600, 240, 0.4), (3550, 256, 0.3), (3550, 300, 0.3)]
)
def test_sizes_that_survive_pass(capacity: int, batch_size: int, cap: float) -> None:
    """There is more than one right answer."""
    assert size_it(capacity=capacity, batch_size=batch_size, cap=cap).passed


@pytest.mark.parametrize(
    ("capacity", "batch_size", "cap", "difference"),
    [
        (2048, 512, 30.0, "spans are lost."),
        (3000, 256, 0.3, "though there is room for all that come during the outage"),
        (3594, 256, 5.0, "though there is room for all that come during the outage"),
        (3770, 80, 0.4, "and would be without any outage"),
        (3594, 256, 0.1, "16 retries"),
        (3700, 150, 0.4, "more than one batch is queued for 7."),
        (8192, 256, 0.4, "are ever used"),
        (3700, 512, 0.4, "spans are in memory at once"),
        (4400, 256, 1.0, "spans are in memory at once"),
        (100, 512, 0.4, "queue size must be at least the batch size"),
        (3594, 256, 0.01, "cap must be at least the base"),
        (3594, 0, 0.4, "batch size must be at least 1"),
        ("3594", 256, 0.4, "nothing starts with that"),
    ],
)
def test_each_wrong_size_has_its_own_reason(
    capacity: Any, batch_size: int, cap: float, difference: str
) -> None:
    """No reason tells what would be right."""
    verdict = size_it(capacity=capacity, batch_size=batch_size, cap=cap)
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint
    said = verdict.difference + verdict.hint
    assert not any(right in said for right in ("240", "256", "0.3", f"{MEMORY:,}"))
