"""Does an exporter keep the client's side of OTLP? A conformance check for any of them, yours too.

    def make(endpoint, timeout=10.0):
        return MyExporter(endpoint, timeout)

    report = check_exporter(make, "http/protobuf")
    print(report)           # one row for each line of the specification
    report.failed           # the rows that do not hold

The exporter is one of this kit, `export(batch, deadline)`, or one of the official SDK,
`export(batch)`; it is made anew for every check, for a hostile server of the given transport. What
can be seen from outside is checked: what arrives, when, and what `export` says of it. Waits are
bounded: a retry that does not come within seconds is "no retry". It takes about a minute, mostly
waiting.

Specification: https://opentelemetry.io/docs/specs/otlp/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, get_args

from otlp_kit.testing import (
    exporter_checks,
    exporter_checks_grpc,
    exporter_checks_http,
    exporter_checks_retry,
)
from otlp_kit.testing.exporter_bench import Bench, Failed, NotApplicable
from otlp_kit.testing.exporter_lines import Check, Line
from otlp_kit.testing.exporter_subject import Make, Records
from otlp_kit.testing.exporter_transports import GrpcBench, HttpBench
from otlp_kit.wire import JSON, PROTOBUF

Transport = Literal["http/protobuf", "http/json", "grpc"]
TRANSPORTS: tuple[str, ...] = get_args(Transport)

Verdict = Literal["pass", "fail", "n.a."]

AT_ONCE = 4
"""Checks that run at the same time: they wait for the exporter's waits."""


@dataclass(frozen=True, slots=True)
class Result:
    """What is known about one line."""

    line: Line
    verdict: Verdict
    seen: str = ""
    """What was seen where it fails; why nothing can be said where it does not apply."""

    def __str__(self) -> str:
        row = f"{self.verdict:4}  {self.line.number:3}  {self.line.level:6}  {self.line.text}"
        return f"{row}\n{'':19}{self.seen}" if self.seen else row


@dataclass(frozen=True, slots=True)
class Report:
    """All lines, in the order of their numbers."""

    transport: str
    results: tuple[Result, ...]

    @property
    def failed(self) -> list[Result]:
        """Those that do not hold."""
        return [one for one in self.results if one.verdict == "fail"]

    def verdicts(self) -> dict[int, str]:
        """The verdict of each line, by its number."""
        return {one.line.number: one.verdict for one in self.results}

    def __str__(self) -> str:
        counts = ", ".join(
            f"{sum(one.verdict == verdict for one in self.results)} {verdict}"
            for verdict in get_args(Verdict)
        )
        return "\n".join([*map(str, self.results), f"{self.transport}: {counts}"])


def checks(transport: str) -> list[Check]:
    """The checks of a transport, by the number of their line."""
    lists = [exporter_checks.CHECKS]
    if transport == "grpc":
        lists += [exporter_checks_grpc.CHECKS]
    else:
        lists += [exporter_checks_http.CHECKS, exporter_checks_retry.CHECKS]
    found = [one for some in lists for one in some.all]
    return sorted(found, key=lambda one: one.line.number)


def check_exporter(
    make: Make,
    transport: Transport = "http/protobuf",
    *,
    records: Records | None = None,
    lines: Container[int] | None = None,
    levels: Container[str] = ("MUST", "SHOULD"),
    report: Callable[[Result], None] = lambda result: None,
) -> Report:
    """Try exporters made by `make` at every line of the specification that can be seen from outside.

    `make(endpoint, **settings)` returns a new exporter. `endpoint` is a base URL, to which an HTTP
    exporter adds `/v1/traces`. Settings that its signature names are used, and what needs another
    one does not apply: `timeout` (seconds), `headers`, `compression`, `max_request` (bytes),
    `traces_endpoint` (a URL to be used as it is), `insecure`. `records(count, size)` makes the
    spans, and may be an attribute of `make`; without it they are those of `otlp_kit.model`. `lines`
    chooses some by number, `levels` by what the specification calls them; `report` is called with
    each result as soon as it is known.
    Raises `ValueError` for an unknown transport, and whatever `make` raises.
    """
    if transport not in TRANSPORTS:
        raise ValueError(f"transport must be one of {', '.join(TRANSPORTS)}, not {transport!r}")
    records = records or getattr(make, "records", None)
    bench: Bench
    if transport == "grpc":
        bench = GrpcBench(make, records)
    else:
        bench = HttpBench(make, records, JSON if transport == "http/json" else PROTOBUF)
    chosen = [
        one
        for one in checks(transport)
        if one.line.level in levels and (lines is None or one.line.number in lines)
    ]
    with bench.server([bench.ok()]) as (_, endpoint), bench.subject(endpoint):
        pass  # a factory that cannot make one is no exporter that fails a check
    results = []
    for result in _run(bench, chosen):
        report(result)
        results.append(result)
    return Report(transport, tuple(sorted(results, key=lambda one: one.line.number)))


def _run(bench: Bench, chosen: list[Check]) -> Iterator[Result]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield from threads.map(lambda one: _result(bench, one), (c for c in chosen if not c.alone))
    yield from (_result(bench, one) for one in chosen if one.alone)


def _result(bench: Any, check: Check) -> Result:
    try:
        check.run(bench)
    except Failed as failed:
        return Result(check.line, "fail", str(failed))
    except NotApplicable as why:
        return Result(check.line, "n.a.", str(why))
    return Result(check.line, "pass")
