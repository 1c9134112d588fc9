"""How a file of the kit becomes a file of yours: rewritten, stamped, and written all or nothing.

    into = Destination.parse("acme/telemetry", Path.cwd())
    plan = Plan.of(kit, ["processors/batch"], into, tests=True, version="0.1.0")
    plan.conflicts()    files that are there and differ
    plan.write()

What changes in a file is the name of the package, wherever Python or a docstring's example says
it, and one comment line on top that says where the file is from. A copied test gets one more
thing: it skips itself where a package that it needs is not installed.
"""

from __future__ import annotations

import ast
import contextlib
import keyword
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from otlp_kit.cli.items import CONFTEST, Item, Kit, NotCopyable
from otlp_kit.cli.source_code import KIT, STANDARD, TESTS, Source

PREFIX = re.compile(
    rf"(?<![\w./-]){KIT}(?=\.[A-Za-z_])|(?<=\bfrom ){KIT}(?= import\b)|(?<=\bimport ){KIT}\b"
)
TESTS_PREFIX = re.compile(rf"(?:(?<=\bfrom )|(?<=\bimport )){TESTS}(?=[. ])")
STAMP = re.compile(
    r"# otlp-kit (?P<version>\S+): (?P<file>\S+) sha256:(?P<digest>\w+) as (?P<package>[\w.]+)"
)


@dataclass(frozen=True, slots=True)
class Destination:
    """The package that copies become part of: `acme.telemetry`, below the folder `root`."""

    root: Path
    package: str
    source_folder: str = ""

    @classmethod
    def parse(cls, text: str, here: Path) -> Destination:
        """Read `--into`. A folder `src` in front holds the package and is not part of its name."""
        given = Path(text)
        if given.is_absolute():
            if not given.is_relative_to(here):
                raise NotCopyable(f"{text} is not below the current directory")
            given = given.relative_to(here)
        parts = list(given.parts)
        source_folder = parts.pop(0) if parts[:1] == ["src"] else ""
        for part in parts:
            if not part.isidentifier() or keyword.iskeyword(part):
                raise NotCopyable(f"{text!r} is not a package: {part!r} is no Python name")
        if not parts:
            raise NotCopyable(f"{text!r} is not a package: write a folder such as acme/telemetry")
        if parts[0] in {*STANDARD, TESTS, KIT}:
            raise NotCopyable(f"{text!r} would hide the module {parts[0]!r}; take another name")
        return cls(here, ".".join(parts), source_folder)

    @property
    def folder(self) -> Path:
        """Where the package is."""
        return self.root / self.source_folder / self.package.replace(".", "/")

    @property
    def tests(self) -> str:
        """The package of the copied tests, beside the top package: `tests.telemetry`."""
        return f"{TESTS}.{self.package.rpartition('.')[2]}"

    @property
    def tests_folder(self) -> Path:
        return self.root / self.tests.replace(".", "/")


def rewrite(text: str, package: str) -> str:
    """`text` with `package` in place of the kit's name, in imports, code, strings and examples."""
    return PREFIX.sub(package, text)


def rewrite_test(text: str, package: str, missing_ok: Iterable[str] = ()) -> str:
    """The same for a test, which also imports other tests, and skips without `missing_ok`."""
    tests = f"{TESTS}.{package.rpartition('.')[2]}"
    return TESTS_PREFIX.sub(tests, rewrite(_with_skips(text, missing_ok), package))


def stamp(source: Source, file: str, package: str, version: str) -> str:
    """The line that says where a copy is from."""
    return f"# otlp-kit {version}: {file} sha256:{source.digest} as {package}\n"


def unstamped(text: str) -> str:
    """A copy without its first line, if that is a stamp."""
    first, _, rest = text.partition("\n")
    return rest if STAMP.fullmatch(first) else text


@dataclass(slots=True)
class Plan:
    """The files of one copy, each with what it will hold. Nothing is written before `write`."""

    into: Destination
    items: list[Item] = field(default_factory=list)
    files: dict[Path, bytes] = field(default_factory=dict)
    test_imports: set[str] = field(default_factory=set)
    """Packages without which some of the copied tests skip themselves."""
    left_out: list[str] = field(default_factory=list)
    """Tests that cannot travel, each with the reason."""

    @classmethod
    def of(
        cls, kit: Kit, names: Iterable[str], into: Destination, *, tests: bool, version: str
    ) -> Plan:
        """What copying `names` means; NotCopyable if there is no such item."""
        plan = cls(into)
        names = list(names)
        wanted = {item.name for item in kit.closure(names)}
        test_files: dict[str, Source] = {}
        if tests:
            if kit.tests is None:
                raise NotCopyable("this installation holds no tests to copy")
            for test in sorted({test for name in names for test in kit.tests_of(name)}):
                try:
                    files, items = kit.test_closure(test)
                except NotCopyable as error:
                    plan.left_out.append(f"{kit.source(test).path.name}: {error}")
                    continue
                test_files |= {file.module: file for file in files}
                wanted |= {item.name for item in items}
        plan.items = kit.closure(sorted(wanted))
        for item in plan.items:
            for source in item.sources:
                file = source.path.relative_to(kit.package).as_posix()
                text = rewrite(source.text, into.package)
                plan._add(into.folder / file, stamp(source, file, into.package, version) + text)
            for path in item.data:
                plan.files[into.folder / path.relative_to(kit.package)] = path.read_bytes()
        for source in test_files.values():
            plan._add_test(kit, source, version)
        if test_files:
            conftest = kit.source(f"{TESTS}.{Path(CONFTEST).stem}")
            plan._add_test(kit, conftest, version, "conftest.py")
        plan._add_packages()
        return plan

    def _add(self, path: Path, text: str) -> None:
        ast.parse(text, str(path))
        self.files[path] = text.encode()

    def _add_test(self, kit: Kit, source: Source, version: str, name: str = "") -> None:
        assert kit.tests
        inside = source.path.relative_to(kit.tests)
        imports = needed_by_test(kit, source) if not name else set()
        self.test_imports |= imports
        text = rewrite_test(source.text, self.into.package, imports)
        line = stamp(source, f"{TESTS}/{inside.as_posix()}", self.into.package, version)
        self._add(self.into.tests_folder / (name or inside), line + text)

    def _add_packages(self) -> None:
        """Empty `__init__.py` files: below the package, and in every folder that is made."""
        for top, own in (
            (self.into.root / self.into.source_folder, self.into.folder),
            (self.into.root, self.into.tests_folder),
        ):
            folders = {path.parent for path in self.files if path.suffix == ".py"}
            for folder in {above for one in folders for above in (one, *one.parents)}:
                init = folder / "__init__.py"
                if not folder.is_relative_to(top) or folder == top or init in self.files:
                    continue
                inside = folder.is_relative_to(own) or own.is_relative_to(folder)
                new = not folder.exists() or folder.is_relative_to(own)
                if inside and new and not init.exists():
                    self.files[init] = b""

    def states(self) -> dict[Path, str]:
        """Each file: `new`, `same`, or `differs` from what is there."""
        return {path: _state(path, content) for path, content in sorted(self.files.items())}

    def write(self, *, force: bool = False) -> None:
        """Write all files or none; NotCopyable if a file is there and differs, unless `force`."""
        states = self.states()
        if differing := [path for path, state in states.items() if state == "differs"]:
            names = ", ".join(path.relative_to(self.into.root).as_posix() for path in differing)
            if not force:
                raise NotCopyable(f"there is already another {names}; --force overwrites")
        with tempfile.TemporaryDirectory(prefix=".otlp-kit-copy-", dir=self.into.root) as aside:
            moves: list[tuple[Path, Path, Path]] = []
            for number, path in enumerate(sorted(self.files)):
                if states[path] != "same":
                    fresh = Path(aside, f"{number}.new")
                    fresh.write_bytes(self.files[path])
                    moves.append((fresh, path, Path(aside, f"{number}.old")))
            _move_all(moves)


def needed_by_test(kit: Kit, source: Source) -> set[str]:
    """What a test file imports from elsewhere but pytest, itself or through the items it tests."""
    items = kit.closure(kit.owners(source.needs))
    sources = [source, *(inner for item in items for inner in item.sources)]
    return {name for one in sources for name in one.imports} - {"pytest"}


def _with_skips(text: str, names: Iterable[str]) -> str:
    """A test that skips itself, as a whole, where one of the packages `names` is missing."""
    skips = "".join(f'pytest.importorskip("{name}")\n' for name in sorted(names))
    if not skips:
        return text
    above: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
            root = named.partition(".")[0]
            if root not in {*STANDARD, "pytest"}:
                break
            above.add(root)
    else:
        return text
    lines = text.splitlines(keepends=True)
    need = "" if "pytest" in above else "import pytest\n"
    gap = "\n" if need or lines[node.lineno - 2].strip() else ""
    lines.insert(node.lineno - 1, f"{need}{gap}{skips}\n")
    return "".join(lines)


def _state(path: Path, content: bytes) -> str:
    if not path.exists():
        return "new"
    if path.is_dir():
        raise NotCopyable(f"{path} is a directory")
    there = path.read_bytes()
    if path.name == "__init__.py" and not there.strip():
        return "new" if content else "same"
    if path.suffix == ".py":
        same = unstamped(there.decode("utf-8", "replace")) == unstamped(content.decode())
        return "same" if same else "differs"
    return "same" if there == content else "differs"


def _move_all(moves: list[tuple[Path, Path, Path]]) -> None:
    """Put each (fresh, path, old) in place; whatever goes wrong, put back what was there."""
    done: list[tuple[Path, Path]] = []
    made: list[Path] = []
    try:
        for fresh, path, old in moves:
            for folder in reversed([path.parent, *path.parent.parents]):
                if not folder.exists():
                    folder.mkdir()
                    made.append(folder)
            if path.exists():
                shutil.copy2(path, old)
            done.append((path, old))
            fresh.replace(path)
    except BaseException as error:
        for path, old in reversed(done):
            with contextlib.suppress(OSError):
                if old.exists():
                    old.replace(path)
                else:
                    path.unlink()
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise NotCopyable(f"nothing is written: {error}") from error
        raise
