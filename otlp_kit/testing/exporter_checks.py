"""The lines that hold for an exporter whatever its transport: partial success, patience, shutdown.

Each check plays a script to exporters of a `Bench` and says what it saw; `check_exporter` runs them.

Specification: https://opentelemetry.io/docs/specs/otlp/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from otlp_kit.testing.exporter_bench import Bench, Seen, expect, not_applicable
from otlp_kit.testing.exporter_lines import Checks
from otlp_kit.testing.exporter_subject import GRACE
from otlp_kit.testing.exporter_verdicts import SHORT, failed, judge_backoff, succeeded
from otlp_kit.testing.hostile_record import Arrival

CHECKS = Checks()

MANY = 6
"""Exporters that fail together, for what shows only in several."""
TOO_MANY = 60
"""Requests after which retries without a pause have been seen enough."""
MAX_REQUEST = 20_000
"""Bytes, for an exporter that can be told; the specification recommends 64 MiB."""


@CHECKS.line(12, "SHOULD", "one connection serves many exports")
def keeps_alive(bench: Bench) -> None:
    with bench.server([bench.ok()]) as (server, endpoint), bench.subject(endpoint) as subject:
        said = [subject.export().said for _ in range(3)]
        expect(server.count == 3, f"{server.count} requests; exports said {said}")
        expect(server.connections == 1, f"{server.connections} connections for 3 exports")


@CHECKS.line(
    17, "SHOULD", "a request over the limit before compression is not sent, and told", alone=True
)
def limits_requests(bench: Bench) -> None:
    if bench.takes("max_request"):
        limit = MAX_REQUEST
        seen = bench.play(bench.ok(), size=2 * limit, max_request=limit)
        several = bench.play(bench.ok(), count=4, size=limit // 2, max_request=limit)
        for arrival in several.arrivals:
            found = len(arrival.body())
            expect(found <= limit, f"a request of {found} bytes, with a limit of {limit}")
    else:
        limit = 64 * 1024 * 1024
        seen = bench.play(bench.ok(), size=limit)
    expect(seen.count == 0, f"a record over the limit of {limit} bytes was sent")
    outcome = seen.outcome
    expect(outcome.returned, outcome.said)
    expect(bool(outcome.rejected) or not outcome.success, f"export said {outcome.said}")


@CHECKS.line(27, "MUST", "a partial success is not retried")
def partial_is_final(bench: Bench) -> None:
    seen = bench.play(bench.ok(1, "too old"), bench.ok(), count=2)
    expect(seen.count == 1, f"{seen.count} requests after a partial success")


@CHECKS.line(28, "SHOULD", "a partial success that rejects 0 and says nothing is a full one")
def empty_partial(bench: Bench) -> None:
    seen = bench.play(bench.empty_partial(), bench.ok())
    succeeded(seen, "an empty partial success")
    expect(not seen.outcome.rejected, f"export said {seen.outcome.said}")


@CHECKS.line(29, "SHOULD", "what a partial success rejects is told")
def rejected_is_told(bench: Bench) -> None:
    seen = bench.play(bench.ok(1, "too old"), count=2)
    if seen.outcome.success and seen.outcome.rejected is None:
        not_applicable(
            "the interface of the exporter has no place for it; metrics are not looked at"
        )
    expect(seen.outcome.rejected == 1, f"export said {seen.outcome.said} where 1 was rejected")


@CHECKS.line(30, "SHOULD", "a partial success is a success")
def partial_is_success(bench: Bench) -> None:
    succeeded(bench.play(bench.ok(1, "too old"), count=2), "a partial success")


@CHECKS.line(55, "SHOULD", "a server that is not there yet is tried again")
def connects_later(bench: Bench) -> None:
    with bench.late_server([bench.ok()]) as (endpoint, come), bench.subject(endpoint) as subject:
        call = subject.begin()
        time.sleep(0.5)
        server = come()
        outcome = subject.outcome(call)
        expect(server.count > 0, f"no retry within {outcome.patience:g} s after a refused "
                                 f"connection; export said {outcome.said}")  # fmt: skip
        expect(outcome.success, f"a retry succeeded, yet export said {outcome.said}")


@CHECKS.line(62, "SHOULD", "exports of several threads go out at the same time")
def concurrent(bench: Bench) -> None:
    with bench.server([bench.slow(1.0)]) as (server, endpoint), bench.subject(endpoint) as subject:
        if not subject.takes_deadline:
            not_applicable("an official exporter is never called by two threads at once")
        calls = [subject.begin() for _ in range(4)]
        said = [subject.outcome(call).said for call in calls]
        expect(server.count == 4, f"{server.count} requests of 4 threads; exports said {said}")
        expect(server.most_at_once > 1, "the requests of 4 threads went one after the other")


@CHECKS.line(64, "SHOULD", "shutdown ends the wait for a retry within seconds")
def shutdown_is_bounded(bench: Bench) -> None:
    with (
        bench.server([bench.busy()]) as (server, endpoint),
        bench.subject(endpoint, patience=30) as subject,
    ):
        call = subject.begin()
        expect(server.wait_for(1, GRACE), "no request")
        expect(subject.shut_down(), f"shutdown still waits after {GRACE:g} s")
        expect(call.ended(GRACE), f"export still waits {GRACE:g} s after shutdown")


@CHECKS.line(65, "SHOULD", "an export that did not deliver says so")
def failures_are_told(bench: Bench) -> None:
    refused, busy = bench.play_all([[bench.refuse()], [bench.busy()]], patience=SHORT)
    failed(refused, "a refusal")
    failed(busy, "nothing but failures until its deadline")
    with (
        bench.late_server([bench.ok()]) as (endpoint, _),
        bench.subject(endpoint, patience=SHORT) as subject,
    ):
        failed(Seen(subject.export(), (), 0, 0), "refused connections")


@CHECKS.line(67, "SHOULD", "nothing to export is no request")
def no_empty_requests(bench: Bench) -> None:
    seen = bench.play(bench.ok(), count=0)
    expect(seen.count == 0, f"{seen.count} requests for a batch of 0")


@CHECKS.line(96, "MUST", "configured headers are sent as they are")
def sends_headers(bench: Bench) -> None:
    arrival = bench.play(bench.ok(), headers={"x-kit-check": "a b=c"}).only()
    found = arrival.headers.get("x-kit-check")
    expect(found == "a b=c", f"x-kit-check: {found!r}")


@CHECKS.line(101, "MUST", "retries grow apart, and no two exporters keep step", alone=True)
def backs_off(bench: Bench) -> None:
    def script(arrival: Arrival) -> Any:
        return bench.busy() if arrival.number < TOO_MANY else bench.ok()

    def play(_: int) -> list[float]:
        with bench.server(script) as (server, endpoint), bench.subject(endpoint) as subject:
            begin = time.monotonic()
            outcome = subject.outcome(subject.begin())
            expect(server.count > 1, f"no retry within {outcome.patience:g} s")
            expect(
                server.count < TOO_MANY, f"{server.count} requests within {outcome.patience:g} s"
            )
            return [one.at - begin for one in server.arrivals]

    with ThreadPoolExecutor(MANY) as threads:
        times = list(threads.map(play, range(MANY)))
    judge_backoff(times)


@CHECKS.line(102, "SHOULD", "the user agent names an OTLP exporter and its version")
def user_agent(bench: Bench) -> None:
    found = bench.play(bench.ok()).only().headers.get("user-agent", "")
    expect(bool(re.search(r"OTel-OTLP-Exporter-[\w+-]+/\S+", found)), f"user-agent: {found!r}")
