"""The arguments of the gRPC sender: what is taken, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from otlp_kit.exporters.grpc_arguments import authorities, identity, metadata, target


@pytest.mark.spec("OTLP-3", "OTLP-93", "OTLP-94")
@pytest.mark.parametrize(
    ("endpoint", "insecure", "expected"),
    [
        ("http://localhost:4317", False, ("localhost:4317", False)),
        ("http://collector", False, ("collector:4317", False)),
        ("HTTP://Collector:80/", False, ("collector:80", False)),
        ("https://collector", True, ("collector:4317", True)),
        ("https://collector:443/", False, ("collector:443", True)),
        ("http://[::1]", False, ("[::1]:4317", False)),
        ("collector", False, ("collector:4317", True)),
        ("collector:5000", True, ("collector:5000", False)),
        ("[::1]:5000", True, ("[::1]:5000", False)),
        ("dns:///collector:5000", False, ("dns:///collector:5000", True)),
        ("dns://8.8.8.8/collector:5000", True, ("dns://8.8.8.8/collector:5000", False)),
        ("unix:/run/otlp.sock", True, ("unix:/run/otlp.sock", False)),
        ("ipv4:10.0.0.1:1,10.0.0.2:1", True, ("ipv4:10.0.0.1:1,10.0.0.2:1", False)),
        ("ipv6:[::1]:5000", True, ("ipv6:[::1]:5000", False)),
    ],
)
def test_an_endpoint_is_a_url_or_a_target(
    endpoint: str, insecure: bool, expected: tuple[str, bool]
) -> None:
    """A scheme of HTTP decides about TLS, and `insecure` where there is none."""
    assert target(endpoint, insecure=insecure) == expected


@pytest.mark.parametrize(
    "endpoint",
    [
        "", "http://", "ftp://host", "grpc://host:1", "host:port", "host:0", "host:", "host:70000",
        "http://host/v1/traces", "host/path", "http://host?x=1", "http://host#x", "::1", "a b:1",
        "http://user:secret@host", "user:secret@host",
    ],
)  # fmt: skip
def test_an_endpoint_that_cannot_be_used_is_refused(endpoint: str) -> None:
    """A path would be ignored, and a password stand in a log."""
    with pytest.raises(ValueError, match="endpoint") as raised:
        target(endpoint)
    assert "secret" not in str(raised.value)


def test_headers_become_metadata() -> None:
    """In lower case; bytes for a `-bin` name, as gRPC wants them."""
    headers: dict[str, str | bytes] = {
        "Authorization": "Bearer x",
        "a-bin": b"\0\xff",
        "B-BIN": "ö",
        "empty": "",
    }
    assert metadata(headers) == (
        ("authorization", "Bearer x"), ("a-bin", b"\0\xff"), ("b-bin", "ö".encode()), ("empty", ""),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a", "secret\nb"), ("a", "secret\r"), ("a", "secretö"), ("a", b"secret"), ("a b", "secret"),
        ("", "secret"), (":path", "secret"), ("grpc-timeout", "secret"), ("ä", "secret"),
        ("Content-Type", "secret"), ("user-agent", "secret"),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_sent_is_refused(name: str, value: str | bytes) -> None:
    """By its name, and without its value."""
    with pytest.raises(ValueError, match="headers") as raised:
        metadata({name: value})
    assert "secret" not in str(raised.value)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca"))
    for name in ("one", "two"):
        leaf = ca.issue_cert("client")
        leaf.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
        leaf.cert_chain_pems[0].write_to_path(str(tmp_path / name))
    (tmp_path / "none").write_text("no PEM\n")
    (tmp_path / "folder").mkdir()
    return {path.name: str(path) for path in tmp_path.iterdir()}


@pytest.mark.spec("OTLP-95")
def test_pem_files_are_read(files: dict[str, str]) -> None:
    """As they are, for grpcio to use; without a name there is nothing to read."""
    assert authorities(files["ca"]) == Path(files["ca"]).read_bytes()
    pair = (Path(files["one"]).read_bytes(), Path(files["one.key"]).read_bytes())
    assert identity(files["one"], files["one.key"]) == pair
    assert authorities(None) is None
    assert identity(None, None) is None


@pytest.mark.parametrize("name", ["missing", "none", "folder", "one.key"])
def test_a_file_without_a_certificate_is_refused(files: dict[str, str], name: str) -> None:
    """grpcio would find out at the first call, and say that the server is unavailable."""
    with pytest.raises(ValueError, match=r"^certificate: "):
        authorities(files.get(name, "/missing"))


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        ("one", None, "^client_certificate needs client_key"),
        (None, "one.key", "^client_key needs client_certificate"),
        ("missing", "one.key", "^client_certificate: "),
        ("one", "missing", "^client_key: "),
        ("one", "two.key", "no pair"),
        ("none", "one.key", "no pair"),
    ],
)
def test_half_an_identity_is_refused(
    files: dict[str, str], certificate: str | None, key: str | None, message: str
) -> None:
    """The argument is named; two files that do not belong together are no identity."""
    with pytest.raises(ValueError, match=message):
        identity(
            certificate and files.get(certificate, "/missing"), key and files.get(key, "/missing")
        )
