"""A store that forgets: records in a list, for tests, notebooks and the browser."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from otlp_kit.model import Span
from otlp_kit.wire import METRICS, Signal


class MemoryStore:
    """Keeps every record until it is garbage-collected. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batches: dict[str, list[Any]] = {}

    def put(self, signal: Signal, records: Sequence[Any], batch_id: str) -> int:
        """Keep `records` and return how many items are new: none if `batch_id` was put before."""
        with self._lock:
            if batch_id in self._batches:
                return 0
            self._batches[batch_id] = list(records)
        if signal == METRICS:
            return sum(len(metric.points) for metric in records)
        return len(records)

    def records(self) -> list[Any]:
        """Everything, of all signals, in order of arrival."""
        with self._lock:
            return [record for batch in self._batches.values() for record in batch]

    def spans(self, trace_id: str | None = None) -> list[Span]:
        """All spans in order of arrival, or those of one trace (32 hexadecimal digits)."""
        spans = [record for record in self.records() if isinstance(record, Span)]
        return [span for span in spans if trace_id in (None, span.trace_id.hex())]
