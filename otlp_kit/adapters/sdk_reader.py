"""The periodic metric reader of this kit where the official SDK expects its own.

    MeterProvider(metric_readers=[PeriodicExportingMetricReader(OTLPMetricExporter())])

Arguments, defaults and the variables `OTEL_METRIC_EXPORT_*` are those of the official class. What
differs: every data point is accounted for (`totals()`), `force_flush` and `shutdown` keep their
timeout and tell the truth, collecting and exporting happen on one thread, which the child of a fork
has too, and the exporter may be one of this kit's: it is given `model.Metric` records.

Specification: https://opentelemetry.io/docs/specs/otel/metrics/sdk/#periodic-exporting-metricreader
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, MetricsData

from otlp_kit.adapters import sdk_preferences
from otlp_kit.adapters.sdk_arguments import seconds
from otlp_kit.adapters.sdk_bridge import Bridge
from otlp_kit.adapters.sdk_official import OfficialMetricExporter, Untraced
from otlp_kit.adapters.sdk_points import count_points, to_metrics
from otlp_kit.ledger import Totals
from otlp_kit.model import Metric
from otlp_kit.processors.delivery import BatchExporter
from otlp_kit.processors.outcome import Outcome
from otlp_kit.processors.periodic import PeriodicReader


class PeriodicExportingMetricReader(MetricReader):
    """The kit's periodic reader under the official MeterProvider.

    `exporter` is an official `MetricExporter`, whose preferences for temporality and aggregation
    hold, or an exporter of this kit, for which the variables `OTEL_EXPORTER_OTLP_METRICS_*` say
    them. Interval and timeout are milliseconds; left out, they come from `OTEL_METRIC_EXPORT_*`,
    else they are 60000 and 30000. An interval of `math.inf` collects only when told to.
    `cardinality_limits` is the SDK's. Raises `ValueError` for an interval or timeout of 0 or less.
    """

    def __init__(
        self,
        exporter: MetricExporter | BatchExporter[Metric],
        export_interval_millis: float | None = None,
        export_timeout_millis: float | None = None,
        cardinality_limits: Any = None,
    ) -> None:
        is_official = isinstance(exporter, MetricExporter)
        super().__init__(
            *sdk_preferences.of(exporter),
            # An argument that older releases of the SDK do not have.
            **({"cardinality_limits": cardinality_limits} if cardinality_limits else {}),
        )
        wrapped = OfficialMetricExporter(exporter) if is_official else None
        inner: Any = Untraced(wrapped or exporter)  # type: ignore[arg-type]
        self._timeout_millis = 1000 * seconds(export_timeout_millis, "OTEL_METRIC_EXPORT_TIMEOUT")
        self._received: deque[MetricsData] = deque()
        self._here = threading.local()
        self._reader: PeriodicReader[Any] = PeriodicReader(
            self._collected if is_official else self._collected_metrics,
            inner,
            interval=seconds(export_interval_millis, "OTEL_METRIC_EXPORT_INTERVAL"),
            export_timeout=self._timeout_millis / 1000,
            count=_count if is_official else count_points,
        )
        self._bridge = Bridge(self._reader, wrapped)

    def _collected(self) -> Sequence[MetricsData]:
        """What the SDK has now, after what somebody else's `collect` has left to be exported."""
        if self._collect is not None:  # else no provider has it yet
            self._here.collecting = True
            try:
                self.collect(timeout_millis=self._timeout_millis)
            finally:
                self._here.collecting = False
        return [self._received.popleft() for _ in range(len(self._received))]

    def _collected_metrics(self) -> Sequence[Metric]:
        return [metric for data in self._collected() for metric in to_metrics(data)]

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        """Called by the SDK from `collect`. If that was not ours, it wants an export as well."""
        self._received.append(metrics_data)
        if not getattr(self._here, "collecting", False):
            self._bridge.force_flush(timeout_millis / 1000)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect, export, flush the exporter. True if all of it succeeded in time."""
        return self._bridge.force_flush(timeout_millis / 1000) is Outcome.FLUSHED

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Collect and export a last time, and release the exporter, within `timeout_millis`."""
        self._bridge.shutdown(timeout_millis / 1000)

    def totals(self) -> Totals:
        """Where every data point went so far."""
        return self._reader.totals()

    def __repr__(self) -> str:
        return repr(self._reader).replace("PeriodicReader", "PeriodicExportingMetricReader", 1)


def _count(collected: Sequence[MetricsData]) -> int:
    return sum(
        len(metric.data.data_points)
        for data in collected
        for by_resource in data.resource_metrics
        for by_scope in by_resource.scope_metrics
        for metric in by_scope.metrics
    )
