"""Five exporters that each have one fault seen in the wild, and are otherwise the small one.

`check_exporter` finds the fault of each at its line of the specification, and nowhere else.
"""

from __future__ import annotations

import time
from http.client import HTTPResponse

from otlp_kit.wire import Accepted, Refused, Unavailable
from tests.testing.small_exporter import MAX_ANSWER, SmallExporter


class RetriesBadRequests(SmallExporter):
    """400 will be 400 again: the batch behind waits for nothing."""

    def read(self, answer: HTTPResponse, body: bytes) -> Accepted:
        try:
            return super().read(answer, body)
        except Refused as error:
            if error.reason.startswith("HTTP 400"):
                raise Unavailable(error.reason) from None
            raise


class CountsRedirectsAsSuccess(SmallExporter):
    """Behind a proxy that wants a login, every span is lost and none is missed."""

    def read(self, answer: HTTPResponse, body: bytes) -> Accepted:
        if 200 <= answer.status < 400:
            answer.status = 200
        return super().read(answer, body)


class IgnoresRetryAfter(SmallExporter):
    """A server that asks for peace gets none."""

    def read(self, answer: HTTPResponse, body: bytes) -> Accepted:
        del answer.headers["Retry-After"]
        return super().read(answer, body)


class WaitsForEver(SmallExporter):
    """A server that takes the request and never answers holds the thread."""

    def send(self, body: bytes, deadline: float) -> Accepted:
        return super().send(body, time.monotonic() + 3600)


class ReadsEverything(SmallExporter):
    """The answer may be as long as the server likes."""

    def read(self, answer: HTTPResponse, body: bytes) -> Accepted:
        return super().read(answer, (body + answer.read())[:MAX_ANSWER])
