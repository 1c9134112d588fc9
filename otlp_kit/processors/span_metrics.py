"""Rate, errors and duration from spans, counted before any of them is sampled or dropped.

    processor = SpanMetricsProcessor(batch)
    processor.emit(span)                    # counted, and handed on as it is
    processor.collect(now_unix_nano)        # -> [calls, duration], to be exported as any metric

Put it in front of filters and samplers: then the numbers are about everything that happened, and
the spans that are kept are examples of it. It does not collect by itself; whoever exports metrics
calls `collect`, one caller at a time.

There is one series for each (service, name, kind, status); an error rate is the share of the calls
whose status is an error. Names of spans come from programs, and a program that writes ids into them
would fill memory, so the number of series is bounded: past `max_series`, calls of new series are
counted together in one that says `otel.metric.overflow`. Totals stay right.

Specification: https://opentelemetry.io/docs/specs/otel/metrics/sdk/#cardinality-limits; names as in
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/connector/spanmetricsconnector
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

from otlp_kit.model import (
    Attributes,
    Exemplar,
    HistogramPoint,
    Metric,
    NumberPoint,
    Resource,
    Scope,
    Span,
    SpanKind,
    StatusCode,
    Temporality,
)
from otlp_kit.processors.forking import begin_anew_in_child
from otlp_kit.processors.passing import PassingProcessor, Processor

log = logging.getLogger(__name__)

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds, as the semantic conventions advise for the duration of HTTP requests."""
OVERFLOW: Attributes = {"otel.metric.overflow": True}
KINDS = {int(kind): f"SPAN_KIND_{kind.name}" for kind in SpanKind}
STATUSES = {int(code): f"STATUS_CODE_{code.name}" for code in StatusCode}
SCOPE = Scope(name=__name__)

Key: TypeAlias = tuple[str, str, int, int]
"""Service, span name, kind, status."""


@dataclass(slots=True)
class _Series:
    """What is known of one series since its beginning, or since it was collected."""

    attributes: Attributes
    counts: list[int]
    sum: float = 0.0
    min: float = float("inf")
    max: float = 0.0
    exemplars: dict[int, Exemplar] = field(default_factory=dict)
    """The last span of each bucket."""

    def add(self, bucket: int, seconds: float, exemplar: Exemplar) -> None:
        self.counts[bucket] += 1
        self.sum += seconds
        self.min = min(self.min, seconds)
        self.max = max(self.max, seconds)
        self.exemplars[bucket] = exemplar


class SpanMetricsProcessor(PassingProcessor[Span]):
    """Counts ended spans and hands them to `next`.

    `bounds` are the upper bounds of the histogram's buckets, in seconds, increasing. `max_series`
    counts series without the overflow. With `DELTA` temporality each `collect` starts anew, with
    `CUMULATIVE` everything since `start_unix_nano` (default: now) is reported each time. `resource`
    is who reports; the service of the spans is an attribute of the points. Raises `ValueError` for
    settings that cannot be.
    """

    def __init__(
        self,
        next: Processor[Span],
        *,
        bounds: Sequence[float] = BOUNDS,
        max_series: int = 2000,
        temporality: Temporality = Temporality.CUMULATIVE,
        resource: Resource | None = None,
        start_unix_nano: int | None = None,
    ) -> None:
        if not all(low < high for low, high in pairwise(bounds)):
            raise ValueError(f"bounds must increase: {list(bounds)}")
        if max_series < 1:
            raise ValueError(f"max_series must be at least 1, not {max_series}")
        if temporality not in (Temporality.DELTA, Temporality.CUMULATIVE):
            raise ValueError(f"temporality must be DELTA or CUMULATIVE, not {temporality!r}")
        super().__init__(next)
        self._bounds = list(bounds)
        self._max_series = max_series
        self._temporality = temporality
        self._resource = resource or Resource()
        self._reported = False
        self._begin(time.time_ns() if start_unix_nano is None else start_unix_nano)
        begin_anew_in_child(self)

    def _begin(self, start_unix_nano: int) -> None:
        # Guards what follows. Held for a few additions only, and while points are copied.
        self._lock = threading.Lock()
        self._start = start_unix_nano
        self._series: dict[Key, _Series] = {}
        self._overflow: _Series | None = None

    def begin_anew(self) -> None:
        """In the child of a fork: the parent reports what was counted before."""
        self._begin(time.time_ns())

    def emit(self, record: Span) -> None:
        """Count `record` and hand it on, unchanged. Safe from any thread; never raises."""
        try:
            self._count(record)
        except Exception:
            if not self._reported:
                self._reported = True
                log.exception("a span could not be counted, such spans go on uncounted")
        self._next.emit(record)

    def _count(self, span: Span) -> None:
        # A clock that was set back makes a span end before it began: that is no negative duration.
        seconds = max(0, span.end_unix_nano - span.start_unix_nano) / 1e9
        bucket = bisect_left(self._bounds, seconds)
        exemplar = Exemplar(seconds, span.end_unix_nano, span.trace_id, span.span_id)
        service = span.resource.attributes.get("service.name")
        named = service if isinstance(service, str) else ""
        key = (named, span.name, span.kind, span.status_code)
        with self._lock:
            self._find(key).add(bucket, seconds, exemplar)

    def _find(self, key: Key) -> _Series:
        series = self._series.get(key)
        if series is not None:
            return series
        if len(self._series) < self._max_series:
            series = self._series[key] = self._new(_attributes(key))
            return series
        if self._overflow is None:
            self._overflow = self._new(dict(OVERFLOW))
        return self._overflow

    def _new(self, attributes: Attributes) -> _Series:
        return _Series(attributes, [0] * (len(self._bounds) + 1))

    def collect(self, now_unix_nano: int) -> list[Metric]:
        """What was counted up to `now_unix_nano`: calls and duration, or nothing without spans."""
        with self._lock:
            found = [*self._series.values(), *filter(None, [self._overflow])]
            start = self._start
            if self._temporality == Temporality.DELTA:
                self._series, self._overflow, self._start = {}, None, now_unix_nano
            points = [self._point(series, start, now_unix_nano) for series in found]
        if not points:
            return []
        calls = [
            NumberPoint(point.count, now_unix_nano, start, dict(point.attributes))
            for point in points
        ]
        about = Metric(temporality=self._temporality, resource=self._resource, scope=SCOPE)
        return [
            replace(about, name="traces.span.metrics.calls", kind="sum", unit="{call}",
                    description="Spans that ended", points=calls, is_monotonic=True),
            replace(about, name="traces.span.metrics.duration", kind="histogram", unit="s",
                    description="How long they took", points=points),
        ]  # fmt: skip

    def _point(self, series: _Series, start: int, now: int) -> HistogramPoint:
        return HistogramPoint(
            count=sum(series.counts),
            sum=series.sum,
            bucket_counts=list(series.counts),
            explicit_bounds=list(self._bounds),
            min=series.min,
            max=series.max,
            time_unix_nano=now,
            start_time_unix_nano=start,
            attributes=dict(series.attributes),
            exemplars=[series.exemplars[bucket] for bucket in sorted(series.exemplars)],
        )

    def __repr__(self) -> str:
        overflow = " and an overflow" if self._overflow else ""
        full = f"{len(self._series)}/{self._max_series}"
        return f"<SpanMetricsProcessor [{full} series{overflow}] -> {self._next!r}>"


def _attributes(key: Key) -> Attributes:
    service, name, kind, status = key
    return {
        "service.name": service,
        "span.name": name,
        "span.kind": KINDS.get(kind, str(kind)),
        "status.code": STATUSES.get(status, str(status)),
    }
