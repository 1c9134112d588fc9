"""The lines of OTLP/HTTP about failures: which statuses are retried, and when.

Specification: https://opentelemetry.io/docs/specs/otlp/#failures-1
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from otlp_kit.testing.exporter_bench import expect
from otlp_kit.testing.exporter_lines import Checks
from otlp_kit.testing.exporter_transports import HttpBench
from otlp_kit.testing.exporter_verdicts import (
    SHORT,
    failed,
    not_retried,
    retried,
    waited,
)
from otlp_kit.testing.hostile_answers import (
    Answer,
    closed,
    cut,
    reset,
)
from otlp_kit.testing.hostile_record import Arrival

CHECKS = Checks()


@CHECKS.line(45, "MUST", "the code in a body is not acted on, only the HTTP status")
def ignores_codes(bench: HttpBench) -> None:
    unavailable, invalid = 14, 3
    bad, busy = bench.play_all(
        [
            [bench.failure(500, code=unavailable), bench.ok()],
            [bench.failure(503, code=invalid), bench.ok()],
        ]
    )
    not_retried(bad, "500 with the code UNAVAILABLE in its body")
    retried(busy, "503 with the code INVALID_ARGUMENT in its body")


@CHECKS.line(47, "SHOULD", "429, 502, 503 and 504 are retried, with the same spans")
def retries(bench: HttpBench) -> None:
    statuses = (429, 502, 503, 504)
    scripts = [[bench.failure(status), bench.ok()] for status in statuses]
    for status, seen in zip(statuses, bench.play_all(scripts, count=2), strict=True):
        retried(seen, str(status))


@CHECKS.line(48, "MUST", "no other status of 4xx and 5xx is retried")
def no_other_retries(bench: HttpBench) -> None:
    statuses = (401, 402, 403, 404, 405, 408, 410, 413, 415, 422, 431, 499, 500, 501, 505, 507, 511)
    scripts = [[bench.failure(status), bench.ok()] for status in statuses]
    wrong = [
        f"{status} was retried"
        for status, seen in zip(statuses, bench.play_all(scripts), strict=True)
        if seen.count != 1
    ]
    expect(not wrong, ", ".join(wrong))


@CHECKS.line(49, "MUST", "400 is not retried")
def bad_request(bench: HttpBench) -> None:
    not_retried(bench.play(bench.failure(400), bench.ok()), "400")


@CHECKS.line(51, "SHOULD", "Retry-After is honoured: seconds, a date, a past date, nonsense")
def retry_after(bench: HttpBench) -> None:
    def dated(_: Arrival) -> str:
        # Made when it is sent. It has whole seconds: 4 from now are more than 3.
        return formatdate(time.time() + 4, usegmt=True)

    past = formatdate(time.time() - 60, usegmt=True)
    values: dict[str, tuple[Callable[[Arrival], str], float]] = {
        "Retry-After: 2": (lambda _: "2", 2.0),
        "Retry-After with a date in 4 s": (dated, 3.0),
        "Retry-After with a past date": (lambda _: past, 0.0),
        "Retry-After: soon": (lambda _: "soon", 0.0),
        "Retry-After: -1": (lambda _: "-1", 0.0),
    }

    def script(value: Callable[[Arrival], str]) -> Callable[[Arrival], Answer]:
        return lambda one: bench.ok() if one.number else bench.failure(503, value(one))

    played = bench.play_all([[script(value)] for value, _ in values.values()])
    for (name, (_, seconds)), seen in zip(values.items(), played, strict=True):
        waited(seen, seconds, f"503 with {name}")


@CHECKS.line(53, "SHOULD", "a hostile Retry-After does not hold an export past its deadline")
def hostile_retry_after(bench: HttpBench) -> None:
    values = ("86400", "9" * 400, formatdate(time.time() + 10**8, usegmt=True))
    scripts = [[bench.failure(503, value)] for value in values]
    for value, seen in zip(values, bench.play_all(scripts, patience=SHORT), strict=True):
        failed(seen, f"Retry-After: {value[:40]}")


@CHECKS.line(54, "SHOULD", "a connection that ends without an answer is a reason to retry")
def no_answer(bench: HttpBench) -> None:
    scripts: dict[str, Any] = {
        "a closed connection": closed(),
        "a reset connection": reset(),
        "an end in the headers": cut(bench.ok(), at=10),
    }
    played = bench.play_all([[script, bench.ok()] for script in scripts.values()])
    for name, seen in zip(scripts, played, strict=True):
        retried(seen, name)
