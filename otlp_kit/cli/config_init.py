"""`otlp-kit config init`: settings for a load that is described, each with its reason.

    otlp-kit config init --rate 1000 --burst 5000 --outage 16s --latency 2s --format env

`simulate.sizing` says how large everything has to be, `sizing_check` plays it and one step less of
each. This module reads the options, and writes the answer as variables or as TOML that the kit reads.
`cmd_config` hands it the parser and the arguments.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import wrap
from typing import Literal, TypeAlias, TypeVar

from otlp_kit.cli.options import Stop
from otlp_kit.cli.rehearsal import rehearse
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.settings import schema_values
from otlp_kit.simulate.clients import Retry
from otlp_kit.simulate.sizing import size
from otlp_kit.simulate.sizing_check import check, one_step_worse
from otlp_kit.simulate.sizing_terms import Advice, Contradiction, Scenario

Format: TypeAlias = Literal["env", "toml"]
T = TypeVar("T")

NAMES = {
    "max_queue_size": ("batch.max_queue_size", "OTEL_BSP_MAX_QUEUE_SIZE"),
    "max_batch_size": ("batch.max_batch_size", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
    "delay": ("batch.delay", "OTEL_BSP_SCHEDULE_DELAY"),
    "in_flight": ("batch.in_flight", "OTLP_KIT_BATCH_IN_FLIGHT"),
    "export_timeout": ("batch.export_timeout", "OTEL_BSP_EXPORT_TIMEOUT"),
    "shutdown_timeout": ("batch.shutdown_timeout", "OTLP_KIT_BATCH_SHUTDOWN_TIMEOUT"),
    "request_timeout": ("exporter.timeout", "OTEL_EXPORTER_OTLP_TIMEOUT"),
}
"""What a setting is called in a file, and as a variable: the specification's, where it has one."""

FIRST, WAIT = Backoff().base, Backoff().cap
PLAYED = 400_000
"""Records up to which a scenario is simulated; more would take longer than a person waits."""
WIDTH = 78


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `config init`."""
    seconds, bytes_ = _of(schema_values.seconds), _of(schema_values.size)
    known = Scenario(rate=1000, burst=5000, outage=16.0, latency=2.0)
    for name, kind, default, metavar, what in (
        ("rate", _of(_number), known.rate, "NUMBER", "records a second, the most that lasts"),
        ("burst", _of(_count), known.burst, "NUMBER", "records that come at once on top of it"),
        ("record-size", bytes_, known.record_bytes, "SIZE", "of one record in memory"),
        ("outage", seconds, known.outage, "TIME", "how long the peer may be away, without a loss"),
        ("latency", seconds, known.latency, "TIME", "until a record is delivered, else"),
        ("memory", bytes_, known.memory, "SIZE", "what records may take"),
        ("round-trip", seconds, known.round_trip, "TIME", "from a request to its answer"),
        ("per-record", seconds, known.per_record, "TIME", "what each record adds to it"),
        ("longest-wait", seconds, WAIT, "TIME", "between two attempts to send a batch, at most"),
        ("recovery", seconds, known.recovery, "TIME", "until the backlog of an outage is gone"),
    ):
        parser.add_argument(
            f"--{name}", type=kind, default=default, metavar=metavar,
            help=f"{what} (default: %(default)s)",
        )  # fmt: skip
    parser.add_argument(
        "--format", choices=("env", "toml"), default="env", help="variables, or a file of settings"
    )
    parser.add_argument(
        "--real", type=seconds, metavar="TIME", help="then run it for so long, with real threads"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write a new file; one that exists is kept"
    )


def run_init(arguments: argparse.Namespace) -> int:
    """Print, or write, the settings. Raises `Stop` for wishes that cannot be had together."""
    try:
        scenario = Scenario(
            rate=arguments.rate,
            burst=arguments.burst,
            record_bytes=arguments.record_size,
            outage=arguments.outage,
            latency=arguments.latency,
            memory=arguments.memory,
            round_trip=arguments.round_trip,
            per_record=arguments.per_record,
            recovery=arguments.recovery,
            retry=Retry(Backoff(base=min(FIRST, wait := arguments.longest_wait), cap=wait)),
        )
        advice = size(scenario)
    except Contradiction as refusal:
        raise Stop(f"no settings do all of that ({refusal.bound}). {refusal}") from None
    except ValueError as error:
        raise Stop(str(error)) from None
    if arguments.output and arguments.output.exists():
        raise Stop(_kept(arguments.output))
    text = init_text(advice, scenario, arguments.format)
    if arguments.real:
        text = _real(advice, scenario, arguments.real) + text
    if arguments.output:
        _write(arguments.output, text)
    else:
        print(text, end="")
    return 0


def init_text(advice: Advice, scenario: Scenario, format: Format) -> str:
    """`advice` as lines of NAME=VALUE or as TOML, each value below the reason for it."""
    lines = [*_comment(_load(scenario)), *_comment(_played(advice, scenario))]
    backoff = scenario.retry.backoff
    if backoff.cap != WAIT:
        lines += ["", *_comment("as asked for: for the queue, an outage may last one wait longer")]
        for name, value in (("first_wait", backoff.base), ("longest_wait", backoff.cap)):
            toml, variable = f"retry.{name} = {value}", f"OTLP_KIT_RETRY_{name.upper()}={value:g}"
            lines.append(toml if format == "toml" else variable)
    below = _one_step_worse(advice, scenario)
    table = ""
    for setting, (key, variable) in NAMES.items():
        why = next(one for one in advice.reasons if one.setting == setting)
        value = getattr(advice, setting)
        section, _, name = key.rpartition(".")
        lines.append("")
        if format == "toml" and section != table:
            lines += [f"[{section}]"]
            table = section
        lines += _comment(f"{why.text} ({why.bound}){below.get(setting, '')}")
        if format == "toml":
            lines.append(f"{name} = {value}")
        elif variable.startswith("OTEL_") and isinstance(value, float):
            lines.append(f"{variable}={round(value * 1000)}")
        else:
            lines.append(
                f"{variable}={value:g}" if isinstance(value, float) else f"{variable}={value}"
            )
    return "\n".join(lines) + "\n"


def _load(scenario: Scenario) -> str:
    return (
        f"For {scenario.rate:,g} records a second of {scenario.record_bytes:,} bytes, bursts of"
        f" {scenario.burst:,}, an outage of {scenario.outage:g} s, {scenario.latency:g} s of latency and"
        f" a round trip of {scenario.round_trip:g} s."
    )


def _played(advice: Advice, scenario: Scenario) -> str:
    room = f"Records take at most {advice.memory:,} bytes; on a disk, an outage's would take {advice.disk:,}."
    if not _may_play(advice, scenario):
        return f"{room} Not simulated: it is too much."
    found = check(advice, scenario)
    return f"{room} Simulated at its worst: {found}, {found.peak:,} in memory at most."


def _one_step_worse(advice: Advice, scenario: Scenario) -> dict[str, str]:
    if not _may_play(advice, scenario):
        return {}
    return {
        tried.reason.setting: f"; simulated with {tried.value:,}: {tried.found}"
        for tried in one_step_worse(advice, scenario)
    }


def _may_play(advice: Advice, scenario: Scenario) -> bool:
    seconds = advice.gone + scenario.recovery + 4 * advice.delay
    return scenario.rate * seconds + scenario.burst <= PLAYED


def _real(advice: Advice, scenario: Scenario, seconds: float) -> str:
    """A comment with what the ledger of a real run says."""
    totals = rehearse(advice, scenario, seconds)
    return "\n".join(_comment(f"For real, {seconds:g} s: {totals}")) + "\n"


def _comment(text: str) -> Iterator[str]:
    return (f"# {line}" for line in wrap(text, WIDTH))


def _write(path: Path, text: str) -> None:
    """All of `text` under a new name, or nothing."""
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(text)
        os.link(temporary, path)  # unlike a rename, it replaces nothing
    except FileExistsError:
        raise Stop(_kept(path)) from None
    except OSError as error:
        raise Stop(f"cannot write {path}: {error.strerror}") from None
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def _kept(path: Path) -> str:
    return f"{path} exists, and is kept: name a new file with --output"


def _of(parse: Callable[[str], T]) -> Callable[[str], T]:
    """`parse` for argparse, with its rule as the message."""

    def option(text: str) -> T:
        try:
            return parse(text)
        except ValueError as rule:
            raise argparse.ArgumentTypeError(f"{text!r} {rule}") from None

    return option


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("must be a number") from None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise ValueError("must be a whole number")
    return int(text)
