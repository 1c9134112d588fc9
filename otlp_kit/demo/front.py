"""The shop's front: takes orders, reserves stock, charges the card. Threads, spans over OTLP/HTTP.

python -m otlp_kit.demo.front PORT STOCK_URL PAYMENTS_URL
"""

from __future__ import annotations

import sys
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from otlp_kit.demo.http_service import call, serve_until_interrupted, server
from otlp_kit.demo.telemetry import http_traces


def main(port: int, stock: str, payments: str) -> None:
    finish = http_traces("front")
    tracer = trace.get_tracer("shop.front", "1.0")

    def order(path: str, question: dict[str, Any]) -> dict[str, Any]:
        span = trace.get_current_span()
        span.set_attribute("order.number", question["number"])
        span.set_attribute("order.gift_wrap", question["gift_wrap"])
        with tracer.start_as_current_span("reserve stock", kind=SpanKind.CLIENT):
            call(f"{stock}/reserve", question)
        with tracer.start_as_current_span("charge card", kind=SpanKind.CLIENT):
            call(f"{payments}/charge", question)
        span.add_event("order confirmed", {"order.number": question["number"]})
        return {"confirmed": question["number"]}

    try:
        serve_until_interrupted(server(port, "front", order))
    finally:
        finish()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:4])
