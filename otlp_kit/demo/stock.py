"""The shop's stock room: threads, and all three signals over OTLP/HTTP.

    python -m otlp_kit.demo.stock PORT

The slow path: whoever wants gift wrapping waits for the one wrapping table.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry._logs import SeverityNumber

from otlp_kit.demo.http_service import serve_until_interrupted, server
from otlp_kit.demo.telemetry import http_logs, http_metrics, http_traces, log

WRAPPING = 0.25
"""Seconds at the wrapping table."""


def main(port: int) -> None:
    finish = [http_traces("stock"), http_logs("stock"), http_metrics("stock")]
    tracer, meter = trace.get_tracer("shop.stock", "1.0"), metrics.get_meter("shop.stock", "1.0")
    reserved = meter.create_counter("shop.items.reserved", "{item}", "Items taken from the shelf")
    on_shelf = meter.create_up_down_counter("shop.items.on_shelf", "{item}", "Items left")
    duration = meter.create_histogram(
        "shop.reserve.duration",
        "s",
        "Time to reserve an order",
        explicit_bucket_boundaries_advisory=[0.002, 0.004, 0.006, 0.01, 0.05, 0.1, 0.25, 0.5, 1],
    )
    table = threading.Lock()
    on_shelf.add(1000)

    def reserve(path: str, question: dict[str, Any]) -> dict[str, Any]:
        begin, item = time.perf_counter(), question["item"]
        with tracer.start_as_current_span("look on shelf", attributes={"item": item}):
            time.sleep(random.uniform(0.001, 0.006))
        if question["gift_wrap"]:
            log(SeverityNumber.INFO, "waiting for the wrapping table", item=item)
            with tracer.start_as_current_span("wrap"), table:
                time.sleep(WRAPPING)
            log(SeverityNumber.WARN, "wrapping took long", item=item, seconds=WRAPPING)
        log(SeverityNumber.INFO, f"reserved one {item}", item=item)
        reserved.add(1, {"item": item})
        on_shelf.add(-1)
        duration.record(time.perf_counter() - begin, {"gift_wrap": question["gift_wrap"]})
        return {"reserved": item}

    try:
        serve_until_interrupted(server(port, "stock", reserve))
    finally:
        for end in finish:
            end()


if __name__ == "__main__":
    main(int(sys.argv[1]))
