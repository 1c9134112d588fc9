"""Each wrong URL is refused for the part that is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from otlp_kit.lab.exercises_endpoint import ALL, CASES, OF_TRACES, urls

RIGHT = {
    "slash": "http://gw:4318/otlp/v1/traces",
    "signal": "https://gw:4318/",
    "logs": "http://gw:4318/v1/logs",
    "argument": "http://code:4318/in",
    "grpc": "http://gw:4317",
}


def test_the_right_urls_pass() -> None:
    """One for each case."""
    assert RIGHT.keys() == CASES.keys()
    assert urls(RIGHT).passed


@pytest.mark.parametrize(
    ("case", "guess", "difference"),
    [
        ("slash", "http://gw:4318/otlp//v1/traces", "two slashes in a row"),
        ("slash", "http://gw:4318/otlp/", "/otlp/ is not the path"),
        ("slash", "https://gw:4318/otlp/v1/traces", "https is not what it says"),
        ("signal", "https://gw:4318/v1/traces", "/v1/traces is not the path"),
        ("signal", "https://gw:4318", "the path is missing"),
        ("logs", "http://other:4318/v1/logs", "nothing is sent to other:4318"),
        ("logs", "http://gw:4318/v1/traces", "/v1/traces is not the path"),
        ("logs", "http://gw:4318/v1/logs/", "a slash at the end makes another path"),
        ("argument", "http://gw:4318/v1/traces", "nothing is sent to gw:4318"),
        ("argument", "http://code:4318/in/v1/traces", "/in/v1/traces is not the path"),
        ("grpc", "http://gw:4317/v1/traces", "there is no path such as /v1/traces"),
        ("grpc", "gw:4317", "is not a whole URL"),
        ("grpc", None, "is not a whole URL"),
    ],
)
def test_each_wrong_url_has_its_own_reason(case: str, guess: Any, difference: str) -> None:
    """The reason names the case and the part, never the right URL."""
    verdict = urls({**RIGHT, case: guess})
    assert not verdict.passed
    assert verdict.difference.startswith(f"{case}: ")
    assert difference in verdict.difference
    assert verdict.hint
    assert RIGHT[case] not in verdict.difference + verdict.hint


def test_a_case_without_a_url_is_named() -> None:
    """Nothing is guessed for the reader."""
    assert "slash: no URL" in urls({}).difference


@pytest.mark.parametrize(
    ("variable", "value", "argument", "right"),
    [
        (ALL, "http://gw:4318/otlp/", None, RIGHT["slash"]),
        (ALL, "http://gw:4318", "http://code:4318/in", RIGHT["argument"]),
        (OF_TRACES, "http://gw:4318/in", None, "http://gw:4318/in"),
    ],
)
def test_the_official_exporter_posts_to_the_same_urls(
    variable: str, value: str, argument: str | None, right: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the exercise calls right is not only this kit's opinion."""
    monkeypatch.setenv(variable, value)
    exporter = OTLPSpanExporter(argument)
    assert exporter._endpoint == right
    exporter.shutdown()
