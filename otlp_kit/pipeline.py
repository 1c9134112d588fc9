"""Whole pipelines, put together: read a function from top to bottom as its data flows.

This is the one place where stages meet. Copy a function into your program and change a line.
"""

from __future__ import annotations

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.model import Span
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.reliability.retry import Retrying
from otlp_kit.wire import TRACES, Sender


def span_pipeline(sender: Sender, *, delay: float = 5.0) -> BatchProcessor[Span]:
    """Spans, batched, encoded and handed to `sender`. `delay` is in seconds."""
    exporter = OtlpExporter(encode_spans, sender, TRACES)
    return BatchProcessor(exporter, delay=delay)


def http_span_pipeline(
    endpoint: str = "http://localhost:4318", *, delay: float = 5.0
) -> BatchProcessor[Span]:
    """The same over HTTP, to the receiver at the base URL `endpoint`, tried again where that helps."""
    return span_pipeline(Retrying(HttpSender(endpoint)), delay=delay)
