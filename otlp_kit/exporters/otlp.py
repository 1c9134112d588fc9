"""The OTLP exporter: encode a batch once, hand the bytes to a sender.

It joins the two halves of a pipeline. What a failure means is the sender's to say, and when to try
again is decided by whatever wraps the sender. One thing it does about a failure, since it alone still
has the records: what is too large is halved, until it fits or is a single record.

    OtlpExporter(encode_spans, HttpSender("http://127.0.0.1:4318"), TRACES)
    OtlpExporter(partial(encode_json, LOGS), sender, LOGS, content_type=JSON)

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request (size limits)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from otlp_kit.wire import (
    JSON,
    PROTOBUF,
    Accepted,
    Payload,
    Refused,
    Sender,
    SendError,
    Signal,
    Unavailable,
)

T = TypeVar("T")

MAX_REQUEST = 64 * 1024 * 1024
"""Bytes of a request before compression: what the specification recommends."""


class OtlpExporter(Generic[T]):
    """Exports batches of records of one signal through `sender`, a thread-safe one.

    `encode` makes the whole request of a batch, in the encoding that `content_type` names. A request
    of more than `max_request` bytes, before compression, is not sent but split. Raises `ValueError`
    that names the argument which cannot be used.
    """

    concurrent = True

    def __init__(
        self,
        encode: Callable[[Sequence[T]], bytes],
        sender: Sender,
        signal: Signal,
        *,
        max_request: int = MAX_REQUEST,
        content_type: str = PROTOBUF,
    ) -> None:
        if max_request < 1:
            raise ValueError(f"max_request must be at least 1 byte, not {max_request}")
        if content_type not in (PROTOBUF, JSON):
            raise ValueError(f"content_type must be {PROTOBUF} or {JSON}, not {content_type!r}")
        self._encode = encode
        self._sender = sender
        self._signal = signal
        self._max_request = max_request
        self._content_type = content_type
        self._closed = False

    def export(self, batch: Sequence[T], deadline: float) -> Accepted:
        """Encode and send `batch`; nothing is sent for an empty one.

        A record that is too large by itself is rejected. Raises what the sender raises, and `Refused`
        after `shutdown`. Where a batch was split and one part arrived, those of a part that failed
        count as rejected; but if nobody knows whether that part arrived, its error is raised for all.
        """
        if self._closed:
            raise Refused("the exporter is shut down")
        waiting, taken = [batch] if batch else [], not batch
        rejected, reasons, failures = 0, dict[str, None](), list[SendError]()
        while waiting:
            part = waiting.pop()
            try:
                answer = self._send(part, deadline)
                taken = True
            except SendError as error:
                if not (isinstance(error, Refused) and error.too_large):
                    failures.append(error)
                    answer = Accepted(len(part), str(error))
                elif len(part) > 1:
                    middle = len(part) // 2
                    waiting += [part[middle:], part[:middle]]
                    continue
                else:
                    answer = Accepted(1, f"one {self._signal.item} is too large: {error}")
            rejected += answer.rejected
            reasons[answer.message] = None
        for failure in failures:
            if not taken or (isinstance(failure, Unavailable) and failure.maybe_delivered):
                raise failure
        return Accepted(rejected, "; ".join(filter(None, reasons)))

    def _send(self, part: Sequence[T], deadline: float) -> Accepted:
        body = self._encode(part)
        if len(body) > self._max_request:
            raise Refused(f"larger than {self._max_request} bytes", too_large=True)
        payload = Payload(self._signal, body, len(part), self._content_type)
        return self._sender.send(payload, deadline)

    def shutdown(self) -> None:
        """Close the sender, if it is one that holds something."""
        self._closed = True
        close = getattr(self._sender, "close", None)
        if close:
            close()
