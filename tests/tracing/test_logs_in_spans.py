"""The tracer and the logging handler of this kit, in one program."""

from __future__ import annotations

import logging
from typing import Any

from otlp_kit.tracing import TracerProvider
from otlp_kit.tracing.logging_handler import LoggingHandler


class Into:
    """A processor that keeps records."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def emit(self, record: Any) -> None:
        self.records.append(record)

    def force_flush(self, timeout: float) -> None:
        pass

    def shutdown(self, timeout: float) -> None:
        pass


def test_a_record_names_the_span_in_which_it_was_logged() -> None:
    """Its ids and W3C flags; those flags of a span that are no trace flags stay with the span."""
    logs, spans = Into(), Into()
    log = logging.Logger("shop")
    log.addHandler(LoggingHandler(logs))
    provider = TracerProvider(spans)  # type: ignore[arg-type]
    tracer = provider.get_tracer("shop")
    with tracer.start_as_current_span("outer"):
        with tracer.start_as_current_span("inner"):
            log.info("inner")
        log.info("outer")
    log.info("outside")
    inner, outer, outside = logs.records
    for record, span in zip((inner, outer), spans.records, strict=True):
        assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
        assert record.flags == span.flags & 0xFF
    assert (outside.trace_id, outside.span_id, outside.flags) == (b"", b"", 0)
    provider.shutdown()
