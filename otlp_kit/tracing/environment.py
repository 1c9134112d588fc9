"""A tracer provider as the variables `OTEL_*` want it, or settings from all layers.

    provider = tracer_provider(http_span_pipeline())
    provider = tracer_provider_of(settings, span_pipeline_of(settings))

Reads the resource, the sampler and the limits, once; what is given as an argument goes over what the
environment says. A value that its variable does not allow is reported and ignored.

Specification: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace

from otlp_kit.model.resource import Resource, Value
from otlp_kit.model.span import Span
from otlp_kit.processors.passing import Processor
from otlp_kit.settings.otel_env import is_set, read
from otlp_kit.tracing.limits import UNLIMITED, SpanLimits
from otlp_kit.tracing.provider import TracerProvider, resource_of
from otlp_kit.tracing.samplers import Sampler, sampler_named


def tracer_provider(
    *processors: Processor[Span],
    resource: Mapping[str, Value] | None = None,
    environ: Mapping[str, str] | None = None,
) -> trace.TracerProvider:
    """The provider; one that does nothing if `OTEL_SDK_DISABLED` is true.

    `resource` are attributes that go over those of `OTEL_RESOURCE_ATTRIBUTES`; `environ` is
    `os.environ` unless it is given.
    """
    if read("OTEL_SDK_DISABLED", environ):
        return trace.NoOpTracerProvider()
    return TracerProvider(
        *processors,
        resource=resource_from(environ, resource),
        sampler=sampler_from(environ),
        limits=limits_from(environ),
    )


def tracer_provider_of(settings: Mapping[str, Any], *processors: Processor[Span]) -> TracerProvider:
    """The provider that `settings` of `settings/schema` describe: its resource and its sampler.

    The limits are those of the environment, which alone says them.
    """
    told: dict[str, Value] = dict(settings["resource.attributes"].value)
    if name := settings["service.name"].value:
        told["service.name"] = name
    share = settings["sampler.argument"].value
    return TracerProvider(
        *processors,
        resource=resource_of(told),
        sampler=sampler_named(
            settings["sampler.name"].value, None if share is None else repr(share)
        ),
        limits=limits_from(None),
    )


def resource_from(
    environ: Mapping[str, str] | None, attributes: Mapping[str, Value] | None = None
) -> Resource:
    """`OTEL_RESOURCE_ATTRIBUTES`, over it `OTEL_SERVICE_NAME`, over it `attributes`."""
    told: dict[str, Value] = dict(read("OTEL_RESOURCE_ATTRIBUTES", environ))
    if name := read("OTEL_SERVICE_NAME", environ):
        told["service.name"] = name
    return resource_of(told | dict(attributes or {}))


def sampler_from(environ: Mapping[str, str] | None) -> Sampler:
    """`OTEL_TRACES_SAMPLER` with `OTEL_TRACES_SAMPLER_ARG`."""
    return sampler_named(
        read("OTEL_TRACES_SAMPLER", environ), read("OTEL_TRACES_SAMPLER_ARG", environ)
    )


def limits_from(environ: Mapping[str, str] | None) -> SpanLimits:
    """The variables `OTEL_*_LIMIT` of spans. One that is about spans goes over the general one."""

    def limit(of: str, general: str) -> int:
        own = f"OTEL_{of}_LIMIT"
        value = read(own if is_set(own, environ) else f"OTEL_{general}_LIMIT", environ)
        return UNLIMITED if value is None else int(value)

    return SpanLimits(
        attributes=limit("SPAN_ATTRIBUTE_COUNT", "ATTRIBUTE_COUNT"),
        events=limit("SPAN_EVENT_COUNT", "SPAN_EVENT_COUNT"),
        links=limit("SPAN_LINK_COUNT", "SPAN_LINK_COUNT"),
        attributes_per_event=limit("EVENT_ATTRIBUTE_COUNT", "ATTRIBUTE_COUNT"),
        attributes_per_link=limit("LINK_ATTRIBUTE_COUNT", "ATTRIBUTE_COUNT"),
        value_length=limit("SPAN_ATTRIBUTE_VALUE_LENGTH", "ATTRIBUTE_VALUE_LENGTH"),
    )
