"""An exporter that keeps the suite passes; each fault is named with its line of OTLP."""

from __future__ import annotations

import time
import urllib.request
from typing import Any

import pytest

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.lab.exercises_exporter import LINES, exporter_suite
from otlp_kit.testing.check_exporter import checks
from otlp_kit.testing.exporter_lines import Check
from otlp_kit.wire import PROTOBUF, Accepted, Unavailable
from tests.testing.small_exporter import SmallExporter
from tests.testing.wrong_exporters import (
    CountsRedirectsAsSuccess,
    IgnoresRetryAfter,
    ReadsEverything,
    RetriesBadRequests,
    WaitsForEver,
)


class Plain:
    """Ten lines with urllib that look right."""

    def __init__(self, endpoint: str) -> None:
        self.url = endpoint + "/v1/traces"

    def export(self, batch: Any, deadline: float) -> Accepted:
        request = urllib.request.Request(self.url, encode_spans(batch), {"Content-Type": PROTOBUF})
        urllib.request.urlopen(request).read()
        return Accepted()

    def shutdown(self) -> None:
        pass


class Slashed(Plain):
    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint.rstrip("/"))


class Uncounted(SmallExporter):
    def export(self, batch: Any, deadline: float) -> Accepted:
        super().export(batch, deadline)
        return Accepted()


class TriesOnce(SmallExporter):
    def export(self, batch: Any, deadline: float) -> Accepted:
        return self.send(encode_spans(batch), deadline)


class KeepsStep(SmallExporter):
    """All that failed together come back together."""

    def export(self, batch: Any, deadline: float) -> Accepted:
        body = encode_spans(batch)
        while True:
            try:
                return self.send(body, deadline)
            except Unavailable as error:
                wait = 0.5 + (error.retry_after or 0)
                if time.monotonic() + wait > deadline or self.closed.wait(wait):
                    raise


@pytest.mark.slow
def test_the_small_exporter_passes() -> None:
    """Thirty lines of the standard library are enough."""
    assert repr(exporter_suite(SmallExporter)) == "Solved."


def test_every_must_that_needs_no_setting_is_asked_for() -> None:
    """What is left out of the MUSTs asks for an argument that the exercise does not have."""

    def must(check: Check) -> bool:
        return check.line.level == "MUST"

    left_out = {one.line.number for one in checks("http/protobuf") if must(one)} - LINES
    assert left_out == {8, 89, 90, 96, 97}


@pytest.mark.parametrize(
    ("make", "difference"),
    [
        (Plain, "line 91, a slash at the end of the endpoint makes no difference: POST //v1/traces"),
        (Slashed, "line 65, an export that did not deliver says so: export raised HTTPError"),
        (CountsRedirectsAsSuccess, "line 56, "),
        (RetriesBadRequests, "line 49, 400 is not retried: 2 requests after 400"),
        (Uncounted, "line 29, what a partial success rejects is told: export said Accepted(rej"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_line(make: Any, difference: str) -> None:
    """The message is what was seen, and the hint is the line's own."""
    verdict = exporter_suite(make)
    assert not verdict.passed
    assert verdict.difference.startswith(difference)
    assert "lines are kept so far" in verdict.difference
    assert verdict.hint


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "line"),
    [(TriesOnce, 47), (ReadsEverything, 19), (IgnoresRetryAfter, 51), (WaitsForEver, 98),
     (KeepsStep, 101)],
)  # fmt: skip
def test_a_fault_that_shows_late_is_named_too(make: Any, line: int) -> None:
    """Waits and limits are tried once the rest is right."""
    assert exporter_suite(make).difference.startswith(f"line {line}, ")


@pytest.mark.parametrize(
    ("make", "difference"),
    [
        (lambda endpoint: None, "does not make an exporter: AttributeError"),
        (lambda: Plain("http://127.0.0.1:9"), "does not make an exporter: "),
        (None, "does not make an exporter: TypeError"),
    ],
)
def test_what_makes_no_exporter_is_told_so(make: Any, difference: str) -> None:
    """A slip in the constructor is not a fault of the protocol."""
    assert difference in exporter_suite(make).difference
