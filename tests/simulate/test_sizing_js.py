"""The calculator of the page and `simulate.sizing` are one arithmetic: Node runs one, Python the other."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otlp_kit.cli.config_init import NAMES, init_text
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate import Retry
from otlp_kit.simulate.sizing import size
from otlp_kit.simulate.sizing_terms import SETTINGS, Contradiction, Scenario
from tests.simulate.sizing_scenarios import SCENARIOS
from tools.vendor import VendorError, node

MODULE = Path(__file__).resolve().parents[2] / "otlp_kit/views/js/sizing.js"
PROGRAM = """
import { readFileSync } from "node:fs";
const { size, variables, Contradiction } = await import(process.argv[1]);
const answers = JSON.parse(readFileSync(0, "utf-8")).map((scenario) => {
  try {
    const advice = size(scenario);
    return { ...advice, variables: variables(advice, scenario) };
  } catch (error) {
    if (error instanceof Contradiction) return { refused: error.bound };
    throw error;
  }
});
console.log(JSON.stringify(answers));
"""
pytestmark = pytest.mark.slow


def in_node(scenarios: list[Scenario]) -> list[dict[str, Any]]:
    try:
        command = node("node")
    except VendorError as missing:
        pytest.skip(str(missing))
    asked = [
        {name: getattr(one, name) for name in Scenario.__dataclass_fields__ if name != "retry"}
        | {name: getattr(one.retry.backoff, name) for name in Backoff.__dataclass_fields__}
        for one in scenarios
    ]
    done = subprocess.run(
        [*command, "--input-type=module", "--eval", PROGRAM, MODULE.as_uri()],
        input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def in_python(scenario: Scenario) -> dict[str, Any]:
    try:
        advice = size(scenario)
    except Contradiction as refusal:
        return {"refused": refusal.bound}
    return {name: getattr(advice, name) for name in SETTINGS}


def test_the_twelve_are_sized_alike() -> None:
    """Every number of each advice is the same, to the last digit."""
    for name, answer in zip(SCENARIOS, in_node(list(SCENARIOS.values())), strict=True):
        answer.pop("variables")
        assert answer == in_python(SCENARIOS[name]), name


def test_any_load_is_sized_alike() -> None:
    """A thousand loads by chance: the same advice, or a refusal by the same bound."""
    chance = random.Random(8)
    loads = [by_chance(chance) for _ in range(1000)]
    refused = 0
    for load, answer in zip(loads, in_node(loads), strict=True):
        answer.pop("variables", None)
        assert answer == in_python(load), load
        refused += "refused" in answer
    assert 100 < refused < 900


def by_chance(chance: random.Random) -> Scenario:
    base = chance.choice((0.05, 0.5, 1.0, chance.uniform(0.01, 2)))
    return Scenario(
        rate=10 ** chance.uniform(-1, 4.5),
        burst=chance.choice((0, chance.randrange(20_000))),
        record_bytes=chance.randrange(100, 10_000),
        outage=chance.choice((0.0, chance.uniform(0.01, 100))),
        latency=chance.uniform(0.05, 8),
        memory=round(10 ** chance.uniform(5, 9)),
        round_trip=chance.choice((0.0, chance.uniform(0, 1))),
        per_record=chance.choice((0.0, 0.0, 10 ** chance.uniform(-5, -1))),
        recovery=chance.uniform(0.5, 100),
        retry=Retry(
            Backoff(
                base,
                chance.choice((1.0, 1.5, 2.0, chance.uniform(1, 3))),
                base * chance.choice((1, 4, 30)),
                chance.choice(("none", "full", "equal", "around")),
            )
        ),
    )


def test_the_lines_to_copy_are_those_of_the_command() -> None:
    """The page shows the variables that `config init` writes, without the reasons."""
    usual = replace(SCENARIOS["short latency"], retry=Retry())
    patient = replace(usual, retry=Retry(Backoff(cap=2.5)))
    for load, more in ((usual, 0), (patient, 2)):
        lines = in_node([load])[0]["variables"].splitlines()
        written = init_text(size(load), load, "env").splitlines()
        assert lines == [line for line in written if line and not line.startswith("#")]
        assert len(lines) == len(NAMES) + more
