"""Each wrong guess is refused with a hint, and what is right is what the command line says, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otlp_kit.lab.exercises_provenance import CASES, KEY, OF_ALL, OWN, provenance

RIGHT = {
    "file": "service.env",
    "profile": "kit.toml",
    "empty": "kit.toml",
    "wrong": "kit.toml",
    "own": f"variable {OF_ALL}",
}


def test_the_right_guesses_pass() -> None:
    """One for each case."""
    assert RIGHT.keys() == CASES.keys()
    assert provenance(RIGHT).passed


@pytest.mark.parametrize(
    ("case", "guess", "difference"),
    [
        ("file", "kit.toml", "the value of kit.toml does not hold"),
        ("file", "defaults", "the value of defaults does not hold"),
        ("profile", "profile production", "the value of profile production does not hold"),
        ("empty", f"variable {OWN}", "does not hold"),
        ("wrong", f"variable {OF_ALL}", "does not hold"),
        ("own", "service.env", "the value of service.env does not hold"),
        ("own", "kit.toml", "'kit.toml' is not among those who say something"),
        ("own", OF_ALL, "is not among those who say something"),
        ("own", None, "None is not among those who say something"),
    ],
)
def test_each_wrong_guess_has_its_own_reason(case: str, guess: Any, difference: str) -> None:
    """It names the case, and a hint follows."""
    verdict = provenance({**RIGHT, case: guess})
    assert not verdict.passed
    assert verdict.difference.startswith(f"{case}: ")
    assert difference in verdict.difference
    assert verdict.hint


@pytest.mark.parametrize("case", CASES)
def test_a_hint_does_not_say_who_wins(case: str) -> None:
    """A guess that is possible and wrong gets the reader to think, not the answer."""
    verdict = provenance({**RIGHT, case: "defaults"})
    assert not verdict.passed
    assert RIGHT[case] not in verdict.difference + verdict.hint


def test_a_case_without_a_guess_is_named() -> None:
    """Nothing is guessed for the reader."""
    assert "file: nobody" in provenance({}).difference


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "files", "environ", "options"),
    [
        ("file", {"kit.toml": f"{KEY} = 8192", "service.env": f"{OF_ALL}=1024"}, {}, []),
        ("profile", {"kit.toml": f"{KEY} = 4096"}, {}, ["--set", "profile=production"]),
        ("empty", {"kit.toml": f"{KEY} = 8192"}, {OWN: ""}, []),
        ("wrong", {"kit.toml": f"{KEY} = 8192"}, {OF_ALL: "plenty"}, []),
        ("own", {"service.env": f"{OWN}=100"}, {OF_ALL: "200"}, []),
    ],
)
def test_the_command_line_names_the_same(
    case: str, files: dict[str, str], environ: dict[str, str], options: list[str], tmp_path: Path
) -> None:
    """What the exercise calls right is what `otlp-kit config explain` prints."""
    for name, text in files.items():
        (tmp_path / name).write_text(f"{text}\n")
        options += ["--config" if name == "kit.toml" else "--env-file", name]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OT")}
    done = subprocess.run(
        [sys.executable, "-m", "otlp_kit.cli", "config", "explain", KEY, *options],
        cwd=tmp_path, env=clean | environ, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    source = done.stdout.splitlines()[0].partition("from ")[2]
    assert source.partition(", line")[0] == RIGHT[case]
