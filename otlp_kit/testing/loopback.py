"""A sender without a network: it calls a receiver as a function.

    service = Service(MemoryStore().put)
    sender = LoopbackSender(service.handle)

Everything but the socket is real: the request is what an HTTP client would have sent, and the
answer is read as an HTTP client reads it. The whole kit runs in one process this way, in a unit
test or in a browser.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from otlp_kit.encoding.answers import read_http_answer
from otlp_kit.wire import Accepted, Payload


@dataclass(frozen=True, slots=True)
class LoopbackRequest:
    """What the receiver is called with; `receiver.service.Request` has the same fields."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    method: str = field(default="POST")


class Answer(Protocol):
    """What it has to return."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class LoopbackSender:
    """Sends payloads to `handle`, a function from request to answer."""

    def __init__(self, handle: Callable[[LoopbackRequest], Answer]) -> None:
        self._handle = handle

    def send(self, payload: Payload, deadline: float) -> Accepted:
        """Call the receiver; see `wire.Sender`. A function answers at once: no deadline to miss."""
        headers = {"content-type": payload.content_type}
        answer = self._handle(LoopbackRequest(payload.signal.http_path, payload.body, headers))
        return read_http_answer(answer.status, answer.headers, answer.body, time.time())
