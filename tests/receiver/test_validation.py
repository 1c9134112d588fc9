"""What is valid in a request: item by item, by the comments of the protocol's definitions."""

from __future__ import annotations

from typing import Any

import pytest

from otlp_kit.model import (
    ExponentialHistogramPoint,
    HistogramPoint,
    LogRecord,
    Metric,
    NumberPoint,
    Span,
    SummaryPoint,
    Temporality,
)
from otlp_kit.receiver.validation import sift
from otlp_kit.wire import LOGS, METRICS, TRACES

GOOD = Span("good", b"t" * 16, b"s" * 8)
CUMULATIVE = Temporality.CUMULATIVE


@pytest.mark.spec("OTLP-76")
def test_spans_with_bad_ids_are_rejected() -> None:
    """The others are kept, in order."""
    bad = [Span(trace_id=bytes(16), span_id=b"s" * 8), Span(trace_id=b"t" * 16, span_id=b"s")]
    sifted = sift(TRACES, [bad[0], GOOD, bad[1]])
    assert (list(sifted.valid), sifted.items, sifted.rejected) == ([GOOD], 3, 2)
    assert sifted.reason == "trace_id must be 16 bytes and not all zero"


@pytest.mark.spec("OTLP-77")
@pytest.mark.parametrize("bad", [b"", b"short", bytes(16), b"x" * 17])
def test_a_log_record_with_a_bad_trace_id_belongs_to_no_trace(bad: bytes) -> None:
    """It is kept, without the id."""
    sifted = sift(LOGS, [LogRecord("text", trace_id=bad, span_id=b"s" * 8)])
    assert (sifted.rejected, sifted.valid[0].trace_id, sifted.valid[0].span_id) == (
        0,
        b"",
        b"s" * 8,
    )


def metric(kind: str, point: Any, temporality: int = CUMULATIVE) -> Metric:
    return Metric("m", kind, points=[point], temporality=temporality)  # type: ignore[arg-type]


def histogram(counts: list[int], bounds: list[float], count: int) -> Metric:
    point = HistogramPoint(count, 0.0, counts, bounds, time_unix_nano=1)
    return metric("histogram", point)


@pytest.mark.spec("OTLP-85")
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (metric("gauge", NumberPoint(1)), "a data point must have a time"),
        (
            metric("sum", NumberPoint(1, 1), 0),
            "the temporality of a sum must be delta or cumulative",
        ),
        (metric("sum", NumberPoint(1, 1), 7), "the temporality of a sum"),
        (
            metric("exponential_histogram", ExponentialHistogramPoint(time_unix_nano=1), 0),
            "the temporality of a exponential_histogram",
        ),
        (histogram([1, 2], [1.0, 2.0], 3), "one bucket more than bounds"),
        (histogram([], [1.0], 3), "with bounds must have buckets"),
        (histogram([1, 2], [1.0], 4), "must add up to its count"),
        (histogram([1, 1, 1], [2.0, 2.0], 3), "bounds of a histogram must increase"),
        (histogram([1, 1, 1], [1.0, float("nan")], 3), "bounds of a histogram must increase"),
    ],
)
def test_a_data_point_that_makes_no_sense_is_rejected(bad: Metric, reason: str) -> None:
    """With its reason; a metric without valid points is gone."""
    sifted = sift(METRICS, [bad])
    assert (list(sifted.valid), sifted.items, sifted.rejected) == ([], 1, 1)
    assert reason in sifted.reason


@pytest.mark.spec("OTLP-85")
@pytest.mark.parametrize(
    "good",
    [
        metric("gauge", NumberPoint(None, 1), 0),
        metric("sum", NumberPoint(1, 1), Temporality.DELTA),
        metric("summary", SummaryPoint(time_unix_nano=1), 0),
        histogram([], [], 3),
        histogram([3], [], 3),
        histogram([1, 2], [1.0], 3),
    ],
)
def test_a_data_point_that_makes_sense_is_kept(good: Metric) -> None:
    """Histograms may have no buckets at all, gauges no temporality."""
    assert sift(METRICS, [good]).valid == [good]


def test_the_valid_points_of_a_metric_are_kept() -> None:
    """Rejecting is done point by point, and the caller's record is not changed."""
    mixed = Metric("m", "gauge", points=[NumberPoint(1, 5), NumberPoint(2), NumberPoint(3, 6)])
    sifted = sift(METRICS, [mixed])
    assert [point.value for point in sifted.valid[0].points] == [1, 3]
    assert (sifted.items, sifted.rejected, len(mixed.points)) == (3, 1, 3)
