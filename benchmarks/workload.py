"""The spans that benchmarks work on: an HTTP server's, made by the official SDK.

512 spans in 2 scopes of one resource; each has 10 attributes and an event, 30 % have a link. The
cardinality says how often an attribute's values repeat: `low` has a handful, `high` nearly none.
"""

from __future__ import annotations

import random
import time
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind

from otlp_kit.model import Event, Scope, Span
from otlp_kit.model import Link as KitLink
from otlp_kit.model import Resource as KitResource

SPANS = 512
CARDINALITIES = ("low", "mixed", "high")
REPEATS = {"low": 5, "mixed": 100, "high": 10**9}
RESOURCE = {f"resource.attribute.{i}": f"value {i}" for i in range(9)} | {"service.name": "bench"}


def sdk_spans(cardinality: str) -> list[ReadableSpan]:
    """The workload as the official SDK's spans; the same each time but for ids and times."""
    chance = random.Random(cardinality)
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource(RESOURCE))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracers = [provider.get_tracer(f"bench.scope.{i}", "1.0") for i in range(2)]
    for number in range(SPANS):
        linked = SpanContext(number + 1, number + 1, is_remote=False)
        span = tracers[number % 2].start_span(
            "GET /users/{id}",
            kind=SpanKind.SERVER,
            attributes=_attributes(chance, REPEATS[cardinality]),
            links=[Link(linked, {"reason": "retry"})] if number % 10 < 3 else [],
        )
        span.add_event("cache miss", {"key": f"user:{chance.randrange(REPEATS[cardinality])}"})
        span.end()
    return list(memory.get_finished_spans())


def kit_spans(cardinality: str) -> list[Span]:
    """The same workload as records of this kit, made one by one as a program makes them."""
    chance = random.Random(cardinality)
    resource = KitResource(dict(RESOURCE))
    scopes = [Scope(f"bench.scope.{i}", "1.0") for i in range(2)]
    return [
        Span(
            name="GET /users/{id}",
            trace_id=chance.randbytes(16),
            span_id=chance.randbytes(8),
            kind=2,
            start_unix_nano=time.time_ns(),
            end_unix_nano=time.time_ns(),
            attributes=_attributes(chance, REPEATS[cardinality]),
            links=[_link(number + 1)] if number % 10 < 3 else [],
            events=[
                Event(
                    "cache miss",
                    time.time_ns(),
                    {"key": f"user:{chance.randrange(REPEATS[cardinality])}"},
                )
            ],
            resource=resource,
            scope=scopes[number % 2],
        )
        for number in range(SPANS)
    ]


def _link(number: int) -> KitLink:
    return KitLink(number.to_bytes(16, "big"), number.to_bytes(8, "big"), "", {"reason": "retry"})


def _attributes(chance: random.Random, repeats: int) -> dict[str, Any]:
    def pick() -> int:
        return chance.randrange(repeats)

    return {
        "http.request.method": "GET",
        "http.response.status_code": 200 + pick() % 300,
        "http.route": "/users/{id}",
        "url.path": f"/users/{pick()}",
        "url.query": f"page={pick()}",
        "server.address": f"host-{pick()}.example.com",
        "server.port": 8000 + pick() % 1000,
        "client.address": f"10.{pick() % 256}.{pick() % 256}.{pick() % 256}",
        "user_agent.original": f"Mozilla/5.0 (X11; Linux x86_64) agent/{pick()}",
        "app.cache.hit": pick() % 2 == 0,
    }
