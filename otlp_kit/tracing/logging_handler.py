"""What a program logs with the standard library, as log records that know their span.

    handler = LoggingHandler(processor, resource=resource)      # a processor of this kit, for logs
    logging.getLogger().addHandler(handler)

or, in a configuration for `logging.config.dictConfig`:

    "otlp": {"()": "otlp_kit.tracing.logging_handler.LoggingHandler",
             "processor": "ext://shop.telemetry.log_processor", "level": "INFO"}

It is not the processor's owner: `flush` flushes it, `close` leaves it alone, since other handlers and
the next configuration may use the same one; whoever made the processor shuts it down.

It cannot feed itself. What is logged while an exporter runs, or while this handler hands on a record,
is not taken (other handlers see it), in that thread or task and those tasks that it starts. A thread
that an exporter starts by itself is not recognized. And it takes no lock: an exporter that logs would
otherwise wait for the thread that holds it, which may be waiting for room in the exporter's queue.
`dictConfig` does hold a lock of `logging` while it flushes the handlers that it replaces: an exporter
that logs for the first time then waits for it, and the flush takes its whole `flush_timeout`.

The span is that of the thread or task that calls `emit`, so behind a `QueueListener` there is none.

Specification: https://opentelemetry.io/docs/specs/otel/logs/data-model/ and
https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from opentelemetry.trace import get_current_span

from otlp_kit.encoding.repair import as_text, count
from otlp_kit.model import Attributes, LogRecord, Resource, Scope, Value
from otlp_kit.processors.exporting import exporting

log = logging.getLogger(__name__)

RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What Python itself writes into a record; everything else was given as `extra`."""
INJECTED = frozenset({"otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName"})
"""What the official instrumentation writes into records for text formats; here it is in fields."""
MAX_SCOPES = 1024
"""Kept scopes; past that the table starts anew, so that odd logger names cannot fill memory."""
MAX_DEPTH = 30
"""Levels of nesting in a value; deeper ones, and a value inside itself, become the empty value."""

_handing_on: ContextVar[bool] = ContextVar("handing_on", default=False)


class LogProcessor(Protocol):
    """What is asked of a processor here: every one of this kit is one."""

    def emit(self, record: LogRecord, /) -> object: ...
    def force_flush(self, timeout: float, /) -> object: ...


class LoggingHandler(logging.Handler):
    """Turns `logging.LogRecord`s into `model.LogRecord`s and emits them into `processor`.

    `level` is a number or a name. `resource` says who logs: a `Resource`, or its attributes. A record
    keeps `max_attributes` attributes and counts the others. `flush` takes at most `flush_timeout`
    seconds. With a formatter, its text is the body; without one, the message is.

    Errors, a message whose arguments do not fit among them, go to `handleError`, as in every handler
    of the standard library, and never into the program.
    """

    def __init__(
        self,
        processor: LogProcessor,
        *,
        level: int | str = logging.NOTSET,
        resource: Resource | Mapping[str, Value] | None = None,
        max_attributes: int = 128,
        flush_timeout: float = 5.0,
    ) -> None:
        super().__init__(level)
        if max_attributes < 0:
            raise ValueError(f"max_attributes must not be negative: {max_attributes}")
        if not flush_timeout > 0:
            raise ValueError(f"flush_timeout must be more than 0 seconds, not {flush_timeout}")
        self._processor = processor
        self._resource = (
            resource if isinstance(resource, Resource) else Resource(_plain(resource or {}))
        )
        self._max_attributes = max_attributes
        self._flush_timeout = flush_timeout
        self._scopes: dict[str, Scope] = {}

    def createLock(self) -> None:  # noqa: N802
        self.lock = None

    def handle(self, record: logging.LogRecord) -> Any:
        """Emit `record` if the filters let it through; as in the base class, but without its lock."""
        kept = self.filter(record)
        if isinstance(kept, logging.LogRecord):  # from 3.12 on, a filter may replace it
            record = kept
        if kept:
            self.emit(record)
        return kept

    def emit(self, record: logging.LogRecord) -> None:
        """Hand `record` on, translated. Safe from any thread; raises nothing."""
        if exporting.get() or _handing_on.get():
            return
        inside = _handing_on.set(True)
        try:
            self._processor.emit(self._translated(record))
        except Exception:
            self.handleError(record)
        finally:
            _handing_on.reset(inside)

    def flush(self) -> None:
        """Wait until what was logged before is exported, or `flush_timeout` is over.

        The processor of an event loop is not waited for: only its loop can.
        """
        try:
            answer = self._processor.force_flush(self._flush_timeout)
            if isinstance(answer, Coroutine):
                answer.close()
        except Exception:
            log.exception("the processor of log records failed to flush")

    def _translated(self, record: logging.LogRecord) -> LogRecord:
        found = _attributes(record)
        kept = dict(list(found.items())[: self._max_attributes])
        span = get_current_span().get_span_context()
        traced = span.is_valid
        return LogRecord(
            body=self._body(record),
            time_unix_nano=max(int(record.created * 1e9), 0),
            observed_time_unix_nano=time.time_ns(),
            severity_number=severity_number(record.levelno),
            severity_text=record.levelname,
            attributes=kept,
            trace_id=span.trace_id.to_bytes(16, "big") if traced else b"",
            span_id=span.span_id.to_bytes(8, "big") if traced else b"",
            flags=int(span.trace_flags) if traced else 0,
            dropped_attributes_count=len(found) - len(kept),
            resource=self._resource,
            scope=self._scope(record.name),
        )

    def _body(self, record: logging.LogRecord) -> Value:
        try:
            if self.formatter:
                return self.format(record)
            if record.args or isinstance(record.msg, str):
                return record.getMessage()
        except Exception:
            # The caller's mistake is reported; what was meant to be said is better than nothing.
            self.handleError(record)
        message: Value = _plain(record.msg)
        return message

    def _scope(self, name: str) -> Scope:
        scope = self._scopes.get(name)
        if scope is None:
            if len(self._scopes) >= MAX_SCOPES:
                self._scopes.clear()
            scope = self._scopes[name] = Scope(name)
        return scope


def severity_number(level: int) -> int:
    """The severity of a level: DEBUG 5, INFO 9, WARNING 13, ERROR 17, CRITICAL 21; 0 for none.

    A level of one's own lies above the one below it, in the range of four that this one begins: 25 is
    12, INFO4. What lies below DEBUG is TRACE, which begins with 5, the level that most programs use.
    """
    if level <= 0:
        return 0
    if level < logging.DEBUG:
        return 1 + min(max(level - 5, 0), 3)
    begin = min(level // 10, 5)
    return 4 * begin + 1 + min(level - 10 * begin, 3)


def _attributes(record: logging.LogRecord) -> Attributes:
    """Where it was logged, what was raised, and the `extra` fields, in this order of importance."""
    found: Attributes = {
        "code.file.path": record.pathname,
        "code.function.name": record.funcName,
        "code.line.number": record.lineno,
    }
    raised = record.exc_info
    if isinstance(raised, tuple) and raised[0] is not None:
        kind, error, trace = raised
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        found["exception.type"] = module + kind.__qualname__
        found["exception.message"] = _message(error)
        found["exception.stacktrace"] = "".join(traceback.format_exception(kind, error, trace))
    if record.stack_info:
        found["code.stacktrace"] = record.stack_info
    for key, value in vars(record).items():
        if key and key not in RESERVED and key not in INJECTED and key not in found:
            found[key] = _plain(value)
    return found


def _message(error: BaseException | None) -> str:
    try:
        return "" if error is None else str(error)
    except Exception:
        return f"<{type(error).__name__}>"


def _plain(value: Any, inside: tuple[int, ...] = ()) -> Any:
    """`value` as it is now, of the types that an attribute may have; of another type, its text."""
    if value is None or isinstance(value, str | bool | int | float | bytes):
        return value
    try:
        if isinstance(value, bytearray | memoryview):
            return bytes(value)
        if isinstance(value, Mapping | Sequence):
            if id(value) in inside or len(inside) >= MAX_DEPTH:
                count()
                return None
            inside = (*inside, id(value))
            if isinstance(value, Mapping):
                return {as_text(key): _plain(item, inside) for key, item in value.items()}
            return [_plain(item, inside) for item in value]
    except Exception:  # it only looks like one
        return f"<{type(value).__name__}>"
    return as_text(value)
