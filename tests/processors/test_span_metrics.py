"""Metrics from spans: every span counted once, in valid points, in bounded memory."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections import Counter
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OfficialSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status as OfficialStatus
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

from otlp_kit.encoding.protobuf_metrics import encode_metrics
from otlp_kit.model import HistogramPoint, Metric, NumberPoint, Resource, Span, Temporality
from otlp_kit.processors.outcome import Outcome
from otlp_kit.processors.span_metrics import BOUNDS, OVERFLOW, SpanMetricsProcessor
from otlp_kit.receiver.validation import sift
from otlp_kit.wire import METRICS
from tests.processors.end import End

START = 1_790_000_000_000_000_000
SECOND = 1_000_000_000
DELTA, CUMULATIVE = Temporality.DELTA, Temporality.CUMULATIVE


def span(name: str = "GET /", nanos: int = SECOND, service: str = "shop", **more: Any) -> Span:
    more = {"trace_id": b"t" * 16, "span_id": b"s" * 8, **more}
    resource = Resource({"service.name": service})
    end = START + max(0, nanos)
    return Span(
        name=name, start_unix_nano=end - nanos, end_unix_nano=end, resource=resource, **more
    )


spans = st.builds(
    span,
    name=st.sampled_from("abc"),
    nanos=st.integers(-SECOND, 20 * SECOND) | st.sampled_from([int(b * SECOND) for b in BOUNDS]),
    service=st.sampled_from(["shop", "stock"]),
    kind=st.integers(0, 6),
    status_code=st.integers(0, 3),
)
Series = tuple[tuple[str, object], ...]


def series(attributes: Any) -> Series:
    return tuple(sorted(attributes.items()))


def calls_and_durations(
    metrics: list[Metric],
) -> tuple[dict[Series, NumberPoint], dict[Series, HistogramPoint]]:
    """The points of both metrics by series; each series is there once."""
    if not metrics:
        return {}, {}
    assert [metric.name for metric in metrics] == [
        "traces.span.metrics.calls",
        "traces.span.metrics.duration",
    ]
    assert [(metric.kind, metric.unit) for metric in metrics] == [
        ("sum", "{call}"),
        ("histogram", "s"),
    ]
    found: list[dict[Series, Any]] = []
    for metric in metrics:
        points = {series(point.attributes): point for point in metric.points}
        assert len(points) == len(metric.points)
        found.append(points)
    assert found[0].keys() == found[1].keys()
    return found[0], found[1]


def naive(batch: list[Span]) -> Counter[Series]:
    """A count over the spans, with the names that the official enumerations have."""
    counts: Counter[Series] = Counter()
    for one in batch:
        kinds, codes = OfficialSpan.SpanKind, OfficialStatus.StatusCode
        kind = kinds.Name(one.kind) if one.kind in kinds.values() else str(one.kind)
        known = one.status_code in codes.values()
        attributes = {
            "service.name": one.resource.attributes["service.name"],
            "span.name": one.name,
            "span.kind": kind,
            "status.code": codes.Name(one.status_code) if known else str(one.status_code),
        }
        counts[series(attributes)] += 1
    return counts


@given(st.lists(st.lists(spans, max_size=20), max_size=4), st.sampled_from([DELTA, CUMULATIVE]))
def test_the_sums_are_those_of_a_naive_count(
    intervals: list[list[Span]], temporality: Temporality
) -> None:
    """Over several collections: of each interval alone, or of all so far."""
    end = End()
    processor = SpanMetricsProcessor(end, temporality=temporality, start_unix_nano=START)
    so_far: list[Span] = []
    for number, batch in enumerate(intervals, 1):
        for one in batch:
            processor.emit(one)
        so_far += batch
        counted = batch if temporality == DELTA else so_far
        now = START + number * SECOND
        metrics = processor.collect(now)
        calls, durations = calls_and_durations(metrics)
        assert {key: point.value for key, point in calls.items()} == naive(counted)
        assert {key: point.count for key, point in durations.items()} == naive(counted)
        total = sum(point.sum or 0 for point in durations.values())
        nanos = sum(max(0, one.end_unix_nano - one.start_unix_nano) for one in counted)
        assert total == pytest.approx(nanos / SECOND)
        begin = now - SECOND if temporality == DELTA else START
        for point in [*calls.values(), *durations.values()]:
            assert (point.start_time_unix_nano, point.time_unix_nano) == (begin, now)
        assert all(metric.temporality == temporality for metric in metrics)
        assert [metric.is_monotonic for metric in metrics] in ([], [True, False])
    assert end.records == so_far


@given(st.lists(spans, max_size=20), st.integers(1, 4))
def test_every_point_is_valid_for_a_receiver(batch: list[Span], max_series: int) -> None:
    """By the receiver's own rules, and readable by the official library with all its points."""
    processor = SpanMetricsProcessor(End(), max_series=max_series, start_unix_nano=START)
    for one in batch:
        processor.emit(one)
    metrics = processor.collect(START + SECOND)
    sifted = sift(METRICS, metrics)
    assert (sifted.rejected, sifted.reason) == (0, "")
    request = ExportMetricsServiceRequest.FromString(encode_metrics(metrics))
    for resource in request.resource_metrics:
        calls, duration = resource.scope_metrics[0].metrics
        assert calls.sum.is_monotonic
        assert sum(point.as_int for point in calls.sum.data_points) == len(batch)
        assert sum(point.count for point in duration.histogram.data_points) == len(batch)


@given(st.lists(st.integers(0, 20 * SECOND) | st.sampled_from([int(b * SECOND) for b in BOUNDS])))
def test_durations_fall_into_the_buckets_of_the_official_histogram(nanos: list[int]) -> None:
    """The same values, recorded by the official SDK with the same bounds."""
    processor = SpanMetricsProcessor(End())
    reader = InMemoryMetricReader()
    view = View(instrument_name="d", aggregation=ExplicitBucketHistogramAggregation(BOUNDS))
    provider = MeterProvider([reader], views=[view], shutdown_on_exit=False)
    histogram = provider.get_meter("m").create_histogram("d")
    for one in nanos:
        processor.emit(span(nanos=one))
        histogram.record(one / 1e9)
    data = cast(Any, reader.get_metrics_data())
    provider.shutdown()
    _, durations = calls_and_durations(processor.collect(START))
    if not nanos:
        assert not durations
        return
    official = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]
    (point,) = durations.values()
    assert point.bucket_counts == list(official.bucket_counts)
    assert point.explicit_bounds == list(official.explicit_bounds)
    assert (point.count, point.min, point.max) == (official.count, official.min, official.max)
    assert point.sum == pytest.approx(official.sum)


@given(st.lists(spans, max_size=30))
def test_each_exemplar_is_the_last_span_of_its_bucket(batch: list[Span]) -> None:
    """With its trace and span id: the way from a number to an example of it."""
    processor = SpanMetricsProcessor(End(), bounds=[1.0, 5.0])
    for number, one in enumerate(batch):
        one.name, one.kind, one.status_code = "same", 2, 0
        one.resource = Resource()
        one.span_id = number.to_bytes(8, "big")
        processor.emit(one)
    last: dict[int, Span] = {}
    for one in batch:
        nanos = one.end_unix_nano - one.start_unix_nano
        last[(nanos > SECOND) + (nanos > 5 * SECOND)] = one
    for metric in processor.collect(START):
        for point in metric.points:
            if isinstance(point, HistogramPoint):
                assert [
                    (one.trace_id, one.span_id, one.time_unix_nano) for one in point.exemplars
                ] == [
                    (one.trace_id, one.span_id, one.end_unix_nano)
                    for _, one in sorted(last.items())
                ]


@given(st.lists(st.integers(0, 8)), st.integers(1, 4), st.sampled_from([DELTA, CUMULATIVE]))
def test_past_the_limit_one_series_takes_the_rest(
    names: list[int], max_series: int, temporality: Temporality
) -> None:
    """The first series keep their names; no call is lost and none is counted twice."""
    processor = SpanMetricsProcessor(End(), max_series=max_series, temporality=temporality)
    for name in names:
        processor.emit(span(str(name)))
    calls, _ = calls_and_durations(processor.collect(START))
    first = list(dict.fromkeys(names))[:max_series]
    named = {dict(key).get("span.name"): point.value for key, point in calls.items()}
    overflow = named.pop(None, 0)
    assert named == {str(name): names.count(name) for name in first}
    assert overflow == sum(name not in first for name in names)
    assert (series(OVERFLOW) in calls) == (len(set(names)) > max_series)


def test_a_delta_collection_makes_room_for_new_series() -> None:
    """A cumulative one does not: what was reported once is reported on."""
    for temporality, overflows in ((DELTA, False), (CUMULATIVE, True)):
        processor = SpanMetricsProcessor(End(), max_series=1, temporality=temporality)
        processor.emit(span("old"))
        processor.collect(START)
        processor.emit(span("new"))
        calls, _ = calls_and_durations(processor.collect(START + 1))
        assert (series(OVERFLOW) in calls) is overflows


def test_what_was_collected_does_not_change_later() -> None:
    """The points belong to the caller."""
    processor = SpanMetricsProcessor(End())
    processor.emit(span())
    before = processor.collect(START)
    again = processor.collect(START)
    processor.emit(span())
    assert before == again
    cast(HistogramPoint, before[1].points[0]).bucket_counts.clear()
    before[0].points[0].attributes.clear()
    calls, _ = calls_and_durations(processor.collect(START))
    assert [point.value for point in calls.values()] == [2]


def test_what_is_no_span_goes_on_uncounted(caplog: pytest.LogCaptureFixture) -> None:
    """So does a span whose service has no name that is text; the log has one line."""
    end = End()
    processor = SpanMetricsProcessor(end)
    strange: list[Any] = [object(), Span(name=cast(Any, [])), Span(resource=Resource({}))]
    for one in strange:
        processor.emit(one)
    assert end.records == strange
    calls, _ = calls_and_durations(processor.collect(START))
    assert [dict(key)["service.name"] for key in calls] == [""]
    assert len(caplog.records) == 1


def test_many_threads_lose_no_call() -> None:
    """Counted under a lock, collected meanwhile: the deltas add up."""
    end = End()
    processor = SpanMetricsProcessor(end, temporality=DELTA)
    one, each = span(), 500
    threads = [
        threading.Thread(target=lambda: [processor.emit(one) for _ in range(each)])
        for _ in range(4)
    ]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    total = 0
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            total += counted(processor)
    finally:
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()
    assert total + counted(processor) == 4 * each == len(end.records)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_the_child_of_a_fork_counts_from_zero() -> None:
    """What was counted before is the parent's, and a lock held elsewhere does not stop the child."""
    processor = SpanMetricsProcessor(End())
    processor.emit(span())
    with processor._lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside other threads
        child = os.fork()
        if not child:
            signal.alarm(30)
            processor.emit(span())
            os._exit(counted(processor))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    processor.emit(span())
    assert counted(processor) == 2


def counted(processor: SpanMetricsProcessor) -> int:
    calls, _ = calls_and_durations(processor.collect(START))
    return sum(int(point.value or 0) for point in calls.values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bounds": [1.0, 1.0]}, "bounds must increase"),
        ({"max_series": 0}, "max_series must be at least 1, not 0"),
        ({"temporality": Temporality.UNSPECIFIED}, "temporality must be DELTA or CUMULATIVE"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    """With the rule that they break."""
    with pytest.raises(ValueError, match=message):
        SpanMetricsProcessor(End(), **settings)


@pytest.mark.parametrize("outcome", Outcome)
def test_flush_and_shutdown_are_passed_on(outcome: Outcome) -> None:
    """With their timeouts; what was counted can still be collected afterwards."""
    end = End(outcome=outcome)
    processor = SpanMetricsProcessor(end, resource=Resource({"service.name": "gateway"}))
    processor.emit(span())
    assert (processor.force_flush(1.5), processor.shutdown(2.5)) == (outcome, outcome)
    assert end.asked == [("force_flush", 1.5), ("shutdown", 2.5)]
    assert processor.totals() == end.totals()
    assert processor.collect(START)[0].resource == Resource({"service.name": "gateway"})
    assert repr(processor).startswith("<SpanMetricsProcessor [1/2000 series] -> <")
