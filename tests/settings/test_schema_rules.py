"""What settings mean together: each rule from both sides, and who gives way to whom."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.runtime.profiles import PROFILES
from otlp_kit.settings.layers import Mistakes, Settings, Source
from otlp_kit.settings.otlp_exporter import exporter_settings
from otlp_kit.settings.schema import load_settings
from otlp_kit.settings.schema_rules import exporter_settings_of
from otlp_kit.settings.schema_values import Address
from otlp_kit.wire import LOGS, METRICS, SIGNALS, TRACES, Signal

LAYERS = {name: profile.layer() for name, profile in PROFILES.items()}
OTLP = "OTEL_EXPORTER_OTLP_"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with PEM files: an authority, a certificate and its key."""
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    cert = authority.issue_cert("a.example")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    cert.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    cert.private_key_pem.write_to_path(str(folder / "key.pem"))
    return folder


@pytest.fixture
def files(pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs in that directory."""
    monkeypatch.chdir(pem)


def said(*lines: str, **layers: Any) -> Settings:
    """The settings that a file with these lines gives, in the directory of the test."""
    Path("kit.toml").write_text("\n".join(lines))
    return load_settings(files=["kit.toml"], profiles=LAYERS, **layers)


def mistakes_of(*lines: str, **layers: Any) -> Mistakes:
    """What is wrong with them."""
    with pytest.raises(Mistakes) as caught:
        said(*lines, **layers)
    return caught.value


BOTH_SAID: list[tuple[str, str, str]] = [
    # The line that is wrong, the one that it does not go with, and the rule.
    (
        "batch.max_batch_size = 9",
        "batch.max_queue_size = 8",
        "must be at most batch.max_queue_size, which is 8 (from kit.toml, line {other})",
    ),
    (
        'retry.first_wait = "2s"',
        "retry.longest_wait = 1.5",
        "must be at most retry.longest_wait, which is 1.5 (from kit.toml, line {other})",
    ),
    (
        "exporter.timeout = 6",
        "batch.export_timeout = 5",
        "must be at most batch.export_timeout, which is 5 (from kit.toml, line {other})",
    ),
    (
        "exporter.traces.timeout = 6",
        "batch.export_timeout = 5",
        "must be at most batch.export_timeout, which is 5 (from kit.toml, line {other})",
    ),
    (
        "exporter.timeout = 6",
        "batch.shutdown_timeout = 5",
        "must be at most batch.shutdown_timeout, which is 5 (from kit.toml, line {other})",
    ),
    (
        'batch.export_timeout = "1m"',
        'batch.shutdown_timeout = "59s"',
        "must be at most batch.shutdown_timeout, which is 59 (from kit.toml, line {other})",
    ),
    (
        "batch.block_timeout = 2",
        'batch.when_full = "drop_oldest"',
        "is of no use with batch.when_full, which is drop_oldest (from kit.toml, line {other}):"
        " only block waits",
    ),
    (
        "sampler.argument = 0.5",
        'sampler.name = "always_on"',
        "is of no use with sampler.name, which is always_on (from kit.toml, line {other})"
        " and takes none",
    ),
    (
        'exporter.compression = "zstd"',
        'exporter.protocol = "grpc"',
        "must be one of none, gzip, not 'zstd', with exporter.protocol, which is grpc"
        " (from kit.toml, line {other})",
    ),
    (
        'exporter.endpoint = "http://h/v1"',
        'exporter.protocol = "grpc"',
        "must be a host and port without a path: over gRPC there is none, with exporter.protocol,"
        " which is grpc (from kit.toml, line {other})",
    ),
    (
        'exporter.traces.endpoint = "dns:///h"',
        'exporter.traces.protocol = "http/json"',
        "must be a URL that starts with http:// or https:// and names a host, with"
        " exporter.traces.protocol, which is http/json (from kit.toml, line {other})",
    ),
    (
        'exporter.certificate = "ca.pem"',
        'exporter.endpoint = "http://h"',
        "needs TLS, which there is not with exporter.endpoint, which is http://h"
        " (from kit.toml, line {other})",
    ),
    (
        'exporter.client_key = "key.pem"',
        'exporter.endpoint = "https://h"',
        "is of no use, with exporter.client_certificate, which is unset (from defaults)",
    ),
]


@pytest.mark.parametrize(("wrong", "other", "rule"), BOTH_SAID)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.usefixtures("files")
def test_what_does_not_go_together_is_shown_where_it_stands(
    wrong: str, other: str, rule: str, *, first: bool
) -> None:
    """Whichever was said first: the same line is wrong, with a caret under its value."""
    lines = ["# two that differ", wrong, other] if first else ["", other, "", wrong]
    line, line_of_other = lines.index(wrong) + 1, lines.index(other) + 1
    [mistake] = mistakes_of(*lines).mistakes
    name, _, value = wrong.partition(" = ")
    assert mistake.rule == f"{name} {rule.format(other=line_of_other)}"
    assert (mistake.where, mistake.line, mistake.excerpt) == ("kit.toml", line, wrong)
    assert mistake.excerpt[mistake.column - 1 :] == value


LISTENING = ("receiver.http", "receiver.grpc", "receiver.page", "site.address", "lab.address")


@pytest.mark.parametrize("one", LISTENING)
@pytest.mark.parametrize("other", LISTENING)
@pytest.mark.usefixtures("files")
def test_two_of_the_kit_cannot_listen_at_one_port(one: str, other: str) -> None:
    """Said of any two, in any order, on one host, on its other name, or on all of them."""
    if one == other:
        return
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "[::]"):
        [mistake] = mistakes_of(f'{one} = "{host}:5000"', f"{other} = 5000").mistakes
        assert "must not be the address of " in mistake.rule
        assert {mistake.rule.split()[0], mistake.rule.split(" of ")[1].split(",")[0]} == {
            one,
            other,
        }
        assert mistake.line == (1 if mistake.rule.startswith(one) else 2)
    # Any free one is never taken, and another host has ports of its own.
    free = said(f'{one} = "0"', f"{other} = 0")
    assert free[one].value == free[other].value == Address("127.0.0.1", 0)
    assert said(f'{one} = "192.0.2.1:5000"', f"{other} = 5000")[other].value.port == 5000


GIVES_WAY: list[tuple[str, dict[str, Any]]] = [
    # One line, and everything that is not as it was: by name, or by the one that moved it.
    ("batch.max_queue_size = 8", {"batch.max_batch_size": 8}),
    ("batch.max_batch_size = 9000", {"batch.max_queue_size": 9000}),
    ("batch.max_queue_size = 512", {}),
    ('retry.first_wait = "1m"', {"retry.longest_wait": 60.0}),
    ("retry.longest_wait = 0.5", {"retry.first_wait": 0.5}),
    ("exporter.timeout = 60", {"batch.export_timeout": 60.0, "batch.shutdown_timeout": 60.0}),
    (
        "exporter.traces.timeout = 60",
        {"batch.export_timeout": 60.0, "batch.shutdown_timeout": 60.0},
    ),
    ("exporter.logs.timeout = 60", {}),  # no batch of spans waits for it
    ("exporter.timeout = 30", {}),
    ("batch.export_timeout = 5", {"exporter.timeout": 5.0}),
    ("batch.export_timeout = 31", {"batch.shutdown_timeout": 31.0}),
    ("batch.shutdown_timeout = 2", {"batch.export_timeout": 2.0, "exporter.timeout": 2.0}),
    ('receiver.http = "127.0.0.1:4320"', {"receiver.page": Address("127.0.0.1", 0)}),
    ('site.address = "0.0.0.0:4322"', {"lab.address": Address("127.0.0.1", 0)}),
    ('lab.address = "localhost:4320"', {"receiver.page": Address("127.0.0.1", 0)}),
]


@pytest.mark.parametrize(("line", "moved"), GIVES_WAY)
@pytest.mark.usefixtures("files")
def test_what_nobody_said_gives_way(line: str, moved: dict[str, Any]) -> None:
    """It says who moved it, and what it was; everything else is as it would be."""
    settings, before, name = said(line), said(), line.partition(" ")[0]
    changed = {key for key in settings if settings[key] != before[key]} - {name}
    assert {key: settings[key].value for key in changed} == moved
    for key in moved:
        assert settings[key].source == Source("defaults", f"defaults, moved by {name}")
        assert settings[key].overrode == (before[key],)
        assert f"from defaults, moved by {name}\n  instead of" in settings.explain(key)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (
            "batch.block_timeout = 2",
            "is of no use with batch.when_full, which is drop_newest (from defaults)",
        ),
        (
            "sampler.argument = 0.5",
            "is of no use with sampler.name, which is parentbased_always_on (from defaults)",
        ),
        (
            'exporter.certificate = "ca.pem"',
            "needs TLS, which there is not with exporter.endpoint, which is unset (from defaults)",
        ),
        (
            "receiver.http = 4317",
            "must not be the address of receiver.grpc, which is 127.0.0.1:4317 (from defaults)",
        ),
        (
            'receiver.page = "0.0.0.0:4318"',
            "must not be the address of receiver.http, which is 127.0.0.1:4318 (from defaults)",
        ),
    ],
)
@pytest.mark.usefixtures("files")
def test_a_default_that_means_something_stays(line: str, rule: str) -> None:
    """What drops, samples, or where others send to is not changed behind anyone's back."""
    [mistake] = mistakes_of(line).mistakes
    name, _, value = line.partition(" = ")
    assert mistake.rule.startswith(f"{name} {rule}")
    assert mistake.excerpt[mistake.column - 1 :] == value


@pytest.mark.parametrize("profile", PROFILES)
@given(
    name=st.sampled_from(["batch.max_queue_size", "batch.max_batch_size", "batch.export_timeout",
                          "batch.shutdown_timeout", "exporter.timeout"]),
    value=st.integers(1, 100_000),
)  # fmt: skip
def test_a_profile_gives_way_to_any_single_value(profile: str, name: str, value: int) -> None:
    """As it was written for nobody in particular; a profile's last export may be cut short."""
    settings = load_settings(arguments={"profile": profile, name: value}, profiles=LAYERS)
    values = {key: settings[key].value for key in settings}
    assert values[name] == value
    assert values["batch.max_batch_size"] <= values["batch.max_queue_size"]
    assert values["exporter.timeout"] <= values["batch.export_timeout"]
    for key, held in settings.items():
        if "moved by" in str(held.source):
            layer = f"profile {profile}" if key in LAYERS[profile] else "defaults"
            assert held.source == Source(layer, f"{layer}, moved by {name}")


def test_a_sampler_that_takes_none_drops_the_argument_of_a_profile() -> None:
    """Whoever says another sampler need not know that there was one."""
    arguments = {"profile": "throughput", "sampler.name": "always_on"}
    argument = load_settings(arguments=arguments, profiles=LAYERS)["sampler.argument"]
    assert argument.value is None
    assert str(argument.source) == "profile throughput, moved by sampler.name"
    assert argument.overrode[-1].value == 0.1


NUMBERS = st.none() | st.integers(1, 12)


@given(st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_three_that_ascend_are_refused_only_for_what_was_said(
    told: tuple[int | None, int | None, int | None],
) -> None:
    """A default is never to blame, and never in the way."""
    names = ("exporter.timeout", "batch.export_timeout", "batch.shutdown_timeout")
    arguments = dict(zip(names, told, strict=True))
    numbers = [number for number in told if number is not None]
    if numbers != sorted(numbers):
        with pytest.raises(Mistakes, match="must be at most"):
            load_settings(arguments=arguments)
        return
    settings = load_settings(arguments=arguments)
    values = [settings[name].value for name in names]
    assert values == sorted(values)
    assert all(value in (None, held) for value, held in zip(told, values, strict=True))


@pytest.mark.usefixtures("files")
def test_everything_is_said_at_once() -> None:
    """In the order of the lines, whichever rule each breaks."""
    mistakes = mistakes_of(
        "[exporter]",
        "protocol = 'grpc'",
        "compression = 'zstd'",
        "endpoint = 'ftp://h'",
        "[batch]",
        "max_queue_size = 1",
        "block_timeout = 1",
        "max_batch_size = 2",
        "[sampler]",
        "argument = 1",
    ).mistakes
    assert [(mistake.line, mistake.rule.split()[0]) for mistake in mistakes] == [
        (3, "exporter.compression"),
        (4, "exporter.endpoint"),
        (7, "batch.block_timeout"),
        (8, "batch.max_batch_size"),
        (10, "sampler.argument"),
    ]


@pytest.mark.usefixtures("files")
def test_a_mistake_has_the_place_where_its_value_was_said() -> None:
    """In an environment file with its line, in a variable or on the command line without one."""
    Path("kit.env").write_text("# own\nexport OTLP_KIT_BATCH_MAX_BATCH_SIZE=9\n")
    layers: dict[str, dict[str, Any]] = {
        "kit.env": {"env_files": ["kit.env"]},
        "variable OTLP_KIT_BATCH_MAX_BATCH_SIZE": {"environ": {"OTLP_KIT_BATCH_MAX_BATCH_SIZE": "9"}},
        "command line": {"arguments": {"batch.max_batch_size": "9"}},
    }  # fmt: skip
    for where, layer in layers.items():
        [mistake] = mistakes_of("batch.max_queue_size = 8", **layer).mistakes
        assert mistake.where == where
        assert mistake.rule.endswith("which is 8 (from kit.toml, line 1)")
        in_file = (2, "export OTLP_KIT_BATCH_MAX_BATCH_SIZE=9", 38)
        shown = (mistake.line, mistake.excerpt, mistake.column)
        assert shown == (in_file if where == "kit.env" else (0, "", 1))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("batch = { max_queue_size = 1, max_batch_size = 2 }", "2 }"),
        ("batch . max_batch_size=2\nbatch.max_queue_size = 1", "2"),
        ('"batch".max_batch_size =   "2"  # two\nbatch.max_queue_size = 1', '"2"  # two'),
        ("[batch]\n  max_batch_size = 2\n  max_queue_size = 1", "2"),
    ],
)
@pytest.mark.usefixtures("files")
def test_the_caret_is_under_the_value_however_it_is_written(text: str, value: str) -> None:
    """In a table of one line, with quotes around the key, or indented."""
    [mistake] = mistakes_of(*text.split("\n")).mistakes
    assert mistake.rule.startswith("batch.max_batch_size must be at most")
    assert mistake.excerpt[mistake.column - 1 :] == value


@pytest.mark.usefixtures("files")
def test_in_yaml_too() -> None:
    """The value stands behind a colon there."""
    pytest.importorskip("yaml")
    Path("kit.yaml").write_text("batch:\n  max_queue_size: 8\n  max_batch_size: 9\n")
    with pytest.raises(Mistakes) as caught:
        load_settings(files=["kit.yaml"])
    assert str(caught.value).split("\n")[1:] == [
        "  3 |   max_batch_size: 9",
        "    |                   ^",
    ]


# Variables of others.


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "9", "batch.max_batch_size", 4),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "9000", "exporter.timeout", 3.0),
        ("OTEL_TRACES_SAMPLER_ARG", "0.5", "sampler.argument", None),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "h:1", "exporter.endpoint", "http://kit"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:p@h", "exporter.endpoint", "http://kit"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem", "exporter.certificate", None),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.usefixtures("files")
def test_a_wrong_variable_of_others_is_reported_and_what_was_before_holds(
    variable: str, text: str, name: str, value: Any, *, in_file: bool
) -> None:
    """The specification wants a program to start whatever stands there; a file holds, or a default."""
    Path("kit.env").write_text(f"{variable}={text}\n")
    layer: dict[str, Any] = {"env_files": ["kit.env"]} if in_file else {"environ": {variable: text}}
    settings = said(
        "batch = { max_batch_size = 4, max_queue_size = 8, export_timeout = 5 }",
        'exporter = { timeout = 3, endpoint = "http://kit" }',
        **layer,
    )
    [mistake] = settings.ignored
    assert mistake.rule.startswith(f"{name} ")
    assert (mistake.where, mistake.line) == (
        ("kit.env", 1) if in_file else (f"variable {variable}", 0)
    )
    assert settings[name].value == value
    assert variable not in settings.explain(name)


@pytest.mark.usefixtures("files")
def test_a_variable_for_all_signals_is_left_out_for_one_that_cannot_use_it() -> None:
    """The others keep it; the one has what was said before it."""
    environ = {OTLP + "ENDPOINT": "http://gw:4317/base", OTLP + "LOGS_PROTOCOL": "grpc"}
    settings = load_settings(environ=environ)
    assert exporter_settings_of(settings, TRACES).endpoint == "http://gw:4317/base/v1/traces"
    assert exporter_settings_of(settings, METRICS).endpoint == "http://gw:4317/base/v1/metrics"
    assert exporter_settings_of(settings, LOGS).endpoint == "http://localhost:4317"
    [mistake] = settings.ignored
    assert mistake.where == f"variable {OTLP}ENDPOINT"
    assert "which logs cannot use" in settings.explain("exporter.logs.endpoint")


def test_a_wrong_variable_of_others_does_not_hide_a_mistake_of_ones_own() -> None:
    """Nothing of the kit is ignored."""
    environ = {"OTEL_TRACES_SAMPLER_ARG": "0.5", "OTLP_KIT_BATCH_BLOCK_TIMEOUT": "1"}
    with pytest.raises(Mistakes) as caught:
        load_settings(environ=environ)
    assert [one.where for one in caught.value.mistakes] == ["variable OTLP_KIT_BATCH_BLOCK_TIMEOUT"]


# The same as the exporter reads by itself.

_URLS = st.sampled_from(
    [
        "http://h",
        "http://h:4318/",
        "https://h:80",
        "http://h/p",
        "HTTP://[::1]:1/p/",
        "https://h/p/",
    ]
)
_TARGETS = st.sampled_from(["http://h:4317", "https://h", "h:4317", "dns:///h", "unix:/run/x"])
_HEADERS = st.dictionaries(
    st.text("abcXYZ-", min_size=1, max_size=5), st.text("xyz09 ;", max_size=5), max_size=3
).map(lambda headers: ",".join(f"{name}={value}" for name, value in headers.items()))


@st.composite
def environments(draw: st.DrawFn) -> dict[str, str]:
    """Valid values of all nine variables, of all signals and of traces."""
    chosen = st.sampled_from(["", "grpc", "http/protobuf", "http/json", "GRPC"])
    protocols = {"": draw(chosen), "TRACES_": draw(chosen)}
    used = (protocols["TRACES_"] or protocols[""]).lower()
    endpoints = _TARGETS if used == "grpc" else _URLS
    environ = {}
    for part in ("", "TRACES_"):
        texts = {
            "PROTOCOL": protocols[part],
            "ENDPOINT": draw(st.just("") | endpoints),
            "HEADERS": draw(st.just("") | _HEADERS),
            "COMPRESSION": draw(st.sampled_from(["", "none", "gzip", "GZIP"])),
            "TIMEOUT": draw(st.just("") | st.integers(0, 10**7).map(str)),
            "INSECURE": draw(st.sampled_from(["", "true", "false", "TRUE"])),
            "CERTIFICATE": draw(st.sampled_from(["", "ca.pem"])),
            "CLIENT_CERTIFICATE": draw(st.sampled_from(["", "cert.pem"])),
            "CLIENT_KEY": draw(st.sampled_from(["", "key.pem"])),
        }
        environ |= {f"{OTLP}{part}{name}": text for name, text in texts.items()}
    return environ


@given(environ=environments())
def test_what_variables_say_is_what_the_exporter_reads_in_them(
    pem: Path, environ: dict[str, str]
) -> None:
    """Through all layers, and with all rules: the same nine values for traces."""
    environ = {
        name: str(pem / text) if text.endswith(".pem") else text for name, text in environ.items()
    }
    expected = exporter_settings(TRACES, environ=environ)
    assert exporter_settings_of(load_settings(environ=environ), TRACES) == expected


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_without_any_the_exporter_has_its_defaults(signal: Signal) -> None:
    """For each signal."""
    assert exporter_settings_of(load_settings(), signal) == exporter_settings(signal, environ={})


# Secrets.


@pytest.mark.parametrize(
    "text",
    [
        'exporter = { headers = "k=hunter2", compression = "zstd", protocol = "grpc" }',
        'exporter = { compression = "zstd", headers = ["k=hunter2"], protocol = "grpc" }',
        'exporter = { endpoint = "h:1", traces = { headers = "k=hunter2" } }',
        '[exporter]\nheaders = ["a=b",\n"k=hunter2",\n]\nendpoint = "h:1"',
        'exporter.headers = "k=hunter2"\nexporter.endpoint = "h:1"',
        'exporter.headers = "a b=hunter2"',
        'exporter.headers = ["k=hunter2\\n"]',
    ],
)
@pytest.mark.usefixtures("files")
def test_a_secret_that_shares_the_line_is_not_shown(text: str) -> None:
    """Nor one that is wrong itself, nor in the traceback of it."""
    error = mistakes_of(*text.split("\n"))
    shown = f"{error} {error!r} {''.join(traceback.format_exception(error))}"
    assert "hunter2" not in shown


@pytest.mark.usefixtures("files")
def test_a_line_that_a_later_layer_overrode_is_still_not_shown() -> None:
    """The secret is there, whoever counts."""
    text = 'exporter = { compression = "zstd", headers = "k=hunter2" }'
    error = mistakes_of(text, arguments={"exporter.headers": "k=v", "exporter.protocol": "grpc"})
    assert "exporter.compression must be one of none, gzip" in str(error)
    assert "hunter2" not in str(error)
