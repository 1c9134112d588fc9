"""The logging handler beside the official one, and in every loop that logging can get into."""

from __future__ import annotations

import asyncio
import logging
import logging.config
import os
import subprocess
import sys
import threading
import warnings
from collections import UserDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import LoggingHandler as OfficialHandler
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource as OfficialResource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from otlp_kit.adapters import to_log_record
from otlp_kit.encoding.protobuf_logs import encode_logs
from otlp_kit.encoding.protobuf_read_logs import decode_logs
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.model import LogRecord, Resource
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.batch_async import AsyncBatchProcessor, InThread
from otlp_kit.processors.outcome import Outcome
from otlp_kit.processors.simple import SimpleProcessor
from otlp_kit.tracing import logging_handler
from otlp_kit.tracing.logging_handler import LoggingHandler, severity_number
from otlp_kit.wire import LOGS, Accepted

CONTEXT = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1))
ATTRIBUTES = {"service.name": "shop"}


class Kept:
    """An exporter that keeps what it is given, and does `meanwhile` at each export."""

    concurrent = True

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.records: list[LogRecord] = []
        self.exports = 0
        self._meanwhile = meanwhile

    def export(self, batch: Sequence[LogRecord], deadline: float) -> Accepted:
        self.exports += 1
        self.records += batch
        self._meanwhile()
        return Accepted()

    def shutdown(self) -> None:
        pass


class Into:
    """A processor that keeps records; `meanwhile` runs inside `emit`."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.records: list[LogRecord] = []
        self.flushed: list[float] = []
        self.shut_down = False
        self._meanwhile = meanwhile

    def emit(self, record: LogRecord) -> None:
        self.records.append(record)
        self._meanwhile()

    def force_flush(self, timeout: float) -> Outcome:
        self.flushed.append(timeout)
        return Outcome.FLUSHED

    def shutdown(self, timeout: float) -> Outcome:
        self.shut_down = True
        return Outcome.FLUSHED


def logger_with(*handlers: logging.Handler, name: str = "shop.cart") -> logging.Logger:
    """A logger outside the tree, so that nothing else hears it."""
    log = logging.Logger(name)
    for handler in handlers:
        log.addHandler(handler)
    return log


def both(act: Callable[[logging.Logger], object], name: str = "shop.cart") -> Iterator[Any]:
    """What the official handler and this one make of the same `logging.LogRecord`s."""
    exporter, processor = InMemoryLogRecordExporter(), Into()
    provider = LoggerProvider(OfficialResource(ATTRIBUTES), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        official = OfficialHandler(logger_provider=provider)
    act(logger_with(official, LoggingHandler(processor, resource=Resource(ATTRIBUTES)), name=name))
    theirs = [to_log_record(record) for record in exporter.get_finished_logs()]
    return zip(theirs, processor.records, strict=True)


DIFFERENT_TEXTS = {"WARN": "WARNING", "FATAL": "CRITICAL"}
"""The specification asks for the text of the source; the official handler translates these two."""


def agree(theirs: LogRecord, ours: LogRecord) -> None:
    """Field by field; what is taken out is what the specification settles otherwise."""
    assert ours.body == theirs.body
    assert ours.time_unix_nano == theirs.time_unix_nano
    assert ours.observed_time_unix_nano >= theirs.observed_time_unix_nano
    if theirs.severity_number:  # the official handler knows nothing below DEBUG
        assert ours.severity_number == theirs.severity_number
    assert ours.severity_text == DIFFERENT_TEXTS.get(theirs.severity_text, theirs.severity_text)
    assert (ours.trace_id, ours.span_id, ours.flags) == (
        theirs.trace_id,
        theirs.span_id,
        theirs.flags,
    )
    assert ours.attributes == theirs.attributes
    assert ours.dropped_attributes_count == theirs.dropped_attributes_count
    assert (ours.resource, ours.scope) == (theirs.resource, theirs.scope)
    assert decode_logs(encode_logs([ours])) == [ours]


CALLS: dict[str, Callable[[logging.Logger], object]] = {
    "text": lambda log: log.info("hello"),
    "arguments": lambda log: log.warning("%s took %.1f s", "card", 2.25),
    "a percent sign": lambda log: log.error("100 %"),
    "named arguments": lambda log: log.info("%(n)d of %(m)d", {"n": 1, "m": 2}),
    "a map": lambda log: log.info({"order": 7, "items": ["tea", b"\x00", None, 1.5]}),
    "a list": lambda log: log.info(["tea", ("cup", 2)]),
    "a number": lambda log: log.info(42),
    "bytes": lambda log: log.critical(b"\xff"),
    "nothing": lambda log: log.info(None),
    "an object": lambda log: log.info(ValueError("no tea")),
    "an object with arguments": lambda log: log.info(ValueError("no %s"), "tea"),
    "extra": lambda log: log.debug("x", extra={"attempt": 2, "ratio": 0.5, "who": {"id": [1]}}),
    "extra objects": lambda log: log.info("x", extra={"path": ValueError("p"), "kinds": [int]}),
    "extra like ours": lambda log: log.info("x", extra={"code.line.number": "no"}),
    "a level of one's own": lambda log: log.log(25, "notice"),
    "above critical": lambda log: log.log(99, "alarm"),
    "without exception": lambda log: log.exception("nothing raised"),
}


@pytest.mark.parametrize("act", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("span", [None, CONTEXT], ids=["no span", "in a span"])
def test_a_record_is_what_the_official_handler_makes(
    act: Callable[[logging.Logger], object], span: SpanContext | None
) -> None:
    """In a span and outside, whatever is logged."""
    if span is None:
        pairs = list(both(act))
    else:
        with use_span(NonRecordingSpan(span)):
            pairs = list(both(act))
    assert pairs
    for theirs, ours in pairs:
        agree(theirs, ours)
        assert ours.trace_id == (b"" if span is None else span.trace_id.to_bytes(16, "big"))


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | text
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
extras = st.dictionaries(
    text.filter(lambda key: key not in logging_handler.RESERVED | {"getMessage"}),
    values,
    max_size=5,
)


@given(st.integers(10, 120), values, extras, text)
def test_any_record_is_what_the_official_handler_makes(
    level: int, message: Any, extra: dict[str, Any], name: str
) -> None:
    """Levels, messages of every type, extra fields and names of loggers."""
    for theirs, ours in both(lambda log: log.log(level, message, extra=extra), name):
        agree(theirs, ours)


class DeclinedError(Exception):
    """An error whose name alone does not say whose it is."""


@pytest.mark.parametrize(
    "error", [ValueError("no tea"), DeclinedError("card", 7), KeyError("tea"), OSError()]
)
def test_an_exception_is_named_in_full(error: Exception) -> None:
    """As the conventions ask; the official handler leaves the module out, and all but one argument."""

    def act(log: logging.Logger) -> None:
        try:
            raise error
        except type(error):
            log.exception("failed")

    [(theirs, ours)] = both(act)
    module = "" if type(error).__module__ == "builtins" else f"{__name__}."
    assert ours.attributes["exception.type"] == module + theirs.attributes["exception.type"]
    assert ours.attributes["exception.message"] == str(error)
    assert ours.attributes["exception.stacktrace"] == theirs.attributes["exception.stacktrace"]
    assert "in act" in ours.attributes["exception.stacktrace"]


def test_a_stack_is_an_attribute() -> None:
    """`stack_info=True` asks for it; the official handler drops it."""
    [(theirs, ours)] = both(lambda log: log.info("here", stack_info=True))
    assert "code.stacktrace" not in theirs.attributes
    assert "test_a_stack_is_an_attribute" in ours.attributes.pop("code.stacktrace")
    agree(theirs, ours)


def test_the_text_of_a_formatter_is_the_body() -> None:
    """What it leaves on the record, `message` and `asctime` among it, is no attribute."""

    def act(log: logging.Logger) -> None:
        for handler in log.handlers:
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s: %(message)s"))
        log.info("%d cups", 2)

    [(theirs, ours)] = both(act)
    agree(theirs, ours)
    assert ours.body.endswith("INFO: 2 cups")


def test_severities_follow_the_data_model() -> None:
    """Named levels begin their range, those between never fall, and all stay within 1 to 24."""
    named = {10: 5, 20: 9, 30: 13, 40: 17, 50: 21}
    assert {level: severity_number(level) for level in named} == named
    assert [severity_number(level) for level in (-1, 0, 1, 5, 6, 9)] == [0, 0, 1, 1, 2, 4]
    numbers = [severity_number(level) for level in range(1, 1000)]
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1]) == (1, 24)


def test_values_are_those_of_the_moment() -> None:
    """What the program changes afterwards is not changed in the record."""
    processor = Into()
    order: dict[str, Any] = {"items": ["tea"]}
    logger_with(LoggingHandler(processor)).info(order, extra={"order": order, "raw": bytearray(2)})
    order["items"].append("cup")
    [record] = processor.records
    assert record.body == {"items": ["tea"]} == record.attributes["order"]
    assert record.attributes["raw"] == b"\0\0"


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


class HostileMap(UserDict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items for you")


def test_odd_values_become_text_or_nothing() -> None:
    """A value inside itself, a number too large, objects that cannot be written: the record leaves."""
    loop: list[Any] = []
    loop.append(loop)
    processor = Into()
    extra = {"a": loop, "b": Hostile(), "c": HostileMap(x=1), "d": {1: 2}, "e": 2**70, "": 3}
    logger_with(LoggingHandler(processor)).info(Hostile(), extra=extra)
    [record] = processor.records
    assert record.body == "<Hostile>"
    found = {key: value for key, value in record.attributes.items() if len(key) == 1}
    assert found == {"a": [None], "b": "<Hostile>", "c": "<HostileMap>", "d": {"1": 2}, "e": 2**70}
    [decoded] = decode_logs(encode_logs([record]))
    assert decoded.attributes["e"] == str(2**70)


def test_what_the_official_instrumentation_writes_into_records_is_left_out() -> None:
    """The ids are fields already."""
    processor = Into()
    log = logger_with(LoggingHandler(processor))
    log.info("x", extra=dict.fromkeys(logging_handler.INJECTED, "0"))
    assert set(processor.records[0].attributes) == {
        "code.file.path",
        "code.function.name",
        "code.line.number",
    }


def test_attributes_beyond_the_limit_are_counted() -> None:
    """The first ones stay, those that say where and what before any extra field."""
    processor = Into()
    log = logger_with(LoggingHandler(processor, max_attributes=4))
    log.info("x", extra={"one": 1, "two": 2, "three": 3})
    [record] = processor.records
    assert (len(record.attributes), record.dropped_attributes_count) == (4, 2)
    assert record.attributes["one"] == 1


def test_a_message_that_does_not_fit_its_arguments_is_reported_and_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The convention of `logging`: a traceback on stderr, and the program goes on."""
    processor = Into()
    logger_with(LoggingHandler(processor)).info("%d cups of %s", "two")
    assert processor.records[0].body == "%d cups of %s"
    assert "--- Logging error ---" in capsys.readouterr().err


def test_a_processor_that_fails_does_not_fail_the_program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reported while developing, silent when `logging.raiseExceptions` is off."""
    processor = Into(meanwhile=lambda: 1 / 0)
    log = logger_with(LoggingHandler(processor))
    log.info("x")
    assert "ZeroDivisionError" in capsys.readouterr().err
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log.info("x")
    assert capsys.readouterr().err == ""
    assert len(processor.records) == 2


def test_loggers_share_their_scope_and_odd_names_do_not_fill_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One object per name, so that the encoder groups by identity; the table is bounded."""
    monkeypatch.setattr(logging_handler, "MAX_SCOPES", 3)
    processor = Into()
    handler = LoggingHandler(processor)
    for name in ("a", "b", "a", "c", "d", "e"):
        logger_with(handler, name=name).info("x")
    scopes = [record.scope for record in processor.records]
    assert [scope.name for scope in scopes] == ["a", "b", "a", "c", "d", "e"]
    assert scopes[0] is scopes[2]
    assert len(handler._scopes) <= 3


def heard() -> tuple[logging.Handler, list[str]]:
    """Another handler, and what it hears."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    return handler, lines


def test_a_processor_that_logs_does_not_loop() -> None:
    """What it says is not taken while it takes a record; the other handler hears both."""
    other, lines = heard()
    log = logger_with(other)
    processor = Into(meanwhile=lambda: log.warning("inside"))
    log.addHandler(LoggingHandler(processor))
    log.warning("outside")
    assert [record.body for record in processor.records] == ["outside"]
    assert lines == ["outside", "inside"]
    log.warning("again")
    assert len(processor.records) == 2


def test_an_exporter_that_logs_at_once_does_not_loop() -> None:
    """The simple processor exports on the thread that logs."""
    other, lines = heard()
    log = logger_with(other)
    exporter = Kept(meanwhile=lambda: log.error("exporting"))
    processor = SimpleProcessor(exporter)
    log.addHandler(LoggingHandler(processor))
    log.error("outside")
    processor.shutdown(5)
    assert [record.body for record in exporter.records] == ["outside"]
    assert lines == ["outside", "exporting"]


@pytest.mark.parametrize("in_flight", [1, 2])
def test_an_exporter_that_logs_on_another_thread_does_not_loop(in_flight: int) -> None:
    """The batch processor's workers: what they log while exporting feeds no further export."""
    other, lines = heard()
    log = logger_with(other)
    exporter = Kept(meanwhile=lambda: log.error("exporting"))
    processor = BatchProcessor(exporter, delay=0.01, in_flight=in_flight)
    log.addHandler(LoggingHandler(processor))
    log.error("outside")
    assert processor.force_flush(10) is Outcome.FLUSHED
    assert processor.force_flush(10) is Outcome.FLUSHED
    processor.shutdown(10)
    assert [record.body for record in exporter.records] == ["outside"]
    assert (exporter.exports, lines) == (1, ["outside", "exporting"])


def test_an_exporter_that_logs_on_an_event_loop_does_not_loop() -> None:
    """The exporter's task is told from others: what those log meanwhile is taken."""
    log = logger_with()

    class Exporter:
        def __init__(self) -> None:
            self.records: list[LogRecord] = []

        async def export(self, batch: Sequence[LogRecord], deadline: float) -> Accepted:
            self.records += batch
            log.error("exporting")
            started.set()
            await resume.wait()
            return Accepted()

        async def shutdown(self) -> None:
            pass

    started, resume = asyncio.Event(), asyncio.Event()
    exporter = Exporter()

    async def main() -> None:
        processor = AsyncBatchProcessor(exporter, delay=0.01)
        handler = LoggingHandler(processor)
        log.addHandler(handler)
        log.error("first")
        await asyncio.wait_for(started.wait(), 10)
        log.error("second")
        resume.set()
        await processor.force_flush(10)
        handler.flush()
        await processor.shutdown(10)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
    assert [record.body for record in exporter.records] == ["first", "second"]


def test_an_exporter_of_an_event_loop_may_run_in_a_thread() -> None:
    """`InThread` carries the context over, and with it the mark of an export."""
    log = logger_with()
    exporter = Kept(meanwhile=lambda: log.error("exporting"))

    async def main() -> None:
        async with AsyncBatchProcessor(InThread(exporter), delay=0.01) as processor:
            log.addHandler(LoggingHandler(processor))  # type: ignore[arg-type]
            log.error("outside")
            await processor.force_flush(10)

    asyncio.run(main())
    assert [record.body for record in exporter.records] == ["outside"]


class Answers(BaseHTTPRequestHandler):
    """A receiver that takes everything and says nothing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_urllib3_at_debug_on_the_root_logger_does_not_feed_itself() -> None:
    """A real export over a real connection: its lines reach the other handler, not the pipeline."""
    other, lines = heard()
    root = logging.getLogger()
    level = root.level
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        sender = HttpSender(f"http://127.0.0.1:{server.server_address[1]}")
        processor = BatchProcessor(OtlpExporter(encode_logs, sender, LOGS), delay=0.01)
        handler = LoggingHandler(processor)
        root.addHandler(handler)
        root.addHandler(other)
        root.setLevel(logging.DEBUG)
        try:
            for number in range(3):
                logging.getLogger("shop").debug("order %d", number)
                assert processor.force_flush(20) is Outcome.FLUSHED
        finally:
            root.setLevel(level)
            root.removeHandler(handler)
            root.removeHandler(other)
            processor.shutdown(20)
            server.shutdown()
            serving.join()
    assert any("/v1/logs" in line for line in lines)
    assert (processor.totals().created, processor.totals().delivered) == (3, 3)


def test_a_worker_that_logs_need_not_wait_for_who_waits_for_room() -> None:
    """With `block`, whoever logs waits for the worker; a lock of the handler would hold both up."""
    other, lines = heard()
    log = logger_with(other)
    gate = threading.Event()

    def meanwhile() -> None:
        assert gate.wait(20)
        log.error("exporting")

    exporter = Kept(meanwhile)
    processor = BatchProcessor(
        exporter,
        max_queue_size=1,
        max_batch_size=1,
        delay=0.01,
        when_full="block",
        block_timeout=60,
    )
    log.addHandler(LoggingHandler(processor))
    writer = threading.Thread(target=lambda: [log.error("%d", n) for n in range(4)])
    writer.start()
    gate.set()
    writer.join(20)
    assert not writer.is_alive()
    processor.shutdown(20)
    assert [record.body for record in exporter.records] == ["0", "1", "2", "3"]
    assert lines.count("exporting") == 4


def test_many_threads_lose_nothing() -> None:
    """Without a lock, each record arrives once."""
    processor = Into()
    log = logger_with(LoggingHandler(processor))
    threads = [
        threading.Thread(target=lambda n=n: [log.info("%d", n * 100 + i) for i in range(100)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {int(str(record.body)) for record in processor.records} == set(range(400))


def test_flush_is_bounded_and_close_leaves_the_processor_to_its_owner() -> None:
    """Another handler may use it still."""
    processor = Into()
    handler = LoggingHandler(processor, flush_timeout=1.5)
    handler.flush()
    handler.close()
    assert processor.flushed == [1.5]
    assert not processor.shut_down
    logger_with(handler).info("after")
    assert len(processor.records) == 1


def test_a_processor_that_fails_to_flush_does_not_fail_the_program(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`logging.shutdown` and `dictConfig` flush: they go on."""
    processor = Into()
    processor.force_flush = lambda timeout: 1 / 0  # type: ignore[assignment,return-value]
    LoggingHandler(processor).flush()
    assert "failed to flush" in caplog.text


def test_filters_see_a_record_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with every handler; from Python 3.12 on a filter may answer with another record."""
    processor = Into()
    handler = LoggingHandler(processor)
    log = logger_with(handler)
    handler.addFilter(lambda record: "secret" not in record.getMessage())
    log.info("secret")
    assert not processor.records
    other = logging.makeLogRecord({"msg": "in its place", "levelno": 20})
    monkeypatch.setattr(handler, "filter", lambda record: other)
    log.info("fine")
    assert processor.records[0].body == "in its place"


@pytest.mark.parametrize("arguments", [{"max_attributes": -1}, {"flush_timeout": 0}])
def test_a_setting_that_makes_no_sense_is_refused(arguments: Mapping[str, Any]) -> None:
    """By its name."""
    [name] = arguments
    with pytest.raises(ValueError, match=name):
        LoggingHandler(Into(), **arguments)


PROCESSOR = Into()


@pytest.mark.parametrize("processor", [PROCESSOR, f"ext://{__name__}.PROCESSOR"])
def test_a_dict_config_makes_it(processor: object) -> None:
    """With the object itself, or with its name, as a file would have it."""
    PROCESSOR.records.clear()
    log = logging.getLogger("tests.shop")
    configuration = {
        "version": 1,
        "incremental": False,
        "disable_existing_loggers": False,
        "formatters": {"short": {"format": "%(levelname)s %(message)s"}},
        "handlers": {
            "otlp": {
                "()": "otlp_kit.tracing.logging_handler.LoggingHandler",
                "processor": processor,
                "level": "WARNING",
                "formatter": "short",
                "resource": {"service.name": "shop"},
            }
        },
        "loggers": {"tests.shop": {"handlers": ["otlp"], "level": "DEBUG", "propagate": False}},
    }
    try:
        logging.config.dictConfig(configuration)
        log.info("not this")
        log.warning("this")
    finally:
        log.handlers.clear()
        log.propagate = True
    [record] = PROCESSOR.records
    assert record.body == "WARNING this"
    assert record.resource == Resource({"service.name": "shop"})
    assert type(record.resource.attributes) is dict


PROGRAM = """
import logging, os
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.tracing.logging_handler import LoggingHandler
from otlp_kit.wire import Accepted

class Exporter:
    def export(self, batch, deadline):
        os.write(1, ",".join(record.body for record in batch).encode() + b"\\n")
        return Accepted()
    def shutdown(self):
        pass

logging.getLogger().addHandler(LoggingHandler(BatchProcessor(Exporter(), delay=60)))
logging.error("first")
if os.fork() == 0:
    logging.error("child")
    logging.shutdown()
    os._exit(0)
os.wait()
logging.error("last")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_is_logged_last_leaves_at_exit_and_a_fork_may_log() -> None:
    """`logging` flushes its handlers by itself; in the child no lock is held by anybody."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    assert sorted(done.stdout.split()) == ["child", "first,last"]
