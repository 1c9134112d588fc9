"""A whole pipeline counts what a database counts."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from otlp_kit.adapters import BatchSpanProcessor, encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.wire import TRACES, Accepted
from tests.support import Running


class Counting:
    """An exporter of this kit around another one that counts what it was given."""

    def __init__(self, inner: OtlpExporter[ReadableSpan]) -> None:
        self._inner = inner
        self.spans = 0

    def export(self, batch: Sequence[ReadableSpan], deadline: float) -> Accepted:
        self.spans += len(batch)
        return self._inner.export(batch, deadline)

    def shutdown(self) -> None:
        self._inner.shutdown()


@pytest.mark.slow
def test_a_hundred_thousand_spans_from_eight_threads_are_accounted_for(receiver: Running) -> None:
    """Official TracerProvider, kit processor, kit receiver: the ledger, the exporter and SQL agree."""
    exporter = Counting(OtlpExporter(encode_spans, HttpSender(receiver.http), TRACES))
    processor = BatchSpanProcessor(exporter)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("test")

    def make_spans() -> None:
        for _ in range(12_500):
            tracer.start_span("s").end()

    threads = [threading.Thread(target=make_spans) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provider.shutdown()
    totals = processor.totals()
    [row] = receiver.sql("select count(*) as n, count(distinct span_id) as ids from spans")
    assert totals.created == 100_000
    assert totals.created == totals.delivered + sum(totals.dropped.values())
    assert totals.delivered == exporter.spans == row["n"] == row["ids"]
