"""A ledger as metrics: what the semantic conventions call the SDK's metrics about itself.

    metrics = SelfMetrics(meter_provider.get_meter("otlp_kit"))
    metrics.watch(processor)                # -> "batching_span_processor/0"

Off by default: nothing is measured unless somebody watches. It reads `totals()` when it is
collected, and starts, ends and emits nothing, so that it cannot feed itself.

    processed{no error}   handed to the exporter, whatever became of it
    processed{error.type} given up before: queue_full, already_shutdown ...
    exported{no error}    acknowledged
    exported{error.type}  rejected, export_failed, timeout, or unknown: sent, never answered
    inflight              handed to the exporter, fate still open

Specification: https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otlp_kit.ledger import EXPORT_FAILED, TIMEOUT, TOO_LARGE, Totals

Item: TypeAlias = Literal["span", "log", "metric_data_point"]

UNITS: dict[Item, str] = {
    "span": "{span}",
    "log": "{log_record}",
    "metric_data_point": "{data_point}",
}
USUAL: dict[Item, tuple[str, str]] = {
    "span": ("batching_span_processor", "otlp_http_span_exporter"),
    "log": ("batching_log_processor", "otlp_http_log_exporter"),
    "metric_data_point": ("periodic_metric_reader", "otlp_http_metric_exporter"),
}
"""Component types: of the processor, and of the exporter behind it."""
AT_THE_EXPORTER = (EXPORT_FAILED, TIMEOUT, TOO_LARGE)
"""Reasons that belong to an export; all others keep a record from being handed over."""


class Watchable(Protocol):
    """A processor or reader: one of the adapters, or any of this kit.

    Where it has them, `queued` and `capacity` tell of its queue.
    """

    def totals(self) -> Totals: ...


@dataclass(frozen=True, slots=True)
class _Watched:
    processor: Watchable
    component: dict[str, str]
    exporter: dict[str, str]

    def queue_size(self) -> Iterator[Observation]:
        if hasattr(self.processor, "queued"):
            yield Observation(self.processor.queued, self.component)

    def queue_capacity(self) -> Iterator[Observation]:
        if hasattr(self.processor, "capacity"):
            yield Observation(self.processor.capacity, self.component)

    def processed(self) -> Iterator[Observation]:
        queued = getattr(self.processor, "queued", 0)
        totals = self.processor.totals()
        before = {why: n for why, n in totals.dropped.items() if why not in AT_THE_EXPORTER}
        # Read one after the other: what left the queue meanwhile is counted the next time.
        handed_over = max(0, totals.created - sum(before.values()) - queued)
        yield Observation(handed_over, self.component)
        for why, count in before.items():
            yield Observation(count, {**self.component, "error.type": why})

    def exported(self) -> Iterator[Observation]:
        totals = self.processor.totals()
        yield Observation(totals.delivered + totals.stored, self.exporter)
        failed = {why: n for why, n in totals.dropped.items() if why in AT_THE_EXPORTER}
        failed |= {"rejected": totals.rejected, "unknown": totals.unknown}
        for why, count in failed.items():
            if count:
                yield Observation(count, {**self.exporter, "error.type": why})

    def inflight(self) -> Iterator[Observation]:
        queued = getattr(self.processor, "queued", 0)
        yield Observation(max(0, self.processor.totals().inside - queued), self.exporter)


class SelfMetrics:
    """Publishes the ledgers of what it watches through `meter`; one for each meter."""

    def __init__(self, meter: Meter) -> None:
        self._watched: dict[Item, list[_Watched]] = {item: [] for item in UNITS}
        self._numbers: Counter[str] = Counter()
        for item in UNITS:
            if item != "metric_data_point":  # a reader has no queue
                processor = f"otel.sdk.processor.{item}"
                self._gauge(meter, item, f"{processor}.queue.size", _Watched.queue_size)
                self._gauge(meter, item, f"{processor}.queue.capacity", _Watched.queue_capacity)
                self._count(meter, item, f"{processor}.processed", _Watched.processed)
            exporter = f"otel.sdk.exporter.{item}"
            self._count(meter, item, f"{exporter}.exported", _Watched.exported)
            self._gauge(meter, item, f"{exporter}.inflight", _Watched.inflight)

    def watch(
        self,
        processor: Watchable,
        item: Item = "span",
        component_type: str = "",
        exporter_type: str = "",
    ) -> str:
        """Publish the ledger of `processor`, which counts `item`s; returns its component name.

        The types are those of the semantic conventions; left out, they are the `USUAL` ones.
        """
        kinds = component_type or USUAL[item][0], exporter_type or USUAL[item][1]
        component, exporter = (self._named(kind) for kind in kinds)
        self._watched[item].append(_Watched(processor, component, exporter))
        return component["otel.component.name"]

    def _named(self, kind: str) -> dict[str, str]:
        number = self._numbers[kind]
        self._numbers[kind] += 1
        return {"otel.component.type": kind, "otel.component.name": f"{kind}/{number}"}

    def _gauge(self, meter: Meter, item: Item, name: str, read: _Read) -> None:
        meter.create_observable_up_down_counter(name, [self._asked(item, read)], UNITS[item])

    def _count(self, meter: Meter, item: Item, name: str, read: _Read) -> None:
        meter.create_observable_counter(name, [self._asked(item, read)], UNITS[item])

    def _asked(self, item: Item, read: _Read) -> Callable[[CallbackOptions], Iterable[Observation]]:
        watched = self._watched[item]
        return lambda _: [one for each in watched for one in read(each)]


_Read: TypeAlias = Callable[[_Watched], Iterator[Observation]]
