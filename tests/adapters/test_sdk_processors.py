"""The kit's processor where the official SDK expects its own."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor as OfficialBatchSpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from otlp_kit.adapters import BatchSpanProcessor
from otlp_kit.wire import Accepted


class Custom(SpanExporter):
    """An official exporter that does what the test says."""

    def __init__(self, behave: Callable[[Sequence[ReadableSpan]], Any]) -> None:
        self._behave = behave
        self.flushed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._behave(spans)  # type: ignore[no-any-return]

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        self.flushed += 1
        return True


def provider_of(processor: BatchSpanProcessor) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(processor)
    return provider


def make_spans(provider: TracerProvider, count: int) -> None:
    tracer = provider.get_tracer("test")
    for number in range(count):
        tracer.start_span(f"span {number}").end()


def test_the_arguments_are_the_official_ones() -> None:
    """Same names, same order; the official class has one more, which needs a meter provider."""
    own = list(inspect.signature(BatchSpanProcessor).parameters)
    official = list(inspect.signature(OfficialBatchSpanProcessor).parameters)
    assert own == [name for name in official if name != "meter_provider"]


@pytest.mark.spec("SDK-P6")
def test_an_official_exporter_gets_every_span_and_is_flushed() -> None:
    """Content and order are what the SDK made; force_flush goes on to the exporter."""
    memory = InMemorySpanExporter()
    exporter = Custom(memory.export)
    processor = BatchSpanProcessor(exporter)
    provider = provider_of(processor)
    make_spans(provider, 1000)
    assert provider.force_flush()
    assert exporter.flushed == 1
    assert [span.name for span in memory.get_finished_spans()] == [f"span {i}" for i in range(1000)]
    provider.shutdown()
    assert str(processor.totals()) == "created 1,000 = delivered 1,000"


@pytest.mark.spec("SDK-P2")
def test_a_span_that_is_only_recorded_is_not_exported() -> None:
    """Processors see it, exporters do not."""

    class RecordOnly(Sampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
            return SamplingResult(Decision.RECORD_ONLY)

        def get_description(self) -> str:
            return "RecordOnly"

    memory = InMemorySpanExporter()
    provider = TracerProvider(sampler=RecordOnly())
    provider.add_span_processor(BatchSpanProcessor(memory))
    make_spans(provider, 3)
    provider.shutdown()
    assert memory.get_finished_spans() == ()


@pytest.mark.spec("PEER-3")
def test_a_flush_that_failed_says_so() -> None:
    """The official processor returns True even when every export failed."""
    processor = BatchSpanProcessor(Custom(lambda spans: SpanExportResult.FAILURE))
    provider = provider_of(processor)
    make_spans(provider, 3)
    assert not processor.force_flush()
    assert dict(processor.totals().dropped) == {"export_failed": 3}
    provider.shutdown()


@pytest.mark.spec("SDK-P7")
def test_an_official_exporter_is_never_called_concurrently() -> None:
    """However many threads emit and flush."""
    inside, most = [0], [0]
    lock = threading.Lock()

    def export(spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        with lock:
            inside[0] -= 1
        return SpanExportResult.SUCCESS

    processor = BatchSpanProcessor(Custom(export), max_queue_size=64, max_export_batch_size=4)
    provider = provider_of(processor)
    threads = [
        threading.Thread(target=lambda: (make_spans(provider, 200), processor.force_flush()))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provider.shutdown()
    assert most[0] == 1


def test_the_export_itself_is_not_traced() -> None:
    """Instrumented HTTP libraries see that they are used by an export, whoever's exporter it is."""
    suppressed = []

    class OfTheKit:
        def export(self, batch: Sequence[ReadableSpan], deadline: float) -> Accepted:
            suppressed.append(get_value(_SUPPRESS_INSTRUMENTATION_KEY))
            return Accepted()

        def shutdown(self) -> None:
            pass

    def export(spans: Sequence[ReadableSpan]) -> SpanExportResult:
        suppressed.append(get_value(_SUPPRESS_INSTRUMENTATION_KEY))
        return SpanExportResult.SUCCESS

    for exporter in (Custom(export), OfTheKit()):
        provider = provider_of(BatchSpanProcessor(exporter))
        make_spans(provider, 1)
        provider.shutdown()
    assert suppressed == [True, True]


@pytest.mark.spec("SDK-P6")
@pytest.mark.parametrize("timeout", [(), (None,), (1000,)])
def test_a_flush_takes_what_the_official_one_takes(timeout: tuple[int | None, ...]) -> None:
    """Milliseconds, None, or nothing."""
    processor = BatchSpanProcessor(InMemorySpanExporter())
    make_spans(provider_of(processor), 1)
    assert processor.force_flush(*timeout)
    processor.shutdown()


def test_an_exporter_whose_flush_fails_does_not_stop_the_program() -> None:
    """False, not an exception."""

    class Broken(Custom):
        def force_flush(self, timeout_millis: int = 30000) -> bool:
            raise RuntimeError("no")

    processor = BatchSpanProcessor(Broken(lambda spans: SpanExportResult.SUCCESS))
    assert not processor.force_flush()
    processor.shutdown()


@pytest.mark.spec("PEER-1")
def test_a_full_queue_keeps_the_newest_and_counts_the_rest() -> None:
    """As the official class drops the oldest; unlike it, one can ask how many."""
    entered, let_go, memory = threading.Event(), threading.Event(), InMemorySpanExporter()

    def export(spans: Sequence[ReadableSpan]) -> SpanExportResult:
        entered.set()
        let_go.wait(20)
        return memory.export(spans)

    processor = BatchSpanProcessor(Custom(export), max_queue_size=4, max_export_batch_size=4)
    provider = provider_of(processor)
    make_spans(provider, 4)
    assert entered.wait(20)
    make_spans(provider, 10)
    let_go.set()
    provider.shutdown()
    names = [span.name for span in memory.get_finished_spans()]
    assert names == [f"span {i}" for i in (0, 1, 2, 3, 6, 7, 8, 9)]
    assert str(processor.totals()) == "created 14 = delivered 8 + dropped 6 (queue_full 6)"


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_BSP_* hold where an argument is left out; a bad one does not stop the program."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "0")
    processor = BatchSpanProcessor(InMemorySpanExporter())
    assert "queued 0/10" in repr(processor)
    processor.shutdown()
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-3")
    processor = BatchSpanProcessor(InMemorySpanExporter())
    assert "queued 0/2048" in repr(processor)
    processor.shutdown()


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"max_queue_size": 5, "max_export_batch_size": 6}, "queue size must be at least"),
        ({"max_export_batch_size": 0}, "batch size must be at least 1"),
        ({"schedule_delay_millis": 0}, "delay must be more than 0"),
        ({"export_timeout_millis": -1}, "export timeout must be more than 0"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, int], rule: str) -> None:
    """By name, at construction."""
    with pytest.raises(ValueError, match=rule):
        BatchSpanProcessor(InMemorySpanExporter(), **arguments)
