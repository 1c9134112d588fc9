"""The checker of the page *learn/three-signals*: from a histogram to the request behind it.

    evening()                 what a shop sent in one evening: metrics, spans and logs
    find_exemplar(trace_id)   is it the request that waited longest for a connection?

As in `exercises`, the checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TypeAlias

from otlp_kit.lab.exercises import Verdict
from otlp_kit.model import (
    Exemplar,
    HistogramPoint,
    LogRecord,
    Metric,
    Resource,
    Span,
    SpanKind,
    Temporality,
)

START = 1_790_000_000_000_000_000
WAIT = "db.client.connection.wait_time"
DURATION = "http.server.request.duration"
BOUNDS = [0.01, 0.1, 1.0]
SHOP = Resource({"service.name": "shop"})
SECOND = 1_000_000_000

REQUESTS = (
    # seconds waited for a connection, seconds of work, what it logged
    *((0.001 * (1 + n % 7), 0.020 + 0.001 * n, "") for n in range(12)),
    (0.004, 6.2, "order of 900 lines"),
    (0.06, 0.03, "waited for a connection"),
    (2.9, 0.04, "waited for a connection"),
    (1.7, 0.05, "waited for a connection"),
    (0.003, 0.03, "payment declined"),
)
LONGEST_WAIT = 14
UNTRACED_WAIT = 3.4
"""A measurement outside any span: its exemplar has a value, but leads nowhere."""


Measured: TypeAlias = tuple[float, Span | None]
"""A value in seconds and the span in which it was measured."""


@dataclass(frozen=True, slots=True)
class Evening:
    """What arrived. Spans, logs and exemplars of one request share a trace id."""

    metrics: list[Metric]
    spans: list[Span]
    logs: list[LogRecord]


def evening() -> Evening:
    """The same evening each time."""
    ids = random.Random(1)
    spans, logs = [], []
    for number, (wait, work, message) in enumerate(REQUESTS):
        begin = START + number * SECOND
        span = Span(
            name="POST /order",
            kind=SpanKind.SERVER,
            trace_id=ids.randbytes(16),
            span_id=ids.randbytes(8),
            start_unix_nano=begin,
            end_unix_nano=begin + round((wait + work) * SECOND),
            resource=SHOP,
        )
        spans.append(span)
        if message:
            logs.append(
                LogRecord(
                    message,
                    time_unix_nano=begin + round(wait * SECOND),
                    severity_number=13,
                    severity_text="WARN",
                    trace_id=span.trace_id,
                    span_id=span.span_id,
                    resource=SHOP,
                )
            )
    waits: list[Measured] = [
        (wait, span) for (wait, _, _), span in zip(REQUESTS, spans, strict=True)
    ]
    durations: list[Measured] = [
        ((span.end_unix_nano - span.start_unix_nano) / SECOND, span) for span in spans
    ]
    metrics = [
        _histogram(WAIT, [*waits, (UNTRACED_WAIT, None)]),
        _histogram(DURATION, durations),
    ]
    return Evening(metrics, spans, logs)


def _histogram(name: str, measured: list[Measured]) -> Metric:
    """The measurements in buckets. A bucket keeps its three largest as exemplars."""
    buckets: list[list[Measured]] = [[] for _ in (*BOUNDS, None)]
    for value, span in measured:
        buckets[sum(value > bound for bound in BOUNDS)].append((value, span))
    kept = [one for bucket in buckets for one in sorted(bucket, key=lambda pair: pair[0])[-3:]]
    point = HistogramPoint(
        count=len(measured),
        sum=sum(value for value, _ in measured),
        bucket_counts=[len(bucket) for bucket in buckets],
        explicit_bounds=list(BOUNDS),
        start_time_unix_nano=START,
        time_unix_nano=START + 60 * SECOND,
        exemplars=[
            Exemplar(
                value=value,
                time_unix_nano=span.end_unix_nano if span else START,
                trace_id=span.trace_id if span else b"",
                span_id=span.span_id if span else b"",
            )
            for value, span in kept
        ],
    )
    return Metric(
        name, "histogram", "s", points=[point], temporality=Temporality.DELTA, resource=SHOP
    )


def find_exemplar(trace_id: bytes | str) -> Verdict:
    """The trace that waited longest for a connection, of those that `evening()` can lead to.

    `trace_id` is 16 bytes, or 32 hexadecimal digits.
    """
    try:
        # A plain bytes(14) would be fourteen zeros.
        given = (
            bytes.fromhex(trace_id) if isinstance(trace_id, str) else bytes(memoryview(trace_id))
        )
    except (TypeError, ValueError):
        return _not_yet("that is no id.", "An id is bytes; its method hex() gives its text.")
    at = evening()
    if not given:
        return _not_yet(
            "that exemplar has no trace id: it was measured outside any span.",
            "It is in the bucket and counts, but leads nowhere. Take the largest that has a trace.",
        )
    if any(span.span_id == given for span in at.spans):
        return _not_yet(
            "that is the id of a span, not of a trace.",
            "An exemplar holds both: the trace id is the one with 16 bytes.",
        )
    waits = [point for point in at.metrics[0].points if isinstance(point, HistogramPoint)]
    kept = [exemplar for point in waits for exemplar in point.exemplars]
    value = next((exemplar.value for exemplar in kept if exemplar.trace_id == given), None)
    longest = max(at.spans, key=lambda span: span.end_unix_nano - span.start_unix_nano)
    if given == at.spans[LONGEST_WAIT].trace_id:
        return Verdict(passed=True)
    if value is not None and value > BOUNDS[-1]:
        return _not_yet(
            "that request is in the right bucket, but another one waited longer.",
            "A bucket can keep several exemplars: compare their values.",
        )
    if given == longest.trace_id:
        return _not_yet(
            "that request took longest, but hardly waited for a connection.",
            f"Its exemplar is the largest of {DURATION}; the question is about {WAIT}.",
        )
    if value is not None:
        return _not_yet(
            "that request is an exemplar of a lower bucket.",
            "The last bucket has no upper bound: its exemplars lie above the last bound.",
        )
    if any(span.trace_id == given for span in at.spans):
        return _not_yet(
            "that request is in no exemplar of the histogram.",
            "Begin with the metric, not with the spans or the logs: its point has `exemplars`.",
        )
    return _not_yet("no span has that trace id.", "Take it from an exemplar, without retyping.")


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
