"""How much an exporter is: the lines that are its own, and what pip has to install for it.

Lines do something: no blank ones, comments or docstrings, on either side. Of the kit they are those
of the items that a copy brings along, without the records (`model`), which whoever has spans has. Of
an official exporter they are those of the modules that its import loads from the distributions
called `opentelemetry-exporter-*`: without the SDK, the API and the code generated from protobuf.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.metadata import requires
from inspect import signature
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.exporters_rows import Row
from otlp_kit.cli.items import WHOLE, Kit
from otlp_kit.cli.source_code import Source, packages, read
from otlp_kit.exporters.otlp import OtlpExporter

OWN = "opentelemetry.exporter."
"""The modules that distributions called `opentelemetry-exporter-*` hold."""
LOADED = f"""
import importlib, sys
importlib.import_module(sys.argv[1])
for name, module in sorted(sys.modules.items()):
    if name.startswith({OWN!r}) and getattr(module, "__file__", None):
        print(name, module.__file__)
"""


def lines(row: Row) -> int | None:
    """Lines of code that are the exporter's own; None where they are not a module's."""
    if row.official and not row.module:
        return None
    sources = _official(row.module) if row.official else _of_kit(row)
    return sum(source.code_lines for source in sources)


def distributions(row: Row) -> set[str]:
    """Every distribution that has to be there, the one with the exporter included."""
    if row.official:
        return installed_for(row.distribution)
    needed = {name for one in packages(_of_kit(row)) for name in installed_for(one)}
    return {"otlp-kit"} | needed


def installed_for(requirement: str) -> set[str]:
    """`requirement`, and all that it requires here and now, by their metadata."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(requirement)]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        for extra in ("", *one.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            found.add(name)
            for text in requires(name) or ():
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    waiting.append(needed)
    return found


def default_limit(row: Row) -> int | None:
    """Bytes of one request if nothing is said; None where there is no limit, or none to be read."""
    if not row.limited:
        return None
    if row.official:
        return getattr(import_module(row.module), "_DEFAULT_MAX_REQUEST_SIZE", None)
    default: int = signature(OtlpExporter).parameters["max_request"].default
    return default


def sources(row: Row) -> list[Path]:
    """The files of the kit that a row is made of."""
    return [] if row.official else [source.path for source in _of_kit(row)]


def _of_kit(row: Row) -> list[Source]:
    closure = Kit.here().closure(row.items)
    return [source for item in closure if item.name not in WHOLE for source in item.sources]


def _official(module: str) -> list[Source]:
    """In a Python of its own: this one has loaded more by now."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, module], stdout=subprocess.PIPE, text=True, check=True
    )
    pairs = (line.split(" ", 1) for line in done.stdout.splitlines())
    return [read(Path(path), name, lambda _: False) for name, path in pairs]
