"""One OTLP exporter's settings: from arguments and the environment to one frozen value.

    settings = exporter_settings(TRACES, environ={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://gw:4318"})
    settings.endpoint                       # http://gw:4318/v1/traces

An argument goes before the variable of the signal, that before the variable of all signals, that
before the default. A bad argument is a `ValueError` that names it; a bad variable is one warning
that names it, and what holds without it is used. No value of a header is ever repeated.

It opens no connection. Certificate files it does read, to say now what would fail later.

Specification: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from otlp_kit.settings import otel_env, otlp_rules
from otlp_kit.settings.otlp_rules import Headers
from otlp_kit.settings.process import proxy_for
from otlp_kit.wire import Signal

log = logging.getLogger(__name__)

GRPC, HTTP_PROTOBUF, HTTP_JSON = PROTOCOLS = ("grpc", "http/protobuf", "http/json")
HTTP_BASE = "http://localhost:4318"
GRPC_ENDPOINT = "http://localhost:4317"
MAX_REQUEST = 64 * 1024 * 1024
MAX_RESPONSE = 4 * 1024 * 1024
NO_LIMIT = 1e9
"""Seconds that stand for no limit where a number is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterSettings:
    """What an exporter of `signal` is to do. Times are seconds, sizes bytes, files PEM."""

    signal: Signal
    protocol: str
    """`grpc`, `http/protobuf` or `http/json`."""
    endpoint: str
    """Over HTTP the URL that is posted to; over gRPC a URL without a path, or a gRPC target."""
    insecure: bool
    """Whether the connection is without TLS."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case; the values may be secrets."""
    compression: str
    """`none`, `gzip`, or over HTTP `zstd`."""
    timeout: float
    """For one export with all its attempts; `inf` is no limit."""
    certificate: str | None
    """Authorities to trust instead of the system's."""
    client_certificate: str | None
    client_key: str | None
    max_request: int
    """Of a request before compression; a larger one is not sent."""
    max_response: int
    """Of an answer after decompression."""
    proxy: str | None
    """The URL of the proxy that the environment has for the endpoint; over HTTP only."""

    def sender(self) -> dict[str, Any]:
        """Arguments of `HttpSender`, or of `GrpcSender` where that is the protocol."""
        arguments = {
            "endpoint": self.endpoint,
            "headers": self.headers,
            "compression": self.compression,
            "timeout": min(self.timeout, NO_LIMIT),
            "certificate": self.certificate,
            "client_certificate": self.client_certificate,
            "client_key": self.client_key,
            "max_response": self.max_response,
        }
        if self.protocol == GRPC:
            return arguments | {"insecure": self.insecure}
        url = urlsplit(self.endpoint)
        whole = {
            "endpoint": f"{url.scheme}://{url.netloc}",
            "path": url.path + (f"?{url.query}" if url.query else ""),
            "proxy": self.proxy,
        }
        return arguments | whole


def chosen_protocol(signal: Signal, environ: Mapping[str, str] | None = None) -> str:
    """The protocol that `environ` asks for: `grpc`, `http/protobuf` (the default) or `http/json`."""
    chosen: str = otel_env.read_otlp("PROTOCOL", signal.name, environ)
    return chosen


def exporter_settings(
    signal: Signal,
    protocol: str | None = None,
    *,
    endpoint: str | None = None,
    headers: Headers | None = None,
    compression: str | None = None,
    timeout: float | None = None,
    insecure: bool | None = None,
    certificate_file: str | None = None,
    client_key_file: str | None = None,
    client_certificate_file: str | None = None,
    max_request_size: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> ExporterSettings:
    """The settings of an exporter of `signal`; what is None comes from `environ` (`os.environ`).

    `endpoint` is used as it is, as is the variable of one signal; only to that of all signals
    `v1/traces` and its like are added. `insecure` counts where the endpoint has no scheme, which
    is possible over gRPC only. `headers` join those of the environment over HTTP and go before
    them, and replace them over gRPC, as in the official exporters. `timeout` is seconds, 0 is no
    limit; a `max_request_size` of 0 or less is no limit either.
    """
    protocol = _argument(
        "protocol", protocol or chosen_protocol(signal, environ), otlp_rules.choice(*PROTOCOLS)
    )
    over_grpc = protocol == GRPC
    read = _Reading(signal, environ)

    if over_grpc:
        where = read("endpoint", endpoint or None, otlp_rules.target) or GRPC_ENDPOINT
    else:
        below = otlp_rules.base_url(signal.http_path)
        where = read("endpoint", endpoint or None, otlp_rules.url, below) or below(HTTP_BASE)
    scheme = where.partition("://")[0].lower()
    plain = scheme == "http" or (scheme != "https" and read("insecure", insecure, bool))

    fields = otlp_rules.header_fields(grpc=over_grpc)
    sent = _argument("headers", headers or {}, fields)
    if not (over_grpc and sent):
        sent = {**(read("headers", None, fields) or {}), **sent}

    for argument, path in (
        ("certificate_file", certificate_file),
        ("client_key_file", client_key_file),
        ("client_certificate_file", client_certificate_file),
    ):
        if path and plain:
            raise ValueError(f"{argument} is of no use without TLS, which the endpoint excludes")
    # Without TLS the environment's files are not looked at: one environment may serve both.
    files = _Reading(signal, {} if plain else environ)
    certificate = files("certificate_file", certificate_file or None, otlp_rules.certificate)
    client_key = files("client_key_file", client_key_file or None, otlp_rules.key)
    client_certificate = files(
        "client_certificate_file",
        client_certificate_file or None,
        otlp_rules.client_certificate(client_key, grpc=over_grpc),
    )
    if client_key and not client_certificate:
        if client_key_file:
            raise ValueError("client_key_file is of no use without client_certificate_file")
        variable = files.variable("CLIENT_KEY")
        log.warning("%s is ignored, it is of no use without a client certificate", variable)
        client_key = None

    kinds = ("none", "gzip") if over_grpc else ("none", "gzip", "zstd")
    size = MAX_REQUEST if max_request_size is None else max_request_size
    return ExporterSettings(
        signal=signal,
        protocol=protocol,
        endpoint=where,
        insecure=plain,
        headers=sent,
        compression=read("compression", compression, otlp_rules.choice(*kinds)),
        timeout=read("timeout", timeout, otlp_rules.seconds),
        certificate=certificate,
        client_certificate=client_certificate,
        client_key=client_key,
        max_request=_argument("max_request_size", size, otlp_rules.size),
        max_response=MAX_RESPONSE,
        proxy=None if over_grpc else proxy_for(where),
    )


def _argument(name: str, value: Any, rule: Callable[[Any], Any]) -> Any:
    try:
        return rule(value)
    except ValueError as broken:
        raise ValueError(f"{name} {broken}") from None


class _Reading:
    """Reads a setting: the argument, else the variable of the signal, else that of all signals."""

    def __init__(self, signal: Signal, environ: Mapping[str, str] | None) -> None:
        self._signal = signal
        self._environ = environ

    def __call__(
        self,
        argument: str,
        value: Any,
        rule: Callable[[Any], Any],
        rule_for_all: Callable[[Any], Any] | None = None,
    ) -> Any:
        """The value by its `rule`; None if nobody says anything and the table has no default.

        `rule_for_all` is the variable's of all signals, where that means something else.
        """
        if value is not None:
            return _argument(argument, value, rule)
        own, of_all = self._variables(argument.removesuffix("_file").upper())
        for variable, holds, otherwise in (
            (own, rule, of_all),
            (of_all, rule_for_all or rule, "the default"),
        ):
            found = otel_env.read(variable, self._environ)
            if found is not None:
                try:
                    return holds(found)
                except ValueError as broken:
                    log.warning("%s is ignored, it %s. Using %s", variable, broken, otherwise)
        return None

    def variable(self, setting: str) -> str:
        """The variable that `setting` comes from, where it comes from one."""
        own, of_all = self._variables(setting)
        return of_all if otel_env.read(own, self._environ) is None else own

    def _variables(self, setting: str) -> tuple[str, str]:
        prefix = "OTEL_EXPORTER_OTLP_"
        return f"{prefix}{self._signal.name.upper()}_{setting}", prefix + setting
