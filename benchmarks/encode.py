"""Spans to bytes: this kit's encoder against the official one.

`python -m benchmarks.encode` takes about 20 s, prints each ratio beside its gate, and writes
`results/encode.json`.
"""

from __future__ import annotations

import sys

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official

from benchmarks.harness import Fact, interleaved, judge, ratio, record
from benchmarks.workload import CARDINALITIES, SPANS, sdk_spans
from otlp_kit import adapters
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.encoding.protobuf_spans import encode_spans

ROUNDS = 100


def main() -> int:
    facts: dict[str, Fact] = {}
    for cardinality in CARDINALITIES:
        readable = sdk_spans(cardinality)
        body = adapters.encode_spans(readable)
        spans = decode_spans(body)  # the same spans as records, with one resource and two scopes
        assert encode_spans(spans) == body
        seconds = interleaved(
            {
                "official": lambda: official(readable).SerializeToString(),  # noqa: B023 - runs now
                "kit": lambda: encode_spans(spans),  # noqa: B023
                "adapter": lambda: adapters.encode_spans(readable),  # noqa: B023
            },
            ROUNDS,
        )
        workload = (
            f"{SPANS} HTTP server spans whose attribute values have {cardinality} cardinality"
        )
        facts[f"encode.ratio.{cardinality}"] = ratio(
            seconds["official"],
            seconds["kit"],
            f"times less CPU to encode {workload}: this kit's spans against the official encoder",
            gate=7.0,
        )
        facts[f"encode.sdk_ratio.{cardinality}"] = ratio(
            seconds["official"],
            seconds["adapter"],
            f"times less CPU to encode {workload}: both from the official SDK's spans",
            gate=4.0,
        )
        size = round(len(body) / SPANS)
        facts[f"encode.bytes_per_span.{cardinality}"] = Fact(
            size,
            size,
            size,
            "bytes",
            f"size of one of {workload}, encoded, its share of the request",
        )
    record(
        "encode",
        facts,
        sources=[
            "benchmarks/encode.py",
            "benchmarks/workload.py",
            "otlp_kit/adapters/sdk_convert.py",
            "otlp_kit/encoding/protobuf_common.py",
            "otlp_kit/encoding/protobuf_spans.py",
        ],
        packages=["opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-common", "protobuf"],
    )
    return judge(facts)


if __name__ == "__main__":
    sys.exit(main())
