"""Settings from all layers, against a plain model of what goes before what."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from otlp_kit.settings.config_files import Entry, Mistake, Reading, TextFile
from otlp_kit.settings.layers import Key, Mistakes, Settings, Source, Value, load
from otlp_kit.settings.secret_files import Secret
from otlp_kit.settings.toml_file import read_toml
from tests.settings.known_keys import KEYS

SIZE, DELAY, TOKEN = "batch.max_queue_size", "batch.delay", "exporter.token"
ENDPOINT = "exporter.endpoint"
TOML = {".toml": read_toml}
LAYERS = ("profile", "file", "env file OTEL", "env file", "OTEL", "own", "command line")


def write(path: Path, text: str) -> Path:
    """A file with `text`."""
    path.write_text(text)
    return path


def mistakes_of(**layers: Any) -> str:
    """What `load` says about them."""
    with pytest.raises(Mistakes) as caught:
        load(KEYS, readers=TOML, **layers)
    return str(caught.value)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.dictionaries(st.sampled_from(LAYERS), st.integers(1, 9999)))
def test_the_last_layer_that_says_something_holds(tmp_path: Path, said: dict[str, int]) -> None:
    """For every choice of layers; the others are what it overrode, from the oldest on."""
    files = []
    if "file" in said:
        files = [write(tmp_path / "kit.toml", f"[batch]\nmax_queue_size = {said['file']}\n")]
    others, own = "OTEL_BSP_MAX_QUEUE_SIZE", "OTLP_KIT_BATCH_MAX_QUEUE_SIZE"
    lines = {own: said.get("env file", ""), others: said.get("env file OTEL", "")}
    value = load(
        KEYS,
        profile=("production", {SIZE: said["profile"]} if "profile" in said else {}),
        files=files,
        readers=TOML,
        env_files=[write(tmp_path / "kit.env", "".join(f"{k}={v}\n" for k, v in lines.items()))],
        environ={own: str(said.get("own", "")), others: str(said.get("OTEL", ""))},
        arguments={SIZE: str(said["command line"])} if "command line" in said else {},
    )[SIZE]
    history = [2048, *(said[layer] for layer in LAYERS if layer in said)]
    assert [*(old.value for old in value.overrode), value.value] == history


def test_every_value_says_where_it_came_from(tmp_path: Path) -> None:
    """Layer, file and line, or variable."""
    toml = write(tmp_path / "kit.toml", "\n[batch]\nmax_queue_size = 4096\n")
    env = write(tmp_path / "kit.env", "\nOTLP_KIT_BATCH_MAX_QUEUE_SIZE=4097\n")
    settings = load(
        KEYS,
        profile=("production", {SIZE: 16384}),
        files=[toml],
        readers=TOML,
        env_files=[env],
        environ={"OTLP_KIT_BATCH_MAX_QUEUE_SIZE": "4099", "OTEL_BSP_MAX_QUEUE_SIZE": "4098"},
        arguments={SIZE: "5000"},
    )
    assert settings[SIZE].source == Source("command line")
    assert settings[SIZE].overrode[2] == Value(4096, Source("file", str(toml), 3))
    assert settings.explain(SIZE) == (
        "batch.max_queue_size = 5000 records, from command line\n"
        "  instead of 2048 from defaults\n"
        "  instead of 16384 from profile production\n"
        f"  instead of 4096 from {toml}, line 3\n"
        f"  instead of 4097 from {env}, line 2\n"
        "  instead of 4098 from variable OTEL_BSP_MAX_QUEUE_SIZE\n"
        "  instead of 4099 from variable OTLP_KIT_BATCH_MAX_QUEUE_SIZE"
    )


def test_explain_of_a_key_that_does_not_exist_names_the_nearest() -> None:
    """For a person who types it."""
    with pytest.raises(KeyError, match=r"did you mean batch\.delay\?"):
        load(KEYS).explain("batch.delai")


def test_without_any_layer_the_defaults_hold() -> None:
    """Settings are a mapping with every key, and do not change."""
    settings = load(KEYS)
    assert {name: value.value for name, value in settings.items()} == {
        key.name: key.default for key in KEYS
    }
    assert settings.explain(ENDPOINT) == "exporter.endpoint = None, from defaults"
    with pytest.raises(AttributeError):
        settings.ignored = ()  # type: ignore[misc]


def test_a_later_file_goes_before_an_earlier_one(tmp_path: Path) -> None:
    """Key by key, so a small file can change a large one."""
    common = write(tmp_path / "common.toml", "batch = {delay = 1, max_queue_size = 2}\n")
    here = write(tmp_path / "here.toml", "batch.delay = 3.0\n")
    settings = load(KEYS, files=[common, here], readers=TOML)
    assert (settings[DELAY].value, settings[SIZE].value) == (3.0, 2)


@pytest.mark.spec("SDK-P26")
def test_types_are_resolved_after_substitution(tmp_path: Path) -> None:
    """A reference can be a number, in a list a text, and where it leaves nothing, nothing is said."""
    text = (
        'batch.max_queue_size = "${SIZE}"\nbatch.delay = "${NONE}"\n'
        'exporter.headers = ["a=${env:HEADER:-1}", "${NONE}", "$${b}"]\n'
    )
    environ = {"SIZE": "7", "HEADER": '2"\n[batch]\ndelay = 9\n${SIZE}'}
    file = write(tmp_path / "kit.toml", text)
    settings = load(KEYS, files=[file], readers=TOML, environ=environ)
    assert settings[SIZE].value == 7
    assert settings[DELAY] == Value(5.0, Source("defaults"))
    assert settings["exporter.headers"].value == (f"a={environ['HEADER']}", "${b}")


@pytest.mark.spec("SDK-P26")
def test_keys_are_not_substituted(tmp_path: Path) -> None:
    """Only scalars are."""
    file = write(tmp_path / "kit.toml", '"${KEY}" = 1\n')
    assert "${KEY} is no setting" in mistakes_of(files=[file], environ={"KEY": SIZE})


@pytest.mark.spec("SDK-P26")
def test_one_invalid_reference_leaves_no_settings_at_all(tmp_path: Path) -> None:
    """Although the rest of the file is right."""
    file = write(tmp_path / "kit.toml", 'batch.delay = 1\nexporter.endpoint = "${A:?}"\n')
    assert "must refer to a variable as" in mistakes_of(files=[file])


@pytest.mark.spec("SDK-P25")
def test_a_bad_variable_of_others_is_reported_and_counts_as_unset() -> None:
    """A fleet shares OTEL_*: one SDK that refuses to start for it would be the only one."""
    settings = load(KEYS, environ={"OTEL_BSP_SCHEDULE_DELAY": "soon"}, arguments={SIZE: 3})
    assert settings[DELAY] == Value(5.0, Source("defaults"))
    assert [str(one) for one in settings.ignored] == [
        "variable OTEL_BSP_SCHEDULE_DELAY: batch.delay must be a number of seconds from 0,"
        " not 'soon'\n   | OTEL_BSP_SCHEDULE_DELAY=soon\n   |                         ^"
    ]


def test_a_variable_of_others_may_have_its_own_unit() -> None:
    """Milliseconds there, seconds in the own one."""
    assert load(KEYS, environ={"OTEL_BSP_SCHEDULE_DELAY": "250"})[DELAY].value == 0.25
    assert load(KEYS, environ={"OTLP_KIT_BATCH_DELAY": "250"})[DELAY].value == 250.0


def test_the_mistakes_of_all_layers_come_at_once(tmp_path: Path) -> None:
    """Each with its place; a variable that is no setting can be named as such."""
    told = mistakes_of(
        profile=("mine", {"batch.size": 1}),
        files=[write(tmp_path / "kit.toml", "batch.delay = -1\nx\n"), tmp_path / "none.toml"],
        env_files=[write(tmp_path / "kit.env", "OTLP_KIT_BATCH_DELAY=x\nA=b\n")],
        environ={"OTLP_KIT_PAGE": "x", "OTLP_KIT_BATCH_DELY": "1", "PATH": "/"},
        arguments={"batch.delay": "1h"},
        other_variables=["OTLP_KIT_PAGE"],
    )
    heads = [line for line in told.split("\n") if line[0] != " "]
    assert [head.rpartition(str(tmp_path))[2].partition(": ")[0] for head in heads] == [
        "profile mine",
        "/kit.toml, line 1",
        "/kit.toml, line 2",
        "/none.toml",
        "variable OTLP_KIT_BATCH_DELY",
        "/kit.env, line 1",
        "command line",
    ]


def test_a_format_is_known_by_the_reader_that_was_handed_in(tmp_path: Path) -> None:
    """So YAML needs no dependency here; its entries bring their lines."""

    def read_json(file: TextFile) -> Reading:
        return [Entry(key, value, 1) for key, value in json.loads(file.text).items()], []

    file = write(tmp_path / "kit.json", '{"batch.delay": 2}')
    assert load(KEYS, files=[file], readers={".json": read_json})[DELAY].value == 2.0
    assert "must end in one of .toml" in mistakes_of(files=[file])


def test_ten_thousand_unknown_keys_are_few_messages(tmp_path: Path) -> None:
    """Nobody reads more, and the work for each is not small."""
    file = write(tmp_path / "kit.toml", "".join(f"a{n} = 1\n" for n in range(10_000)))
    told = mistakes_of(files=[file])
    assert told.count("is no setting") == 50
    assert told.endswith("There may be more.")
    environ = {f"OTLP_KIT_{n}": "1" for n in range(10_000)}
    assert mistakes_of(environ=environ).count("is no setting") == 50


def secret_layers(tmp_path: Path, secret: str) -> dict[str, dict[str, Any]]:
    """`secret` as the token, said in each layer that there is."""
    file = write(tmp_path / "token", f"{secret}\n")
    (tmp_path / "run").mkdir()
    write(tmp_path / "run/OTLP_KIT_EXPORTER_TOKEN", secret)
    write(tmp_path / "run/other", "not ours")
    (tmp_path / "mounted").mkdir()
    write(tmp_path / "mounted/exporter.token", secret)
    name = "OTLP_KIT_EXPORTER_TOKEN"

    def toml(title: str, line: str) -> dict[str, Any]:
        return {"files": [write(tmp_path / f"{title}.toml", f"[exporter]\n{line}\n")]}

    return {
        "profile": {"profile": ("mine", {TOKEN: secret})},
        "file": toml("direct", f'token = "{secret}"'),
        "file_of_file": toml("file", f'token_file = "{file}"'),
        "reference": {**toml("reference", 'token = "${T}"'), "environ": {"T": secret}},
        "docker": {"secret_directories": [tmp_path / "run", tmp_path / "none"]},
        "kubernetes": {"secret_directories": [tmp_path / "mounted"]},
        "env_file": {"env_files": [write(tmp_path / "a.env", f"{name}={secret}\n")]},
        "variable": {"environ": {name: secret}},
        "variable_of_file": {"environ": {f"{name}_FILE": str(file)}},
        "command_line": {"arguments": {TOKEN: secret}},
    }


WAYS = (
    "profile", "file", "file_of_file", "reference", "docker", "kubernetes", "env_file",
    "variable", "variable_of_file", "command_line",
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_planted_secret_is_found_nowhere(tmp_path: Path, way: str) -> None:
    """Whichever layer said it, and when it is overridden, too."""
    layers = secret_layers(tmp_path, "hunter2")[way]
    settings = load(KEYS, readers=TOML, **layers)
    assert settings[TOKEN].value == Secret("hunter2")
    assert settings[TOKEN].value.reveal() == "hunter2"
    arguments = {TOKEN: "another1"}
    overridden = load(KEYS, readers=TOML, **{**layers, "arguments": arguments})
    for one in (settings, overridden):
        shown = f"{one!r} {one} {one.explain(TOKEN)} {one[TOKEN]} {dict(one)} {one.keys_known}"
        assert "hunter2" not in shown
        assert "another1" not in shown


@pytest.mark.parametrize("way", WAYS)
def test_a_planted_secret_is_in_no_error(tmp_path: Path, way: str) -> None:
    """Although its own parser repeats it, and other things are wrong beside it."""
    layers = secret_layers(tmp_path, "hunter-2")[way]
    with pytest.raises(Mistakes) as caught:
        load(
            KEYS,
            readers=TOML,
            **{**layers, "arguments": {DELAY: "x"} | layers.get("arguments", {})},
        )
    error = caught.value
    assert "exporter.token must be letters and digits" in str(error)
    trace = "".join(traceback.format_exception(error))
    assert "hunter" not in f"{error!r} {error.args} {error.mistakes} {error.__context__} {trace}"


def test_a_secret_in_the_wrong_place_is_not_repeated() -> None:
    """Under a misspelt name, or where its file belongs."""
    for environ in (
        {"OTLP_KIT_EXPORTER_TOKN": "hunter2"},
        {"OTLP_KIT_EXPORTER_TOKEN_FILE": "hunter2"},
        {"OTLP_KIT_EXPORTER_TOKEN_FILE": "hunter2", "OTLP_KIT_EXPORTER_TOKEN": "hunter2"},
    ):
        assert "hunter2" not in mistakes_of(environ=environ)


def test_only_a_secret_has_a_file() -> None:
    """Every other `_file` is a key of its own, or none."""
    told = mistakes_of(environ={"OTLP_KIT_BATCH_DELAY_FILE": "/x"})
    assert "OTLP_KIT_BATCH_DELAY_FILE is no setting; did you mean OTLP_KIT_BATCH_DELAY?" in told


def test_a_secret_that_everyone_may_write_says_what_to_do(tmp_path: Path) -> None:
    """With the place that named it."""
    file = write(tmp_path / "token", "hunter2")
    file.chmod(0o666)
    told = mistakes_of(environ={"OTLP_KIT_EXPORTER_TOKEN_FILE": str(file)})
    assert "variable OTLP_KIT_EXPORTER_TOKEN_FILE: the file of exporter.token may be" in told
    assert "chmod o-w it" in told


def test_the_prefix_is_the_programs_own() -> None:
    """A copy has another name."""
    keys = [Key("port", int, 80)]
    settings = load(keys, prefix="SHOP_", environ={"SHOP_PORT": "81", "OTLP_KIT_PORT": "82"})
    assert isinstance(settings, Settings)
    assert settings["port"].value == 81


def test_mistakes_are_data() -> None:
    """An editor or a page can show them in its own way."""
    with pytest.raises(Mistakes) as caught:
        load(KEYS, arguments={"batch.delai": "1"})
    assert caught.value.mistakes == (
        Mistake(
            "command line",
            "batch.delai is no setting; did you mean batch.delay?",
            excerpt="batch.delai=***",
            column=13,
        ),
    )


def test_none_says_nothing() -> None:
    """An option that was not given, or what a profile leaves open; its name has to be right."""
    settings = load(KEYS, profile=("mine", {DELAY: None}), arguments={DELAY: None, TOKEN: None})
    assert settings[DELAY] == Value(5.0, Source("defaults"))
    assert settings[TOKEN].value is None
    assert "is no setting" in mistakes_of(arguments={"batch.delai": None})


def test_keys_that_share_a_variable_are_refused() -> None:
    """Nobody could say which is meant."""
    with pytest.raises(ValueError, match="share a variable"):
        load([Key("a.b_c", int), Key("a_b.c", int)])


def test_a_secret_default_is_a_secret() -> None:
    """As is what others call it in the environment."""
    key = Key("headers", str, "hunter2", secret=True, variable="OTEL_EXPORTER_OTLP_HEADERS")
    settings = load([key], environ={"OTEL_EXPORTER_OTLP_HEADERS": "hunter3"})
    assert settings.explain("headers") == (
        "headers = ***, from variable OTEL_EXPORTER_OTLP_HEADERS\n  instead of *** from defaults"
    )


def test_a_secret_that_goes_on_in_the_line_is_not_shown_with_the_next_key(tmp_path: Path) -> None:
    """Its own line is the one on which it begins."""
    text = 'exporter = { token = """a\nhunter2""", endpoint = 5 }\n'
    assert "hunter2" not in mistakes_of(files=[write(tmp_path / "kit.toml", text)])


@pytest.mark.parametrize("endpoint", ["5", '"${1}"', "[[1]]"])
def test_a_secret_on_the_same_line_is_not_shown_with_its_neighbour(
    tmp_path: Path, endpoint: str
) -> None:
    """A line is repeated only if it holds nothing to hide."""
    text = f'exporter = {{ endpoint = {endpoint}, token = "hunter2" }}\n'
    said = mistakes_of(files=[write(tmp_path / "kit.toml", text)])
    assert "line 1" in said
    assert "hunter2" not in said
