"""`config init`: what it writes is what the kit reads, and is the advice; what cannot be is one line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from otlp_kit.cli.config_init import NAMES, add_arguments, init_text, run_init
from otlp_kit.cli.options import Stop
from otlp_kit.settings.schema import load_settings
from otlp_kit.simulate.sizing import size
from tests.simulate.sizing_scenarios import SCENARIOS

SMALL = ["--rate", "50", "--burst", "20", "--outage", "500ms", "--recovery", "5s"]
QUICK = ("idle service", "small memory", "slow link", "short latency", "bursty cron")


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run_init(parser.parse_args(words))


def settings_from(path: Path) -> Any:
    files = {"files": [path]} if path.suffix == ".toml" else {"env_files": [path]}
    return load_settings(**files, environ={})


@pytest.mark.parametrize("format", ["env", "toml"])
@pytest.mark.parametrize("name", QUICK)
def test_the_kit_reads_exactly_the_advice(name: str, format: Any, tmp_path: Path) -> None:
    """Each line is accepted by the settings' schema, and all values are those that were advised."""
    advice = size(SCENARIOS[name])
    path = tmp_path / f"kit.{format}"
    path.write_text(init_text(advice, SCENARIOS[name], format), encoding="utf-8")
    settings = settings_from(path)
    assert not settings.ignored
    for setting, (key, _) in NAMES.items():
        assert settings[key].value == getattr(advice, setting), key
        assert "kit" in str(settings[key].source), key


@pytest.mark.parametrize("format", ["env", "toml"])
def test_every_value_stands_below_its_reason(format: Any) -> None:
    """No line without a comment before it that names the bound; those a bound decides were played."""
    scenario = SCENARIOS["small memory"]
    advice = size(scenario)
    _, waits, *blocks = init_text(advice, scenario, format).split("\n\n")
    assert waits.startswith("# as asked for")
    assert len(blocks) == len(NAMES)
    for block, setting in zip(blocks, NAMES, strict=True):
        *comment, value = [line for line in block.splitlines() if not line.startswith("[")]
        why = next(one for one in advice.reasons if one.setting == setting)
        said = " ".join(line.removeprefix("# ") for line in comment)
        assert all(line.startswith("# ") for line in comment)
        assert f"{why.text} ({why.bound})" in said
        assert ("simulated with" in said) == bool(why.step)
        assert "=" in value


def test_it_prints_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --output they go where the shell wants them."""
    assert run(*SMALL) == 0
    assert "\nOTEL_BSP_MAX_QUEUE_SIZE=" in capsys.readouterr().out


def test_a_file_is_new_or_it_is_not_written(tmp_path: Path) -> None:
    """A file that exists is kept; nothing else is left in its directory."""
    path = tmp_path / "kit.toml"
    assert run(*SMALL, "--format", "toml", "--output", str(path)) == 0
    written = path.read_text("utf-8")
    with pytest.raises(Stop, match="exists, and is kept"):
        run(*SMALL, "--output", str(path))
    assert path.read_text("utf-8") == written
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One line says which file cannot be written."""
    with pytest.raises(Stop, match=r"cannot write .*kit\.env"):
        run(*SMALL, "--output", str(tmp_path / "none" / "kit.env"))


@pytest.mark.slow
def test_a_short_real_run_is_counted_from_the_ledger(capsys: pytest.CaptureFixture[str]) -> None:
    """--real runs it with threads, and says first what became of the records."""
    assert run(*SMALL, "--real", "1s") == 0
    assert capsys.readouterr().out.startswith("# For real, 1 s: created 70 = delivered 70\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--latency", "10ms"], "allow 41 ms|allow 0.041 s"),
        (["--memory", "1MB"], "keep what waits on a disk"),
        (["--rate", "0"], "rate must be more than 0"),
        (["--rate", "nan"], "rate must be more than 0"),
        (["--per-record", "1s"], "cannot leave one by one"),
    ],
)
def test_wishes_that_cannot_be_had_stop_with_one_line(words: list[str], said: str) -> None:
    """What would do instead is in the line."""
    with pytest.raises(Stop, match=said) as stop:
        run(*words)
    assert "\n" not in str(stop.value)


@pytest.mark.parametrize(
    "words", [["--burst", "-1"], ["--burst", "1.5"], ["--outage", "soon"], ["--memory", "much"]]
)
def test_options_that_are_no_numbers_exit_with_two(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The option and the rule are named."""
    with pytest.raises(SystemExit) as exit_:
        run(*words)
    assert exit_.value.code == 2
    said = capsys.readouterr().err
    assert words[0] in said
    assert "must be" in said
