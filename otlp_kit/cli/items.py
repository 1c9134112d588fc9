"""What can be copied out of this package, derived from its own source and its tests.

There is no list to keep true: the files say what they import (`cli/source_code`), the folders say
what there is. An *item* is one module, such as `processors/batch`; `model` is one item, and so is
a folder whose `__init__.py` holds names. An installed wheel answers as a checkout does.

    kit = Kit.here()
    kit.item("processors/batch").title
    [item.name for item in kit.closure(["processors/batch"])]
"""

from __future__ import annotations

import ast
import contextlib
import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from otlp_kit.cli.source_code import KIT, TESTS, Source, has_names, read

FOLDERS = ("adapters", "discovery", "encoding", "exporters", "pools", "processors", "receiver",
           "reliability", "runtime", "settings", "stores", "testing", "tracing", "views")  # fmt: skip
LEAVES = ("ledger", "pipeline", "wire")
WHOLE = ("model",)
"""Folders that travel as one item."""

BUNDLES = {
    "http-pipeline": (
        "processors/batch", "encoding/protobuf_spans", "exporters/otlp", "reliability/retry",
        "exporters/otlp_http",
    ),
}  # fmt: skip
"""Items that work together, under one name."""

CONFTEST = "copied_conftest.py"
"""The file of the tests that becomes conftest.py beside copied ones."""


class NotCopyable(Exception):
    """This cannot be copied; the text is one line that says why, and what could be."""


@dataclass(frozen=True, slots=True)
class Item:
    """What travels under one name: nearly always one file."""

    name: str
    sources: tuple[Source, ...]
    data: tuple[Path, ...] = ()
    """Files that are not Python."""

    @property
    def title(self) -> str:
        return self.sources[0].title


class Kit:
    """The items below the folder `package`, and their tests below `tests`, if there are any."""

    def __init__(self, package: Path, tests: Path | None) -> None:
        self.package, self.tests = package, tests
        self._sources: dict[str, Source] = {}
        self._needs: dict[str, set[str]] = {}
        self._paths: dict[str, Path | None] = {}

    @classmethod
    def here(cls) -> Kit:
        """This package, with the tests of its checkout or else those that its wheel holds."""
        package = Path(__file__).resolve().parents[1]
        places = (package.parent / "tests", package / "_tests")
        return cls(package, next((one for one in places if (one / CONFTEST).is_file()), None))

    @cached_property
    def names(self) -> list[str]:
        """Every item, by name."""
        found = [name for name in LEAVES if self._path(f"{KIT}.{name}")]
        found += [name for name in WHOLE if self._path(f"{KIT}.{name}")]
        for folder in FOLDERS:
            for path in (self.package / folder).glob("*.py"):
                if path.name != "__init__.py":
                    found.append(f"{folder}/{path.stem}")
                elif has_names(path.read_text("utf-8")):
                    found.append(folder)
        return sorted(found)

    def item(self, name: str) -> Item:
        """The item called `name`; NotCopyable, with the nearest names, if there is none."""
        if name not in self.names:
            near = [one for one in self.names if one.endswith(f"/{name}")]
            near += difflib.get_close_matches(name, [*self.names, *BUNDLES], 3, 0.5)
            hint = f"; near it: {', '.join(dict.fromkeys(near))}" if near else ""
            raise NotCopyable(f"no item {name!r}{hint} (`otlp-kit copy --list` shows all)")
        module = f"{KIT}.{name.replace('/', '.')}"
        folder = self.package / name
        if not folder.is_dir():
            return Item(name, (self.source(module),))
        inner = sorted(folder.glob("[!_]*.py")) if name in WHOLE else []
        data = (
            path for path in sorted(folder.rglob("*")) if path.suffix not in {".py", ".pyc", ""}
        )
        modules = (module, *(f"{module}.{path.stem}" for path in inner))
        return Item(name, tuple(map(self.source, modules)), tuple(data))

    def source(self, module: str) -> Source:
        """The file of `module`, a dotted name that begins with `otlp_kit` or `tests`."""
        if module not in self._sources:
            path = self._path(module)
            if path is None:
                raise NotCopyable(f"there is no module {module}")
            self._sources[module] = read(path, module, lambda name: self._path(name) is not None)
        return self._sources[module]

    def owner(self, module: str) -> str:
        """The item that `module` belongs to; NotCopyable if it stays here, as the commands do."""
        name = module.removeprefix(f"{KIT}.").replace(".", "/")
        name = next((whole for whole in WHOLE if name.startswith(f"{whole}/")), name)
        if name not in self.names:
            raise NotCopyable(f"{module} stays here: it is no item")
        return name

    def needs(self, name: str) -> set[str]:
        """The other items that an item imports."""
        if name not in self._needs:
            modules = (one for source in self.item(name).sources for one in source.needs)
            self._needs[name] = self.owners(modules) - {name}
        return self._needs[name]

    def owners(self, modules: Iterable[str]) -> set[str]:
        """The items that `modules` belong to. A folder with an empty `__init__.py` is none."""
        return {
            self.owner(one)
            for one in modules
            if not one.startswith(f"{TESTS}.") and self.source(one).has_names
        }

    def closure(self, names: Iterable[str]) -> list[Item]:
        """The items (or bundles) called `names` and all they need, by name."""
        found: set[str] = set()
        waiting = [one for name in names for one in BUNDLES.get(name, (name,))]
        while waiting:
            name = waiting.pop()
            if name not in found:
                waiting += self.needs(name)
                found.add(name)
        return [self.item(name) for name in sorted(found)]

    def tests_of(self, name: str) -> list[str]:
        """The test modules of an item or bundle: its mirror, else those that import it, else its
        users' own.

        `tests/a/test_b.py` and `tests/a/test_b_more.py` mirror `a/b`. A file that its neighbours
        are made of, such as `stores/span_rows`, is tested through them.
        """
        if name in BUNDLES:
            return sorted({test for one in BUNDLES[name] for test in self.tests_of(one)})
        if found := [test for test in self._test_modules if self._mirrored(test) == name]:
            return found
        modules = {source.module for source in self.item(name).sources}
        importing = [test for test in self._test_modules if modules & set(self.source(test).needs)]
        through_users = {test for one in self._users(name) for test in self.tests_of(one)}
        folder = f"{TESTS}.{name.partition('/')[0]}."
        for tests in (importing, through_users):
            if near := [one for one in tests if one.startswith(folder)]:
                return sorted(near)
        return sorted(importing or through_users)

    def test_closure(self, test: str) -> tuple[list[Source], list[Item]]:
        """The test files that travel with `test`, and the items that they import.

        NotCopyable if one of them needs what stays here, such as the command line.
        """
        files: dict[str, Source] = {}
        waiting = [test]
        while waiting:
            module = waiting.pop()
            if module not in files:
                files[module] = self.source(module)
                waiting += [one for one in files[module].needs if one.startswith(f"{TESTS}.")]
                if self._uses_conftest(files[module]):
                    waiting.append(f"{TESTS}.conftest")
        items = self.owners(one for file in files.values() for one in file.needs)
        return [files[module] for module in sorted(files)], self.closure(items)

    def _users(self, name: str) -> Iterator[str]:
        """The items that import this one."""
        for one in self.names:
            with contextlib.suppress(NotCopyable):  # one that cannot travel; not this one's fault
                if name in self.needs(one):
                    yield one

    @cached_property
    def _test_modules(self) -> list[str]:
        """Every test file of the leaves and of folders that hold items."""
        if self.tests is None:
            return []
        found = [f"{TESTS}.{path.stem}" for path in self.tests.glob("test_*.py")]
        for folder in (*FOLDERS, *WHOLE):
            paths = (self.tests / folder).glob("test_*.py")
            found += [f"{TESTS}.{folder}.{path.stem}" for path in paths]
        return sorted(found)

    def _mirrored(self, test: str) -> str:
        """The item that the name of a test file says: of `otlp` and `otlp_http`, the longer one."""
        *folder, file = test.split(".")[1:]
        name = "/".join([*folder, file.removeprefix("test_")])
        while name and name not in self.names:
            name = name.rpartition("_")[0]
        return name

    def _uses_conftest(self, source: Source) -> bool:
        """Whether a test takes a fixture of tests/conftest.py, which no import shows."""
        if not self._path(f"{TESTS}.conftest") or not source.module.startswith(TESTS):
            return False
        shared = _functions(self.source(f"{TESTS}.conftest").text)
        own = _functions(source.text)
        taken = {argument for name, arguments in own.items() for argument in arguments}
        return source.module != f"{TESTS}.conftest" and bool(taken & set(shared) - set(own))

    def _path(self, module: str) -> Path | None:
        if module not in self._paths:
            self._paths[module] = self._find(module)
        return self._paths[module]

    def _find(self, module: str) -> Path | None:
        root, *rest = module.split(".")
        base = {KIT: self.package, TESTS: self.tests}.get(root)
        if base is None:
            return None
        path = base.joinpath(*rest)
        places = [path.with_name(f"{path.name}.py")] if rest else []
        return next((one for one in [*places, path / "__init__.py"] if one.is_file()), None)


@cache
def _functions(text: str) -> dict[str, list[str]]:
    """What may be a test or a fixture of a test file, and the names of its arguments."""
    body = ast.parse(text).body
    inside = [node for one in body if isinstance(one, ast.ClassDef) for node in one.body]
    nodes = (node for node in [*body, *inside] if isinstance(node, ast.FunctionDef))
    return {node.name: [argument.arg for argument in node.args.args] for node in nodes}
