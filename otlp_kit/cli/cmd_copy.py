"""`otlp-kit copy ITEM --into PACKAGE`: take a module along, with what it needs and its tests.

The copy is yours: it imports nothing from here. `--list` and `--view` show what there is, `--diff`
how a copy differs from what this installation holds.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator
from pathlib import Path

from otlp_kit import __version__
from otlp_kit.cli.copying import (
    STAMP,
    Destination,
    Plan,
    needed_by_test,
    rewrite,
    rewrite_test,
    unstamped,
)
from otlp_kit.cli.items import BUNDLES, Item, Kit, NotCopyable
from otlp_kit.cli.options import Stop
from otlp_kit.cli.source_code import KIT, PACKAGES, TESTS, packages


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "copy", help="copy a module into your package, with what it needs", description=__doc__
    )
    parser.add_argument("item", nargs="*", help="such as processors/batch, or http-pipeline")
    parser.add_argument("--into", metavar="PACKAGE", help="folder of the package: acme/telemetry")
    parser.add_argument("--tests", action="store_true", help="copy the item's tests as well")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written")
    parser.add_argument("--force", action="store_true", help="overwrite files that differ")
    shows = parser.add_mutually_exclusive_group()
    shows.add_argument("--list", action="store_true", help="all items")
    shows.add_argument("--view", metavar="ITEM", help="what an item brings along, and its source")
    shows.add_argument(
        "--diff", type=Path, metavar="PATH", help="a copied file, or a folder of them: what changed"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    kit = Kit.here()
    try:
        if arguments.list:
            print(*_table(kit), sep="\n")
        elif arguments.view:
            print(*_view(kit, arguments.view), sep="\n")
        elif arguments.diff:
            print(*_diff(kit, arguments.diff), sep="\n")
        elif arguments.item and arguments.into:
            _copy(kit, arguments)
        else:
            raise Stop("say what and where: `otlp-kit copy ITEM --into PACKAGE`, or --list")
    except NotCopyable as error:
        raise Stop(str(error)) from None
    except BrokenPipeError:
        raise  # the reader has seen enough: `main` ends quietly
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"cannot read or write: {error}") from None
    return 0


def _copy(kit: Kit, arguments: argparse.Namespace) -> None:
    into = Destination.parse(arguments.into, Path.cwd())
    plan = Plan.of(kit, arguments.item, into, tests=arguments.tests, version=__version__)
    states = plan.states()
    if not arguments.dry_run:
        plan.write(force=arguments.force)
    for path, state in states.items():
        print(f"{state:8}{path.relative_to(into.root).as_posix()}")
    needed = packages(source for item in plan.items for source in item.sources)
    print("needs   " + (" ".join(needed) or "the standard library only"))
    for reason in plan.left_out:
        print(f"left    {reason}")
    if arguments.tests:
        where = into.tests_folder.relative_to(into.root).as_posix()
        also = " ".join(sorted({PACKAGES[one] for one in plan.test_imports} - {*needed}))
        print(f"tests   python -m pytest {where}" + (f" (skips what needs {also})" if also else ""))
    if arguments.dry_run:
        print("nothing is written: --dry-run")


def _distance(kit: Kit, name: str) -> tuple[list[Item], int, list[str]]:
    """The copy distance: items, lines of all their files, packages."""
    items = kit.closure([name])
    sources = [source for item in items for source in item.sources]
    return items, sum(source.lines for source in sources), packages(sources)


def _table(kit: Kit) -> Iterator[str]:
    """One line for each item: how much comes along, and what it is."""
    width = max(map(len, [*kit.names, *BUNDLES]))
    yield f"{'ITEM':{width}}  ITEMS  LINES  WHAT IT IS"
    for name in [*kit.names, *BUNDLES]:
        items, lines, needed = _distance(kit, name)
        title = "" if name in BUNDLES else kit.item(name).title
        text = title or f"Together: {', '.join(BUNDLES[name])}."
        also = f" Needs {', '.join(needed)}." if needed else ""
        yield f"{name:{width}}  {len(items):5}  {lines:5}  {text}{also}"


def _view(kit: Kit, name: str) -> Iterator[str]:
    """What an item brings along, and its source."""
    items, lines, needed = _distance(kit, name)
    others = [item.name for item in items if item.name != name]
    tests = (kit.source(test).path for test in kit.tests_of(name))
    files = [path.relative_to(kit.tests).as_posix() for path in tests if kit.tests]
    yield f"{name}: {kit.item(name).title if name in kit.names else 'items that work together'}"
    yield f"brings  {' '.join(others) or 'nothing'}"
    count = sum(len(item.sources) + len(item.data) for item in items)
    yield f"copies  {count} file{'s' * (count != 1)}, {lines} lines"
    yield f"needs   {' '.join(needed) or 'the standard library only'}"
    yield f"tests   {' '.join(files) or 'none in this installation'}"
    for source in kit.item(name).sources if name in kit.names else ():
        yield f"\n{source.text.rstrip()}"


def _diff(kit: Kit, path: Path) -> Iterator[str]:
    """A unified diff from what this installation would copy to what is at `path`."""
    paths = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    if not path.exists():
        raise NotCopyable(f"there is no {path}")
    stamped = 0
    for one in paths:
        text = one.read_text("utf-8")
        found = STAMP.fullmatch(text.partition("\n")[0])
        if not found:
            continue
        stamped += 1
        now, digest = _upstream(kit, found["file"], found["package"])
        lines = list(
            difflib.unified_diff(
                now.splitlines(), unstamped(text).splitlines(),
                f"{found['file']} of otlp-kit {__version__}", str(one), lineterm="",
            )
        )  # fmt: skip
        moved = "" if digest == found["digest"] else f", which has changed since {found['version']}"
        yield f"{one}: {'differs from' if lines else 'as'} {found['file']}{moved}"
        yield from lines
    if not stamped:
        raise NotCopyable(f"{path} holds no copy: its first line does not say where it is from")


def _upstream(kit: Kit, file: str, package: str) -> tuple[str, str]:
    """The text that would be copied now, and the digest of its source."""
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    is_test = module.startswith(f"{TESTS}.")
    source = kit.source(module if is_test else f"{KIT}.{module}")
    if not is_test:
        return rewrite(source.text, package), source.digest
    needed = set() if module.endswith("_conftest") else needed_by_test(kit, source)
    return rewrite_test(source.text, package, needed), source.digest
