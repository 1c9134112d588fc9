"""Through somebody else's collector: this kit's exporters, `rotel`, this kit's receiver."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.workload import kit_spans
from otlp_kit.encoding.protobuf_logs import encode_logs
from otlp_kit.encoding.protobuf_metrics import encode_metrics
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_grpc import GrpcSender
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.model import LogRecord, Metric, NumberPoint, Resource, Scope, Span
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.wire import LOGS, METRICS, TRACES, Sender
from tests.support import Running

PACKAGE = importlib.util.find_spec("rotel")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PACKAGE is None, reason="rotel has no package for this system"),
]
SPANS = "select * from spans order by trace_id, span_id"
LOG_RECORDS = "select * from logs order by body"
POINTS = "select * from metrics order by name, time_unix_nano"
RESOURCE = Resource({"service.name": "shop", "numbers": [1, 2, 3], "nested": {"deep": True}})
NOW = 1_700_000_000_000_000_000


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def rotel(to: str, protocol: str, folder: Path) -> Iterator[tuple[str, str]]:
    """The collector, which sends to `to`; the URLs at which it takes HTTP and gRPC."""
    assert PACKAGE is not None
    assert PACKAGE.origin is not None
    http, grpc = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with (folder / "rotel.log").open("w") as log:
        process = subprocess.Popen(
            [Path(PACKAGE.origin).with_name("rotel-agent"), "start",
             "--otlp-http-endpoint", http, "--otlp-grpc-endpoint", grpc,
             "--exporter", "otlp", "--otlp-exporter-endpoint", to,
             "--otlp-exporter-protocol", protocol, "--batch-timeout", "50ms",
             "--pid-file", folder / "rotel.pid", "--log-file", folder / "agent.log"],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            for address in (http, grpc):
                _wait_for(address, process)
            yield f"http://{http}", f"http://{grpc}"
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    host, _, port = address.partition(":")
    last = time.monotonic() + 30
    while True:
        assert process.poll() is None, "rotel ended"
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            assert time.monotonic() < last, "rotel does not listen"
            time.sleep(0.05)


def send_all(sender: Sender, workload: list[Span]) -> None:
    """The three signals, each through a processor of its own."""
    spans: BatchProcessor[Any] = BatchProcessor(OtlpExporter(encode_spans, sender, TRACES))
    for span in workload:
        spans.emit(span)
    logs: BatchProcessor[Any] = BatchProcessor(OtlpExporter(encode_logs, sender, LOGS))
    for number in range(300):
        logs.emit(LogRecord(
            body={"order": number}, time_unix_nano=NOW + number, severity_number=9,
            severity_text="INFO", attributes={"n": number, "half": 0.5, "list": ["a", "b"]},
            trace_id=bytes([1] * 16), span_id=bytes([2] * 8), flags=1,
            resource=RESOURCE, scope=Scope("shop", "1.0", {"a": 1}),
        ))  # fmt: skip
    points: BatchProcessor[Any] = BatchProcessor(OtlpExporter(encode_metrics, sender, METRICS))
    for number in range(20):
        points.emit(Metric(
            name=f"orders.{number}", kind="sum", unit="{order}", temporality=2, is_monotonic=True,
            points=[NumberPoint(value=number, time_unix_nano=NOW, start_time_unix_nano=NOW - 1)],
            resource=RESOURCE, scope=Scope("shop"),
        ))  # fmt: skip
    processors = (spans, logs, points)
    for processor in processors:  # they share the sender, which the first shutdown closes
        processor.force_flush(30)
    for processor in processors:
        processor.shutdown(30)
        totals = processor.totals()
        assert totals.created == totals.delivered, totals


def rows(receiver: Running, query: str, count: int) -> list[dict[str, Any]]:
    """All `count` of them, once the collector has passed them on."""
    last = time.monotonic() + 30
    while len(found := receiver.sql(query)) < count and time.monotonic() < last:
        time.sleep(0.1)
    assert len(found) == count
    return found


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_every_record_arrives_once_with_its_content(
    start_receiver: Callable[..., Running], tmp_path: Path, protocol: str
) -> None:
    """What comes through the collector is what comes without it, in every column."""
    direct, behind = (start_receiver(tmp_path / name) for name in ("direct", "behind"))
    workload = kit_spans("mixed")
    over_http = protocol == "http"
    with rotel(behind.http if over_http else behind.grpc, protocol, tmp_path) as (http, grpc):
        if over_http:
            senders: list[Sender] = [HttpSender(direct.http), HttpSender(http, compression="gzip")]
        else:
            senders = [GrpcSender(direct.grpc), GrpcSender(grpc, compression="gzip")]
        for sender in senders:
            send_all(sender, workload)
        for query, count in ((SPANS, 512), (LOG_RECORDS, 300), (POINTS, 20)):
            assert rows(behind, query, count) == rows(direct, query, count)
