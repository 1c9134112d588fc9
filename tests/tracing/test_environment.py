"""A provider as the environment wants it, checked against the official one under the same variables."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits as OfficialLimits
from opentelemetry.sdk.trace import TracerProvider as OfficialProvider

from otlp_kit.tracing import TracerProvider
from otlp_kit.tracing.environment import limits_from, resource_from, sampler_from, tracer_provider
from otlp_kit.tracing.limits import UNLIMITED, SpanLimits

# The official name of each limit beside the kit's.
LIMITS = {
    "attributes": "max_span_attributes",
    "events": "max_events",
    "links": "max_links",
    "attributes_per_event": "max_event_attributes",
    "attributes_per_link": "max_link_attributes",
    "value_length": "max_span_attribute_length",
}
VARIABLES = [
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
]


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in (*VARIABLES, "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_SERVICE_NAME",
                 "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SDK_DISABLED"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    return monkeypatch  # type: ignore[return-value]


def test_nothing_set_gives_the_defaults() -> None:
    """An empty environment is as good as none."""
    assert limits_from({}) == SpanLimits()
    assert str(sampler_from({})) == str(TracerProvider().sampler)


@pytest.mark.spec("SDK-P18")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.dictionaries(st.sampled_from(VARIABLES), st.integers(0, 300)))
def test_limits_are_those_of_the_official_sdk(
    values: dict[str, int], environ: pytest.MonkeyPatch
) -> None:
    """Whatever of the eight variables is set, each limit is what the official class makes of it."""
    texts = {name: str(value) for name, value in values.items()}
    with environ.context() as patched:
        for name, text in texts.items():
            patched.setenv(name, text)
        official = OfficialLimits()
    kit = limits_from(texts)
    for own, theirs in LIMITS.items():
        expected = getattr(official, theirs)
        assert getattr(kit, own) == (UNLIMITED if expected is None else expected), own


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("", ""),
        ("always_on", ""),
        ("always_off", ""),
        ("traceidratio", "0.25"),
        ("traceidratio", ""),
        ("parentbased_always_on", ""),
        ("parentbased_always_off", ""),
        ("parentbased_traceidratio", "0.001"),
        ("PARENTBASED_TRACEIDRATIO", "0.5"),
        ("traceidratio", "many"),
        ("unheard_of", ""),
    ],
)
def test_the_sampler_is_that_of_the_official_sdk(
    name: str, argument: str, environ: pytest.MonkeyPatch
) -> None:
    """The same variables give samplers with the same description, mistakes among them."""
    texts = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument}
    for variable, text in texts.items():
        if text:  # the official SDK does not take the empty text as unset
            environ.setenv(variable, text)
    official: Any = OfficialProvider(shutdown_on_exit=False).sampler
    assert _numbers(str(sampler_from(texts))) == _numbers(official.get_description())


def _numbers(description: str) -> str:
    # The specification writes a ratio with six decimals; the official SDK as Python does.
    return description.replace("0.250000", "0.25").replace("0.001000", "0.001").replace(
        "0.500000", "0.5"
    ).replace("1.000000", "1.0")  # fmt: skip


@pytest.mark.spec("SDK-P21")
@pytest.mark.parametrize(
    "texts",
    [
        {"OTEL_SERVICE_NAME": "shop"},
        {"OTEL_RESOURCE_ATTRIBUTES": "service.name=cart,deployment.environment.name=a%20b"},
        {"OTEL_RESOURCE_ATTRIBUTES": "service.name=cart", "OTEL_SERVICE_NAME": "shop"},
    ],
)
def test_the_resource_is_that_of_the_official_sdk(
    texts: dict[str, str], environ: pytest.MonkeyPatch
) -> None:
    """The service's name wins over the attributes; each SDK names itself."""
    for variable, text in texts.items():
        environ.setenv(variable, text)
    official = dict(Resource.create().attributes)
    kit = resource_from(texts).attributes
    assert kit["telemetry.sdk.name"] == "otlp_kit"
    for attributes in (official, kit):
        attributes.pop("telemetry.sdk.name")
        attributes.pop("telemetry.sdk.version")
        attributes.pop("service.instance.id", None)
    assert kit == official


def test_arguments_go_over_the_environment() -> None:
    """What the program says is what holds."""
    provider = tracer_provider(
        resource={"service.name": "own"}, environ={"OTEL_SERVICE_NAME": "shop"}
    )
    assert isinstance(provider, TracerProvider)
    assert provider.resource.attributes["service.name"] == "own"


def test_a_disabled_sdk_records_nothing() -> None:
    """OTEL_SDK_DISABLED=true leaves the API as it is without an SDK."""
    provider = tracer_provider(environ={"OTEL_SDK_DISABLED": "true"})
    span = provider.get_tracer("shop").start_span("GET /")
    assert isinstance(provider, trace.NoOpTracerProvider)
    assert not span.is_recording()


def test_a_bad_limit_is_reported_and_the_default_holds(caplog: pytest.LogCaptureFixture) -> None:
    """One warning, which names the variable."""
    with caplog.at_level(logging.WARNING):
        limits = limits_from({"OTEL_SPAN_EVENT_COUNT_LIMIT": "-1"})
    assert limits.events == 128
    assert [r.getMessage().split(":")[0] for r in caplog.records] == ["OTEL_SPAN_EVENT_COUNT_LIMIT"]
