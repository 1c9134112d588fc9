"""The lines of OTLP/gRPC: the table of codes, and the time that a server asks for in `RetryInfo`.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

from otlp_kit.encoding.answers import bad_request, retry_info
from otlp_kit.encoding.protobuf_common import sized
from otlp_kit.testing.exporter_bench import expect
from otlp_kit.testing.exporter_lines import Checks
from otlp_kit.testing.exporter_transports import GrpcBench
from otlp_kit.testing.exporter_verdicts import (
    SHORT,
    ends_in_time,
    failed,
    not_retried,
    readable,
    retried,
    succeeded,
    waited,
)
from otlp_kit.wire import TRACES

CHECKS = Checks()

HUGE = 8 * 1024 * 1024
"""Bytes of a response over the limit: 4 MiB, which is also grpcio's."""

RETRYABLE = {
    1: "CANCELLED",
    4: "DEADLINE_EXCEEDED",
    10: "ABORTED",
    11: "OUT_OF_RANGE",
    14: "UNAVAILABLE",
    15: "DATA_LOSS",
}
FINAL = {
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    9: "FAILED_PRECONDITION",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    16: "UNAUTHENTICATED",
}
EXHAUSTED = 8
"""RESOURCE_EXHAUSTED: the server says whether it will pass."""


@CHECKS.line(5, "MUST", "spans are sent to TraceService/Export")
def default_method(bench: GrpcBench) -> None:
    seen = bench.play(bench.ok(), count=2)
    arrival = seen.only()
    expect(arrival.path == TRACES.grpc_method, arrival.path)
    records = len(readable(arrival))
    expect(records == 2, f"{records} spans arrived of 2")
    succeeded(seen, "OK")


@CHECKS.line(18, "MUST", "a response over the limit is an error that is not retried")
def limits_responses(bench: GrpcBench) -> None:
    # Field 15, of type bytes: a message that any reader would skip, were it not for its size.
    body = sized(b"\x7a", bytes(HUGE))
    not_retried(bench.play(bench.answer(body=body), bench.ok()), f"a response of {HUGE} bytes")


@CHECKS.line(31, "SHOULD", "six codes are retried, nine are not")
def codes(bench: GrpcBench) -> None:
    every = {**RETRYABLE, **FINAL}
    played = bench.play_all([[bench.failure(code), bench.ok()] for code in every])
    wrong = []
    for (code, name), seen in zip(every.items(), played, strict=True):
        if (seen.count > 1) != (code in RETRYABLE):
            wrong.append(f"{name} was {'' if seen.count > 1 else 'not '}retried")
    expect(not wrong, ", ".join(wrong))


@CHECKS.line(32, "SHOULD", "RESOURCE_EXHAUSTED is retried only with RetryInfo")
def exhausted(bench: GrpcBench) -> None:
    without, with_another, with_it = bench.play_all(
        [
            [bench.failure(EXHAUSTED), bench.ok()],
            [bench.failure(EXHAUSTED, bad_request("no")), bench.ok()],
            [bench.failure(EXHAUSTED, retry_info(1)), bench.ok()],
        ]
    )
    not_retried(without, "RESOURCE_EXHAUSTED without RetryInfo")
    not_retried(with_another, "RESOURCE_EXHAUSTED with another detail")
    retried(with_it, "RESOURCE_EXHAUSTED with RetryInfo")


@CHECKS.line(33, "MUST", "RetryInfo is read from grpc-status-details-bin")
def retry_info_is_read(bench: GrpcBench) -> None:
    first, behind = bench.play_all(
        [
            [bench.failure(14, retry_info(2)), bench.ok()],
            [bench.failure(14, bad_request("no"), retry_info(2)), bench.ok()],
        ]
    )
    waited(first, 2.0, "UNAVAILABLE with a retry_delay of 2 s")
    waited(behind, 2.0, "UNAVAILABLE with a retry_delay of 2 s in its second detail")


@CHECKS.line(34, "SHOULD", "every wait is at least retry_delay, and none passes the deadline")
def retry_delay(bench: GrpcBench) -> None:
    twice = bench.play(bench.busy(2), bench.busy(2), bench.ok(), patience=12.0)
    waited(twice, 2.0, "UNAVAILABLE with a retry_delay of 2 s")
    short = f"waits of {', '.join(f'{gap:.2f}' for gap in twice.gaps)} s where 2 s were asked for"
    expect(min(twice.gaps) > 1.9, short)
    for seconds in (86_400, 2**63 - 1):
        failed(bench.play(bench.busy(seconds), patience=SHORT), f"a retry_delay of {seconds} s")


@CHECKS.line(35, "SHOULD", "a retry_delay of 0 means the exporter's own wait")
def no_delay(bench: GrpcBench) -> None:
    retried(bench.play(bench.busy(0), bench.ok()), "UNAVAILABLE with a retry_delay of 0")


@CHECKS.line(38, "MUST", "what must not be retried is given up, and told")
def final(bench: GrpcBench) -> None:
    not_retried(bench.play(bench.refuse(), bench.ok()), "INVALID_ARGUMENT")


@CHECKS.line(93, "MUST", "http:// in the endpoint means no TLS, whatever insecure says")
def scheme_wins(bench: GrpcBench) -> None:
    succeeded(bench.play(bench.ok(), insecure=False), "insecure=False at http://")


@CHECKS.line(94, "MUST", "insecure is for endpoints without a scheme")
def insecure(bench: GrpcBench) -> None:
    with bench.server([bench.ok()]) as (server, endpoint):
        target = endpoint.removeprefix("http://")
        with bench.subject(target, insecure=True) as subject:
            outcome = subject.export()
            expect(outcome.success, f"export to {target} with insecure=True said {outcome.said}")
        before = server.count
        with bench.subject(target, patience=SHORT) as subject:
            outcome = subject.export()
            plain = f"without a scheme and insecure, export said {outcome.said}"
            expect(not outcome.success and server.count == before, plain)


@CHECKS.line(98, "MUST", "an export ends by its timeout, however slow the server is")
def timeout(bench: GrpcBench) -> None:
    ends_in_time(
        bench,
        {"an answer that never comes": bench.silent(), "one that comes too late": bench.slow(60)},
    )
