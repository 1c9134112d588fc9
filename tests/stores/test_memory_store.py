"""The store that forgets."""

from __future__ import annotations

import threading

from otlp_kit.model import Span
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.wire import TRACES

ONE, OTHER = b"t" * 16, b"u" * 16


def test_a_batch_is_kept_once() -> None:
    """The second put of the same batch adds nothing, and says so."""
    store = MemoryStore()
    spans = [Span("a", ONE, b"1" * 8), Span("b", OTHER, b"2" * 8)]
    assert store.put(TRACES, spans, "batch") == 2
    assert store.put(TRACES, spans, "batch") == 0
    assert store.spans() == spans


def test_spans_are_found_by_trace() -> None:
    """By the id in hexadecimal; an unknown one has no spans."""
    store = MemoryStore()
    store.put(TRACES, [Span("a", ONE, b"1" * 8), Span("b", OTHER, b"2" * 8)], "batch")
    assert [span.name for span in store.spans(OTHER.hex())] == ["b"]
    assert store.spans("00" * 16) == []


def test_what_is_put_belongs_to_the_store() -> None:
    """A caller that empties its list afterwards takes nothing back."""
    store = MemoryStore()
    batch = [Span("a", ONE, b"1" * 8)]
    store.put(TRACES, batch, "batch")
    batch.clear()
    assert len(store.spans()) == 1


def test_threads_put_at_once() -> None:
    """Each batch is kept by exactly one of the threads that put it."""
    store = MemoryStore()
    new: list[int] = []

    def put() -> None:
        for batch in range(50):
            new.append(store.put(TRACES, [Span("a", ONE, b"1" * 8)], str(batch)))

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(new) == len(store.spans()) == 50
