"""The lines of OTLP/HTTP: what is sent where, what counts as success, how much is read, how long.

Those about failures and retries are in `exporter_checks_retry`.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from otlp_kit.testing.exporter_bench import Seen, expect
from otlp_kit.testing.exporter_lines import Checks
from otlp_kit.testing.exporter_transports import HttpBench
from otlp_kit.testing.exporter_verdicts import (
    SHORT,
    ends_in_time,
    failed,
    readable,
    succeeded,
)
from otlp_kit.testing.hostile_answers import (
    answer,
    bomb,
    dripping,
    endless,
    redirect,
)
from otlp_kit.testing.hostile_server import HostileServer

CHECKS = Checks()

MIB = 1024 * 1024
HUGE = 64 * MIB
"""Bytes of an answer that nobody should read; the recommended limit is 4 MiB."""
ENOUGH = 32 * MIB
"""Bytes of it that may be taken, or held in memory: far over the limit, and all buffers on the way."""


@CHECKS.line(5, "MUST", "spans are POSTed to /v1/traces")
def default_path(bench: HttpBench) -> None:
    seen = bench.play(bench.ok(), count=2)
    arrival = seen.only()
    found = f"{arrival.method} {arrival.path}"
    expect(found == "POST /v1/traces", found)
    records = len(readable(arrival))
    expect(records == 2, f"{records} spans arrived of 2")
    succeeded(seen, "200")


@CHECKS.line(8, "MUST", "a gzipped body says Content-Encoding: gzip")
def says_gzip(bench: HttpBench) -> None:
    arrival = bench.play(bench.ok(), compression="gzip").only()
    found = arrival.headers.get("content-encoding")
    expect(found == "gzip", f"content-encoding: {found}")
    readable(arrival)


@CHECKS.line(19, "MUST", "an answer is read up to a limit, also when it is compressed", alone=True)
def limits_answers(bench: HttpBench) -> None:
    wrong = []
    for status in (200, 400):
        body = endless(HUGE, status=status, content_type=bench.content_type)
        seen = bench.play(body, bench.ok())
        expect(seen.outcome.returned, seen.outcome.said)
        if seen.sent >= ENOUGH:
            wrong.append(f"{seen.sent // MIB} MiB of an endless {status} were read")
        if seen.count > 1:
            wrong.append(f"{seen.count} requests after an endless {status}")
    packed = bomb(HUGE, content_type=bench.content_type)
    with _peak_of_memory() as peak:
        seen = bench.play(packed, bench.ok())
        if peak() >= ENOUGH:
            wrong.append(f"{peak() // MIB} MiB of memory for a gzip bomb of {HUGE // MIB} MiB")
    if seen.count > 1:
        wrong.append(f"{seen.count} requests after a gzip bomb")
    expect(not wrong, "; ".join(wrong))


@contextmanager
def _peak_of_memory() -> Iterator[Callable[[], int]]:
    """A function that tells the most bytes that Python held at once, more than at the beginning."""
    traced = tracemalloc.is_tracing()
    tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        if not traced:
            tracemalloc.stop()


@CHECKS.line(56, "MUST", "a redirect is followed or fails; it is no success")
def redirects(bench: HttpBench) -> None:
    with HostileServer([bench.ok()]) as target:

        def lost(status: int) -> bool:
            """Whether a success was claimed, and nobody has the spans."""
            before = target.count
            to = None if status == 304 else f"{target.endpoint}/v1/traces"
            seen = bench.play(redirect(status, to))
            delivered = target.count > before and bool(target.arrivals[-1].raw)
            return seen.outcome.success and not delivered

        wrong = [str(status) for status in (301, 302, 303, 304, 307, 308) if lost(status)]
    expect(not wrong, f"export said success after {', '.join(wrong)}, and nobody has the spans")


@CHECKS.line(57, "MUST", "any other 2xx is a success, with or without a body")
def other_success(bench: HttpBench) -> None:
    for status in (201, 202, 204):
        succeeded(bench.play(answer(status, content_type=None), bench.ok()), str(status))


@CHECKS.line(58, "MUST", "the content type is that of the encoding")
def content_type(bench: HttpBench) -> None:
    found = bench.play(bench.ok()).only().headers.get("content-type", "")
    expect(found.partition(";")[0].strip() == bench.content_type, f"content-type: {found!r}")


@CHECKS.line(60, "MUST", "an answer of another type is not parsed, and does no harm")
def other_content(bench: HttpBench) -> None:
    page = b"<html>\xff\x0a" + b"{" * 100
    for kind in ("text/html", None):
        succeeded(bench.play(answer(200, page, content_type=kind), bench.ok()), f"200, {kind}")
        failed(bench.play(answer(404, page, content_type=kind), bench.ok()), f"404, {kind}")
    broken = bench.play(answer(200, page, content_type=bench.content_type), bench.ok()).outcome
    harm = f"export of a body that cannot be read: {broken.said}"
    expect(broken.returned and not broken.crashed, harm)


@CHECKS.line(89, "MUST", "the path of the endpoint is kept")
def keeps_path(bench: HttpBench) -> None:
    found = bench.play(bench.ok(), path="/my/collector").only().path
    expect(found == "/my/collector/v1/traces", f"POST {found}")


@CHECKS.line(90, "MUST", "an endpoint for traces is used as it is")
def traces_endpoint(bench: HttpBench) -> None:
    for path, wanted in (("/my/traces", "/my/traces"), ("/my/", "/my/"), ("", "/")):
        with (
            bench.server([bench.ok()]) as (server, endpoint),
            bench.subject(
                "http://127.0.0.1:9", patience=SHORT, traces_endpoint=endpoint + path
            ) as subject,
        ):
            outcome = subject.export()
            found = Seen(outcome, server.arrivals, server.connections, 0).only().path
        expect(found == wanted, f"POST {found} where {path or 'no path'!r} was configured")


@CHECKS.line(91, "MUST", "a slash at the end of the endpoint makes no difference")
def slash_at_end(bench: HttpBench) -> None:
    for path, wanted in (("/", "/v1/traces"), ("/my/", "/my/v1/traces")):
        found = bench.play(bench.ok(), path=path).only().path
        expect(found == wanted, f"POST {found} where the endpoint ends in {path}")


@CHECKS.line(97, "MUST", "compression none is understood")
def no_compression(bench: HttpBench) -> None:
    arrival = bench.play(bench.ok(), compression="none").only()
    found = arrival.headers.get("content-encoding", "identity")
    expect(found == "identity", f"content-encoding: {found}")
    readable(arrival)


@CHECKS.line(98, "MUST", "an export ends by its timeout, however slow the server is")
def timeout(bench: HttpBench) -> None:
    long = answer(200, bytes(100), content_type="text/plain")
    ends_in_time(
        bench,
        {
            "an answer that never comes": bench.silent(),
            "headers that come byte by byte": dripping(long, pause=0.2),
            "a body that comes piece by piece": endless(HUGE, pause=0.2),
        },
    )
