"""The conformance kit for exporters passes those that are right, and names what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from otlp_kit.model import Span
from otlp_kit.testing.check_exporter import TRANSPORTS, check_exporter, checks
from otlp_kit.testing.exporter_bench import Failed, NotApplicable
from otlp_kit.testing.exporter_lines import UNSEEN
from otlp_kit.testing.exporter_subject import Outcome, Subject
from otlp_kit.testing.exporter_verdicts import judge_backoff
from otlp_kit.wire import Accepted, Refused
from tests.testing import wrong_exporters
from tests.testing.small_exporter import SmallExporter

LEFT_OUT = {12, 17, 67, 102}
"""What the small exporter does without: each is a SHOULD."""
BACKOFF = 101
ALL_LINES = range(1, 103)

CLIENT = {*range(3, 9), 12, 17, 18, 19, *range(27, 40), 45, 47, 48, 49, *range(51, 59), 60,
          *range(62, 68), *range(89, 103)} - {40}  # fmt: skip
"""Every line of the conformance list that is about a client."""


def seen(make: Callable[..., Any], *lines: int, transport: Any = "http/protobuf") -> dict[int, str]:
    """What was seen at each of `lines`, with its verdict."""
    report = check_exporter(make, transport, lines=lines)
    return {one.line.number: f"{one.verdict}: {one.seen}" for one in report.results}


@pytest.mark.slow
def test_the_small_exporter_keeps_every_must() -> None:
    """Thirty lines are enough for what the specification demands."""
    report = check_exporter(SmallExporter)
    assert {one.line.number for one in report.failed} == LEFT_OUT
    assert {one.line.level for one in report.failed} == {"SHOULD"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "number", "expected"),
    [
        pytest.param("RetriesBadRequests", 49, "2 requests after 400", marks=pytest.mark.spec("OTLP-49")),
        pytest.param("CountsRedirectsAsSuccess", 56, "success after 301, 302, 303, 304, 307, 308, and nobody has the spans", marks=[pytest.mark.spec("OTLP-56"), pytest.mark.spec("PEER-11")]),
        pytest.param("IgnoresRetryAfter", 51, "s after 503 with Retry-After: 2", marks=pytest.mark.spec("OTLP-51")),
        pytest.param("WaitsForEver", 98, "export still waits after 7 s for an answer that never comes", marks=pytest.mark.spec("OTLP-98")),
        pytest.param("ReadsEverything", 19, "64 MiB of an endless 200 were read", marks=[pytest.mark.spec("OTLP-19"), pytest.mark.spec("PEER-12")]),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_at_its_line_only(wrong: str, number: int, expected: str) -> None:
    """The message tells what was seen; no other line fails with it."""
    lines = set(ALL_LINES) - {BACKOFF}  # all of them wait as the small one does
    report = check_exporter(getattr(wrong_exporters, wrong), lines=lines)
    assert {one.line.number for one in report.failed} - LEFT_OUT == {number}
    (found,) = [one for one in report.failed if one.line.number == number]
    assert expected in found.seen


class LosesOneOnRetry(SmallExporter):
    """What is encoded anew for each attempt may not be the same again."""

    def send(self, body: bytes, deadline: float) -> Accepted:
        body, self.next = getattr(self, "next", body), b""
        return super().send(body, deadline)


class CountsNothing(SmallExporter):
    def export(self, batch: Sequence[Span], deadline: float) -> Accepted:
        super().export(batch, deadline)
        return Accepted()


class SaysNothing(SmallExporter):
    def export(self, batch: Sequence[Span], deadline: float) -> Accepted:
        try:
            return super().export(batch, deadline)
        except Exception:
            return Accepted()


class Crashes(SmallExporter):
    def export(self, batch: Sequence[Span], deadline: float) -> Accepted:
        try:
            return super().export(batch, deadline)
        except Refused as error:
            raise RuntimeError(str(error)) from None


class NeverRetries(SmallExporter):
    def export(self, batch: Sequence[Span], deadline: float) -> Accepted:
        return super().export(batch, time.monotonic())


class DoesNotStop(SmallExporter):
    def shutdown(self) -> None:
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "number", "expected"),
    [
        (LosesOneOnRetry, 47, "fail: the retry after 429 carried something else"),
        (CountsNothing, 29, "fail: export said Accepted(rejected=0, message='') where 1 was"),
        (SaysNothing, 65, "fail: export said Accepted(rejected=0, message='') after a refusal"),
        (Crashes, 65, "fail: export raised RuntimeError: HTTP 400"),
        (NeverRetries, 47, "fail: no retry within 8 s after 429; export said Unavailable"),
        (NeverRetries, 101, "fail: no retry within 8 s"),
        (DoesNotStop, 64, "fail: export still waits 5 s after shutdown"),
    ],
)
def test_smaller_faults_are_found(wrong: Any, number: int, expected: str) -> None:
    """Those that a reader's own exporter is most likely to begin with."""
    assert seen(wrong, number)[number].startswith(expected)


class Official(SmallExporter):
    """With the interface of the official SDK: a batch in, a name out."""

    def export(self, batch: Sequence[Span]) -> Any:  # type: ignore[override]
        class Result:
            name = "SUCCESS"

        super().export(batch, time.monotonic() + 10)
        return Result()


def test_an_official_exporter_is_known_by_its_export() -> None:
    """It takes no deadline, and cannot say what was rejected."""
    found = seen(Official, 5, 29, 30, 62)
    assert [one.partition(":")[0] for one in found.values()] == ["pass", "n.a.", "pass", "n.a."]


def test_a_setting_that_the_factory_does_not_take_is_no_fault() -> None:
    """Nothing is said about it."""
    assert seen(SmallExporter, 8)[8] == "n.a.: the factory does not take 'compression'"


def test_a_setting_that_is_refused_is_a_fault() -> None:
    """One that was in the signature."""

    def make(endpoint: str, compression: str = "gzip") -> SmallExporter:
        if compression != "gzip":
            raise ValueError("no such compression")
        return SmallExporter(endpoint)

    assert "the factory raised ValueError('no such compression')" in seen(make, 97)[97]


def test_lines_can_be_chosen_and_watched() -> None:
    """By number and by level; each result is told as soon as it is known."""
    told: list[int] = []
    report = check_exporter(
        SmallExporter,
        lines=(5, 49, 102),
        levels=("MUST",),
        report=lambda result: told.append(result.line.number),
    )
    assert sorted(told) == [5, 49]
    assert report.verdicts() == {5: "pass", 49: "pass"}
    assert str(report).splitlines() == [
        "pass    5  MUST    spans are POSTed to /v1/traces",
        "pass   49  MUST    400 is not retried",
        "http/protobuf: 2 pass, 0 fail, 0 n.a.",
    ]


def test_an_unknown_transport_is_refused() -> None:
    """With those that are known."""
    with pytest.raises(
        ValueError, match=r"must be one of http/protobuf, http/json, grpc, not 'smtp'"
    ):
        check_exporter(SmallExporter, "smtp")  # type: ignore[arg-type]


def test_a_factory_that_makes_nothing_fails_no_check() -> None:
    """It is no exporter yet."""

    def make(endpoint: str) -> SmallExporter:
        raise OSError("no")

    with pytest.raises(Failed, match=r"the factory raised OSError"):
        check_exporter(make, lines=())


def test_an_exporter_that_speaks_the_other_encoding_is_found() -> None:
    """Protobuf is not JSON, whatever arrives."""
    found = seen(SmallExporter, 58, transport="http/json")
    assert found[58] == "fail: content-type: 'application/x-protobuf'"


GROWING = [0.0, 1.0, 3.0, 7.0]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([[moment * (1 + i / 20) for moment in GROWING] for i in range(6)], None),
        ([GROWING] * 6, "6 exporters waited 1.00 s, all within 0.000 s"),
        ([[moment + i / 20 * (moment > 0) for moment in range(8)] for i in range(6)], "requests in the first"),
        ([[0.0, 1.0 + i / 20] for i in range(6)], "too few to judge"),
    ],
)  # fmt: skip
def test_backoff_is_judged_by_several_together(
    times: list[list[float]], expected: str | None
) -> None:
    """It grows, and no two wait alike; of two requests each, nothing can be said about growth."""
    said = None
    try:
        judge_backoff(times)
    except (Failed, NotApplicable) as error:
        said = str(error)
    assert (said is None) == (expected is None)
    assert (expected or "") in (said or "")


def test_an_export_that_does_not_return_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check does not hang with it."""
    monkeypatch.setattr("otlp_kit.testing.exporter_subject.GRACE", 0.1)

    class Stuck:
        def export(self, batch: Sequence[Span], deadline: float) -> Accepted:
            time.sleep(1)
            return Accepted()

    outcome = Subject(Stuck(), None, 0.1, timeout_taken=False).export()
    late = "nothing 0.1 s after its deadline of 0.1 s"
    assert outcome == Outcome(False, False, None, late, 0.1)


def test_every_line_of_a_client_is_checked_or_said_not_to_be() -> None:
    """Nothing is left out in silence."""
    checked = {one.line.number for transport in TRANSPORTS for one in checks(transport)}
    assert checked | set(UNSEEN) == CLIENT
    assert not checked & set(UNSEEN)


def test_no_line_is_checked_twice() -> None:
    """One verdict for each."""
    for transport in TRANSPORTS:
        numbers = [one.line.number for one in checks(transport)]
        assert len(numbers) == len(set(numbers))


@pytest.mark.slow
@pytest.mark.spec("PEER-9")
@pytest.mark.spec("PEER-10")
def test_the_official_grpc_exporter_is_seen_as_it_is() -> None:
    """What is public about it is found: RetryInfo is not read, and sizes are retried."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc")
    from otlp_kit.adapters.sdk_conformance import official_grpc

    report = check_exporter(official_grpc, "grpc", lines={5, 31, 32, 33, 38})
    assert report.verdicts() == {5: "pass", 31: "pass", 32: "fail", 33: "fail", 38: "pass"}


@pytest.mark.slow
@pytest.mark.spec("PEER-11")
@pytest.mark.spec("PEER-12")
def test_the_official_http_exporter_is_seen_as_it_is() -> None:
    """What is public about it is found: redirects count as success, answers have no limit."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from otlp_kit.adapters.sdk_conformance import official_http

    report = check_exporter(official_http, lines={5, 19, 47, 48, 49, 51, 56})
    failed = {one.line.number for one in report.failed}
    assert failed == {19, 56}
