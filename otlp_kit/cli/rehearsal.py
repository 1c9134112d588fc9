"""An advice for real: the kit's processor and retries, threads, time, and a peer that is away for a while.

    totals = rehearse(advice, scenario, seconds=4.0)
    totals.delivered, totals.dropped        from the processor's own ledger

The peer is in this process: it takes a round trip for each request, and refuses them during an outage
in the second quarter of `seconds`, for as much of the scenario's as fits there. The burst comes just
before the peer is back. It takes `seconds`, and then as long as the last attempt waits. What it does
not have is a network, and a program that needs the CPU as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from otlp_kit.ledger import Totals
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.reliability.retry import Retrying
from otlp_kit.simulate import Outage, merged, steady
from otlp_kit.simulate.sizing_terms import Advice, Scenario
from otlp_kit.wire import TRACES, Accepted, Payload, Unavailable

NAP = 0.002
"""Seconds between two looks at what is due."""


def rehearse(advice: Advice, scenario: Scenario, seconds: float) -> Totals:
    """Emit for `seconds` what `scenario` says, with the settings of `advice`, and count."""
    begins = seconds / 4
    away = Outage(begins, begins + min(scenario.outage, seconds / 4))
    arrivals = merged(steady(scenario.rate, seconds), [away.ends] * scenario.burst)
    began = time.monotonic()
    peer = Peer(scenario, away, began)
    processor: BatchProcessor[int] = BatchProcessor(
        PeerExporter(Retrying(peer, backoff=scenario.retry.backoff)),
        max_queue_size=advice.max_queue_size,
        max_batch_size=advice.max_batch_size,
        delay=advice.delay,
        in_flight=advice.in_flight,
        export_timeout=advice.export_timeout,
    )
    for record, due in enumerate(arrivals):
        while time.monotonic() - began < due:
            time.sleep(NAP)
        processor.emit(record)
    drained = advice.max_queue_size / scenario.rate + scenario.recovery
    processor.shutdown(advice.shutdown_timeout + drained)
    return processor.totals()


class Peer:
    """A `Sender` whose peer is `scenario`'s: far, slow, one record at a time, and away for a while."""

    def __init__(self, scenario: Scenario, away: Outage, began: float) -> None:
        self._scenario, self._away, self._began = scenario, away, began
        self._serving = threading.Lock()

    def send(self, payload: Payload, deadline: float) -> Accepted:
        half = self._scenario.round_trip / 2
        time.sleep(half)
        if self._away.begins <= time.monotonic() - self._began < self._away.ends:
            time.sleep(half)
            raise Unavailable("nobody is there")
        if work := self._scenario.per_record * payload.items:
            with self._serving:
                time.sleep(work)
        time.sleep(half)
        return Accepted()


class PeerExporter:
    """Sends batches without their bytes."""

    concurrent = True

    def __init__(self, sender: Retrying) -> None:
        self._sender = sender

    def export(self, batch: Sequence[int], deadline: float) -> Accepted:
        return self._sender.send(Payload(TRACES, b"", len(batch), ""), deadline)

    def shutdown(self) -> None:
        self._sender.close()
