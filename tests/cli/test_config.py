"""`otlp-kit config`, and the options that give every command its settings."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import jsonschema
import pytest

from otlp_kit.cli import COMMANDS, main
from otlp_kit.cli.options import Stop
from otlp_kit.cli.settings_options import OPTIONS, PROFILE_LAYERS, loaded, settings_of
from otlp_kit.settings.layers import Settings
from otlp_kit.settings.schema import KEYS, model
from otlp_kit.settings.schema_values import shown
from tests.support import CLI

SECRET = "Zk7Qw9Xv3Jb5"
WITH_SETTINGS = ("up", "serve", "demo", "traces", "show", "sql")
ACTIONS = ("explain", "check", "diff", "schema", "init")
NEEDED = {"show": ["f" * 32], "sql": ["select 1"]}
"""What a command wants besides options."""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable that sets something, and files by their bare names."""
    for name in os.environ:
        if name.startswith(("OTLP_KIT_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str) -> str:
    """A file in the directory of the test; returns its name."""
    Path(name).write_text(dedent(text))
    return name


def parsed(command: str, *options: str) -> argparse.Namespace:
    """What the real parser of `command` makes of `options`."""
    parser = argparse.ArgumentParser()
    import_module(f"otlp_kit.cli.cmd_{command}").add(parser.add_subparsers())
    return parser.parse_args([command, *options, *NEEDED.get(command, [])])


def settings_from(command: str, *options: str) -> Settings:
    return settings_of(parsed(command, *options))


# explain


def test_explain_names_who_said_it_and_what_that_overrode(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Value, unit, layer, file and line; below it all that lost, oldest first; and how to set it."""
    kit = write("kit.toml", "# mine\n[batch]\ndelay = 3\n")
    env = write("kit.env", "\nOTEL_BSP_SCHEDULE_DELAY=4000\n")
    monkeypatch.setenv("OTLP_KIT_BATCH_DELAY", "5500ms")
    asked = ["config", "explain", "batch.delay", "--config", kit, "--env-file", env]
    assert main([*asked, "--set", "batch.delay=6s"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "batch.delay = 6.0 seconds, from command line",
        "  instead of 5.0 from defaults",
        "  instead of 3.0 from kit.toml, line 3",
        "  instead of 4.0 from kit.env, line 2",
        "  instead of 5.5 from variable OTLP_KIT_BATCH_DELAY",
        "  How long a record waits for others to fill a batch.",
        "  set by OTLP_KIT_BATCH_DELAY or OTEL_BSP_SCHEDULE_DELAY",
    ]


def test_explain_without_a_key_tells_all_in_one_line_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every setting of all signals with value, unit and source; of one signal, what somebody said."""
    kit = write("kit.yaml", "batch:\n  max_queue_size: 4096\nstore:\n  keep: 7d\n")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "2500")
    assert main(["config", "explain", "--config", kit]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {line.split()[0]: line.split(None, 1)[1] for line in lines}
    assert len(told) == len(lines)
    assert told["batch.max_queue_size"] == "4096 records (kit.yaml, line 2)"
    assert told["store.keep"] == "7d (kit.yaml, line 4)"
    assert told["exporter.logs.timeout"] == ("2500ms (variable OTEL_EXPORTER_OTLP_LOGS_TIMEOUT)")
    of_all = {key.name for key in KEYS if key.name.count(".") < 2}
    assert told.keys() == of_all | {"exporter.logs.timeout"}


def test_explain_takes_a_section_and_each_key_once(capsys: pytest.CaptureFixture[str]) -> None:
    """`store` is all of its settings, also when one of them is asked for, too."""
    assert main(["config", "explain", "store", "store.keep"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert said == [
        "store.directory = None, from defaults",
        "store.keep = 2592000.0 seconds, from defaults",
        "store.max_size = 2000000000 bytes, from defaults",
    ]


@pytest.mark.parametrize(
    ("typed", "nearest"), [("batch.delai", "batch.delay"), ("exporter.header", "exporter.headers")]
)
def test_explain_of_an_unknown_key_names_the_nearest(
    typed: str, nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and exit status 2."""
    assert main(["config", "explain", typed]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"otlp-kit: {typed} is no setting; did you mean {nearest}?\n"


def test_explain_shows_the_layer_of_a_secret_and_stars(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The winner and what it overrode are stars alike."""
    kit = write("kit.toml", f'exporter.headers = "x-token={SECRET}1"\n')
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-token={SECRET}2")
    for key in (["exporter.headers"], []):
        assert main(["config", "explain", *key, "--config", kit]) == 0
        shown = capsys.readouterr().out
        assert "variable OTEL_EXPORTER_OTLP_HEADERS" in shown
        assert "***" in shown
        assert SECRET not in shown


def test_a_wrong_variable_of_others_is_reported_and_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the specification wants it: said on standard error, and what was before it holds."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "soon")
    assert main(["config", "explain", "batch.delay"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("batch.delay = 5.0 seconds, from defaults\n")
    assert captured.err.startswith("otlp-kit: ignored: variable OTEL_BSP_SCHEDULE_DELAY: ")


# check


WRONG_TOML = """\
[batch]
delai = 5
max_queue_size = "many"

[store]
keep = "soon"
"""
WRONG_YAML = """\
receiver:
  http: nonsense
batch: {max_queue_size: 10, max_batch_size: 20}
"""


def test_check_prints_every_mistake_of_every_file(tmp_path: Path) -> None:
    """Each with its line and a caret; status 2, no traceback, and the right file is said to be so."""
    files = [
        write("wrong.toml", WRONG_TOML),
        write("right.toml", "store.keep = '7d'\nbatch.delay = 1\n"),
        write("wrong.yaml", WRONG_YAML),
        "missing.toml",
    ]
    done = subprocess.run(
        [*CLI, "config", "check", *files],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == "right.toml: 2 settings, no mistake\n"
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    said = [line.partition(" must ")[0] for line in lines if line[0] not in " o"]
    assert said == [
        "wrong.toml, line 2: batch.delai is no setting; did you mean batch.delay?",
        "wrong.toml, line 3: batch.max_queue_size",
        "wrong.toml, line 6: store.keep",
        "wrong.yaml, line 2: receiver.http",
        "missing.toml: cannot be read (No such file or directory)",
    ]
    below = [(above, line.find("^")) for above, line in pairwise(lines) if line.endswith("^")]
    assert [above[caret:] for above, caret in below] == [
        "batch.delai = ***", 'max_queue_size = "many"', 'keep = "soon"', "http: nonsense",
    ]  # fmt: skip
    assert lines[-1] == "otlp-kit: 5 mistakes"


def test_check_finds_values_that_do_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    """A batch larger than the queue is a mistake at the line of the batch, which names the queue's."""
    wrong = write("kit.toml", "[batch]\nmax_queue_size = 10\nmax_batch_size = 20\n")
    assert main(["config", "check", wrong]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "kit.toml, line 3: batch.max_batch_size must be at most batch.max_queue_size,"
        " which is 10 (from kit.toml, line 2)",
        "  3 | max_batch_size = 20",
        "    |                  ^",
        "otlp-kit: 1 mistake",
    ]


def test_check_looks_at_files_alone_but_fills_in_what_they_refer_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`${GATEWAY}` is taken from the environment; a variable that sets something counts for nothing."""
    kit = write("kit.toml", 'exporter.endpoint = "${GATEWAY}"\nbatch.max_batch_size = 1000\n')
    monkeypatch.setenv("GATEWAY", "http://gw:4318")
    monkeypatch.setenv("OTLP_KIT_NONSENSE", "a mistake of its own")
    monkeypatch.setenv("OTLP_KIT_BATCH_DELAY", "soon")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "600")  # less than the batch
    assert main(["config", "check", kit]) == 0
    captured = capsys.readouterr()
    assert captured.out == "kit.toml: 2 settings, no mistake\n"
    assert captured.err == ""
    monkeypatch.setenv("GATEWAY", "gopher://gw")
    assert main(["config", "check", kit]) == 2
    assert "kit.toml, line 1: exporter.endpoint" in capsys.readouterr().err


def test_check_never_shows_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a wrong one, nor one in a line that is no TOML, nor one under a misspelt name."""
    files = [
        write("list.toml", f'exporter.headers = "{SECRET}"\n'),
        write("quote.toml", f'exporter.headers = "x-token={SECRET}\n'),
        write("name.yaml", f"exporter:\n  haeders: x-token={SECRET}\n"),
        write("brackets.yaml", f"exporter:\n  headers: [x-token={SECRET}\n"),
    ]
    assert main(["config", "check", *files]) == 2
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1] == "otlp-kit: 4 mistakes"
    assert SECRET not in captured.out + captured.err


# diff


def test_diff_names_what_the_second_file_sets_otherwise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values as a person writes them, with file and line; status 1 as of `diff`, stars for secrets."""
    monkeypatch.setenv("OTLP_KIT_BATCH_DELAY", "7")
    a = write(
        "a.toml", f'[store]\nkeep = "7d"\n[exporter]\nheaders = ["a={SECRET}"]\ntimeout = 5\n'
    )
    b = write("b.yaml", f"exporter:\n  timeout: 5000ms\n  headers: b={SECRET}\n")
    assert main(["config", "diff", a, b]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "exporter.headers: *** (a.toml, line 4) -> *** (b.yaml, line 3)",
        "store.keep: 7d (a.toml, line 2) -> 30d (defaults)",
    ]
    assert captured.err == ""


def test_diff_of_files_that_say_the_same_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """In another format and another unit, too: status 0."""
    a = write("a.toml", 'batch.delay = "500ms"\nstore.max_size = "64MiB"\n')
    b = write("b.yaml", "store:\n  max_size: 67108864\nbatch:\n  delay: 0.5\n")
    assert main(["config", "diff", a, b]) == 0
    assert capsys.readouterr() == ("", "")


def test_diff_with_a_wrong_file_is_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, so that a script tells it from 1."""
    right, wrong = write("a.toml", ""), write("b.toml", WRONG_TOML)
    assert main(["config", "diff", right, wrong]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("otlp-kit: b.toml, line 2: batch.delai is no setting")


# schema


def test_schema_is_a_json_schema_that_holds_a_file_to_the_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An independent validator takes what `check` takes and refuses what it refuses."""
    assert main(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"batch": {"delay": "250ms"}, "store": {"max_size": "2GB"}})
    for wrong in ({"batch": {"delai": 5}}, {"batch": {"delay": "soon"}}, {"profile": "fast"}):
        assert not validator.is_valid(wrong)


# the options of every command


@pytest.mark.parametrize("command", WITH_SETTINGS)
def test_every_layer_reaches_every_command(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each layer says one setting less than the one before it, and wins those that it says."""
    names = ["delay", "max_queue_size", "export_timeout", "shutdown_timeout", "in_flight"]
    Path("secrets").mkdir()
    write("secrets/exporter.headers", "x-token=of the directory\n")
    write("one.toml", 'profile = "throughput"\n' + lines("batch.{} = 10\n", names))
    write("two.yaml", "batch:\n" + lines("  {}: 20\n", names[1:]))
    write("kit.env", lines("OTLP_KIT_BATCH_{}=30\n", [name.upper() for name in names[2:]]))
    for name in names[3:]:
        monkeypatch.setenv(f"OTLP_KIT_BATCH_{name.upper()}", "40")
    settings = settings_from(
        command, "--config", "one.toml", "--config", "two.yaml", "--secrets", "secrets",
        "--env-file", "kit.env", "--set", "batch.in_flight=50", "--set", "profile=production",
    )  # fmt: skip
    assert {name: str(settings[f"batch.{name}"].source) for name in names} == {
        "delay": "one.toml, line 2",
        "max_queue_size": "two.yaml, line 2",
        "export_timeout": "kit.env, line 1",
        "shutdown_timeout": "variable OTLP_KIT_BATCH_SHUTDOWN_TIMEOUT",
        "in_flight": "command line",
    }
    assert settings["profile"].value == "production"
    for name, value in PROFILE_LAYERS["production"].items():
        if value is not None and name.removeprefix("batch.") not in names:
            assert str(settings[name].source).startswith("profile production")
    headers = model(settings).exporter.headers
    assert headers
    assert headers.reveal() == {"x-token": "of the directory"}


def lines(form: str, names: list[str]) -> str:
    return "".join(form.format(name) for name in names)


@pytest.mark.parametrize("command", ["serve", "up"])
def test_options_of_one_setting_are_that_setting(command: str) -> None:
    """`--http` is `receiver.http`, by the same rules, and goes before `--set` and every file."""
    kit = write("kit.toml", 'receiver.http = 1\nstore = {keep = "1d", max_size = 1}\n')
    settings = model(
        settings_from(
            command, "--config", kit, "--http", "[::1]:5", "--grpc", "6", "--ui", "localhost:0",
            "--data", "here", "--keep", "12h", "--max-size", "64MiB", "--set", "receiver.http=2",
        )
    )  # fmt: skip
    assert str(settings.receiver.http) == "[::1]:5"
    assert str(settings.receiver.grpc) == "127.0.0.1:6"
    assert str(settings.receiver.page) == "localhost:0"
    assert settings.store.directory == "here"
    assert (settings.store.keep, settings.store.max_size) == (43_200.0, 2**26)


def test_what_only_up_runs_has_its_options_there() -> None:
    """Site, Lab and demo; without `--demo` a file decides."""
    kit = write("kit.toml", "demo.enabled = true\n")
    settings = model(settings_from("up", "--config", kit, "--site", "7", "--lab", "0"))
    assert str(settings.site.address) == "127.0.0.1:7"
    assert str(settings.lab.address) == "127.0.0.1:0"
    assert settings.demo.enabled
    assert model(settings_from("up", "--demo")).demo.enabled
    assert not model(settings_from("up")).demo.enabled


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "batch.delya=1"], "command line: batch.delya is no setting; did you mean batch.delay?"),
        (["--set", "profile=fast"], "command line: profile must be one of development, production"),
        (["--config", "missing.toml"], "missing.toml: cannot be read"),
        (["--config", "kit.ini"], "kit.ini: must end in one of .toml, .yaml, .yml"),
        (["--env-file", "missing.env"], "missing.env: cannot be read"),
        (["--keep", "soon"], "command line: store.keep must be a time"),
        (["--max-size", "0"], "command line: store.max_size must be at least 1"),
        (["--http", "4317"], "command line: receiver.http"),
    ],
)  # fmt: skip
def test_a_wrong_option_stops_before_anything_starts(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2 and what is wrong with it, where `serve` and `up` would bind ports."""
    write("kit.ini", "")
    for command in ("serve", "up"):
        assert main([command, *options]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"otlp-kit: {said}")


def test_all_mistakes_of_all_layers_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever repairs one does not find the next one at the next start."""
    monkeypatch.setenv("OTLP_KIT_BATCH_IN_FLIGHT", "0")
    kit = write("kit.toml", "batch.delay = -1\n")
    with pytest.raises(Stop) as stopped:
        settings_from("serve", "--config", kit, "--keep", "0")
    told = [line for line in str(stopped.value).splitlines() if "|" not in line]
    assert [line.partition(":")[0] for line in told] == [
        "kit.toml, line 1", "variable OTLP_KIT_BATCH_IN_FLIGHT", "command line",
    ]  # fmt: skip


def test_a_pair_without_an_equals_sign_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """It may be a secret whose `=` was mistyped."""
    with pytest.raises(SystemExit) as stopped:
        main(["serve", "--set", f"exporter.headers:{SECRET}"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "--set: must be KEY=VALUE" in said
    assert SECRET not in said


def test_files_are_read_again_with_the_same_arguments() -> None:
    """What a reload loads is the file as it is now, below the same command line."""
    arguments = parsed("serve", "--config", write("kit.toml", "batch.delay = 1\n"), "--keep", "1d")
    assert loaded(arguments)["batch.delay"].value == 1.0
    write("kit.toml", "batch.delay = 2\nstore.keep = '2d'\n")
    assert loaded(arguments)["batch.delay"].value == 2.0
    assert loaded(arguments)["store.keep"].value == 86_400.0


# help


@pytest.mark.parametrize(
    "words", [[name] for name in COMMANDS] + [["config", action] for action in ACTIONS]
)
def test_help_of_every_command_is_to_be_had(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 0, nothing on standard error, and no default that prints as Python."""
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--help"])
    assert stopped.value.code == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"usage: otlp-kit {' '.join(words)} ")
    assert captured.err == ""
    for python in ("Traceback", "default: None", "==SUPPRESS==", "PosixPath", "object at 0x"):
        assert python not in captured.out


def test_help_of_an_option_has_the_default_of_its_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a person writes it: an address, a time and a size with their units."""
    with pytest.raises(SystemExit):
        main(["up", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    defaults = {key.name: shown(key.default, key.unit) for key in KEYS if key.default is not None}
    for option, name in OPTIONS.items():
        after = told.split(f"--{option} ", 2)[2].partition(" --")[0]
        assert name not in defaults or f"(default: {defaults[name]})" in after, option
    assert "(default: 30d)" in told
    assert "(default: 2GB)" in told


@pytest.mark.parametrize("address", ["192.0.2.1:4318", "127.0.0.1:0"])
def test_the_demo_sends_nowhere_but_to_this_machine(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a setting does not say an address of it, the option has to."""
    assert main(["demo", "--orders", "1", "--set", f"receiver.http={address}"]) == 2
    assert f"receiver.http is {address}: say with --http" in capsys.readouterr().err
