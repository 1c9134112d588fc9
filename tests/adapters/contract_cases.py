"""One contract, two implementations: what each does, line by line, as data.

    for case in CASES:
        print(case.line, case.observe(OFFICIAL), case.observe(KIT))

A case is a small function from a `Side` (the classes of one implementation) to what it observed, as
a short text. No case measures time: a call is *in time* if it returns while the exporter is still
stuck, and *late* if it returned only after the exporter had been let go. `table` prints them all.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry import metrics
from opentelemetry._logs import LogRecord
from opentelemetry.sdk import trace
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs import export as official_logs
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics import export as official_metrics
from opentelemetry.sdk.trace import export as official_spans
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from otlp_kit import adapters
from otlp_kit.wire import Accepted

LIMIT = 1.5
"""Seconds after which a call that was given 0.1 counts as stuck."""


@dataclass(frozen=True)
class Side:
    """The classes of one implementation, which take the same arguments."""

    name: str
    batch_spans: Any
    simple_spans: Any
    batch_logs: Any
    reader: Any


OFFICIAL = Side(
    "official",
    official_spans.BatchSpanProcessor,
    official_spans.SimpleSpanProcessor,
    official_logs.BatchLogRecordProcessor,
    official_metrics.PeriodicExportingMetricReader,
)
KIT = Side(
    "kit",
    adapters.BatchSpanProcessor,
    adapters.SimpleSpanProcessor,
    adapters.BatchLogRecordProcessor,
    adapters.PeriodicExportingMetricReader,
)


@dataclass(frozen=True)
class Case:
    """One line of the contract."""

    line: str
    specs: tuple[str, ...]
    official: str
    kit: str
    observe: Callable[[Side], str]


CASES: list[Case] = []


def case(line: str, *specs: str, official: str, kit: str) -> Callable[..., Any]:
    """Add the function to `CASES`; both sides are expected to do what they did when it was written."""

    def add(observe: Callable[[Side], str]) -> Callable[[Side], str]:
        CASES.append(Case(line, specs, official, kit, observe))
        return observe

    return add


def table() -> str:
    """Every case, observed now on both sides."""
    rows = [("", "official", "kit")]
    with silence():
        rows += [(one.line, one.observe(OFFICIAL), one.observe(KIT)) for one in CASES]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{a:{widths[0]}}  {b:{widths[1]}}  {c}".rstrip() for a, b, c in rows)


class Spans(official_spans.SpanExporter):
    """An official exporter that remembers, and does what it is told."""

    def __init__(self, behave: Callable[[], Any] = lambda: official_spans.SpanExportResult.SUCCESS):
        self.behave = behave
        self.names: list[str] = []
        self.flushed = self.shut_down = 0

    def export(self, spans: Sequence[Any]) -> Any:
        result = self.behave()
        self.names += [span.name for span in spans]
        return result

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        self.flushed += 1
        return True

    def shutdown(self) -> None:
        self.shut_down += 1


class Stuck:
    """Behaves by waiting until it is let go."""

    def __init__(self, result: Any = official_spans.SpanExportResult.SUCCESS) -> None:
        self.result = result
        self.entered, self.let_go = threading.Event(), threading.Event()

    def __call__(self) -> Any:
        self.entered.set()
        self.let_go.wait(20)
        return self.result


class Points(official_metrics.MetricExporter):
    """An official metric exporter that remembers what was called, and does what it is told."""

    def __init__(
        self, behave: Callable[[], Any] = lambda: official_metrics.MetricExportResult.SUCCESS
    ) -> None:
        super().__init__()
        self.behave = behave
        self.calls: list[str] = []
        self.shutdown_timeout = 0.0

    def export(self, metrics_data: Any, timeout_millis: float = 10_000, **kwargs: Any) -> Any:
        self.calls.append("export")
        return self.behave()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        self.calls.append("flush")
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self.shutdown_timeout = timeout_millis


class Logs(official_logs.InMemoryLogRecordExporter):
    """An official log record exporter that calls `during` inside an export."""

    def __init__(self, during: Callable[[], Any] = lambda: None) -> None:
        super().__init__()
        self.during = during

    def export(self, batch: Sequence[Any]) -> Any:
        self.during()
        return super().export(batch)


def end_spans(processor: Any, count: int = 1, sampler: Sampler | None = None) -> None:
    """Spans `0`, `1` and so on, ended under a provider of their own."""
    provider = trace.TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("contract")
    for number in range(count):
        tracer.start_span(str(number)).end()


def meter_of(reader: Any) -> metrics.Meter:
    return MeterProvider([reader], shutdown_on_exit=False).get_meter("contract")


def counted(processor: Any) -> str:
    """What the processor itself can tell about losses."""
    return str(dict(processor.totals().dropped)) if hasattr(processor, "totals") else "no count"


def timely(call: Callable[[], object], let_go: threading.Event) -> str:
    """What `call` returned, and whether it returned while the exporter was stuck."""
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    thread.join(LIMIT)
    when = "late" if thread.is_alive() else "in time"
    let_go.set()
    thread.join()
    return f"{answers[0]}, {when}"


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def silence() -> Iterator[None]:
    """Both sides log what goes wrong; here it is meant to."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def built(make: Callable[[], Any]) -> str:
    """Whether `make` gives a processor, or what it raises."""
    try:
        processor = make()
    except Exception as error:
        return type(error).__name__
    processor.shutdown()
    return "starts"


@case("batch: the queue is full", "SDK-P9", "PEER-1",
      official="keeps 8 newest, no count", kit="keeps 8 newest, {'queue_full': 6}")  # fmt: skip
def full_queue(side: Side) -> str:
    stuck = Stuck()
    exporter = Spans(stuck)
    processor = side.batch_spans(exporter, max_queue_size=4, max_export_batch_size=4)
    end_spans(processor, 4)
    stuck.entered.wait(20)
    end_spans(processor, 10)
    stuck.let_go.set()
    processor.shutdown()
    kept = exporter.names[4:] == ["6", "7", "8", "9"]
    return f"keeps {len(exporter.names)} {'newest' if kept else 'oldest'}, {counted(processor)}"


@case("batch: force_flush(100), exporter stuck", "SDK-P6", "PEER-3",
      official="True, late", kit="False, in time")  # fmt: skip
def flush_of_a_stuck_exporter(side: Side) -> str:
    stuck = Stuck()
    processor = side.batch_spans(Spans(stuck))
    end_spans(processor)
    answer = timely(lambda: processor.force_flush(100), stuck.let_go)
    processor.shutdown()
    return answer


@case("batch: force_flush, export failed", "SDK-P6", "PEER-3", official="True", kit="False")
def flush_of_a_failure(side: Side) -> str:
    processor = side.batch_spans(Spans(lambda: official_spans.SpanExportResult.FAILURE))
    end_spans(processor)
    answer = processor.force_flush()
    processor.shutdown()
    return str(answer)


@case("batch: force_flush goes on to the exporter", "SDK-P6", official="no", kit="yes")
def flush_of_the_exporter(side: Side) -> str:
    exporter = Spans()
    processor = side.batch_spans(exporter)
    processor.force_flush()
    processor.shutdown()
    return "yes" if exporter.flushed else "no"


@case("batch: export_timeout_millis=100", "SDK-P10", "PEER-2",
      official="not told to the exporter", kit="a deadline for exporters that take one")  # fmt: skip
def export_timeout(side: Side) -> str:
    told = []

    class TakesDeadline:
        def export(self, batch: Sequence[Any], deadline: float | None = None) -> Accepted:
            told.append(deadline)
            return Accepted()

        def shutdown(self) -> None: ...

    processor = side.batch_spans(TakesDeadline(), export_timeout_millis=100)
    end_spans(processor)
    processor.shutdown()
    if told == [None]:
        return "not told to the exporter"
    return "a deadline for exporters that take one"


@case("batch: the exporter calls sys.exit, then a span", "SDK-P1",
      official="0 of 1 arrives", kit="1 of 1 arrives")  # fmt: skip
def exporter_exits(side: Side) -> str:
    left = threading.Event()

    def leave() -> Any:
        if not left.is_set():
            left.set()
            sys.exit(1)
        return official_spans.SpanExportResult.SUCCESS

    exporter = Spans(leave)
    processor = side.batch_spans(exporter, max_queue_size=4, max_export_batch_size=1)
    end_spans(processor)
    left.wait(20)
    end_spans(processor)
    processor.shutdown()
    return f"{len(exporter.names)} of 1 arrives"


@case("batch: the exporter answers None", "SDK-P6",
      official="taken for success", kit="{'export_failed': 1}")  # fmt: skip
def exporter_answers_nothing(side: Side) -> str:
    processor = side.batch_spans(Spans(lambda: None))
    end_spans(processor)
    answer = processor.force_flush()
    processor.shutdown()
    return "taken for success" if answer else counted(processor)


@case("batch: a span after shutdown", "SDK-P5",
      official="ignored, no count", kit="ignored, {'already_shutdown': 1}")  # fmt: skip
def span_after_shutdown(side: Side) -> str:
    exporter = Spans()
    processor = side.batch_spans(exporter)
    processor.shutdown()
    end_spans(processor)
    return f"{'exported' if exporter.names else 'ignored'}, {counted(processor)}"


@case("batch, simple: a span that is only recorded", "SDK-P2",
      official="not exported", kit="not exported")  # fmt: skip
def record_only(side: Side) -> str:
    class RecordOnly(Sampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
            return SamplingResult(Decision.RECORD_ONLY)

        def get_description(self) -> str:
            return "RecordOnly"

    exporter = Spans()
    for make in (side.batch_spans, side.simple_spans):
        processor = make(exporter)
        end_spans(processor, sampler=RecordOnly())
        processor.shutdown()
    return "exported" if exporter.names else "not exported"


@case("simple: two threads end a span each", "SDK-P7", "PEER-19",
      official="2 exports at once", kit="1 export at once")  # fmt: skip
def two_threads(side: Side) -> str:
    lock, both = threading.Lock(), threading.Event()
    inside = [0, 0]  # now, at most

    def meet() -> Any:
        with lock:
            inside[0] += 1
            inside[1] = max(inside)
            if inside[0] == 2:
                both.set()
        both.wait(LIMIT)
        with lock:
            inside[0] -= 1
            both.set()
        return official_spans.SpanExportResult.SUCCESS

    processor = side.simple_spans(Spans(meet))
    threads = [threading.Thread(target=end_spans, args=(processor,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    processor.shutdown()
    return f"{inside[1]} export{'s' if inside[1] > 1 else ''} at once"


@case("simple: shutdown twice", "SDK-P5", official="exporter shut down 2 times",
      kit="exporter shut down once")  # fmt: skip
def simple_shutdown_twice(side: Side) -> str:
    exporter = Spans()
    processor = side.simple_spans(exporter)
    processor.shutdown()
    processor.shutdown()
    times = "once" if exporter.shut_down == 1 else f"{exporter.shut_down} times"
    return f"exporter shut down {times}"


@case("environment: OTEL_BSP_MAX_QUEUE_SIZE=-1", "SDK-P25", "PEER-26",
      official="ValueError", kit="starts")  # fmt: skip
def negative_queue(side: Side) -> str:
    with environment(OTEL_BSP_MAX_QUEUE_SIZE="-1"):
        return built(lambda: side.batch_spans(Spans()))


@case("environment: OTEL_BLRP_SCHEDULE_DELAY=0", "SDK-P25", "PEER-26",
      official="ValueError", kit="starts")  # fmt: skip
def no_delay(side: Side) -> str:
    with environment(OTEL_BLRP_SCHEDULE_DELAY="0"):
        return built(lambda: side.batch_logs(Logs()))


@case("environment: OTEL_BSP_MAX_QUEUE_SIZE=100", "SDK-P25", official="ValueError", kit="starts")
def queue_below_a_batch(side: Side) -> str:
    with environment(OTEL_BSP_MAX_QUEUE_SIZE="100"):
        return built(lambda: side.batch_spans(Spans()))


@case("environment: OTEL_METRIC_EXPORT_INTERVAL=-1", "SDK-P25", "PEER-26",
      official="ValueError", kit="starts")  # fmt: skip
def negative_interval(side: Side) -> str:
    with environment(OTEL_METRIC_EXPORT_INTERVAL="-1"):
        return built(lambda: side.reader(Points()))


@case("argument: max_queue_size=-1", "SDK-P25", official="ValueError", kit="ValueError")
def negative_argument(side: Side) -> str:
    return built(lambda: side.batch_spans(Spans(), max_queue_size=-1))


@case("logs: the next processor changes a queued record", "SDK-P14",
      official="the change is exported", kit="exported as it was emitted")  # fmt: skip
def changed_later(side: Side) -> str:
    class Changes(LogRecordProcessor):
        def on_emit(self, log_record: Any) -> None:
            log_record.log_record.attributes["changed"] = True

        def shutdown(self) -> None: ...

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return True

    exporter = Logs()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(side.batch_logs(exporter))
    provider.add_log_record_processor(Changes())
    provider.get_logger("contract").emit(LogRecord(body="x", attributes={"own": 1}))
    provider.shutdown()
    [record] = exporter.get_finished_logs()
    changed = "changed" in (record.log_record.attributes or {})
    return "the change is exported" if changed else "exported as it was emitted"


@case("logs: the export itself logs", "SDK-P24", "PEER-20",
      official="2 exports for 1 record", kit="1 export for 1 record")  # fmt: skip
def export_logs(side: Side) -> str:
    provider = LoggerProvider(shutdown_on_exit=False)
    logger = provider.get_logger("contract")
    exports = [0]

    def log_once() -> None:
        exports[0] += 1
        if exports[0] == 1:
            logger.emit(LogRecord(body="sent"))

    processor = side.batch_logs(Logs(log_once))
    provider.add_log_record_processor(processor)
    logger.emit(LogRecord(body="x"))
    processor.force_flush()
    processor.force_flush()
    provider.shutdown()
    return f"{exports[0]} export{'s' if exports[0] > 1 else ''} for 1 record"


@case("metrics: what force_flush does", "SDK-P17", official="export, flush", kit="export, flush")
def reader_flush(side: Side) -> str:
    exporter = Points()
    reader = side.reader(exporter)
    meter_of(reader).create_counter("c").add(1)
    reader.force_flush()
    calls = ", ".join(exporter.calls)
    reader.shutdown()
    return calls


@case("metrics: force_flush, export failed", "SDK-P17", official="True", kit="False")
def reader_flush_of_a_failure(side: Side) -> str:
    reader = side.reader(Points(lambda: official_metrics.MetricExportResult.FAILURE))
    meter_of(reader).create_counter("c").add(1)
    answer = reader.force_flush()
    reader.shutdown()
    return str(answer)


@case("metrics: force_flush(100), exporter stuck", "SDK-P17",
      official="True, late", kit="False, in time")  # fmt: skip
def reader_flush_of_a_stuck_exporter(side: Side) -> str:
    stuck = Stuck(official_metrics.MetricExportResult.SUCCESS)
    reader = side.reader(Points(stuck))
    meter_of(reader).create_counter("c").add(1)
    answer = timely(lambda: reader.force_flush(100), stuck.let_go)
    reader.shutdown()
    return answer


@case("metrics: shutdown(5000) tells the exporter", "PEER-16",
      official="its default, 30000", kit="what is left of 5000")  # fmt: skip
def reader_shutdown_timeout(side: Side) -> str:
    exporter = Points()
    reader = side.reader(exporter)
    reader.shutdown(timeout_millis=5000)
    told = exporter.shutdown_timeout
    return "what is left of 5000" if 0 < told <= 5000 else f"its default, {told:.0f}"


@case("metrics: a fork while the parent exports", "PEER-14",
      official="the child exports nothing", kit="the child exports")  # fmt: skip
def reader_after_fork(side: Side) -> str:
    program = [sys.executable, "-m", "tests.adapters.contract_fork", side.name]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()
