"""The estimate of a span's memory against Python's own account of it."""

from __future__ import annotations

import gc
import json
import random
import tracemalloc
from collections.abc import Callable

import pytest

from otlp_kit.model import Event, Link, Resource, Span
from otlp_kit.processors.span_size import owner_bytes, span_bytes

COUNT = 500
SLACK = 4096
"""Bytes that the interpreter may take for other ends meanwhile: eight a span."""


def text(rng: random.Random, length: int) -> str:
    """A text that nobody else holds."""
    return "".join(rng.choices("abcdefgh", k=length))


def plain(rng: random.Random) -> Span:
    """Ids and times."""
    return Span(
        text(rng, 20), rng.randbytes(16), rng.randbytes(8), rng.randbytes(8),
        rng.getrandbits(61) | 1 << 60, rng.getrandbits(61) | 1 << 60,
    )  # fmt: skip


def with_attributes(rng: random.Random) -> Span:
    """Texts, numbers and bytes, under keys of its own."""
    span = plain(rng)
    for length in (5, 50, 500):
        span.attributes[text(rng, 12)] = text(rng, length)
    span.attributes[text(rng, 12)] = rng.random()
    span.attributes[text(rng, 12)] = rng.getrandbits(60)
    span.attributes[text(rng, 12)] = rng.randbytes(100)
    return span


def with_lists(rng: random.Random) -> Span:
    """Lists and maps in attributes."""
    span = plain(rng)
    span.attributes["a"] = [text(rng, 30) for _ in range(20)]
    span.attributes["b"] = {text(rng, 9): [text(rng, 30), {text(rng, 9): rng.random()}]}
    return span


def with_events_and_links(rng: random.Random) -> Span:
    """An exception's stack, and where it came from."""
    span = plain(rng)
    span.events = [
        Event("exception", rng.getrandbits(61), {"stack": text(rng, 800)}) for _ in range(3)
    ]
    span.links = [Link(rng.randbytes(16), rng.randbytes(8), attributes={"k": text(rng, 9)})]
    span.status_message = text(rng, 60)
    span.trace_state = text(rng, 40)
    return span


def not_ascii(rng: random.Random) -> Span:
    """Four bytes a letter."""
    span = plain(rng)
    span.attributes["t"] = json.loads('"' + "\\ud83d\\ude00" * rng.randint(99, 100) + '"')
    return span


@pytest.mark.parametrize(
    "make", [plain, with_attributes, with_lists, with_events_and_links, not_ascii]
)
def test_the_estimate_is_not_below_and_little_above(make: Callable[[random.Random], Span]) -> None:
    """Of 500 spans, against what tracemalloc says that they took; resource and scope are shared."""
    rng = random.Random(7)
    resource, scope = Resource(), Span().scope
    spans: list[Span | None] = [None] * COUNT
    make(rng)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for index in range(COUNT):
            span = make(rng)
            span.resource, span.scope = resource, scope
            spans[index] = span
        del span
        gc.collect()
        took = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    estimated = sum(span_bytes(span) for span in spans if span)
    assert took - SLACK <= estimated <= 1.35 * took


def test_an_owner_has_its_attributes() -> None:
    """A resource with a long text in it is larger by that text."""
    small, large = Resource({"a": ""}), Resource({"a": "x" * 1000})
    assert owner_bytes(large) - owner_bytes(small) == 1000
