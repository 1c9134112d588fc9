"""The arguments of a gRPC sender, checked: endpoint, headers and PEM files.

Each function takes what a person wrote and returns what grpcio takes, or raises a `ValueError` that
names the argument. It opens no connection and does not import grpcio.

    target("https://collector")             ("collector:4317", True)
    target("dns:///collector:4317", insecure=True)
                                            ("dns:///collector:4317", False)
    metadata({"X-Token": "abc"})            (("x-token", "abc"),)

Specification: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#configuration-options
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

PORT = 4317

# https://github.com/grpc/grpc/blob/master/doc/naming.md
TARGET_SCHEMES = ("dns:", "unix:", "unix-abstract:", "ipv4:", "ipv6:", "vsock:", "xds:")

# https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md: names and values of metadata
NAME = re.compile(r"[0-9a-z_.-]+")
VALUE = re.compile(r"[\x20-\x7e]*")
OURS = ("content-type", "te", "user-agent")


def target(endpoint: str, *, insecure: bool = False) -> tuple[str, bool]:
    """(gRPC target, TLS or not) of `endpoint`: a URL, or a target in any of gRPC's forms.

    The scheme of a URL decides about TLS, and `insecure` only without one. The port is 4317 unless
    said; a target with a scheme of gRPC's own goes through as it is. A path is refused, since each
    method has its own; a slash at the end is none.
    """
    if endpoint.lower().startswith(TARGET_SCHEMES):
        return endpoint, not insecure
    scheme, separator, rest = endpoint.partition("://")
    if not separator:
        scheme, rest = "http" if insecure else "https", endpoint
    if scheme.lower() not in ("http", "https"):
        raise ValueError(f"endpoint must be http://, https:// or a gRPC target, not {scheme}://")
    if "@" in rest.partition("/")[0]:
        raise ValueError("endpoint must not hold a user name or password; put them into headers")
    try:
        url = urlsplit(f"//{rest}")
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
    # A second colon without brackets is half an IPv6 address; a space would be looked up as a name.
    if not host or port == 0 or url.netloc.endswith(":") or re.search(r"[\s\0]", rest):
        raise ValueError(f"endpoint has no host and port that can be used: {endpoint!r}")
    if url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError(
            "endpoint must not have a path, query or fragment: gRPC has paths of its own"
        )
    if ":" in host:
        host = f"[{host}]"
    return f"{host}:{port or PORT}", scheme.lower() == "https"


def metadata(headers: Mapping[str, str | bytes]) -> tuple[tuple[str, str | bytes], ...]:
    """`headers` as gRPC sends them: names in lower case, text of a `-bin` name as UTF-8 bytes.

    Raises `ValueError` for a name or value that gRPC cannot carry or sets itself. The value may be
    a secret, so it is never repeated.
    """
    found: dict[str, str | bytes] = {}
    for written, value in headers.items():
        name = written.lower()
        if not NAME.fullmatch(name) or name.startswith("grpc-") or name in OURS:
            raise ValueError(f"headers: {written!r} is no name that a client of gRPC can set")
        if name.endswith("-bin"):
            found[name] = (
                value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
            )
        elif isinstance(value, str) and VALUE.fullmatch(value):
            found[name] = value
        else:
            raise ValueError(f"headers: {written!r} has a character that gRPC does not allow")
    return tuple(found.items())


def pem(argument: str, path: str) -> bytes:
    """The content of the file that `argument` names."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{argument}: cannot read {path!r}: {error.strerror}") from None


def authorities(certificate: str | None) -> bytes | None:
    """The certificates in a PEM file that a server's must be signed by; None for the usual ones."""
    if certificate is None:
        return None
    content = pem("certificate", certificate)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except (ssl.SSLError, OSError):
        raise ValueError(f"certificate: no certificate in PEM form in {certificate!r}") from None
    return content


def identity(certificate: str | None, key: str | None) -> tuple[bytes, bytes] | None:
    """(certificate chain, private key) that this client shows, both from PEM files, or None."""
    if certificate is None and key is None:
        return None
    if certificate is None:
        raise ValueError("client_key needs client_certificate beside it")
    if key is None:
        raise ValueError("client_certificate needs client_key beside it")
    pair = pem("client_certificate", certificate), pem("client_key", key)
    try:
        # The empty password keeps OpenSSL from asking for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, lambda: b"")
    except (ssl.SSLError, OSError, ValueError):
        raise ValueError("client_certificate and client_key are no pair in PEM form") from None
    return pair
