"""A sender whose peer is a store: telemetry goes straight into a database, and no receiver runs.

    StoreSender(PostgresStore("postgresql://otel@db/otel"))
    StoreSender(SqliteStore(Path("data")))

It decodes a payload, and puts its records as one batch, named by its content as a receiver names
it: bytes that are sent again are stored once. It judges no record; that is a receiver's work, which
takes them from strangers.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from typing import Any, Protocol

from otlp_kit.encoding.export_request import batch_id, decode_request
from otlp_kit.encoding.protobuf_read import DecodeError, TooManyParts
from otlp_kit.wire import Accepted, Payload, Refused, Signal, Unavailable


class Store(Protocol):
    """Where records rest; see `stores`. Thread-safe."""

    def put(self, signal: Signal, records: Sequence[Any], batch_id: str, /) -> int:
        """Return, when `records` are durable, how many items are new; 0 if the batch is there.

        Raises `wire.Unavailable` if it cannot store now, and may raise `wire.Refused` if it never
        will. With a fourth parameter `deadline`, a time of `time.monotonic()`, it waits no longer;
        without one, how long it waits is its own affair.
        """
        ...


class StoreSender:
    """Puts payloads into `store`, which `close` closes if it is a store that holds something."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bounded = "deadline" in inspect.signature(store.put).parameters
        self._closed = False

    def send(self, payload: Payload, deadline: float) -> Accepted:
        """Store `payload`; see `wire.Sender`. What was stored before is accepted again."""
        if self._closed:
            raise Refused("the sender is closed")
        if time.monotonic() >= deadline:
            raise Unavailable("the deadline has passed")
        signal, body = payload.signal, payload.body
        try:
            records = decode_request(signal, body, payload.content_type)
        except DecodeError as error:
            too_large = isinstance(error, TooManyParts)
            raise Refused(f"not a {signal.name} request: {error}", too_large=too_large) from None
        bound = {"deadline": deadline} if self._bounded else {}
        self._store.put(signal, records, batch_id(signal, body), **bound)
        return Accepted()

    def close(self) -> None:
        """Close the store; from then on `send` refuses."""
        self._closed = True
        close = getattr(self._store, "close", None)
        if close:
            close()
