"""Whole pipelines, put together: read a function from top to bottom as its data flows.

This is the one place where stages meet. Copy a function into your program and change a line.

    pipeline = span_pipeline_of(load_settings(files=["kit.toml"], environ=environment()))
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from otlp_kit.encoding.otlp_json import encode_json
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.model import Span
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.reliability.retry import Retrying
from otlp_kit.settings.layers import Value
from otlp_kit.settings.otlp_exporter import GRPC, HTTP_JSON, ExporterSettings
from otlp_kit.settings.schema_rules import exporter_settings_of
from otlp_kit.wire import JSON, PROTOBUF, TRACES, Sender

BATCH = (
    "max_queue_size", "max_batch_size", "delay", "export_timeout", "in_flight", "when_full",
    "block_timeout",
)  # fmt: skip
RETRY = ("first_wait", "longest_wait", "max_attempts")


def span_pipeline(sender: Sender, *, delay: float = 5.0) -> BatchProcessor[Span]:
    """Spans, batched, encoded and handed to `sender`. `delay` is in seconds."""
    exporter = OtlpExporter(encode_spans, sender, TRACES)
    return BatchProcessor(exporter, delay=delay)


def http_span_pipeline(
    endpoint: str = "http://localhost:4318", *, delay: float = 5.0
) -> BatchProcessor[Span]:
    """The same over HTTP, to the receiver at the base URL `endpoint`, tried again where that helps."""
    return span_pipeline(Retrying(HttpSender(endpoint)), delay=delay)


def span_pipeline_of(settings: Mapping[str, Value]) -> BatchProcessor[Span]:
    """What `settings` of `settings/schema` describe, from the queue to the wire.

    Raises `ValueError` that begins with the name of a setting which cannot be used.
    """
    wanted = exporter_settings_of(settings, TRACES)
    as_json = wanted.protocol == HTTP_JSON
    retry = {name: settings[f"retry.{name}"].value for name in RETRY}
    backoff = Backoff(base=retry["first_wait"], cap=retry["longest_wait"])
    exporter = OtlpExporter(
        partial(encode_json, TRACES) if as_json else encode_spans,
        Retrying(sender_of(wanted), backoff=backoff, max_attempts=retry["max_attempts"]),
        TRACES,
        max_request=wanted.max_request,
        content_type=JSON if as_json else PROTOBUF,
    )
    return BatchProcessor(exporter, **{name: settings[f"batch.{name}"].value for name in BATCH})


def sender_of(settings: ExporterSettings) -> Sender:
    """What sends to the endpoint of `settings`, once: only its protocol needs its package."""
    if settings.protocol == GRPC:
        from otlp_kit.exporters.otlp_grpc import GrpcSender

        return GrpcSender(**settings.sender())
    return HttpSender(**settings.sender())
