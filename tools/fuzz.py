"""Coverage-guided fuzzing of everything that reads bytes from strangers.

    make fuzz                                    five minutes, from seeds or where the last run ended
    .venv/bin/python -m tools.fuzz --seconds 60  shorter
    .venv/bin/python -m tools.fuzz build/fuzz/crash-1f...   one input again, with its traceback

The first byte of an input chooses the target. Protobuf requests are read by the official library
too: both must refuse, or find the same. What JSON holds must survive a way through both encodings. A
crash, a disagreement, an input that takes over five seconds and a process that grows over 1 GiB end
the run; the input is kept in build/fuzz.
"""

from __future__ import annotations

import argparse
import gzip
import logging
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["otlp_kit"]):
    from otlp_kit.encoding.answers import decode_status, decode_success, read_http_answer
    from otlp_kit.encoding.otlp_json import decode_json, encode_json
    from otlp_kit.encoding.protobuf_logs import encode_logs
    from otlp_kit.encoding.protobuf_metrics import encode_metrics
    from otlp_kit.encoding.protobuf_read import DecodeError
    from otlp_kit.encoding.protobuf_read_logs import decode_logs
    from otlp_kit.encoding.protobuf_read_metrics import decode_metrics
    from otlp_kit.encoding.protobuf_read_spans import decode_spans
    from otlp_kit.encoding.protobuf_spans import encode_spans
    from otlp_kit.model import (
        Event,
        Exemplar,
        ExponentialHistogramPoint,
        HistogramPoint,
        Link,
        LogRecord,
        Metric,
        NumberPoint,
        Span,
        SummaryPoint,
    )
    from otlp_kit.receiver import limits
    from otlp_kit.receiver.validation import sift
    from otlp_kit.wire import LOGS, METRICS, PROTOBUF, TRACES, Refused, Signal, Unavailable

from google.protobuf.message import DecodeError as OfficialDecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.encoding.official import from_request
from tests.encoding.official_signals import from_logs_request, from_metrics_request

FOUND = Path(__file__).resolve().parent.parent / "build/fuzz"
LIMIT = 1 << 16

CODECS: list[tuple[Signal, Any, Any, Any, Any]] = [
    (TRACES, encode_spans, decode_spans, ExportTraceServiceRequest, from_request),
    (LOGS, encode_logs, decode_logs, ExportLogsServiceRequest, from_logs_request),
    (METRICS, encode_metrics, decode_metrics, ExportMetricsServiceRequest, from_metrics_request),
]


def read_protobuf(codec: tuple[Signal, Any, Any, Any, Any], body: bytes) -> None:
    """The official library and ours refuse the same bytes, and read the same from the others."""
    signal, _, decode, message, from_official = codec
    try:
        official = from_official(message.FromString(body))
    except OfficialDecodeError:
        official = None
    try:
        records = decode(body)
    except DecodeError:
        records = None
    assert repr(records) == repr(official), "the readers disagree"
    if records is not None:
        sift(signal, records)


def read_json(codec: tuple[Signal, Any, Any, Any, Any], body: bytes) -> None:
    """What was read from JSON is the same after a way through JSON and through protobuf."""
    signal, encode, decode, message, _ = codec
    try:
        records = decode_json(signal, body)
    except DecodeError:
        return
    again = decode_json(signal, encode_json(signal, records))
    assert encode(again) == encode(records), "JSON changes what it carries"
    message.FromString(encode(records))
    decode(encode(records))
    sift(signal, records)


def read_answers(body: bytes) -> None:
    for read in (decode_success, decode_status):
        with suppress(DecodeError):
            read(body)
    for status in (200, 400, 429, 503):
        headers = {"content-type": PROTOBUF, "retry-after": body[:40].decode("latin-1")}
        with suppress(Refused, Unavailable):
            read_http_answer(status, headers, body, 0.0)


def decompress(encoding: str, body: bytes) -> None:
    with suppress(limits.BadBody, limits.BodyTooLarge):
        assert len(limits.decompress(body, encoding, LIMIT)) <= LIMIT


def targets() -> list[Callable[[bytes], None]]:
    found: list[Callable[[bytes], None]] = [read_answers]
    for codec in CODECS:
        found.append(lambda body, codec=codec: read_protobuf(codec, body))
        found.append(lambda body, codec=codec: read_json(codec, body))
    for encoding in limits.STREAMS:
        found.append(lambda body, encoding=encoding: decompress(encoding, body))
    return found


def seeds() -> list[bytes]:
    """A small honest input for every target, in their order."""
    points = [
        NumberPoint(value=3, time_unix_nano=1, exemplars=[Exemplar(value=2.5, trace_id=b"t" * 16)]),
        HistogramPoint(count=3, sum=2.0, bucket_counts=[1, 2], explicit_bounds=[0.5]),
        ExponentialHistogramPoint(count=3, scale=-1),
        SummaryPoint(count=1, quantiles=[(0.5, 2.0)]),
    ]
    kinds = ("sum", "histogram", "exponential_histogram", "summary")
    records: dict[str, list[Any]] = {
        TRACES.name: [
            Span(
                name="GET /",
                trace_id=b"t" * 16,
                span_id=b"s" * 8,
                start_unix_nano=1,
                end_unix_nano=2,
                attributes={"k": ["v", 1]},
                events=[Event("e", 1)],
                links=[Link(b"t" * 16, b"l" * 8)],
            ),
        ],
        LOGS.name: [LogRecord(body={"a": [1, 2.5, b"x", True, None]}, attributes={"k": "v"})],
        METRICS.name: [
            Metric(name=kind, kind=kind, points=[point])
            for kind, point in zip(kinds, points, strict=True)
        ],
    }
    inputs = [b"\x0a\x04\x08\x01\x12\x00"]
    for signal, encode, *_ in CODECS:
        inputs += [encode(records[signal.name]), encode_json(signal, records[signal.name])]
    inputs += [gzip.compress(b"telemetry" * 9), zlib.compress(b"telemetry" * 9)]
    if limits.zstd:
        inputs.append(limits.zstd.compress(b"telemetry" * 9))
    return [bytes([number]) + body for number, body in enumerate(inputs)]


def fuzz(libfuzzer_arguments: list[str]) -> None:
    logging.disable()  # a warning for every odd input would be most of the work
    chosen = targets()

    def one(data: bytes) -> None:
        if data:
            chosen[data[0] % len(chosen)](data[1:])

    atheris.Setup([sys.argv[0], *libfuzzer_arguments], one)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", nargs="?", help="run this one input, not a campaign")
    parser.add_argument("--seconds", type=int, default=300)
    arguments = parser.parse_args()
    if arguments.input:
        fuzz([arguments.input])
        return 0
    corpus = FOUND / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    # libFuzzer ends its process: what is found ends that one, and this one can say so.
    options = {
        "max_total_time": arguments.seconds,
        "max_len": 4096,
        "timeout": 5,
        "rss_limit_mb": 1024,
        "artifact_prefix": f"{FOUND}/",
        "verbosity": 0,
        "print_final_stats": 1,
    }
    flags = [f"-{name}={value}" for name, value in options.items()]
    command = [
        sys.executable,
        "-c",
        f"from tools.fuzz import fuzz; fuzz({[*flags, str(corpus)]!r})",
    ]
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
