"""Lines of the specification, and troubles of peers, that no other file of this folder holds."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otlp_kit.adapters import (
    BatchSpanProcessor,
    PeriodicExportingMetricReader,
    SimpleSpanProcessor,
)
from otlp_kit.adapters.sdk_exporters import MetricExporterOf
from otlp_kit.wire import Accepted, Unavailable

PROCESSORS = [BatchSpanProcessor, SimpleSpanProcessor]


class Word(SpanProcessor):
    """Sets an attribute when a span starts."""

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        span.set_attribute("first", "word")


@pytest.mark.spec("SDK-P3")
@pytest.mark.parametrize("make", PROCESSORS)
def test_it_takes_its_turn_among_other_processors(make: Any) -> None:
    """What another one adds is exported; each pipeline has an exporter of its own."""
    first, second = InMemorySpanExporter(), InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in (Word(), make(first), make(second)):
        provider.add_span_processor(processor)
    provider.get_tracer("t").start_span("s").end()
    provider.force_flush()
    for memory in (first, second):
        [span] = memory.get_finished_spans()
        assert span.attributes == {"first": "word"}
    provider.shutdown()


@pytest.mark.spec("SDK-P11")
def test_a_processor_does_not_try_again() -> None:
    """That is the exporter's, within its deadline."""

    class Away:
        calls = 0

        def export(self, batch: Sequence[ReadableSpan], deadline: float) -> Accepted:
            self.calls += 1
            raise Unavailable("come back later", retry_after=0)

        def shutdown(self) -> None:
            pass

    exporter = Away()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    provider.get_tracer("t").start_span("s").end()
    assert not provider.force_flush()
    provider.shutdown()
    assert exporter.calls == 1


@pytest.mark.spec("SDK-P16")
def test_a_reader_belongs_to_one_provider() -> None:
    """As the official ones do: a second provider is refused."""
    sender: Any = object()
    for reader in (
        PeriodicExportingMetricReader(MetricExporterOf(sender), export_interval_millis=1e9),
        InMemoryMetricReader(),
    ):
        provider = MeterProvider([reader], shutdown_on_exit=False)
        with pytest.raises(Exception, match="already"):
            MeterProvider([reader], shutdown_on_exit=False)
        provider.shutdown()


@pytest.mark.spec("PEER-4")
@pytest.mark.spec("PEER-5")
def test_a_dead_collector_holds_nobody_who_ends_a_span() -> None:
    """The exporter hangs; spans end at once, and are counted when the queue is full."""
    go = threading.Event()

    class Dead(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            go.wait(30)
            return SpanExportResult.FAILURE

    processor = BatchSpanProcessor(Dead(), max_queue_size=4, max_export_batch_size=2)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    for _ in range(100):
        provider.get_tracer("t").start_span("s").end()
    assert not go.is_set()
    totals = processor.totals()
    assert totals.created == 100
    assert totals.inside <= 6
    go.set()
    provider.shutdown()
    assert processor.totals().inside == 0


@pytest.mark.spec("PEER-27")
@pytest.mark.parametrize("make", PROCESSORS)
def test_a_processor_that_is_shut_down_can_be_collected(make: Any) -> None:
    """Neither a thread nor a hook holds it any more."""
    processor = make(InMemorySpanExporter())
    processor.shutdown()
    gone = weakref.ref(processor)
    del processor
    for thread in threading.enumerate():
        if thread.name.startswith("otlp-kit"):
            thread.join(10)  # it has done its work, and is on the way out
    gc.collect()
    assert gone() is None


@pytest.mark.spec("PEER-28")
def test_a_flush_before_a_freeze_leaves_nothing_inside() -> None:
    """A serverless platform stops the process between two requests: flush at the end of each."""
    memory = InMemorySpanExporter()
    processor = BatchSpanProcessor(memory)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    for number in range(3):
        provider.get_tracer("t").start_span("request").end()
        assert provider.force_flush(1000)
        assert len(memory.get_finished_spans()) == number + 1
        assert processor.totals().inside == 0
    provider.shutdown()
