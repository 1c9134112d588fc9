"""The variables `OTEL_*`: the specification's table as data, and its rules as one reader.

`TABLE` says what exists, of which kind, with which default; `read` turns one variable into a value
by the rules that hold for all of them. Nothing else in the kit looks at `os.environ`. This module
does not decide what a value is good for.

    >>> read("OTEL_BSP_SCHEDULE_DELAY", {"OTEL_BSP_SCHEDULE_DELAY": "250"})
    0.25
    >>> read("OTEL_BSP_MAX_QUEUE_SIZE", {"OTEL_BSP_MAX_QUEUE_SIZE": ""})
    2048

Durations are integer milliseconds in the environment and seconds in the result.

Specification: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

log = logging.getLogger(__name__)


class _Bad(ValueError):
    """A value that its kind does not allow; the text says what it allows."""


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise _Bad("must be true or false")
    return text.lower() == "true"


def _integer(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        # int() would take "1_000" and digits of other scripts, which no other SDK reads.
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
            raise _Bad("must be an integer")
        if int(text) < least:
            raise _Bad(f"must be an integer of at least {least}")
        return int(text)

    return parse


def _milliseconds(least: int) -> Callable[[str], float]:
    integer = _integer(least)

    def parse(text: str) -> float:
        return integer(text) / 1000

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise _Bad(f"must be one of {', '.join(choices)}")
        return text.lower()

    return parse


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for raw in text.split(",") if (part := raw.strip())))


def _pairs(text: str) -> dict[str, str]:
    """`key=value,key2=value2`, percent-decoded: one bad pair discards the whole value."""
    pairs = {}
    for part in filter(None, (raw.strip() for raw in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise _Bad("must be a list of key=value, separated by commas")
        try:
            pairs[unquote(key.strip(), errors="strict")] = unquote(value.strip(), errors="strict")
        except UnicodeDecodeError:
            raise _Bad("must be percent-encoded UTF-8") from None
    return pairs


@dataclass(frozen=True, slots=True)
class Variable:
    """One row: what the variable is called, how its text is read, and what holds without it."""

    name: str
    parse: Callable[[str], Any]
    default: Any
    secret: bool = False
    """Never shown: headers carry credentials."""


_COMPRESSION = _one_of("none", "gzip")
_PROTOCOL = _one_of("grpc", "http/protobuf", "http/json")
_TEMPORALITY = _one_of("cumulative", "delta", "lowmemory")
_HISTOGRAM = _one_of("explicit_bucket_histogram", "base2_exponential_bucket_histogram")
_EXEMPLARS = _one_of("always_on", "always_off", "trace_based")
_SAMPLER = _one_of(
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)


def _batch(prefix: str, delay: float) -> tuple[Variable, ...]:
    return (
        Variable(f"{prefix}_SCHEDULE_DELAY", _milliseconds(0), delay),
        Variable(f"{prefix}_EXPORT_TIMEOUT", _milliseconds(0), 30.0),
        Variable(f"{prefix}_MAX_QUEUE_SIZE", _integer(1), 2048),
        Variable(f"{prefix}_MAX_EXPORT_BATCH_SIZE", _integer(1), 512),
    )


def _otlp(part: str) -> tuple[Variable, ...]:
    """The exporter's variables, of all signals (`part` is empty) or of one (`TRACES_` ...).

    A variable of one signal has no default: where it is unset, that of all signals holds.
    """

    def of(value: Any) -> Any:
        return None if part else value

    prefix = f"OTEL_EXPORTER_OTLP_{part}"
    return (
        Variable(f"{prefix}ENDPOINT", str, None),
        Variable(f"{prefix}PROTOCOL", _PROTOCOL, of("http/protobuf")),
        Variable(f"{prefix}HEADERS", _pairs, of({}), secret=True),
        Variable(f"{prefix}COMPRESSION", _COMPRESSION, of("none")),
        Variable(f"{prefix}TIMEOUT", _milliseconds(0), of(10.0)),
        Variable(f"{prefix}CERTIFICATE", str, None),
        Variable(f"{prefix}CLIENT_KEY", str, None),
        Variable(f"{prefix}CLIENT_CERTIFICATE", str, None),
        Variable(f"{prefix}INSECURE", _boolean, of(False)),
    )


TABLE: dict[str, Variable] = {
    row.name: row
    for row in (
        Variable("OTEL_SDK_DISABLED", _boolean, False),
        Variable("OTEL_SERVICE_NAME", str, None),
        Variable("OTEL_RESOURCE_ATTRIBUTES", _pairs, {}),
        Variable("OTEL_LOG_LEVEL", str, "info"),
        Variable("OTEL_PROPAGATORS", _names, ("tracecontext", "baggage")),
        Variable("OTEL_TRACES_SAMPLER", _SAMPLER, "parentbased_always_on"),
        Variable("OTEL_TRACES_SAMPLER_ARG", str, None),
        *_batch("OTEL_BSP", delay=5.0),
        *_batch("OTEL_BLRP", delay=1.0),
        Variable("OTEL_METRIC_EXPORT_INTERVAL", _milliseconds(1), 60.0),
        Variable("OTEL_METRIC_EXPORT_TIMEOUT", _milliseconds(0), 30.0),
        Variable("OTEL_METRICS_EXEMPLAR_FILTER", _EXEMPLARS, "trace_based"),
        Variable("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", _TEMPORALITY, "cumulative"),
        Variable(
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            _HISTOGRAM,
            "explicit_bucket_histogram",
        ),
        *(
            Variable(f"OTEL_{owner}_VALUE_LENGTH_LIMIT", _integer(0), None)
            for owner in ("ATTRIBUTE", "SPAN_ATTRIBUTE", "LOGRECORD_ATTRIBUTE")
        ),
        *(
            Variable(f"OTEL_{owner}_COUNT_LIMIT", _integer(0), 128)
            for owner in (
                "ATTRIBUTE",
                "SPAN_ATTRIBUTE",
                "SPAN_EVENT",
                "SPAN_LINK",
                "EVENT_ATTRIBUTE",
                "LINK_ATTRIBUTE",
                "LOGRECORD_ATTRIBUTE",
            )
        ),
        *(
            Variable(f"OTEL_{name}_EXPORTER", _names, ("otlp",))
            for name in ("TRACES", "METRICS", "LOGS")
        ),
        *(row for part in ("", "TRACES_", "METRICS_", "LOGS_") for row in _otlp(part)),
    )
}


def read(name: str, environ: Mapping[str, str] | None = None) -> Any:
    """The value of `name`, one of `TABLE`, from `environ` (default: `os.environ`).

    Empty is unset. A value that its kind does not allow is reported by one warning, which names
    the variable and the rule, and then the default holds; a secret value is not repeated.
    Raises `KeyError` for a name that is not in the table.
    """
    variable = TABLE[name]
    text = (os.environ if environ is None else environ).get(name, "").strip()
    if not text:
        return variable.default
    try:
        return variable.parse(text)
    except _Bad as rule:
        shown = "its value" if variable.secret else repr(text)
        log.warning("%s: %s is ignored, it %s. Using %r", name, shown, rule, variable.default)
        return variable.default


def is_set(name: str, environ: Mapping[str, str] | None = None) -> bool:
    """Whether `environ` (default: `os.environ`) says anything about `name`; empty is unset."""
    return bool((os.environ if environ is None else environ).get(name, "").strip())


def read_otlp(setting: str, signal: str, environ: Mapping[str, str] | None = None) -> Any:
    """An exporter's setting, such as `TIMEOUT`: that of `signal` (`traces` ...), else of all signals."""
    own = read(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{setting}", environ)
    return read(f"OTEL_EXPORTER_OTLP_{setting}", environ) if own is None else own
