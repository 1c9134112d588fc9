"""The registry: what can be copied, how far each item reaches, and whether that is still true.

    python -m tools.registry            check, and write build/registry.json
    python -m tools.registry --check    check only, print what is wrong

All of it is derived by `otlp_kit.cli.items` from the code; the pages that name an item are read
from their front matter. `problems` is what the tests call.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from otlp_kit.cli.items import BUNDLES, WHOLE, Kit, NotCopyable
from otlp_kit.cli.source_code import packages
from tools import pages

ROOT = Path(__file__).resolve().parent.parent
REGISTRY = ROOT / "build/registry.json"


@dataclass(frozen=True, slots=True)
class Distance:
    """What a copy brings along. `model` is free: whoever has records has it."""

    items: int
    lines: int
    """Lines of code. Docstrings, comments and blank lines are free, or explaining would cost."""
    packages: int


LEAF = Distance(4, 450, 1)
BUNDLE = Distance(9, 900, 1)
"""The budgets: pressure, not law. What exceeds them stands below, by its name or that of its folder,
with the room it has."""

HANDS_OVER = "the processors share how a batch is handed over, counted and forked"
READS_ALL = "reads every signal in both encodings"
EXPORTS = "an official exporter with everything that is behind it, and the rules of its settings"
ONE_DATABASE = "a file for the connection, one for the schema, one for each table"
EXCEPTIONS = {
    "adapters": (Distance(48, 4400, 4), "all adapters at once"),
    "adapters/": (Distance(21, 1700, 1), "an adapter joins the SDK to a whole path, end to end"),
    "adapters/otlp_exporting": (Distance(26, 2700, 1), EXPORTS),
    "adapters/otlp_grpc": (Distance(34, 3400, 2), EXPORTS),
    "adapters/otlp_http": (Distance(34, 3400, 3), EXPORTS),
    "adapters/otlp_protocol": (Distance(40, 3900, 4), EXPORTS),
    "adapters/sdk_conformance": (Distance(21, 1650, 4), "makes the official exporters"),
    "encoding/answers": (Distance(5, 780, 0), "answers are written by one peer, read by the other"),
    "encoding/export_request": (Distance(10, 1450, 0), READS_ALL),
    "encoding/json_kinds": (Distance(4, 750, 0), "JSON keeps the limits of the protobuf reader"),
    "encoding/microscope": (Distance(4, 650, 0), "names each field, so it holds the schema"),
    "encoding/otlp_json": (Distance(6, 1150, 0), READS_ALL),
    "encoding/protobuf_read_metrics": (Distance(4, 520, 0), "five kinds of points"),
    "exporters/console": (Distance(7, 1250, 0), "writes JSON as OTLP has it, too"),
    "exporters/database": (Distance(11, 1500, 0), READS_ALL),
    "exporters/otlp_file": (Distance(11, 1750, 0), READS_ALL),
    "exporters/otlp_grpc": (
        Distance(9, 1130, 1),
        "reads what the server answers, and holds forks back",
    ),
    "exporters/otlp_http": (Distance(9, 1050, 1), "reads what the server answers"),
    "pipeline": (
        Distance(37, 4100, 2),
        "puts pipelines together, also the one that settings describe",
    ),
    "processors/batch": (Distance(8, 670, 0), HANDS_OVER),
    "processors/batch_async": (Distance(8, 620, 0), HANDS_OVER),
    "processors/periodic": (Distance(7, 450, 0), HANDS_OVER),
    "processors/simple": (Distance(7, 450, 0), HANDS_OVER),
    "processors/span_metrics": (
        Distance(5, 450, 0),
        "passes spans on, and counts anew after a fork",
    ),
    "processors/tail_sampling": (
        Distance(12, 1000, 0),
        "its policies, its memory and its thresholds are files of their own",
    ),
    "receiver/grpc_server": (Distance(16, 2100, 1), READS_ALL),
    "receiver/http_server": (Distance(17, 2300, 1), READS_ALL),
    "receiver/service": (Distance(15, 2000, 0), READS_ALL),
    "receiver/http_protocol": (Distance(6, 850, 1), "answers as the HTTP server does"),
    "settings/layers": (Distance(4, 480, 0), "reads all layers, each in its own place"),
    "settings/otlp_exporter": (Distance(5, 500, 0), "and what the environment says of proxies"),
    "settings/reload": (Distance(6, 700, 0), "takes settings whole, from all that layers read"),
    "settings/schema": (Distance(17, 2200, 2), "every setting of the kit, from every layer"),
    "settings/schema_rules": (Distance(12, 1400, 0), "what the exporters refuse is asked of them"),
    "stores/sqlite_store": (Distance(9, 800, 0), "one file for each table"),
    "stores/postgres_connection": (Distance(8, 700, 1), ONE_DATABASE),
    "stores/postgres_schema": (Distance(8, 700, 1), ONE_DATABASE),
    "stores/postgres_store": (Distance(12, 1000, 1), ONE_DATABASE),
    "testing/": (Distance(26, 3000, 1), "a test kit needs what it drives, and a server against it"),
    "tracing": (Distance(22, 1900, 1), "the tracer with all that is beside it"),
    "tracing/": (Distance(22, 1920, 1), "a span, a tracer and a provider need one another"),
    "views/microscope": (Distance(5, 750, 0), "shows the pieces of encoding/microscope"),
    "views/waterfall": (Distance(6, 450, 0), "draws text and SVG, one file each"),
    "http-pipeline": (Distance(20, 1950, 1), "reads what the server answers, with its limits"),
}

TESTS_STAY: dict[str, str] = {}
"""Test files that do not travel. An item that has no other test is copied without."""

FREE_IMPORTS = {"receiver/limits": "zstd, from wherever this Python has it, or not at all"}
"""Items whose imports by name were read by a person: none of them is of this kit."""


def problems(kit: Kit) -> list[str]:
    """Everything that is wrong with the items of `kit`, one line each."""
    return [problem for name in kit.names for problem in _item(kit, name)] + [
        problem for name in (*kit.names, *BUNDLES) for problem in _budget(kit, name)
    ]


def _item(kit: Kit, name: str) -> Iterator[str]:
    item = kit.item(name)
    for source in item.sources:
        for why in source.smuggled:
            if not (name in FREE_IMPORTS and why.endswith("an import by name")):
                yield f"{name}: {why}"
        for module in source.needs:
            try:
                kit.owners([module])
            except NotCopyable as error:
                yield f"{name}: imports what cannot travel: {error}"
    tests = kit.tests_of(name)
    if not tests:
        yield f"{name}: has no tests: none mirrors it, imports it, or tests what is made of it"
    travelling = []
    for test in tests:
        try:
            kit.test_closure(test)
            travelling.append(test)
        except NotCopyable as error:
            if test not in TESTS_STAY:
                yield f"{name}: {test} cannot travel: {error}"
        else:
            if test in TESTS_STAY:
                yield f"{name}: {test} could travel; TESTS_STAY need not name it"
    if tests and not travelling and not set(tests) <= set(TESTS_STAY):
        yield f"{name}: none of its tests can travel"


def _budget(kit: Kit, name: str) -> Iterator[str]:
    try:
        found = distance(kit, name)
    except NotCopyable:
        return
    usual = BUNDLE if name in BUNDLES else LEAF
    folder, _, _ = name.rpartition("/")
    budget, _ = EXCEPTIONS.get(name) or EXCEPTIONS.get(f"{folder}/") or (usual, "")
    for what, measured in asdict(found).items():
        if measured > (most := getattr(budget, what)):
            yield f"{name}: reaches {measured} {what}; its budget is {most}"
    if name in EXCEPTIONS and all(n <= getattr(usual, what) for what, n in asdict(found).items()):
        yield f"{name}: needs no exception any more"


def distance(kit: Kit, name: str) -> Distance:
    """The copy distance of an item or bundle."""
    items = [item for item in kit.closure([name]) if item.name == name or item.name not in WHOLE]
    sources = [source for item in items for source in item.sources]
    return Distance(len(items), sum(one.code_lines for one in sources), len(packages(sources)))


def entries(kit: Kit) -> list[dict[str, object]]:
    """The registry: one object for each item and bundle."""
    return [_entry(kit, name) for name in (*kit.names, *BUNDLES)]


def _entry(kit: Kit, name: str) -> dict[str, object]:
    closure = kit.closure([name])
    sources = [source for item in closure for source in item.sources]
    own = kit.item(name).sources if name in kit.names else ()
    return {
        "name": name,
        "title": own[0].title if own else f"Together: {', '.join(BUNDLES[name])}.",
        "needs": [item.name for item in closure if item.name != name],
        "packages": packages(sources),
        "files": len(sources) + sum(len(item.data) for item in closure),
        "lines": sum(source.lines for source in sources),
        "own_lines": sum(source.lines for source in own),
        "distance": asdict(distance(kit, name)),
        "tests": sorted(_test_files(kit, name)),
        "pages": sorted(naming_pages(source.module for source in own)),
    }


def _test_files(kit: Kit, name: str) -> set[str]:
    """The test files of an item and the files that these import."""
    found: set[str] = set()
    for test in kit.tests_of(name):
        try:
            files, _ = kit.test_closure(test)
        except NotCopyable:
            continue
        found |= {f"{file.module.replace('.', '/')}.py" for file in files}
    return found


def naming_pages(modules: Iterable[str]) -> set[str]:
    """The pages whose front matter names one of `modules`."""
    return {page for module in modules for page in _pages().get(module, ())}


@cache
def _pages() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(pages.DOCS.rglob("*.md")):
        for module in pages.front_matter(path.read_text("utf-8")).get("modules") or ():
            found.setdefault(module, []).append(path.relative_to(pages.DOCS).as_posix())
    return found


def text(kit: Kit) -> str:
    """What registry.json holds."""
    return json.dumps(entries(kit), indent=1) + "\n"


def main(arguments: list[str]) -> int:
    kit = Kit.here()
    found = problems(kit)
    print(*found, sep="\n", end="\n" if found else "")
    if "--check" not in arguments:
        REGISTRY.parent.mkdir(exist_ok=True)
        REGISTRY.write_text(text(kit), "utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
