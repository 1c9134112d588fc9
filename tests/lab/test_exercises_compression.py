"""Each wrong prediction about compression is refused for its own reason."""

from __future__ import annotations

import lzma
import random
import zlib
from typing import Any

import pytest

from otlp_kit.lab.exercises_compression import KEPT, SPANS_OF_A_TRACE, floor

RIGHT = {"ids": 12, "ratio": 30, "line": 50e6}


def test_the_right_predictions_pass() -> None:
    """And those that are a little off."""
    assert floor(**RIGHT).passed
    assert floor(ids=12.3, ratio=29.5, line=51e6).passed


def test_no_method_goes_below_the_floor() -> None:
    """Thousands of ids, as spans have them: two methods come near to it, from above."""
    chance, told = random.Random(1), bytearray()
    for _ in range(2000):
        trace, spans = chance.randbytes(16), [chance.randbytes(8) for _ in range(SPANS_OF_A_TRACE)]
        for number, span in enumerate(spans):
            told += trace + span + (spans[0] if number else b"")
    for method in (lzma.compress, lambda body: zlib.compress(body, 9)):
        each = len(method(bytes(told))) / 2000 / SPANS_OF_A_TRACE
        assert KEPT < each < 1.5 * KEPT


@pytest.mark.parametrize(
    ("guess", "difference"),
    [
        ({"ids": 32}, "the bytes before compression"),
        ({"ids": 30}, "the bytes before compression"),
        ({"ids": 24}, "it is not the only one"),
        ({"ids": 8}, "a trace id is random too"),
        ({"ids": 20}, "the id of another span of the request"),
        ({"ids": 18}, "the id of another span of the request"),
        ({"ids": 2}, "cannot hold them"),
        ({"ids": 100}, "fewer than that are new"),
        ({"ids": 0}, "not a number above 0"),
        ({"ids": "12"}, "not a number above 0"),
        ({"ratio": 1 / 30}, "what remains of one byte"),
        ({"ratio": 360 / 348}, "you took the ids away"),
        ({"ratio": 45}, "not even the ids would have room"),
        ({"ratio": 6}, "can be exceeded"),
        ({"line": 184_000 / 0.003}, "does the method read"),
        ({"line": 34_000 / 0.003}, "does the method write"),
        ({"line": 400e6}, "those are bits"),
        ({"line": 1e6}, "earlier compressed"),
        ({"line": 1e9}, "earlier as it is"),
    ],
)
def test_each_wrong_prediction_has_its_own_reason(guess: dict[str, Any], difference: str) -> None:
    """And a hint."""
    verdict = floor(**{**RIGHT, **guess})
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint
