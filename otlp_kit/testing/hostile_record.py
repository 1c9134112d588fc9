"""What arrived at a hostile server: each request with its bytes, its time and its connection.

    with HostileServer([success()]) as server:
        ...
        server.arrivals[0].records()        # the spans, decoded
        server.connections                  # how many there were

`HostileServer` and `HostileGrpcServer` are records that fill themselves. Memory is bounded.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from otlp_kit.encoding.otlp_json import decode_json
from otlp_kit.encoding.protobuf_read_logs import decode_logs
from otlp_kit.encoding.protobuf_read_metrics import decode_metrics
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.wire import JSON, LOGS, METRICS, SIGNALS, TRACES, Signal

MAX_BODY = 80 * 1024 * 1024
"""Bytes of one request, before and after decompression."""
MAX_KEPT = 128 * 1024 * 1024
"""Bytes of requests that are kept; the oldest give way."""
MAX_ARRIVALS = 10_000
"""Requests that are kept."""

_DECODERS: dict[Signal, Callable[[bytes], list[Any]]] = {
    TRACES: decode_spans,
    LOGS: decode_logs,
    METRICS: decode_metrics,
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it arrived."""

    number: int
    """From 0, in the order in which the requests were complete."""
    connection: int
    """From 0, in the order in which the connections were opened."""
    at: float
    """When it was complete, in seconds of `time.monotonic()`."""
    method: str
    path: str
    headers: dict[str, str]
    """With lower-case names; the last one of those that came twice."""
    raw: bytes = field(repr=False)
    """The body as it came."""

    def body(self) -> bytes:
        """The body, decompressed. Raises `ValueError` if it is not what its headers say."""
        if self.headers.get("content-encoding", "identity").lower() == "identity":
            return self.raw
        if self.headers["content-encoding"].lower() != "gzip":
            raise ValueError(f"unknown content-encoding {self.headers['content-encoding']!r}")
        inflater = zlib.decompressobj(31)
        try:
            plain = inflater.decompress(self.raw, MAX_BODY)
        except zlib.error as error:
            raise ValueError(f"not gzip: {error}") from None
        if not inflater.eof:
            raise ValueError("the gzip body is cut off, or too long")
        return plain

    def records(self) -> list[Any]:
        """The records it carries. Raises `ValueError` if they cannot be decoded."""
        signal = next(
            (s for s in SIGNALS if self.path.endswith(s.http_path) or self.path == s.grpc_method),
            TRACES,
        )
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type == JSON:
            return decode_json(signal, self.body())
        return _DECODERS[signal](self.body())


class Record:
    """What arrived, for any number of threads that write and read it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._arrivals: deque[Arrival] = deque()
        self._kept = 0
        self._inside = 0
        self.count = 0
        """Requests so far, also those no longer kept."""
        self.connections = 0
        """Connections so far."""
        self.most_at_once = 0
        """The most requests that waited for their answer in one moment."""

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """The requests so far, oldest first, without those that had to give way."""
        with self._changed:
            return tuple(self._arrivals)

    def wait_for(self, count: int, timeout: float) -> bool:
        """Wait until `count` requests have arrived; False if `timeout` seconds pass before."""
        with self._changed:
            return self._changed.wait_for(lambda: self.count >= count, timeout)

    def connected(self) -> int:
        """Note a new connection; returns its number."""
        with self._changed:
            self.connections += 1
            return self.connections - 1

    def arrived(
        self, connection: int, method: str, path: str, headers: dict[str, str], raw: bytes
    ) -> Arrival:
        """Note a request; `answered` has to follow."""
        with self._changed:
            arrival = Arrival(self.count, connection, time.monotonic(), method, path, headers, raw)
            self.count += 1
            self._inside += 1
            self.most_at_once = max(self.most_at_once, self._inside)
            self._arrivals.append(arrival)
            self._kept += len(raw)
            while self._kept > MAX_KEPT or len(self._arrivals) > MAX_ARRIVALS:
                self._kept -= len(self._arrivals.popleft().raw)
            self._changed.notify_all()
            return arrival

    def answered(self) -> None:
        with self._changed:
            self._inside -= 1
