"""Enriching: what is added, what stays, and who sees it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import LogRecord, Metric, Resource, Span
from otlp_kit.processors.enrich import EnrichProcessor
from otlp_kit.processors.outcome import Outcome
from tests.encoding.strategies import attributes
from tests.processors.end import End


@given(attributes, attributes, st.booleans())
def test_what_is_there_stays_unless_told_otherwise(
    own: dict[str, Any], more: dict[str, Any], overwrite: bool
) -> None:
    """Each key once: with the record's own value, or, with `overwrite`, the new one."""
    end = End()
    record = LogRecord(attributes=own, resource=Resource(own))
    before = deepcopy(record)
    EnrichProcessor[Any](end, record=more, resource=more, overwrite=overwrite).emit(record)
    found = end.records[0].attributes
    assert found.keys() == own.keys() | more.keys()
    first, second = (more, own) if overwrite else (own, more)
    assert all(value is first.get(key, second.get(key)) for key, value in found.items())
    assert end.records[0].resource.attributes == found
    assert record == before


@pytest.mark.spec("SDK-P14")
def test_another_processor_of_the_same_record_sees_nothing() -> None:
    """The record and its resource are copied, the function's mapping is not kept."""
    end, other = End(), End()
    span = Span(attributes={"a": 1}, resource=Resource({"service.name": "shop"}, "url", 2))
    enrich = EnrichProcessor[Span](end, record={"b": 2}, resource={"c": 3})
    for processor in (enrich, other):
        processor.emit(span)
    assert end.records[0].attributes == {"a": 1, "b": 2}
    assert end.records[0].resource == Resource({"service.name": "shop", "c": 3}, "url", 2)
    assert other.records[0] is span
    assert span == Span(attributes={"a": 1}, resource=Resource({"service.name": "shop"}, "url", 2))


def test_a_function_sees_each_record() -> None:
    """For the record's attributes and for the resource's."""
    end = End()
    processor = EnrichProcessor[Span](
        end,
        record=lambda span: {"length": len(span.name)},
        resource=lambda span: {"service.name": span.name},
    )
    shared = Resource()
    for name in ("a", "bcd"):
        processor.emit(Span(name=name, resource=shared))
    assert [span.attributes["length"] for span in end.records] == [1, 3]
    assert [span.resource.attributes["service.name"] for span in end.records] == ["a", "bcd"]


def test_a_mapping_is_read_when_the_processor_is_made() -> None:
    """Changed later, it changes nothing."""
    end, more = End(), {"a": 1}
    processor = EnrichProcessor[Span](end, record=more, resource=more)
    more["a"] = 2
    processor.emit(Span())
    assert end.records == [Span(attributes={"a": 1}, resource=Resource({"a": 1}))]


def test_records_that_shared_a_resource_still_do() -> None:
    """One group on the wire, as the official library reads it, and one object in the batch."""
    end = End()
    processor = EnrichProcessor[Span](end, resource={"zone": "b"})
    one, two = Resource({"service.name": "one"}), Resource({"service.name": "two"})
    for resource in (one, one, two, one):
        processor.emit(Span(trace_id=b"t" * 16, span_id=b"s" * 8, resource=resource))
    assert end.records[0].resource is end.records[1].resource
    request = ExportTraceServiceRequest.FromString(encode_spans(end.records))
    counted = [len(group.scope_spans[0].spans) for group in request.resource_spans]
    assert counted == [3, 1]
    keys = [pair.key for pair in request.resource_spans[0].resource.attributes]
    assert sorted(keys) == ["service.name", "zone"]


def test_a_record_whose_function_fails_goes_on_as_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Logged once. So does a metric, when attributes of its own are asked for."""
    end = End()
    processor = EnrichProcessor[Any](end, record=lambda record: {"n": 1 // len(record.name)})
    span, metric = Span(), Metric(name="m")
    for record in (span, metric, Span(name="x")):
        processor.emit(record)
    assert end.records[0] is span
    assert end.records[1] is metric
    assert end.records[2].attributes == {"n": 1}
    assert len(caplog.records) == 1


def test_a_metric_takes_attributes_of_the_resource() -> None:
    """Its points' attributes name its series, and are left alone."""
    end = End()
    EnrichProcessor[Metric](end, resource={"zone": "b"}).emit(Metric(name="m"))
    assert end.records == [Metric(name="m", resource=Resource({"zone": "b"}))]


@pytest.mark.parametrize("outcome", Outcome)
def test_flush_and_shutdown_are_passed_on(outcome: Outcome) -> None:
    """With their timeouts; the answers, and the totals, are the next processor's."""
    end = End(outcome=outcome)
    processor = EnrichProcessor[Span](end)
    assert (processor.force_flush(1.5), processor.shutdown(2.5)) == (outcome, outcome)
    assert end.asked == [("force_flush", 1.5), ("shutdown", 2.5)]
    end.ledger.turned_away("queue_full")
    assert processor.totals() == end.totals()
    assert repr(processor).startswith("<EnrichProcessor -> <")
