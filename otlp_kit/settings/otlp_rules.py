"""What a setting of an OTLP exporter may be: one function for each kind of value.

Each takes a value, from an argument or a variable, and returns it as the exporter needs it, or
raises `ValueError` with a rule that reads on after the setting's name: "must be ...". None repeats
a value that may hold a secret. They know neither names of variables nor defaults.

    url("http://gw:4318")               # "http://gw:4318/"
    base_url("/v1/traces")("http://gw:4318/otlp/")      # "http://gw:4318/otlp/v1/traces"

Specification: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from otlp_kit.settings import otel_env

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]] | str
"""Over gRPC a value whose name ends in `-bin` may be bytes as well."""

# https://www.rfc-editor.org/rfc/rfc9110#name-field-names and #name-field-values; over gRPC
# https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md has fewer, and its own names.
_HTTP_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HTTP_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_GRPC_NAME = re.compile(r"(?!grpc-|(content-type|te|user-agent)$)[0-9a-z_.-]+")
_GRPC_VALUE = re.compile(r"[\x20-\x7e]*")

_HOST = re.compile(r"[0-9a-z._-]+|[0-9a-f.]*:[0-9a-f:.]*(%[0-9a-z._~-]+)?")
# https://github.com/grpc/grpc/blob/master/doc/naming.md
_GRPC_TARGET = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):[!-~]+")


def _split(text: str) -> SplitResult:
    """`text` as a URL over http or https that a request can be sent to as it is."""
    # urlsplit would drop a line break without a word.
    if not isinstance(text, str) or not all("!" <= character <= "~" for character in text):
        raise ValueError("must be a URL, of printable ASCII characters without blanks")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("must be a URL with a port from 1 to 65535, if any") from None
    host = _HOST.fullmatch(parts.hostname or "")
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise ValueError("must be a URL that starts with http:// or https:// and names a host")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password: they belong into headers")
    if parts.fragment:
        raise ValueError("must not have a fragment, which is never sent")
    return parts


def url(text: str) -> str:
    """The URL of one signal: used as it is, but that an empty path is `/`."""
    parts = _split(text)
    return parts._replace(path=parts.path or "/").geturl()


def base_url(path: str) -> Callable[[str], str]:
    """The rule for a URL below which `path` (such as `/v1/traces`) is the signal's."""

    def full(text: str) -> str:
        parts = _split(text)
        if parts.query:
            raise ValueError("must not have a query: the path of each signal is added to it")
        return parts._replace(path=parts.path.removesuffix("/") + path).geturl()

    return full


def target(text: str) -> str:
    """Where gRPC connects to: a URL without a path, `HOST:PORT`, or a target that gRPC knows."""
    if not (isinstance(text, str) and _GRPC_TARGET.fullmatch(text)):
        parts = _split(text if "://" in str(text) else f"https://{text}")
        if parts.path.strip("/") or parts.query or parts.netloc.endswith(":"):
            raise ValueError("must be a host and port without a path: over gRPC there is none")
    return text


def header_fields(*, grpc: bool) -> Callable[[Headers], dict[str, str]]:
    """The rule for headers: a mapping, pairs, or the text `k=v,k2=v2` with percent-encoding."""
    names, values = (_GRPC_NAME, _GRPC_VALUE) if grpc else (_HTTP_NAME, _HTTP_VALUE)
    of = "gRPC" if grpc else "HTTP"

    def read(given: Headers) -> dict[str, str]:
        if isinstance(given, str):
            return read(dict(otel_env.TABLE["OTEL_EXPORTER_OTLP_HEADERS"].parse(given)))
        fields: dict[str, str] = {}
        for name, value in given.items() if isinstance(given, Mapping) else given:
            # The value may be a secret, and so may a name be that is none: they are not repeated.
            if not isinstance(name, str) or not names.fullmatch(name := name.lower()):
                raise ValueError(f"must have names that {of} allows")
            binary = grpc and name.endswith("-bin") and isinstance(value, str | bytes)
            if not binary and not (isinstance(value, str) and values.fullmatch(value)):
                raise ValueError(f"must have text that {of} allows as the value of {name!r}")
            if name in fields:
                raise ValueError(f"must have one value for {name!r}")
            fields[name] = value
        return fields

    return read


def choice(*choices: str) -> Callable[[str], str]:
    """The rule for a value that is one of `choices`."""

    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {value!r}")
        return value

    return read


def seconds(value: float) -> float:
    """A timeout; 0 is no limit."""
    if not isinstance(value, int | float) or not value >= 0:
        raise ValueError(f"must be at least 0 seconds, not {value!r}")
    return value or math.inf


def size(value: int) -> int:
    """A limit of bytes; 0 or less is none."""
    return value if value > 0 else sys.maxsize


def certificate(path: str) -> str:
    """A PEM file of authorities to trust."""
    from ssl import PROTOCOL_TLS_CLIENT, SSLContext  # a browser has none

    try:
        SSLContext(PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        raise _unusable(path, error) from None
    return path


def key(path: str) -> str:
    """A file that can be read; whether its key is that of a certificate is checked with that."""
    try:
        Path(path).read_bytes()
    except OSError as error:
        raise _unusable(path, error) from None
    return path


def client_certificate(key_file: str | None, *, grpc: bool) -> Callable[[str], str]:
    """The rule for the PEM file of a certificate whose key is in `key_file`.

    Over HTTP the key may be in the same file.
    """

    def read(path: str) -> str:
        from ssl import PROTOCOL_TLS_CLIENT, SSLContext

        if grpc and not key_file:
            raise ValueError("must have the client's key beside it")
        try:
            # Without a password OpenSSL would ask for one at the terminal.
            SSLContext(PROTOCOL_TLS_CLIENT).load_cert_chain(path, key_file, password=b"")
        except OSError as error:
            raise _unusable(path, error) from None
        return path

    return read


def _unusable(path: str, error: OSError) -> ValueError:
    why = getattr(error, "reason", None) or error.strerror or error
    return ValueError(f"must be a PEM file that can be used, not {str(path)!r} ({why})")
