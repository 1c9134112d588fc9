"""A tracer provider from settings of all layers, against the one that reads the variables itself."""

from __future__ import annotations

from otlp_kit.settings.schema import load_settings
from otlp_kit.tracing import TracerProvider
from otlp_kit.tracing.environment import tracer_provider, tracer_provider_of


def test_settings_give_the_provider_that_the_same_variables_give() -> None:
    """Resource and sampler arrive in what is exported, whoever said them."""
    environ = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": "team=blue,service.name=loses",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
    }
    layered = tracer_provider_of(load_settings(environ=environ))
    direct = tracer_provider(environ=environ)
    assert isinstance(direct, TracerProvider)
    for provider in (layered, direct):
        assert provider.resource.attributes["service.name"] == "shop"
        assert provider.resource.attributes["team"] == "blue"
    assert str(layered.sampler) == str(direct.sampler) == "TraceIdRatioBased{0.250000}"
    told = {"service.name": "typed", "sampler.name": "always_off"}
    provider = tracer_provider_of(load_settings(arguments=told))
    assert provider.resource.attributes["service.name"] == "typed"
    with provider.get_tracer("t").start_as_current_span("never") as span:
        assert not span.is_recording()
