"""The SDK's metrics, encoded here and by the official encoder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import (
    encode_metrics as official_encode,
)
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    MetricsData,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from otlp_kit.adapters import encode_metrics, to_metrics
from otlp_kit.adapters.sdk_points import count_points
from otlp_kit.encoding.protobuf_read_metrics import decode_metrics

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
values = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | text
attributes = st.dictionaries(text, values | st.lists(text, max_size=2), max_size=3)
amounts = st.integers(0, 2**40) | st.floats(0, 1e12)
measurements = st.lists(st.tuples(amounts, attributes, st.booleans()), max_size=5)
temporalities = st.sampled_from([AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE])

SPAN = NonRecordingSpan(SpanContext(7, 9, is_remote=False, trace_flags=TraceFlags(1)))


def collect(
    measured: Iterable[tuple[Any, Any, bool]],
    temporality: AggregationTemporality = AggregationTemporality.CUMULATIVE,
    resource: dict[str, Any] | None = None,
) -> MetricsData:
    """What an official provider collects when all kinds of instruments see the measurements."""
    measured = list(measured)
    reader = InMemoryMetricReader(
        preferred_temporality={Counter: temporality, Histogram: temporality}
    )
    provider = MeterProvider(
        [reader],
        Resource(resource or {}, "https://example.com/schema"),
        AlwaysOnExemplarFilter(),
        shutdown_on_exit=False,
        views=[
            View(
                instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation()
            ),
            # One attribute is kept, so that exemplars have some that were filtered out.
            View(instrument_name="explicit", attribute_keys={"kept"}),
        ],
    )

    def look(options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(value, held) for value, held, _ in measured]

    one = provider.get_meter("one", "1.0", "https://example.com/scope", {"of": "scope"})
    two = provider.get_meter("two")
    one.create_observable_gauge("gauge", [look], "By", "a gauge")
    one.create_observable_up_down_counter("observed", [look])
    instruments = [
        (one.create_counter("counter", "1", "a counter").add, 1),
        (one.create_up_down_counter("level").add, -1),
        (two.create_histogram("explicit", "s").record, 1),
        (two.create_histogram("exponential").record, 1),
        (two.create_gauge("set").set, -1),
    ]
    for value, held, traced in measured:
        context = set_span_in_context(SPAN) if traced else None
        for measure, sign in instruments:
            measure(sign * value, held, context)
    data = reader.get_metrics_data()
    return data or MetricsData([])


@given(measurements, temporalities, attributes)
def test_the_content_equals_that_of_the_official_encoder(
    measured: list[Any], temporality: AggregationTemporality, resource: dict[str, Any]
) -> None:
    """Gauges, sums and both histograms, delta and cumulative, with exemplars."""
    data = collect(measured, temporality, resource)
    official = official_encode(data)
    own = encode_metrics(data)
    assert decode_metrics(own) == decode_metrics(official.SerializeToString())
    assert type(official).FromString(own) == official


@given(measurements, temporalities)
def test_records_are_what_a_receiver_decodes(
    measured: list[Any], temporality: AggregationTemporality
) -> None:
    """`to_metrics` and the way over the wire lead to the same metrics."""
    data = collect(measured, temporality)
    assert to_metrics(data) == decode_metrics(encode_metrics(data))


def test_every_kind_is_there_with_its_exemplars() -> None:
    """The tests above compare something: each kind comes, and an exemplar leads to its span."""
    metrics = to_metrics(collect([(3, {"kept": 1, "lost": 2}, True)]))
    kinds = {metric.name: metric.kind for metric in metrics}
    assert kinds == {
        "gauge": "gauge",
        "observed": "sum",
        "counter": "sum",
        "level": "sum",
        "explicit": "histogram",
        "exponential": "exponential_histogram",
        "set": "gauge",
    }
    [explicit] = [metric for metric in metrics if metric.name == "explicit"]
    [point] = explicit.points
    [exemplar] = point.exemplars  # type: ignore[union-attr]
    assert (exemplar.trace_id, exemplar.span_id) == (bytes(15) + b"\7", bytes(7) + b"\11")
    assert exemplar.filtered_attributes == {"lost": 2}
    assert count_points(metrics) == 7


@pytest.mark.parametrize("value", [0, 5, 2.5])
def test_an_integer_stays_one(value: float) -> None:
    """Sums and gauges keep the type of their values, which the wire tells apart."""
    metrics = decode_metrics(encode_metrics(collect([(value, {}, False)])))
    for metric in metrics:
        if metric.kind in ("gauge", "sum"):
            [point] = metric.points
            assert type(point.value) is type(value)  # type: ignore[union-attr]
