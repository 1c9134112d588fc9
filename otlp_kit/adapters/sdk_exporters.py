"""Exporters of this kit where the official SDK expects its own: senders under official processors.

    provider.add_span_processor(BatchSpanProcessor(SpanExporterOf(HttpSender(endpoint))))
    LogExporterOf(sender, timeout=10.0)
    MetricExporterOf(sender)

They encode once and hand the bytes to a `Sender` of this kit, with everything that is wrapped around
it. The official interface knows success and failure only: a partial success is a success, and a
warning tells what was rejected. `totals()` tells the rest. A sender is thread-safe, so these may be
called by several threads at once, as the official simple processor does.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-exporter
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otlp_kit.adapters import sdk_preferences
from otlp_kit.adapters.sdk_convert import encode_spans
from otlp_kit.adapters.sdk_logs import encode_logs
from otlp_kit.adapters.sdk_points import count_points, to_metrics
from otlp_kit.encoding.protobuf_metrics import encode_metrics
from otlp_kit.ledger import ALREADY_SHUTDOWN, Ledger, Totals
from otlp_kit.processors.delivery import Accounts
from otlp_kit.processors.forking import begin_anew_in_child
from otlp_kit.wire import LOGS, METRICS, TRACES, Accepted, Payload, Sender, Signal


class _Sending:
    """What the three have in common: one payload is sent in time, and accounted for."""

    def __init__(self, sender: Sender, timeout: float) -> None:
        if not timeout > 0:
            raise ValueError(f"timeout must be more than 0 seconds, not {timeout}")
        self._sender = sender
        self._timeout = timeout
        self._shut_down = False
        self._ledger = Ledger()
        self._accounts = Accounts(self._ledger, time.monotonic)
        begin_anew_in_child(self)

    def _send(
        self, signal: Signal, encode: Callable[[], bytes], items: int, timeout: float = math.inf
    ) -> bool:
        def send(deadline: float) -> Accepted:
            return self._sender.send(Payload(signal, encode(), items), deadline)

        return self._settle(items, send, timeout)

    def _settle(
        self, items: int, send: Callable[[float], Accepted], timeout: float = math.inf
    ) -> bool:
        """Call `send` with the deadline that holds, and account for what becomes of `items`."""
        if self._shut_down:
            self._ledger.turned_away(ALREADY_SHUTDOWN, items)
            return False
        self._ledger.created(items)
        deadline = time.monotonic() + min(timeout, self._timeout)
        try:
            answer = send(deadline)
        except Exception as error:
            # Official processors log a traceback for each; here it is one line, and not for each.
            self._accounts.failed(items, error, deadline)
            return False
        if not isinstance(answer, Accepted):
            self._accounts.failed(items, TypeError(f"the sender returned {answer!r}"), deadline)
            return False
        self._accounts.answered(items, answer)
        return True

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        """Nothing waits here: an export that has returned is over."""
        return True

    def shutdown(self, *args: Any, **kwargs: Any) -> None:
        """Export no more, and close the sender if it holds something."""
        self._shut_down = True
        close = getattr(self._sender, "close", None)
        if close:
            close()

    def totals(self) -> Totals:
        """Where every item went so far; data points, for metrics."""
        return self._ledger.totals()

    def begin_anew(self) -> None:
        """In the child of a fork: accounts of its own."""
        self._ledger.begin_anew()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self.totals()}]>"


class SpanExporterOf(_Sending, SpanExporter):
    """An official span exporter that sends through `sender`. `timeout` is seconds per export.

    Raises `ValueError` for a timeout that is not more than 0, as do the two below.
    """

    def __init__(self, sender: Sender, timeout: float = 10.0) -> None:
        _Sending.__init__(self, sender, timeout)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `spans`. Never raises."""
        sent = self._send(TRACES, lambda: encode_spans(spans), len(spans))
        return SpanExportResult.SUCCESS if sent else SpanExportResult.FAILURE


class LogExporterOf(_Sending, LogRecordExporter):
    """An official log record exporter that sends through `sender`, `timeout` seconds per export."""

    def __init__(self, sender: Sender, timeout: float = 10.0) -> None:
        _Sending.__init__(self, sender, timeout)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Send `batch`. Never raises."""
        sent = self._send(LOGS, lambda: encode_logs(batch), len(batch))
        return LogRecordExportResult.SUCCESS if sent else LogRecordExportResult.FAILURE


class MetricExporterOf(_Sending, MetricExporter):
    """An official metric exporter that sends through `sender`, `timeout` seconds per export.

    Its preferences are those of the environment, unless they are given, as the official ones are.
    """

    def __init__(
        self,
        sender: Sender,
        timeout: float = 10.0,
        preferred_temporality: dict[type, Any] | None = None,
        preferred_aggregation: dict[type, Any] | None = None,
    ) -> None:
        _Sending.__init__(self, sender, timeout)
        MetricExporter.__init__(
            self,
            {**sdk_preferences.temporality(), **(preferred_temporality or {})},
            {**sdk_preferences.aggregation(), **(preferred_aggregation or {})},
        )

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Send what was collected, within `timeout_millis` and the exporter's own timeout."""
        metrics = to_metrics(metrics_data)
        points, timeout = count_points(metrics), timeout_millis / 1000
        sent = self._send(METRICS, lambda: encode_metrics(metrics), points, timeout)
        return MetricExportResult.SUCCESS if sent else MetricExportResult.FAILURE
