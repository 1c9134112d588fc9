"""Which items of a request are valid: the others are rejected one by one, and the sender is told.

What is checked is what the protocol's definitions say of a single item: ids, and that a data point
makes sense in itself. It is no business of this module whether anybody wants the item.

Specification: the comments of trace.proto, logs.proto and metrics.proto in
https://github.com/open-telemetry/opentelemetry-proto
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from otlp_kit.model import HistogramPoint, LogRecord, Metric, Span, Temporality
from otlp_kit.wire import METRICS, TRACES, Signal

INVALID_IDS = (bytes(16), bytes(8))


@dataclass(frozen=True, slots=True)
class Sifted:
    """The outcome of `sift`. An item is a span, a log record or a data point."""

    valid: Sequence[Any]
    items: int
    """How many items there were."""
    rejected: int
    reason: str
    """What is wrong with the first rejected item; empty if none is."""


def sift(signal: Signal, records: Sequence[Any]) -> Sifted:
    """The records of `signal` without their invalid items."""
    if signal == METRICS:
        return _sift_metrics(records)
    if signal == TRACES:
        return _sift_spans(records)
    return Sifted([_associated(record) for record in records], len(records), 0, "")


def _sift_spans(spans: Sequence[Span]) -> Sifted:
    problems = [problem for span in spans if (problem := span.problem())]
    if not problems:
        return Sifted(spans, len(spans), 0, "")
    valid = [span for span in spans if not span.problem()]
    return Sifted(valid, len(spans), len(problems), problems[0])


def _associated(record: LogRecord) -> LogRecord:
    """A record with an invalid id is kept: it belongs to no trace or no span, says logs.proto."""
    if len(record.trace_id) != 16 or record.trace_id in INVALID_IDS:
        record.trace_id = b""
    if len(record.span_id) != 8 or record.span_id in INVALID_IDS:
        record.span_id = b""
    return record


def _sift_metrics(metrics: Sequence[Metric]) -> Sifted:
    valid, items, problems = [], 0, []
    for metric in metrics:
        items += len(metric.points)
        found = [(point, _problem(metric, point)) for point in metric.points]
        wrong = [problem for _, problem in found if problem]
        problems += wrong
        kept = [point for point, problem in found if not problem]
        if kept:
            valid.append(replace(metric, points=kept) if wrong else metric)
    return Sifted(valid, items, len(problems), problems[0] if problems else "")


def _problem(metric: Metric, point: Any) -> str | None:
    if not point.time_unix_nano:
        return "a data point must have a time"
    if metric.kind in ("sum", "histogram", "exponential_histogram"):
        known = (Temporality.DELTA, Temporality.CUMULATIVE)
        if metric.temporality not in known:
            return f"the temporality of a {metric.kind} must be delta or cumulative"
    if isinstance(point, HistogramPoint):
        return _histogram_problem(point)
    return None


def _histogram_problem(point: HistogramPoint) -> str | None:
    counts, bounds = point.bucket_counts, point.explicit_bounds
    if counts and len(counts) != len(bounds) + 1:
        return "a histogram must have one bucket more than bounds"
    if bounds and not counts:
        return "a histogram with bounds must have buckets"
    if counts and sum(counts) != point.count:
        return "the buckets of a histogram must add up to its count"
    if any(not low < high for low, high in pairwise(bounds)):
        return "the bounds of a histogram must increase"
    return None
