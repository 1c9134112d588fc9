"""A small shop of three services, instrumented with the official OpenTelemetry SDK only.

    traffic -> front (threads, OTLP/HTTP) -> payments (asyncio, OTLP/gRPC)
                                          -> stock (threads, OTLP/HTTP with logs and metrics)

It makes telemetry as anybody's services do, for the page, the lessons and the tests. One path is
slow (a gift-wrapped order waits for the wrapping table) and one fails (a card of the bank `broke`
is declined). Nothing here knows this kit; where it sends is set by OTEL_EXPORTER_OTLP_ENDPOINT.
"""
