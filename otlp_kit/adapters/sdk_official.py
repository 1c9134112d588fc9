"""Exporters of the official SDK as exporters of this kit.

    exporter = OfficialExporter(OTLPSpanExporter())      # spans, log records
    exporter = OfficialMetricExporter(OTLPMetricExporter())
    exporter = Untraced(exporter)                        # around any exporter

An official exporter says success or failure and nothing more, and takes no deadline (a metric
exporter takes a timeout): it keeps its own. The kit never calls it concurrently.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-exporter
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,
    attach,
    create_key,
    detach,
    get_value,
    set_value,
)
from opentelemetry.sdk.metrics.export import MetricsData

from otlp_kit.processors.delivery import BatchExporter
from otlp_kit.wire import Accepted, Refused

T = TypeVar("T")
_EXPORTING = create_key("otlp-kit-exporting")


def is_exporting() -> bool:
    """Whether this code runs inside an export: what it emits would be about the export itself."""
    return bool(get_value(_EXPORTING))


class Untraced(Generic[T]):
    """Around any exporter: instrumented HTTP libraries must not trace the export, which would make
    spans to be exported, and so on without end."""

    def __init__(self, exporter: BatchExporter[T]) -> None:
        self._exporter = exporter

    def export(self, batch: Sequence[T], deadline: float) -> Accepted:
        marked = set_value(_EXPORTING, True)
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True, marked))
        try:
            return self._exporter.export(batch, deadline)
        finally:
            detach(token)

    def shutdown(self) -> None:
        self._exporter.shutdown()


class OfficialExporter(Generic[T]):
    """An official span or log record exporter as one of this kit."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter
        self._shut_down = False
        self.release_by: float | None = None
        """When `shutdown` has to be over, in monotonic seconds; None leaves it to the exporter."""

    def export(self, batch: Sequence[T], deadline: float) -> Accepted:
        """Raises `Refused` where the official interface says failure, which tells no more."""
        self._check(self._exporter.export(batch))
        return Accepted()

    def _check(self, result: Any) -> None:
        # Each signal has its own enumeration of results; they have the names in common.
        if getattr(result, "name", None) != "SUCCESS":
            raise Refused(f"{type(self._exporter).__name__} answered {result}")

    def force_flush(self, timeout: float) -> bool:
        """Flush within `timeout` seconds. A hint that many do not answer: only False is failure."""
        return self._exporter.force_flush(timeout_millis=int(timeout * 1000)) is not False

    def shutdown(self) -> None:
        """Release it, once. An exporter that takes a timeout is told what is left of it."""
        if self._shut_down:
            return
        self._shut_down = True
        parameters = inspect.signature(self._exporter.shutdown).parameters
        if self.release_by is None or "timeout_millis" not in parameters:
            self._exporter.shutdown()
        else:
            left = max(0.0, self.release_by - time.monotonic())
            self._exporter.shutdown(timeout_millis=left * 1000)


class OfficialMetricExporter(OfficialExporter[MetricsData]):
    """An official metric exporter: each collection is one export, which is told its timeout."""

    def export(self, batch: Sequence[MetricsData], deadline: float) -> Accepted:
        for collected in batch:
            left = max(0.0, deadline - time.monotonic())
            self._check(self._exporter.export(collected, timeout_millis=left * 1000))
        return Accepted()
