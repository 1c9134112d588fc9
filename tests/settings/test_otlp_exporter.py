"""The settings of an OTLP exporter, from arguments and the environment."""

from __future__ import annotations

import logging
import math
import string
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
import trustme
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OfficialGrpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OfficialHttp
from opentelemetry.util.re import parse_env_headers

from otlp_kit.settings.otlp_exporter import ExporterSettings, chosen_protocol, exporter_settings
from otlp_kit.wire import LOGS, METRICS, SIGNALS, TRACES, Signal

PREFIX = "OTEL_EXPORTER_OTLP_"


def env(**settings: str) -> dict[str, str]:
    """An environment: `ENDPOINT` stands for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
    return {PREFIX + name: value for name, value in settings.items()}


def of(signal: Signal = TRACES, protocol: str | None = None, **settings: str) -> ExporterSettings:
    """The settings that an environment gives."""
    return exporter_settings(signal, protocol, environ=env(**settings))


@pytest.mark.spec("OTLP-89")
@pytest.mark.spec("OTLP-90")
@pytest.mark.spec("OTLP-91")
@pytest.mark.spec("OTLP-92")
@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://localhost:4318/v1/traces"),
        ({"ENDPOINT": ""}, "http://localhost:4318/v1/traces"),
        # The three examples of the specification.
        ({"ENDPOINT": "http://collector:4318"}, "http://collector:4318/v1/traces"),
        (
            {"ENDPOINT": "http://a", "TRACES_ENDPOINT": "https://b.example/v1/traces"},
            "https://b.example/v1/traces",
        ),
        (
            {"ENDPOINT": "http://collector:4318/mycollector/"},
            "http://collector:4318/mycollector/v1/traces",
        ),
        ({"ENDPOINT": "http://collector:4318/"}, "http://collector:4318/v1/traces"),
        ({"ENDPOINT": "http://collector:4318/my"}, "http://collector:4318/my/v1/traces"),
        ({"ENDPOINT": "http://collector//"}, "http://collector//v1/traces"),
        ({"ENDPOINT": "https://collector"}, "https://collector/v1/traces"),
        ({"ENDPOINT": "http://[::1]:4318"}, "http://[::1]:4318/v1/traces"),
        ({"TRACES_ENDPOINT": "http://collector:4318"}, "http://collector:4318/"),
        ({"TRACES_ENDPOINT": "http://collector:4318/x/"}, "http://collector:4318/x/"),
        ({"TRACES_ENDPOINT": "http://collector/x?tenant=7"}, "http://collector/x?tenant=7"),
        ({"LOGS_ENDPOINT": "http://elsewhere/x"}, "http://localhost:4318/v1/traces"),
    ],
)
def test_the_url_that_each_setting_produces(settings: dict[str, str], url: str) -> None:
    """The base gets the signal's path, with or without a slash; the signal's own is used as it is."""
    assert of(**settings).endpoint == url


URLS = st.sampled_from(
    ["", "http://h", "http://h/", "https://h:80", "http://h/p", "http://h/p/", "http://h/p?q=1"]
)


@given(URLS.filter(lambda url: "?" not in url), URLS, URLS)
def test_the_url_is_the_official_exporters(base: str, own: str, argument: str) -> None:
    """Argument, own variable, common variable: the URL that requests would post to."""
    environ = env(ENDPOINT=base, TRACES_ENDPOINT=own)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        official = OfficialHttp(argument or None)
    url = requests.Request("POST", official._endpoint).prepare().url
    assert exporter_settings(TRACES, endpoint=argument, environ=environ).endpoint == url


@pytest.mark.spec("OTLP-93")
@pytest.mark.spec("OTLP-94")
@pytest.mark.parametrize("insecure", [None, True, False])
@pytest.mark.parametrize(
    ("endpoint", "plain"),
    [
        (None, True),
        ("http://collector:4317", True),
        ("HTTP://collector:4317/", True),
        ("https://collector:4317", False),
        ("collector:4317", None),
        ("dns:///collector:4317", None),
        ("dns://8.8.8.8/collector", None),
        ("unix:/run/collector", None),
    ],
)
def test_over_grpc_the_scheme_wins_over_insecure(
    endpoint: str | None, plain: bool | None, insecure: bool | None
) -> None:
    """`insecure` counts only for a target without one; its default is TLS."""
    settings = exporter_settings(TRACES, "grpc", endpoint=endpoint, insecure=insecure, environ={})
    assert settings.endpoint == (endpoint or "http://localhost:4317")
    assert settings.insecure is (bool(insecure) if plain is None else plain)
    text = {} if insecure is None else {"INSECURE": str(insecure)}
    assert of(TRACES, "grpc", ENDPOINT=endpoint or "", **text).insecure is settings.insecure
    if insecure is None:
        assert OfficialGrpc(endpoint)._insecure is settings.insecure or "HTTP" in str(endpoint)


@pytest.mark.spec("OTLP-96")
@given(
    st.dictionaries(
        st.text("!#$&'*+-.^_`|~" + string.ascii_lowercase + string.digits, min_size=1),
        st.text([chr(code) for code in range(0x20, 0x7F)]).map(str.strip),
    )
)
@example({"k": "a,b=c;d e%"})
def test_headers_are_percent_decoded_as_the_official_parser_does(headers: dict[str, str]) -> None:
    """What was encoded comes back; names are in lower case."""
    text = ",".join(f"{name.upper()} = {quote(value)}" for name, value in headers.items())
    assert of(HEADERS=text).headers == headers == parse_env_headers(text, liberal=True)


@pytest.mark.spec("OTLP-96")
def test_headers_have_no_metadata_and_the_signals_replace_the_common_ones() -> None:
    """What follows a semicolon is part of the value; two variables are not merged."""
    assert of(HEADERS="k=v;meta=1").headers == {"k": "v;meta=1"}
    both = {"HEADERS": "a=1,b=2", "TRACES_HEADERS": "b=3"}
    assert of(**both).headers == {"b": "3"}
    assert of(LOGS, **both).headers == {"a": "1", "b": "2"}


def test_headers_given_join_the_environments_over_http_and_replace_them_over_grpc() -> None:
    """As in the official exporters; over gRPC they may be pairs, or text as in a variable."""
    environ = env(HEADERS="a=1,b=2")
    given: list[Any] = [{"B": "3"}, [("b", "3")], "b=%33"]
    for headers in given:
        http = exporter_settings(TRACES, headers=headers, environ=environ)
        grpc = exporter_settings(TRACES, "grpc", headers=headers, environ=environ)
        assert (http.headers, grpc.headers) == ({"a": "1", "b": "3"}, {"b": "3"})
    binary: Any = {"k-bin": b"\xff"}
    assert exporter_settings(TRACES, "grpc", headers=binary, environ={}).headers == binary
    for nothing in (None, {}, ()):
        settings = exporter_settings(TRACES, "grpc", headers=nothing, environ=environ)
        assert settings.headers == {"a": "1", "b": "2"}


@pytest.mark.spec("OTLP-97")
@pytest.mark.spec("PEER-26")
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize(
    ("text", "used"), [("", "none"), ("none", "none"), ("gzip", "gzip"), ("GZIP", "gzip")]
)
def test_compression(protocol: str, text: str, used: str) -> None:
    """`none` and an empty text are values too, over either transport."""
    assert of(TRACES, protocol, COMPRESSION=text).compression == used


@pytest.mark.spec("OTLP-98")
@pytest.mark.spec("PEER-7")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", 10.0), ("10000", 10.0), ("250", 0.25), ("0", math.inf), ("-1", 10.0), ("2.5", 10.0)],
)
def test_a_timeout_is_whole_milliseconds_in_the_environment(text: str, seconds: float) -> None:
    """0 is no limit; what is none is the default. The official exporters read seconds."""
    assert of(TIMEOUT=text).timeout == seconds


def test_a_timeout_is_seconds_in_an_argument() -> None:
    """It goes before the environment; 0 is no limit there as well."""
    environ = env(TIMEOUT="5000")
    for timeout, seconds in ((None, 5), (3, 3), (0.5, 0.5), (0, math.inf)):
        assert exporter_settings(TRACES, timeout=timeout, environ=environ).timeout == seconds


@pytest.mark.spec("OTLP-99")
def test_sizes_have_the_recommended_defaults() -> None:
    """64 MiB for a request, 4 MiB for an answer; 0 is no limit for a request."""
    settings = of()
    assert (settings.max_request, settings.max_response) == (67108864, 4194304)
    assert exporter_settings(TRACES, max_request_size=1000, environ={}).max_request == 1000
    assert exporter_settings(TRACES, max_request_size=0, environ={}).max_request > 1 << 40


@pytest.mark.spec("OTLP-100")
@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_the_protocol_of_a_signal_wins(signal: Signal) -> None:
    """`http/protobuf` is the default."""
    assert chosen_protocol(signal, {}) == "http/protobuf"
    environ = env(PROTOCOL="grpc") | {f"{PREFIX}{signal.name.upper()}_PROTOCOL": "http/json"}
    assert chosen_protocol(signal, environ) == "http/json"
    assert {chosen_protocol(other, environ) for other in SIGNALS} == {"grpc", "http/json"}
    assert exporter_settings(signal, environ=environ).protocol == "http/json"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """PEM files: an authority, a certificate with its key, another's key, and no PEM."""
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    one, other = authority.issue_cert("a.example"), authority.issue_cert("b.example")
    blobs = {
        "ca": authority.cert_pem.bytes(),
        "cert": one.cert_chain_pems[0].bytes(),
        "key": one.private_key_pem.bytes(),
        "both": one.private_key_and_cert_chain_pem.bytes(),
        "other": other.private_key_pem.bytes(),
        "text": b"not a certificate",
    }
    for name, blob in blobs.items():
        (folder / name).write_bytes(blob)
    return {**{name: str(folder / name) for name in blobs}, "missing": str(folder / "missing")}


@pytest.mark.spec("OTLP-95")
def test_certificates_are_files(files: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """Those of the signal, each for itself, or of all; without TLS none is looked at."""
    common = {"CERTIFICATE": files["ca"], "CLIENT_CERTIFICATE": files["cert"]}
    own = {"TRACES_CLIENT_KEY": files["key"], "CLIENT_KEY": files["other"]}
    for protocol in ("grpc", "http/protobuf"):
        settings = of(TRACES, protocol, ENDPOINT="https://h", **common, **own)
        assert settings.certificate == files["ca"]
        assert settings.client_certificate == files["cert"]
        assert settings.client_key == files["key"]
        plain = of(TRACES, protocol, ENDPOINT="http://h", CERTIFICATE=files["missing"])
        assert plain.certificate is None
    assert caplog.messages == []
    both = of(ENDPOINT="https://h", CLIENT_CERTIFICATE=files["both"])
    assert (both.client_certificate, both.client_key) == (files["both"], None)


def test_a_file_without_tls_is_an_error_in_an_argument(files: dict[str, str]) -> None:
    """It would be ignored."""
    for argument, file in (("certificate_file", "ca"), ("client_key_file", "key")):
        given: dict[str, Any] = {argument: files[file]}
        with pytest.raises(ValueError, match=f"^{argument} is of no use without TLS"):
            exporter_settings(TRACES, endpoint="http://h", environ={}, **given)
    with pytest.raises(ValueError, match=r"^client_certificate_file must have the client's key"):
        exporter_settings(
            TRACES, "grpc", endpoint="h:1", client_certificate_file=files["both"], environ={}
        )


@pytest.mark.spec("OTLP-95")
@pytest.mark.parametrize(
    ("named", "given"),
    [
        ("certificate_file", {"certificate_file": "missing"}),
        ("certificate_file", {"certificate_file": "text"}),
        ("client_key_file", {"client_key_file": "missing"}),
        ("client_key_file", {"client_key_file": "key"}),
        ("client_certificate_file", {"client_certificate_file": "cert"}),
        (
            "client_certificate_file",
            {"client_certificate_file": "cert", "client_key_file": "other"},
        ),
    ],
)
def test_a_bad_file_is_an_error_or_a_warning(
    files: dict[str, str], named: str, given: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """As an argument an error, in the environment a warning and TLS by the system's authorities."""
    arguments: dict[str, Any] = {name: files[file] for name, file in given.items()}
    with pytest.raises(ValueError, match=f"^{named} "):
        exporter_settings(TRACES, endpoint="https://h", environ={}, **arguments)
    assert caplog.records == []
    variables = {n.removesuffix("_file").upper(): files[file] for n, file in given.items()}
    settings = of(ENDPOINT="https://h", **variables)
    assert settings.certificate is settings.client_certificate is settings.client_key is None
    assert f"{PREFIX}{named.removesuffix('_file').upper()} is ignored" in caplog.messages[0]
    assert len(caplog.messages) == len(given)


BAD: list[tuple[str, str, Any, str]] = [
    ("http/protobuf", "endpoint", "localhost:4318", "http://localhost:4318/v1/traces"),
    ("http/protobuf", "endpoint", "ftp://h", "http://localhost:4318/v1/traces"),
    ("http/protobuf", "endpoint", "http://h:99999", "http://localhost:4318/v1/traces"),
    ("http/protobuf", "endpoint", "http://", "http://localhost:4318/v1/traces"),
    ("http/protobuf", "endpoint", "http://u:hunter2@h", "http://localhost:4318/v1/traces"),
    ("http/protobuf", "endpoint", "http://h/#part", "http://localhost:4318/v1/traces"),
    ("http/protobuf", "endpoint", "http://h/a b", "http://localhost:4318/v1/traces"),
    ("http/protobuf", "headers", "hunter2", {}),
    ("http/protobuf", "headers", "Bearer hunter2=x", {}),
    ("http/protobuf", "headers", "k=hunter2%0A", {}),
    ("http/protobuf", "headers", "k=%FFhunter2", {}),
    ("http/protobuf", "compression", "deflate", "none"),
    ("http/protobuf", "timeout", "-1", 10.0),
    ("grpc", "endpoint", "ftp://h", "http://localhost:4317"),
    ("grpc", "endpoint", "http://h/v1/traces", "http://localhost:4317"),
    ("grpc", "endpoint", "http://u:hunter2@h", "http://localhost:4317"),
    ("grpc", "endpoint", "h:1/v1/traces", "http://localhost:4317"),
    ("grpc", "endpoint", "h:port", "http://localhost:4317"),
    ("grpc", "endpoint", "h:", "http://localhost:4317"),
    ("grpc", "headers", "grpc-timeout=hunter2", {}),
    ("grpc", "headers", "user-agent=hunter2", {}),
    ("grpc", "headers", "k=hunter2%C3%A9", {}),
    ("grpc", "compression", "zstd", "none"),
    ("grpc", "insecure", "perhaps", False),
]


@pytest.mark.spec("SDK-P25")
@pytest.mark.spec("PEER-26")
@pytest.mark.parametrize(("protocol", "setting", "value", "default"), BAD)
def test_what_is_bad_in_the_environment_is_one_warning_and_the_default(
    protocol: str, setting: str, value: str, default: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning names the variable, and repeats no secret."""
    more = {"ENDPOINT": "h:1"} if setting == "insecure" else {}
    settings = of(TRACES, protocol, **more, **{setting.upper(): value})
    assert getattr(settings, setting) == default
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert PREFIX + setting.upper() in record.message
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("protocol", "setting", "value"), [case[:3] for case in BAD if case[1] != "insecure"]
)
def test_what_is_bad_in_an_argument_is_an_error(
    protocol: str, setting: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It names the argument, and repeats no secret."""
    given: dict[str, Any] = {setting: float(value) if setting == "timeout" else value}
    with pytest.raises(ValueError, match=f"^{setting} must") as raised:
        exporter_settings(TRACES, protocol, environ={}, **given)
    assert "hunter2" not in str(raised.value)
    assert caplog.records == []


def test_other_arguments_that_cannot_be_used() -> None:
    """A header given twice, a value that is no text, a protocol that there is not, no number."""
    with pytest.raises(ValueError, match=r"^headers must have one value for 'a'"):
        exporter_settings(TRACES, headers=[("a", "1"), ("A", "2")], environ={})
    with pytest.raises(ValueError, match=r"^headers must have text"):
        exporter_settings(TRACES, headers={"a": None}, environ={})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match=r"^protocol must be one of grpc, http/protobuf"):
        exporter_settings(TRACES, "http", environ={})
    for timeout in (math.nan, "5"):
        with pytest.raises(ValueError, match=r"^timeout must"):
            exporter_settings(TRACES, timeout=timeout, environ={})  # type: ignore[arg-type]


def test_a_base_with_a_query_has_no_place_for_the_path(caplog: pytest.LogCaptureFixture) -> None:
    """The signal's own URL may have one."""
    assert of(ENDPOINT="http://h/?q=1").endpoint == "http://localhost:4318/v1/traces"
    assert "must not have a query" in caplog.text


def test_a_bad_variable_of_a_signal_leaves_that_of_all(caplog: pytest.LogCaptureFixture) -> None:
    """The warning says what is used instead."""
    settings = of(METRICS, ENDPOINT="http://h", METRICS_ENDPOINT="h:1")
    assert settings.endpoint == "http://h/v1/metrics"
    assert caplog.messages[0].endswith(f"Using {PREFIX}ENDPOINT")


def test_a_header_is_not_shown() -> None:
    """It may be a credential."""
    settings = of(HEADERS="authorization=Bearer%20hunter2")
    assert settings.headers == {"authorization": "Bearer hunter2"}
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


@given(
    st.sampled_from(["http/protobuf", "http/json", "grpc"]),
    st.dictionaries(
        st.sampled_from(
            ["ENDPOINT", "HEADERS", "COMPRESSION", "TIMEOUT", "INSECURE", "PROTOCOL", "CERTIFICATE"]
        ),
        st.one_of(
            st.text(st.characters(exclude_characters="\0"), max_size=30),
            st.text("htps:/[]@%.=,0123456789", max_size=30).map("http://".__add__),
        ),
    ),
)
def test_no_text_in_the_environment_stops_a_program(protocol: str, texts: dict[str, str]) -> None:
    """Whatever stands there, there are settings."""
    settings = of(TRACES, protocol, **texts)
    assert settings.timeout > 0
    assert settings.compression in ("none", "gzip")


def test_what_the_environment_is_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the process, read when the settings are made."""
    monkeypatch.setenv(PREFIX + "TRACES_ENDPOINT", "http://h/own")
    assert exporter_settings(TRACES).endpoint == "http://h/own"
    assert Path(exporter_settings(LOGS).endpoint).name == "logs"
