"""The SDK's log records, encoded here and by the official encoder."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord as ApiLogRecord
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as official_encode
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from otlp_kit.adapters import encode_logs, to_log_record
from otlp_kit.encoding.protobuf_read_logs import decode_logs

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | text
nested = st.recursive(
    st.none() | scalars | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
attributes = st.dictionaries(text, nested, max_size=4)
contexts = st.builds(
    SpanContext,
    trace_id=st.integers(1, 2**128 - 1),
    span_id=st.integers(1, 2**64 - 1),
    is_remote=st.booleans(),
    trace_flags=st.sampled_from([TraceFlags(0), TraceFlags(1), TraceFlags(3)]),
)
plans = st.fixed_dictionaries(
    {
        "body": nested,
        "attributes": attributes,
        "timestamp": st.none() | st.integers(1, 2**63),
        "observed_timestamp": st.integers(1, 2**63),
        "severity_number": st.none() | st.sampled_from(list(SeverityNumber)),
        "severity_text": st.none() | text,
        "event_name": st.none() | text,
        "span": st.none() | contexts,
        "logger": st.tuples(text, st.none() | text, st.none() | text, st.none() | attributes),
    }
)


def make_records(
    resources: list[dict[str, Any]], made: list[dict[str, Any]], limit: int = 3
) -> list[ReadableLogRecord]:
    """What official providers, one a resource, make of the plans; `limit` attributes are kept."""
    exporter = InMemoryLogRecordExporter()
    for resource in resources:
        provider = LoggerProvider(
            resource=Resource(resource, "https://example.com/schema"),
            log_record_limits=LogRecordLimits(max_log_record_attributes=limit),
            shutdown_on_exit=False,
        )
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        for plan in made:
            fields = dict(plan)
            name, version, schema_url, scope_attributes = fields.pop("logger")
            span = fields.pop("span")
            logger = provider.get_logger(name, version, schema_url, scope_attributes)
            context = set_span_in_context(NonRecordingSpan(span)) if span else None
            logger.emit(ApiLogRecord(context=context, **fields))
    return list(exporter.get_finished_logs())


@given(st.lists(attributes, min_size=1, max_size=2), st.lists(plans, max_size=4))
def test_the_content_equals_that_of_the_official_encoder(
    resources: list[dict[str, Any]], made: list[dict[str, Any]]
) -> None:
    """The same records in the same order, whatever a body holds; the groups, too."""
    records = make_records(resources, made)
    official, own = official_encode(records), encode_logs(records)
    assert decode_logs(own) == decode_logs(official.SerializeToString())
    again = type(official).FromString(own)
    assert len(again.resource_logs) == len(official.resource_logs)
    for mine, theirs in zip(again.resource_logs, official.resource_logs, strict=True):
        assert mine.resource == theirs.resource
        assert [one.scope for one in mine.scope_logs] == [one.scope for one in theirs.scope_logs]


@given(st.lists(attributes, min_size=1, max_size=2), st.lists(plans, max_size=3))
def test_a_record_is_what_a_receiver_decodes(
    resources: list[dict[str, Any]], made: list[dict[str, Any]]
) -> None:
    """`to_log_record` and the way over the wire lead to the same records."""
    for record in make_records(resources, made):
        [decoded] = decode_logs(encode_logs([record]))
        assert decoded == to_log_record(record)


def test_attributes_beyond_the_limit_are_counted() -> None:
    """The SDK keeps three here, and the record says that two are missing."""
    plan = {
        "body": "x",
        "attributes": dict.fromkeys("abcde", 1),
        "logger": ("t", None, None, None),
        "span": None,
    }
    [record] = decode_logs(encode_logs(make_records([{}], [plan])))
    assert (len(record.attributes), record.dropped_attributes_count) == (3, 2)
