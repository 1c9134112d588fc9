"""Each wrong answer to the exercise on tail sampling is refused for its own reason."""

from __future__ import annotations

import hashlib
import itertools
import random
import zlib
from collections.abc import Callable

import pytest

from otlp_kit.lab.exercises_tail import INSTANCES, SERVICES, Route, affinity, arriving
from otlp_kit.model import Span


def rendezvous(span: Span, instances: int) -> int:
    """The instance that scores highest: adding one moves few traces."""

    def score(instance: int) -> bytes:
        return hashlib.sha256(span.trace_id + bytes([instance])).digest()

    return max(range(instances), key=score)


@pytest.mark.parametrize(
    "right",
    [
        lambda span, instances: int.from_bytes(span.trace_id[-7:], "big") % instances,
        lambda span, instances: span.trace_id[-1] % instances,
        lambda span, instances: zlib.crc32(span.trace_id) % instances,
        lambda span, instances: int(span.trace_id.hex(), 16) % instances,
        rendezvous,
    ],
)
def test_a_right_answer_passes(right: Route) -> None:
    """By random bits, by a checksum, by the whole id, by rendezvous."""
    assert affinity(right).passed


def round_robin() -> Route:
    """Each its turn."""
    turn = itertools.count()
    return lambda span, instances: next(turn) % instances


def dice() -> Route:
    """Anyone."""
    rng = random.Random(1)
    return lambda span, instances: rng.randrange(instances)


@pytest.mark.parametrize(
    ("make", "difference", "hint"),
    [
        (round_robin, "came out torn", "goes to two instances"),
        (dice, "came out torn", "goes to two instances"),
        (lambda: lambda s, n: s.span_id[-1] % n, "came out torn", "have in common"),
        (lambda: lambda s, n: SERVICES.index(s.resource), "came out torn", "have in common"),
        (lambda: lambda s, n: hash(s.trace_id) % n, "came out torn", "balancers"),
        (lambda: lambda s, n: 0, "4.0 times its share", "random"),
        (lambda: lambda s, n: s.trace_id[0] % n, "times its share", "random"),
        (lambda: lambda s, n: s.trace_id[-1], "there are 4 instances", "remains"),
        (lambda: lambda s, n: -1, "route returned -1", "first one is 0"),
        (lambda: lambda s, n: s.trace_id[-1] / n, "route returned", "whole number"),
        (lambda: lambda s, n: s.trace_id % n, "route raised TypeError", "16 bytes"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_refused_for_its_own_reason(
    make: Callable[[], Route], difference: str, hint: str
) -> None:
    """The difference says what happened, the hint where to look."""
    verdict = affinity(make())
    assert not verdict.passed
    assert difference in verdict.difference
    assert hint in verdict.hint


def test_what_is_played_holds_what_it_says() -> None:
    """Both balancers see spans of nearly every trace, and half of the ids begin with the time."""
    spans = list(arriving(random.Random(3)))
    hashes: dict[bytes, set[int]] = {}
    for span in spans:
        hashes.setdefault(bytes(span.trace_id), set()).add(hash(span.trace_id))
    assert sum(len(seen) == 2 for seen in hashes.values()) > 0.8 * len(hashes)
    assert sum(trace_id[0] == 0x6A for trace_id in hashes) >= len(hashes) / 2
    assert INSTANCES == 4
