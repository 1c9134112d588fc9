"""The whole pipeline in one process, without a socket."""

from __future__ import annotations

import os
import time

import pytest

from otlp_kit.model import Span
from otlp_kit.pipeline import span_pipeline
from otlp_kit.processors.outcome import Outcome
from otlp_kit.receiver.service import Service
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.testing.loopback import LoopbackSender
from otlp_kit.wire import TRACES, Accepted, Payload, Refused


def test_a_span_goes_through_every_stage() -> None:
    """Emitted, batched, encoded, sent, decoded, stored: equal to what it was."""
    store = MemoryStore()
    service = Service(store.put)
    pipeline = span_pipeline(LoopbackSender(service.handle))
    spans = [Span(f"span {i}", os.urandom(16), os.urandom(8)) for i in range(1000)]
    for span in spans:
        pipeline.emit(span)
    assert pipeline.shutdown() is Outcome.FLUSHED
    assert store.spans() == spans
    assert store.spans(spans[7].trace_id.hex()) == [spans[7]]
    assert str(pipeline.totals()) == "created 1,000 = delivered 1,000"
    assert str(service.ledger.totals()) == "created 1,000 = stored 1,000"


def test_answers_are_read_as_over_http() -> None:
    """Rejected items and refusals reach the sender's caller."""
    service = Service(MemoryStore().put)
    pipeline = span_pipeline(LoopbackSender(service.handle))
    pipeline.emit(Span("no ids"))
    assert pipeline.shutdown() is Outcome.FLUSHED
    assert str(pipeline.totals()) == "created 1 = rejected 1"
    sender = LoopbackSender(service.handle)
    with pytest.raises(Refused, match="HTTP 400"):
        sender.send(Payload(TRACES, b"\xff", 1), time.monotonic() + 1)
    assert sender.send(Payload(TRACES, b"", 0), time.monotonic() + 1) == Accepted()
