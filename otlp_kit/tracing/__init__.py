"""A tracer for the OpenTelemetry API, whose spans are records of this kit: start, nest, sample, end.

The names below need the package `opentelemetry-api`, and are imported when they are used: the samplers
beside them need nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otlp_kit.tracing.limits import SpanLimits
    from otlp_kit.tracing.live_span import LiveSpan
    from otlp_kit.tracing.logging_handler import LoggingHandler
    from otlp_kit.tracing.provider import TracerProvider
    from otlp_kit.tracing.tracer import Tracer

__all__ = ["LiveSpan", "LoggingHandler", "SpanLimits", "Tracer", "TracerProvider"]


def __getattr__(name: str) -> Any:
    if name not in __all__:  # a submodule, which is imported after this has said no
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from otlp_kit.tracing import limits, live_span, logging_handler, provider, tracer

    modules = (limits, live_span, logging_handler, provider, tracer)
    return next(getattr(module, name) for module in modules if hasattr(module, name))
