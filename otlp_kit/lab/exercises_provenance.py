"""The checker for the exercise on settings: the page *howto/configure*.

    provenance({"file": "service.env", ...})        in each of `CASES`, whose value holds?

What is right comes from `settings/schema`, which the kit loads its settings with: each case is written
to a directory of its own and loaded. As in `exercises`, a checker says what is wrong and never prints
the answer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from otlp_kit.lab.exercises import Verdict
from otlp_kit.runtime.profiles import PROFILES
from otlp_kit.settings.layers import Source
from otlp_kit.settings.schema import load_settings

KEY = "batch.max_queue_size"
OWN, OF_ALL = "OTLP_KIT_BATCH_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"
TOML, ENV = "kit.toml", "service.env"


@dataclass(frozen=True, slots=True)
class _Case:
    """Who says what; `toml` is a value, the others are lines and variables as people write them."""

    hint: str
    toml: str = ""
    env_file: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""

    def text(self) -> str:
        return "; ".join(f"{who} says {what}" for who, what in self._said())

    def names(self) -> tuple[str, ...]:
        """Whoever could have said the value that holds."""
        return ("defaults", *(who for who, _ in self._said()))

    def winner(self) -> str:
        """Whose value holds, as one of `names`."""
        with tempfile.TemporaryDirectory(prefix="otlp-kit-") as folder:
            toml, env = Path(folder, TOML), Path(folder, ENV)
            toml.write_text(f"{KEY} = {self.toml}\n" if self.toml else "")
            env.write_text("".join(f"{name}={value}\n" for name, value in self.env_file.items()))
            settings = load_settings(
                files=[toml],
                env_files=[env],
                environ=self.environ,
                arguments={"profile": self.profile or None},
                profiles={name: profile.layer() for name, profile in PROFILES.items()},
            )
        return _name(settings[KEY].source)

    def _said(self) -> Iterator[tuple[str, str]]:
        if self.profile:
            yield f"profile {self.profile}", f"{PROFILES[self.profile].layer()[KEY]}"
        if self.toml:
            yield TOML, self.toml
        for name, value in self.env_file.items():
            yield ENV, f"{name}={value}"
        for name, value in self.environ.items():
            yield f"variable {name}", value or "nothing"


_CASES = {
    "file": _Case(
        "The environment goes before files, also where it is written in one.",
        toml="8192",
        env_file={OF_ALL: "1024"},
    ),
    "profile": _Case(
        "What you typed is the name of the profile. Where do its values stand?",
        toml="4096",
        profile="production",
    ),
    "empty": _Case(
        "In the environment, what is empty is unset.",
        toml="8192",
        environ={OWN: ""},
    ),
    "wrong": _Case(
        "A variable for many programs must not keep one of them from starting.",
        toml="8192",
        environ={OF_ALL: "plenty"},
    ),
    "own": _Case(
        "First the layer counts; the own name goes before the other in the same layer only.",
        env_file={OWN: "100"},
        environ={OF_ALL: "200"},
    ),
}
CASES = {name: case.text() for name, case in _CASES.items()}
"""Who says what about `KEY`, in each of five starts of a program."""


def provenance(guesses: Mapping[str, str]) -> Verdict:
    """Whose value holds in each of `CASES`, such as `kit.toml` or `variable OTEL_BSP_MAX_QUEUE_SIZE`."""
    if missing := [name for name in _CASES if name not in guesses]:
        return _not_yet(f"{missing[0]}: nobody.", f"One for each of {', '.join(_CASES)}.")
    for name, case in _CASES.items():
        guess = guesses[name]
        if guess not in case.names():
            hint = f"One of: {', '.join(case.names())}."
            return _not_yet(f"{name}: {guess!r} is not among those who say something.", hint)
        if guess != case.winner():
            return _not_yet(f"{name}: the value of {guess} does not hold.", case.hint)
    return Verdict(passed=True)


def _name(source: Source) -> str:
    """Of a file only its name: the directory is gone."""
    return Path(source.where).name if source.layer in ("file", "environment file") else str(source)


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
