"""An export request of any signal in either encoding: to its records, and to its name.

    records = decode_request(payload.signal, payload.body, payload.content_type)
    store.put(payload.signal, records, batch_id(payload.signal, payload.body))

What whoever takes requests has to know, be it a server or a sender that writes to a database; the
reading itself is done by the module of each signal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from otlp_kit.encoding.otlp_json import decode_json
from otlp_kit.encoding.protobuf_read_logs import decode_logs
from otlp_kit.encoding.protobuf_read_metrics import decode_metrics
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.wire import JSON, LOGS, METRICS, PROTOBUF, TRACES, Signal

DECODERS: dict[str, Callable[[bytes], list[Any]]] = {
    TRACES.name: decode_spans,
    LOGS.name: decode_logs,
    METRICS.name: decode_metrics,
}


def decode_request(signal: Signal, body: bytes, content_type: str = PROTOBUF) -> list[Any]:
    """All records of the request, in order: JSON if `content_type` says so, else protobuf.

    Raises `DecodeError`, of which `TooManyParts` is the kind that smaller requests would avoid.
    """
    return decode_json(signal, body) if content_type == JSON else DECODERS[signal.name](body)


def batch_id(signal: Signal, body: bytes) -> str:
    """Names a batch by its content, so that a request which is sent again is stored once."""
    return hashlib.blake2b(body, digest_size=16, person=signal.name.encode()).hexdigest()
