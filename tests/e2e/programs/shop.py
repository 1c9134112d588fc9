"""A program that knows nothing of this kit: official SDK, official exporter, default settings.

Where it sends is decided by the standard variable OTEL_EXPORTER_OTLP_ENDPOINT alone. It makes
`python shop.py N` orders, each a trace of four spans, and prints the trace ids.
"""

import logging
import sys
import time

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

logging.basicConfig(level=logging.WARNING)
provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("shop.orders", "1.0")


def order(number: int) -> str:
    with tracer.start_as_current_span("POST /orders", kind=trace.SpanKind.SERVER) as root:
        root.set_attribute("http.request.method", "POST")
        root.set_attribute("order.number", number)
        with tracer.start_as_current_span("reserve stock") as reserve:
            reserve.add_event("stock checked", {"items": ["tea", "cup"]})
            time.sleep(0.002)
        with (
            tracer.start_as_current_span("charge card", kind=trace.SpanKind.CLIENT) as charge,
            tracer.start_as_current_span("connect"),
        ):
            if number % 5 == 4:
                charge.set_status(trace.Status(trace.StatusCode.ERROR, "card declined"))
        return f"{root.get_span_context().trace_id:032x}"


for number in range(int(sys.argv[1])):
    print(order(number))
provider.force_flush()
if "--stay" in sys.argv:  # the process lives on, as services do
    print("flushed", flush=True)
    sys.stdin.read()
