"""The exporter of a signal over the protocol that the environment names, with zero code.

    OTEL_TRACES_EXPORTER=otlp_kit OTEL_EXPORTER_OTLP_PROTOCOL=grpc opentelemetry-instrument shop
    exporter = exporter_class(TRACES)()     # the same, by hand

The entry points of this package name `OTLPSpanExporter` and its like in this module. They are looked
up here when the SDK configures itself: it insists on a class, so each is chosen as it is asked for.
Only the protocol that is chosen needs its package, urllib3 or grpcio.

Specification: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

from typing import Any

from otlp_kit.settings.otlp_exporter import GRPC, PROTOCOLS, chosen_protocol
from otlp_kit.wire import LOGS, METRICS, TRACES, Signal

CLASSES = {
    TRACES: "OTLPSpanExporter",
    LOGS: "OTLPLogExporter",
    METRICS: "OTLPMetricExporter",
}
_SIGNALS = {name: signal for signal, name in CLASSES.items()}


def exporter_class(signal: Signal, protocol: str | None = None) -> Any:
    """The class for `protocol`, or else for what `OTEL_EXPORTER_OTLP_PROTOCOL` says.

    One class serves both protocols over HTTP, and reads the same variables when it is made: give
    it `protocol` as well if the environment does not say it. Raises `ValueError` for a protocol
    that there is not.
    """
    protocol = protocol or chosen_protocol(signal)
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, not {protocol!r}")
    over: Any
    if protocol == GRPC:
        from otlp_kit.adapters import otlp_grpc as over
    else:
        from otlp_kit.adapters import otlp_http as over
    return getattr(over, CLASSES[signal])


def __getattr__(name: str) -> Any:
    if name in _SIGNALS:
        return exporter_class(_SIGNALS[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
