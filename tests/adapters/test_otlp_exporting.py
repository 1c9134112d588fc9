"""What the exporters over HTTP and gRPC have in common, in front of a sender that is scripted."""

from __future__ import annotations

import math
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.trace.export import SpanExportResult

from otlp_kit.adapters.otlp_exporting import (
    OtlpLogExporter,
    OtlpMetricExporter,
    OtlpSpanExporter,
    compression_name,
    refuse,
)
from otlp_kit.encoding.otlp_json import decode_json
from otlp_kit.settings.otlp_exporter import exporter_settings
from otlp_kit.wire import JSON, LOGS, METRICS, PROTOBUF, TRACES, Accepted, Payload, Refused
from tests.adapters.otlp_sides import logs, metrics, spans


class Scripted:
    """A sender that gives `answers` one by one, and then accepts for ever."""

    def __init__(self, *answers: Accepted | Exception) -> None:
        self._answers = list(answers)
        self.sent: list[tuple[Payload, float]] = []

    def send(self, payload: Payload, deadline: float) -> Accepted:
        self.sent.append((payload, deadline))
        answer = self._answers.pop(0) if self._answers else Accepted()
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_protocol_decides_how_a_batch_is_encoded() -> None:
    """Protobuf or JSON, for each signal."""
    for protocol, content_type in (("grpc", PROTOBUF), ("http/json", JSON)):
        sender = Scripted()
        made: Any
        for signal, exporter, made in (
            (TRACES, OtlpSpanExporter, spans()),
            (LOGS, OtlpLogExporter, logs()),
            (METRICS, OtlpMetricExporter, metrics()),
        ):
            settings = exporter_settings(signal, protocol, environ={})
            assert exporter(settings, sender).export(made).name == "SUCCESS"
        assert [payload.signal for payload, _ in sender.sent] == [TRACES, LOGS, METRICS]
        assert {payload.content_type for payload, _ in sender.sent} == {content_type}
    assert all(decode_json(payload.signal, payload.body) for payload, _ in sender.sent)


def test_the_parts_of_an_export_share_one_deadline() -> None:
    """The last of many has no more time than the first; without a limit there is none."""
    sender = Scripted()
    settings = exporter_settings(METRICS, timeout=1000, environ={})
    OtlpMetricExporter(settings, sender, max_export_batch_size=1).export(metrics(), math.inf)
    deadlines = [deadline for _, deadline in sender.sent]
    assert len(deadlines) == 7
    assert max(deadlines) - min(deadlines) < 500
    settings = exporter_settings(TRACES, timeout=0, environ={})
    OtlpSpanExporter(settings, sender).export(spans())
    assert sender.sent[-1][1] == math.inf


def test_a_part_that_fails_fails_the_export_and_the_others_are_sent() -> None:
    """Each part is accounted for by itself."""
    sender = Scripted(Accepted(), Refused("no"), Accepted(rejected=1))
    settings = exporter_settings(METRICS, environ={})
    exporter = OtlpMetricExporter(settings, sender, max_export_batch_size=3)
    assert exporter.export(metrics(), timeout_millis=None) is MetricExportResult.FAILURE
    assert len(sender.sent) == 3
    totals = exporter.totals()
    assert (totals.created, totals.delivered, totals.rejected) == (7, 3, 1)
    assert totals.dropped == {"export_failed": 3}


def test_a_metric_that_is_too_large_is_split_between_its_points() -> None:
    """What the ledger counts of metrics are data points, however they were sent."""
    sender = Scripted(*[Refused("too large", too_large=True)] * 3)
    exporter = OtlpMetricExporter(exporter_settings(METRICS, environ={}), sender)
    assert exporter.export(metrics()) is MetricExportResult.SUCCESS
    assert [payload.items for payload, _ in sender.sent] == [7, 3, 1, 2, 4]
    totals = exporter.totals()
    assert (totals.created, totals.delivered, totals.rejected) == (7, 6, 1)


@pytest.mark.spec("OTLP-17")
def test_what_is_over_the_limit_is_not_sent_and_counted() -> None:
    """A single span that is too large is lost alone, and the ledger says so."""
    sender = Scripted()
    exporter = OtlpSpanExporter(exporter_settings(TRACES, max_request_size=10, environ={}), sender)
    exporter.export(spans(3))
    assert sender.sent == []
    totals = exporter.totals()
    assert totals.delivered == totals.inside == 0
    assert totals.created == 3


def test_an_empty_batch_after_shutdown_is_a_failure() -> None:
    """It is one more call that must not succeed."""
    exporter = OtlpSpanExporter(exporter_settings(TRACES, environ={}), Scripted())
    assert exporter.export([]) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert exporter.export([]) is SpanExportResult.FAILURE


def test_names_of_compressions_and_arguments_that_have_no_place() -> None:
    """What is left out is no error."""
    assert [compression_name(one) for one in (None, "zstd", *Compression)] == [
        None,
        "zstd",
        "none",
        "deflate",
        "gzip",
    ]
    refuse(session=None, credentials=None)
    with pytest.raises(ValueError, match="session is not supported: the kit keeps"):
        refuse(credentials=None, session=object())
