"""Everything that the kit can be told, against the specification's table and the exporters' reader."""

from __future__ import annotations

import logging
import pickle
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from otlp_kit.runtime.profiles import PROFILES
from otlp_kit.settings import otel_env
from otlp_kit.settings.layers import Mistakes, Settings
from otlp_kit.settings.otlp_exporter import exporter_settings
from otlp_kit.settings.schema import KEYS, load_settings, model
from otlp_kit.settings.schema_rules import exporter_settings_of
from otlp_kit.settings.schema_values import Address
from otlp_kit.settings.secret_files import Secret
from otlp_kit.wire import SIGNALS, TRACES, Signal

NAMES = {key.name: key for key in KEYS}
PREFIX = "OTEL_EXPORTER_OTLP_"
LAYERS = {name: profile.layer() for name, profile in PROFILES.items()}


def said(**values: Any) -> Settings:
    """Settings from the command line; `a__b` is `a.b`."""
    return load_settings(arguments={name.replace("__", "."): one for name, one in values.items()})


def test_names_variables_and_defaults_are_the_specifications() -> None:
    """Each variable of the batch processor, the exporters, the sampler and the resource is a setting."""
    known = {key.variable: key.default for key in KEYS if key.variable}
    kept = (
        "OTEL_BSP_",
        "OTEL_EXPORTER_OTLP_",
        "OTEL_TRACES_SAMPLER",
        "OTEL_SERVICE",
        "OTEL_RESOURCE",
    )
    table = {
        name: row.default
        for name, row in otel_env.TABLE.items()
        if name.startswith(kept) and "METRICS_TEMP" not in name and "METRICS_DEF" not in name
    }
    assert {name: default or None for name, default in known.items()} == {
        name: default or None for name, default in table.items()
    }


def test_a_setting_without_a_word_about_it_does_not_exist() -> None:
    """Each says what it is in a sentence, and a number its unit."""
    for key in KEYS:
        assert key.about.endswith((".", "?")), key.name
        number = isinstance(key.default, int | float) and not isinstance(key.default, bool)
        assert key.unit or not number, key.name


def test_the_model_is_nested_typed_and_frozen() -> None:
    """The values of the settings under the names of the sections."""
    kit = model(said(batch__delay="250ms", receiver__http="4400"))
    assert kit.batch.delay == 0.25
    assert kit.receiver.http == Address("127.0.0.1", 4400)
    assert kit.exporter.traces.timeout is None
    with pytest.raises(ValueError, match="frozen"):
        kit.batch.delay = 1.0  # type: ignore[misc]


def test_the_model_holds_what_the_settings_hold() -> None:
    """Each of them, for no settings and for each profile."""
    for profile in (None, *PROFILES):
        settings = load_settings(arguments={"profile": profile}, profiles=LAYERS)
        for name, value in settings.items():
            found: Any = model(settings)
            for part in name.split("."):
                found = getattr(found, part)
            assert found == value.value, name


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_holds_as_it_is(profile: str) -> None:
    """No rule moves a value of it because of another."""
    settings = load_settings(arguments={"profile": profile}, profiles=LAYERS)
    for name, value in LAYERS[profile].items():
        assert settings[name].value == value
        assert value is None or settings[name].source.layer == f"profile {profile}"


def test_a_profile_that_the_program_was_not_given_is_a_mistake(tmp_path: Path) -> None:
    """Rather than the defaults under its name."""
    path = tmp_path / "kit.toml"
    path.write_text('\nprofile = "production"\n')
    with pytest.raises(Mistakes) as caught:
        load_settings(files=[path])
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.column) == (2, 11)
    assert mistake.rule == "profile is not one that this program knows: none"


ANY_VALUE = st.one_of(
    st.text(max_size=9),
    st.sampled_from(["0", "-1", "512", "true", "${", "\udcff", "5s", "1e999", "h:1", "=", "a=b"]),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(st.one_of(st.text(max_size=3), st.integers()), max_size=2),
)


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), ANY_VALUE, max_size=4))
@example({"batch.delay": 10**400})
@example({"store.directory": "\udcff"})
@example({"exporter.timeout": 1e12, "batch.max_queue_size": 2**40})
def test_whatever_is_said_there_are_settings_or_mistakes(values: dict[str, Any]) -> None:
    """No other error; a mistake begins with a setting's name, and settings fit the model."""
    try:
        settings = load_settings(arguments=values, profiles=LAYERS)
    except Mistakes as mistakes:
        rules = [one.rule for one in mistakes.mistakes]
    else:
        rules = []
        model(settings)
    for rule in rules:
        assert rule.partition(" ")[0] in NAMES
        assert "pydantic" not in rule
        assert "Input" not in rule


TABLE_TEXTS = st.one_of(
    st.integers(0, 10**9).map(str),
    st.sampled_from(["", "-1", "1.5", "GZIP", "grpc", "http/json", "TRUE", "a=b,c=%20", "always_off", "x"]),
)  # fmt: skip


@pytest.mark.parametrize("key", [key for key in KEYS if key.variable], ids=lambda key: key.name)
@given(text=TABLE_TEXTS)
def test_a_variable_of_others_means_what_the_specification_says(key: Any, text: str) -> None:
    """As its row of the table reads it: milliseconds, any case. What that refuses is reported."""
    row = otel_env.TABLE[key.variable]
    settings = load_settings(environ={key.variable: text})
    value = settings[key.name].value
    held = value.reveal() if isinstance(value, Secret) else value
    if not text:
        assert settings[key.name].source.layer == "defaults"
        return
    try:
        expected = row.parse(text)
    except ValueError:
        assert len(settings.ignored) == 1
        assert held == key.default
        return
    if not settings.ignored and expected:
        assert held == (float(expected) if key.unit == "of all traces" else expected)


def test_zero_has_a_meaning_in_variables_of_others() -> None:
    """At once for a delay, no limit for an export: where the batch processor wants more than 0."""
    settings = load_settings(
        environ={"OTEL_BSP_SCHEDULE_DELAY": "0", "OTEL_BSP_EXPORT_TIMEOUT": "0"}
    )
    assert not settings.ignored
    assert settings["batch.delay"].value == 0.001
    assert settings["batch.export_timeout"].value == 1e9


SECRET = "hunter2"
BAD_HEADERS = [SECRET, f"={SECRET}", f"a={SECRET}\x01", f"a b={SECRET}", f"a={SECRET},{SECRET}", f"a={SECRET}%ff"]  # fmt: skip


@pytest.mark.parametrize("headers", BAD_HEADERS)
@pytest.mark.parametrize("name", ["exporter.headers", "exporter.traces.headers"])
@pytest.mark.parametrize("layer", ["file", "own", "others", "arguments", "list"])
def test_no_mistake_shows_a_header(tmp_path: Path, layer: str, name: str, headers: str) -> None:
    """From whatever layer it is, not even in a traceback."""
    path = tmp_path / "kit.toml"
    escaped = headers.replace("\x01", "\\u0001")
    path.write_text(f'{name} = "{escaped}"\n' if layer == "file" else f'{name} = ["{escaped}"]\n')
    own = f"OTLP_KIT_{name.upper().replace('.', '_')}"
    layers: dict[str, dict[str, Any]] = {
        "file": {"files": [path]},
        "list": {"files": [path]},
        "own": {"environ": {own: headers}},
        "others": {"environ": {NAMES[name].variable: headers}},
        "arguments": {"arguments": {name: headers}},
    }
    try:
        settings = load_settings(**layers[layer])
    except Mistakes:
        shown = traceback.format_exc()
    else:
        shown = f"{settings.ignored!r} {settings!r} {model(settings)!r}"
    assert SECRET not in shown


def test_headers_are_a_secret_wherever_they_are(tmp_path: Path) -> None:
    """In the settings, the model, what is printed of either, and what is dumped."""
    (tmp_path / "exporter.headers").write_text(f"authorization=Bearer%20{SECRET}\n")
    settings = load_settings(secret_directories=[tmp_path])
    kit = model(settings)
    assert kit.exporter.headers is not None
    assert kit.exporter.headers.reveal() == {"authorization": f"Bearer {SECRET}"}
    shown = [repr(settings), repr(kit), str(kit), kit.model_dump_json(), repr(kit.model_dump())]
    shown += [settings.explain("exporter.headers"), repr(exporter_settings_of(settings, TRACES))]
    assert not [one for one in shown if SECRET in one]
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(kit)


def test_files_may_be_toml_and_yaml(tmp_path: Path) -> None:
    """The last goes first."""
    toml, yaml = tmp_path / "kit.toml", tmp_path / "kit.yml"
    toml.write_text("[batch]\ndelay = 1\nin_flight = 2\n")
    yaml.write_text("batch:\n  delay: 250ms\n")
    batch = model(load_settings(files=[toml, yaml])).batch
    assert (batch.delay, batch.in_flight) == (0.25, 2)


def test_yaml_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a mistake in the file, beside all others."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "otlp_kit.settings.yaml_file", raising=False)
    path = tmp_path / "kit.yaml"
    path.write_text("batch:\n  delay: 1\n")
    with pytest.raises(Mistakes) as caught:
        load_settings(files=[path], arguments={"batch.in_flight": 0})
    assert "pip install 'otlp-kit[config]'" in str(caught.value)
    assert "batch.in_flight must be at least 1" in str(caught.value)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with files of certificates that can be used."""
    directory = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    issued.cert_chain_pems[0].write_to_path(str(directory / "client.pem"))
    issued.private_key_pem.write_to_path(str(directory / "client.key"))
    return directory


OTHERS = {
    "PROTOCOL": ["grpc", "http/protobuf", "http/json", "carrier pigeon"],
    "ENDPOINT": ["http://h:4318", "https://h/base/", "h:4317", "http://h/p?q=1", "https://h:99999", "dns:///h:1"],
    "HEADERS": ["a=b", "A=b%20c", "a", "a b=c", "grpc-x=y", "a=%01", "k-bin=AA"],
    "COMPRESSION": ["gzip", "none", "zstd"],
    "TIMEOUT": ["0", "1", "250000", "-1", "soon"],
    "INSECURE": ["true", "FALSE", "1"],
    "CERTIFICATE": ["ca.pem", "client.key", "no.pem"],
    "CLIENT_CERTIFICATE": ["client.pem", "ca.pem", "no.pem"],
    "CLIENT_KEY": ["client.key", "ca.pem", "no.pem"],
}  # fmt: skip
ENVIRONMENTS = st.fixed_dictionaries(
    {},
    optional={
        f"{PREFIX}{part}{name}": st.sampled_from(["", *texts])
        for part in ("", "TRACES_", "LOGS_")
        for name, texts in OTHERS.items()
    },
)


@pytest.mark.slow
@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None
)
@given(environ=ENVIRONMENTS)
@example({f"{PREFIX}CERTIFICATE": "ca.pem", f"{PREFIX}TRACES_ENDPOINT": "https://h/base/"})
@example({f"{PREFIX}ENDPOINT": "https://h/base/", f"{PREFIX}TRACES_PROTOCOL": "grpc"})
@example({f"{PREFIX}HEADERS": "grpc-x=y", f"{PREFIX}LOGS_PROTOCOL": "grpc"})
def test_variables_of_others_give_the_exporter_that_they_always_gave(
    pem: Path, caplog: pytest.LogCaptureFixture, environ: dict[str, str]
) -> None:
    """For every choice of variables and each signal, right ones and wrong ones."""
    environ = {
        name: str(pem / text) if name.endswith(("CERTIFICATE", "KEY")) and text else text
        for name, text in environ.items()
    }
    caplog.set_level(logging.CRITICAL)
    settings = load_settings(environ=environ)
    model(settings)
    for signal in SIGNALS:
        expected = exporter_settings(signal, environ=environ)
        assert exporter_settings_of(settings, signal) == expected
        assert exporter_settings_of(settings, signal).sender() == expected.sender()


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_what_is_said_of_one_signal_goes_before_what_is_said_of_all(signal: Signal) -> None:
    """From whatever layer: the path is added to the URL of all signals, and to no other."""
    settings = load_settings(
        environ={f"{PREFIX}{signal.name.upper()}_ENDPOINT": "http://own/x"},
        arguments={"exporter.endpoint": "http://all/base/", "exporter.headers": ["a=b"]},
    )
    for one in SIGNALS:
        found = exporter_settings_of(settings, one)
        assert found.endpoint == (
            "http://own/x" if one is signal else f"http://all/base{one.http_path}"
        )
        assert found.headers == {"a": "b"}
