"""The OTLP exporter: encode a batch once, hand the bytes to a sender.

It joins the two halves of a pipeline, and adds nothing: what a failure means is the sender's to
say, and when to try again is decided by whatever wraps the sender.

    OtlpExporter(encode_spans, HttpSender("http://127.0.0.1:4318"), TRACES)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from otlp_kit.wire import Accepted, Payload, Refused, Sender, Signal

T = TypeVar("T")


class OtlpExporter(Generic[T]):
    """Exports batches of records of one signal through `sender`, a thread-safe one."""

    concurrent = True

    def __init__(
        self, encode: Callable[[Sequence[T]], bytes], sender: Sender, signal: Signal
    ) -> None:
        self._encode = encode
        self._sender = sender
        self._signal = signal
        self._closed = False

    def export(self, batch: Sequence[T], deadline: float) -> Accepted:
        """Encode and send `batch`. Raises what the sender raises, and `Refused` after `shutdown`."""
        if self._closed:
            raise Refused("the exporter is shut down")
        payload = Payload(self._signal, self._encode(batch), len(batch))
        return self._sender.send(payload, deadline)

    def shutdown(self) -> None:
        """Close the sender, if it is one that holds something."""
        self._closed = True
        close = getattr(self._sender, "close", None)
        if close:
            close()
