"""Who waits, who is late, what fits: the buffer without threads, locks or a clock."""

from __future__ import annotations

import gc
import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.model import Resource, Scope, Span
from otlp_kit.processors.span_size import owner_bytes, span_bytes
from otlp_kit.processors.tail_buffer import (
    REMEMBERED_BYTES,
    SPAN_BYTES,
    TRACE_BYTES,
    Fate,
    TailBuffer,
)
from otlp_kit.processors.tail_threshold import Decision

KEPT, NOT_KEPT = Decision("error", 0), Decision(None, 0)
RESOURCE, SCOPE = Resource({"service.name": "shop"}), Scope("scope")


def span(trace: int, number: int = 0) -> Span:
    """The span `number` of a trace."""
    return Span(
        "GET /",
        trace.to_bytes(16, "big"),
        number.to_bytes(8, "big"),
        resource=RESOURCE,
        scope=SCOPE,
    )


def buffer(
    *, wait: float = 10.0, max_spans: int = 100, max_bytes: int = 1 << 30, remember: int = 1000
) -> TailBuffer:
    """One with room for what a test wants."""
    return TailBuffer(wait=wait, max_spans=max_spans, max_bytes=max_bytes, remember=remember)


def leave(waiting: TailBuffer, decision: Decision) -> None:
    """Decide the oldest trace, and let it go."""
    oldest = waiting.oldest()
    assert oldest
    assert waiting.settle(oldest, decision)
    waiting.release(oldest)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"wait": 0.0}, "decision wait must be more than 0 seconds"),
        ({"wait": float("inf")}, "decision wait"),
        ({"max_spans": 0}, "bound of spans"),
        ({"max_bytes": 0}, "bound of bytes"),
        ({"remember": 0}, "bound of decisions"),
    ],
)
def test_bounds_that_hold_nothing_are_refused(settings: dict[str, float], message: str) -> None:
    """The error names the bound."""
    with pytest.raises(ValueError, match=message):
        buffer(**settings)  # type: ignore[arg-type]


def test_a_trace_waits_from_its_first_span() -> None:
    """Spans that come later do not put it off; the oldest trace is the next one."""
    waiting = buffer()
    assert waiting.next_due(3.0) == 10.0
    waiting.offer(span(1, 1), 100, 1.0)
    waiting.offer(span(2, 1), 100, 2.0)
    waiting.offer(span(1, 2), 100, 9.0)
    assert waiting.next_due(9.0) == 2.0
    assert waiting.due(10.9) is None
    first = waiting.due(11.0)
    assert first
    assert [one.span_id[-1] for one in first.spans.values()] == [1, 2]
    leave(waiting, KEPT)
    assert (len(waiting), waiting.spans) == (1, 1)
    assert waiting.next_due(50.0) == 0.0


def test_a_span_that_is_there_is_a_duplicate() -> None:
    """While its trace waits, and after it was kept; of what was not kept nobody asks."""
    waiting = buffer()
    for trace in (1, 2):
        assert waiting.offer(span(trace), 100, 0.0) is Fate.WAITS
        assert waiting.offer(span(trace), 100, 0.0) is Fate.DUPLICATE
    leave(waiting, KEPT)
    leave(waiting, NOT_KEPT)
    assert waiting.offer(span(1), 100, 0.0) is Fate.DUPLICATE
    assert waiting.offer(span(1, 1), 100, 0.0) == KEPT
    assert waiting.offer(span(1, 1), 100, 0.0) is Fate.DUPLICATE
    assert waiting.offer(span(2), 100, 0.0) == NOT_KEPT
    stats = waiting.stats()
    assert (stats.late_kept, stats.late_dropped, stats.spans) == (1, 1, 0)
    assert (stats.kept, stats.not_kept, stats.early) == ({"error": 1}, 1, 0)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5), st.booleans())), st.integers(1, 40)
)
def test_what_is_remembered_is_bounded(story: list[tuple[int, int, bool]], remember: int) -> None:
    """By ids, whatever comes late; who was asked for last is forgotten last."""
    waiting = buffer(remember=remember)
    for trace, number, kept in story:
        if waiting.offer(span(trace, number), 100, 0.0) is Fate.WAITS:
            leave(waiting, KEPT if kept else NOT_KEPT)
        assert waiting.remembered <= remember
        assert waiting.spans == waiting.bytes == 0


def test_the_decision_that_was_asked_for_is_remembered_longest() -> None:
    """Two have room; the third pushes out the one that nobody asked for."""
    waiting = buffer(remember=2)
    for trace in (1, 2):
        waiting.offer(span(trace), 100, 0.0)
        leave(waiting, NOT_KEPT)
    assert waiting.offer(span(1, 1), 100, 0.0) == NOT_KEPT
    waiting.offer(span(3), 100, 0.0)
    leave(waiting, NOT_KEPT)
    assert waiting.offer(span(1, 2), 100, 0.0) == NOT_KEPT
    assert waiting.offer(span(2, 2), 100, 0.0) is Fate.WAITS


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 20), st.integers(1, 3000))),
    st.integers(1, 12),
    st.integers(1000, 20_000),
)
def test_neither_bound_is_ever_exceeded(
    story: list[tuple[int, int, int]], max_spans: int, max_bytes: int
) -> None:
    """Whatever comes, of whatever size; what is full changes nothing."""
    waiting = buffer(max_spans=max_spans, max_bytes=max_bytes)
    for trace, number, size in story:
        before = (waiting.spans, waiting.bytes, len(waiting))
        fate = waiting.offer(span(trace, number), size, 0.0)
        assert waiting.spans <= max_spans
        assert waiting.bytes <= max_bytes
        if fate is Fate.FULL:
            assert before == (waiting.spans, waiting.bytes, len(waiting))
            if waiting.oldest():
                leave(waiting, NOT_KEPT)
    waiting.clear()
    assert (waiting.spans, waiting.bytes, len(waiting)) == (0, 0, 0)


def test_each_resource_and_scope_counts_once_a_trace() -> None:
    """Also when the services take turns; another object counts anew, equal or not."""
    waiting = buffer()
    other = Resource({"service.name": "bank"})
    for number, resource in enumerate([RESOURCE, other, RESOURCE, other]):
        one = span(1, number)
        one.resource = resource
        waiting.offer(one, 100, 0.0)
    owners = owner_bytes(RESOURCE) + owner_bytes(other) + owner_bytes(SCOPE)
    assert waiting.bytes == TRACE_BYTES + 4 * (100 + SPAN_BYTES) + owners
    one = span(1, 9)
    one.resource = Resource({"service.name": "shop"})
    waiting.offer(one, 100, 0.0)
    assert waiting.bytes == TRACE_BYTES + 5 * (100 + SPAN_BYTES) + owners + owner_bytes(RESOURCE)


def test_a_closed_buffer_takes_nothing() -> None:
    """Not even duplicates; what waits can still be judged, or given up."""
    waiting = buffer()
    waiting.offer(span(1, 1), 100, 0.0)
    waiting.offer(span(2, 1), 100, 0.0)
    waiting.close()
    assert {waiting.offer(span(t, n), 100, 0.0) for t in (1, 3) for n in (1, 2)} == {Fate.CLOSED}
    leave(waiting, KEPT)
    given_up = waiting.oldest()
    assert given_up
    assert waiting.clear() == 1
    assert not waiting.settle(given_up, KEPT)
    assert waiting.oldest() is None


@pytest.mark.parametrize("per_trace", [1, 2, 6, 22, 300])
@pytest.mark.parametrize("attributes", [0, 8])
def test_the_bytes_are_an_upper_bound_of_the_memory(per_trace: int, attributes: int) -> None:
    """For many small traces and for few large ones, against tracemalloc; not twice too much."""
    rng = random.Random(5)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        waiting = buffer(max_spans=10_000)
        for _ in range(3000 // per_trace):
            trace_id = rng.randbytes(16)
            for _ in range(per_trace):
                one = Span(
                    "GET /", trace_id, rng.randbytes(8), resource=RESOURCE, scope=SCOPE,
                    start_unix_nano=rng.getrandbits(60), end_unix_nano=rng.getrandbits(60),
                    attributes={f"key.{n}": rng.random() for n in range(attributes)},
                )  # fmt: skip
                waiting.offer(one, span_bytes(one), 0.0)
        took = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert took <= waiting.bytes <= 2.2 * took


@pytest.mark.parametrize("decision", [KEPT, NOT_KEPT])
@pytest.mark.parametrize("per_trace", [1, 2, 6, 22])
def test_a_remembered_id_takes_no_more_than_is_said(decision: Decision, per_trace: int) -> None:
    """On average, with the tables that hold it."""
    rng = random.Random(5)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        waiting = buffer(remember=10_000)
        for _ in range(10_000 // per_trace):
            ids = [rng.randbytes(8) for _ in range(per_trace)]
            waiting.decided(rng.randbytes(16), ids, decision, early=False)
        took = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert took <= waiting.remembered * REMEMBERED_BYTES
    assert waiting.most_bytes == waiting.max_bytes + 10_000 * REMEMBERED_BYTES
