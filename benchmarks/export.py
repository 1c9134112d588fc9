"""What a span costs from its start to the server's acknowledgement: this kit against the official SDK.

`python -m benchmarks.export` takes about two minutes, prints each ratio beside its gate, and writes
`results/export.json`. Every candidate runs the same lines against the API and exports in batches to a
receiver in a process of its own. What is compared is the CPU time of the exporting process, all its
threads together; the receiver's database says how many spans came, and that has to be all of them.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OfficialGrpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OfficialHttp
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider as OfficialProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor as OfficialBatch
from opentelemetry.trace import SpanKind

from benchmarks.harness import Fact, interleaved, judge, ratio, record
from benchmarks.tracer import ATTRIBUTES
from otlp_kit.adapters import BatchSpanProcessor, SpanExporterOf
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_grpc import GrpcSender
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.tracing import TracerProvider
from otlp_kit.wire import TRACES, Sender

CLI = (sys.executable, "-m", "otlp_kit.cli")
SPANS = 5120
ROUNDS = 13
ROOM = 2 * SPANS


@contextmanager
def receiver(data: Path) -> Iterator[tuple[str, str]]:
    """A receiver in a process of its own: the URLs at which it takes HTTP and gRPC."""
    any_port = "127.0.0.1:0"
    process = subprocess.Popen(
        [*CLI, "serve", "--http", any_port, "--grpc", any_port, "--ui", any_port, "--data", data],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout
        bound = dict(word.split("=", 1) for word in process.stdout.readline().split()[1:])
        yield bound["http"], bound["grpc"]
    finally:
        process.terminate()
        process.wait()


def spans(provider: Any) -> None:
    """Requests of a server, each with ten attributes and an event, and all of them exported."""
    tracer = provider.get_tracer("bench")
    for number in range(SPANS):
        span = tracer.start_span(
            "GET /users/{id}", kind=SpanKind.SERVER, attributes=ATTRIBUTES[number % len(ATTRIBUTES)]
        )
        span.add_event("cache miss", {"key": "user:1"})
        span.end()
    assert provider.force_flush()


def official(name: str, exporter: Any, batch: Any = OfficialBatch) -> OfficialProvider:
    provider = OfficialProvider(resource=Resource({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(batch(exporter, max_queue_size=ROOM))
    return provider


def kit(name: str, sender: Sender) -> TracerProvider:
    exporter = OtlpExporter(encode_spans, sender, TRACES)
    return TracerProvider(
        BatchProcessor(exporter, max_queue_size=ROOM), resource={"service.name": name}
    )


def counted(data: Path) -> dict[str, int]:
    """How many spans of each service the receiver has."""
    query = "select service, count(distinct span_id) as spans from spans group by service"
    answer = subprocess.run(
        [*CLI, "sql", "--data", data, "--json", query], capture_output=True, text=True, check=True
    )
    rows = (json.loads(line) for line in answer.stdout.splitlines())
    return {row["service"]: row["spans"] for row in rows}


def candidates(http: str, grpc: str) -> dict[str, Any]:
    return {
        "official.http": official("official.http", OfficialHttp(f"{http}/v1/traces")),
        "kit.http": kit("kit.http", HttpSender(http)),
        "adapter.http": official(
            "adapter.http", SpanExporterOf(HttpSender(http)), BatchSpanProcessor
        ),
        "official.grpc": official("official.grpc", OfficialGrpc(grpc, insecure=True)),
        "kit.grpc": kit("kit.grpc", GrpcSender(grpc)),
        "adapter.grpc": official(
            "adapter.grpc", SpanExporterOf(GrpcSender(grpc)), BatchSpanProcessor
        ),
    }


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with receiver(data) as (http, grpc):
            providers = candidates(http, grpc)

            def run(name: str) -> Callable[[], None]:
                return lambda: spans(providers[name])

            gc.collect()
            gc.freeze()  # the imports of six candidates are nobody's garbage
            seconds = interleaved({name: run(name) for name in providers}, ROUNDS)
            for provider in providers.values():
                provider.shutdown()
            came = counted(data)
    # One round more than is counted: the first warms up.
    assert came == dict.fromkeys(providers, SPANS * (ROUNDS + 1)), came
    facts: dict[str, Fact] = {}
    for transport in ("http", "grpc"):
        for name, whose, gate in (
            ("kit", "with this kit's tracer and pipeline", 6.0),
            ("adapter", "with this kit's processor and exporter under the official tracer", 2.0),
        ):
            facts[f"export.{name}.{transport}"] = ratio(
                seconds[f"official.{transport}"],
                seconds[f"{name}.{transport}"],
                f"times less CPU from the start of a span to the server's answer over {transport},"
                f" {whose}, against the official SDK and exporter; every span counted at the server",
                gate,
            )
    record(
        "export",
        facts,
        sources=[
            "benchmarks/export.py",
            "benchmarks/tracer.py",
            "otlp_kit/adapters/sdk_convert.py",
            "otlp_kit/encoding/protobuf_common.py",
            "otlp_kit/encoding/protobuf_spans.py",
            "otlp_kit/exporters/otlp.py",
            "otlp_kit/exporters/otlp_grpc.py",
            "otlp_kit/exporters/otlp_http.py",
            "otlp_kit/processors/batch.py",
            "otlp_kit/tracing/live_span.py",
            "otlp_kit/tracing/tracer.py",
        ],
        packages=[
            "grpcio",
            "opentelemetry-exporter-otlp-proto-grpc",
            "opentelemetry-exporter-otlp-proto-http",
            "opentelemetry-sdk",
            "urllib3",
        ],
    )
    return judge(facts)


if __name__ == "__main__":
    sys.exit(main())
