"""The narrow waist: above it there are records, below it there are bytes.

A batch of records is encoded once into a `Payload`; whatever carries it on (HTTP, gRPC, a retry
wrapper, a file, the loopback of a test) is a `Sender` and sees nothing else. This module holds
those shapes and the three rows in which traces, logs and metrics differ on the wire. It does no
I/O and knows no codec.

    sender.send(payload, deadline)  ->  Accepted        the peer has it, minus `rejected` items
                                    ->  Unavailable     try the same bytes again, later
                                    ->  Refused         never send these bytes again

Specification: OTLP, https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Signal:
    """One row of the table of signals: what differs between them on the wire."""

    name: str
    """`traces`, `logs` or `metrics`, as in the variables `OTEL_*`."""
    item: str
    """What one record is called in a message to a person, in the singular."""
    http_path: str
    """Default path of OTLP/HTTP."""
    grpc_method: str
    """Full name of the unary method of OTLP/gRPC."""


def _row(name: str, item: str, service: str) -> Signal:
    method = f"/opentelemetry.proto.collector.{service.lower()}.v1.{service}Service/Export"
    return Signal(name, item, f"/v1/{name}", method)


TRACES = _row("traces", "span", "Trace")
LOGS = _row("logs", "log record", "Logs")
METRICS = _row("metrics", "data point", "Metrics")
SIGNALS = (TRACES, LOGS, METRICS)


@dataclass(frozen=True, slots=True)
class Payload:
    """An encoded export request: immutable, so a retry or a second destination can share it."""

    signal: Signal
    body: bytes
    """The serialized, uncompressed `Export<Signal>ServiceRequest`."""
    items: int
    """How many records `body` holds."""
    content_type: str = PROTOBUF


@dataclass(frozen=True, slots=True)
class Accepted:
    """The peer answered success. A partial success is a value, not an error: it is never retried."""

    rejected: int = 0
    """Items that the peer says it did not take."""
    message: str = ""
    """The peer's words: why it rejected, or a warning when `rejected` is 0."""


class SendError(Exception):
    """A payload was not accepted. Catch the two kinds below to know what to do next.

    SendError
     +-- Unavailable    later: the same bytes may succeed
     +-- Refused        never: the same bytes will fail again
    """


class Unavailable(SendError):
    """The peer cannot take the payload now. Sending the same bytes later is allowed.

    `retry_after` is the wait in seconds that the peer asked for, or None. `maybe_delivered` is
    true when the request went out whole and only the answer is missing: the items may be there.
    """

    def __init__(
        self, reason: str, *, retry_after: float | None = None, maybe_delivered: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.maybe_delivered = maybe_delivered


class Refused(SendError):
    """The peer will not take this payload, now or later. `reason` says what it objects to.

    `too_large` is true when it is the size: a smaller payload may be taken.
    """

    def __init__(self, reason: str, *, too_large: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.too_large = too_large


class Sender(Protocol):
    """Anything that carries a `Payload` to a peer. Senders of this kit are thread-safe."""

    def send(self, payload: Payload, deadline: float) -> Accepted:
        """Carry `payload` to the peer and return its answer.

        `deadline` is a time of `time.monotonic()`, in seconds, after which waiting is pointless.
        Raises `Unavailable` or `Refused`, and nothing else that a peer can cause.
        """
        ...
