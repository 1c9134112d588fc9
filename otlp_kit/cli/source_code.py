"""What one Python file says about the world around it, read from its syntax tree, never run.

source = read(path, "otlp_kit.processors.batch", lambda name: name in modules)
source.needs       modules of the kit
source.packages    what pip has to install
source.smuggled    imports that nobody can follow, each with its line
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

KIT, TESTS = "otlp_kit", "tests"

PACKAGES = {
    "backports": "backports.zstd",
    "flask": "flask",
    "google.protobuf": "protobuf",
    "google.rpc": "googleapis-common-protos",
    "grpc": "grpcio",
    "hypothesis": "hypothesis",
    "isal": "isal",
    "jsonschema": "jsonschema",
    "opentelemetry": "opentelemetry-api",
    "opentelemetry.exporter.otlp.proto.common": "opentelemetry-exporter-otlp-proto-common",
    "opentelemetry.exporter.otlp.proto.grpc": "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.instrumentation.flask": "opentelemetry-instrumentation-flask",
    "opentelemetry.instrumentation.requests": "opentelemetry-instrumentation-requests",
    "opentelemetry.instrumentation.sqlite3": "opentelemetry-instrumentation-sqlite3",
    "opentelemetry.instrumentation.urllib3": "opentelemetry-instrumentation-urllib3",
    "opentelemetry.proto": "opentelemetry-proto",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "psycopg": "psycopg[binary]",
    "pydantic": "pydantic",
    "pytest": "pytest",
    "requests": "requests",
    "trustme": "trustme",
    "urllib3": "urllib3",
    "uvicorn": "uvicorn",
    "werkzeug": "werkzeug",
    "yaml": "PyYAML",
}
"""What may be imported from outside the standard library, and what pip calls it. The longest
name wins. An import that is not here is a fault, so a new package is declared before it is used."""

BROUGHT = {"opentelemetry-sdk": "opentelemetry-api"}
"""A package that comes with another one is not named beside it."""

STANDARD = sys.stdlib_module_names | {"compression"}
"""The standard library, also where this Python is older than 3.14."""

IN_A_STRING = re.compile(rf"(?<![\w./-]){KIT}(?:\.[A-Za-z_]\w*)+")
FROM_IN_A_STRING = re.compile(rf"\bfrom ({KIT}[\w.]*) import ([\w, ]+)")
BY_NAME = {"__import__", "import_module"}


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its text, and what it needs."""

    module: str
    path: Path
    text: str
    title: str
    """The first line of its docstring."""
    needs: tuple[str, ...]
    """Modules of the kit or of its tests that it imports, inside functions too."""
    imports: tuple[str, ...]
    """What it imports from outside the standard library, as PACKAGES names it."""
    has_names: bool
    """Whether there is more in it than a docstring."""
    smuggled: tuple[str, ...]
    """Imports that nobody can follow, or that no package is declared for: `line N: why`."""

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def code_lines(self) -> int:
        """Lines that do something: without blank lines, comments and docstrings."""
        return _code_lines(self.text)

    @property
    def digest(self) -> str:
        """The first twelve digits of the SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


def read(path: Path, module: str, exists: Callable[[str], bool]) -> Source:
    """The file at `path`. `exists` says whether a dotted name is a module of the kit or its tests."""
    text = path.read_text("utf-8")
    tree = ast.parse(text, str(path))
    is_test = module.partition(".")[0] == TESTS
    needs, imports, smuggled = set(), set(), []
    for line, name, parent, optional in _imported(tree, module, path.name == "__init__.py"):
        root = name.partition(".")[0]
        if root in {KIT, TESTS}:
            needs.add(name if exists(name) else parent)
        elif root not in STANDARD:
            declared = longest(name)
            if declared is None:
                smuggled.append(f"line {line}: no package is declared for {name}")
            elif not optional:
                imports.add(declared)
    for line, name in _named_in_strings(tree):
        if is_test:
            # A test may hand a program to another interpreter: what that imports is needed.
            while not exists(name):
                name = name.rpartition(".")[0]
            needs.add(name)
        else:
            smuggled.append(f"line {line}: a string names {name}, which nobody can follow")
    if not is_test:
        smuggled += [f"line {line}: an import by name" for line in _imports_by_name(tree)]
    title = (ast.get_docstring(tree) or module).partition("\n")[0]
    return Source(
        module, path, text, title,
        tuple(sorted(needs - {module})), tuple(sorted(imports)),
        any(not _is_text(node) for node in tree.body), tuple(smuggled),
    )  # fmt: skip


def longest(name: str) -> str | None:
    """The entry of PACKAGES that the import of `name` falls under, or None."""
    while name and name not in PACKAGES:
        name = name.rpartition(".")[0]
    return name or None


def packages(sources: Iterable[Source]) -> list[str]:
    """What pip has to install for all of `sources`."""
    found = {PACKAGES[name] for source in sources for name in source.imports}
    return sorted(found - {BROUGHT[one] for one in found if one in BROUGHT})


def has_names(text: str) -> bool:
    """Whether an `__init__.py` is more than a docstring."""
    return any(not _is_text(node) for node in ast.parse(text).body)


def _is_text(node: ast.AST) -> bool:
    """A string that is a statement: a docstring, or the text below a constant."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _imported(
    tree: ast.Module, module: str, is_package: bool
) -> Iterator[tuple[int, str, str, bool]]:
    """Each import as (line, what, the module it is from, whether the file can do without)."""
    optional = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.Try | ast.With) and _expects_its_absence(node)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, alias.name, node in optional
        elif isinstance(node, ast.ImportFrom):
            parent = node.module or ""
            if node.level:
                above = [*module.split("."), "__init__"] if is_package else module.split(".")
                parent = ".".join([*above[: -node.level], *parent.split(".")]).rstrip(".")
            for alias in node.names:
                yield node.lineno, f"{parent}.{alias.name}", parent, node in optional


def _expects_its_absence(block: ast.Try | ast.With) -> bool:
    """Whether the file goes on when an import in `block` fails."""
    if isinstance(block, ast.With):
        return any("ImportError" in ast.unparse(item.context_expr) for item in block.items)
    return any(one.type and "Error" in ast.unparse(one.type) for one in block.handlers)


def _named_in_strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, module) for each module of the kit that a string of the code names."""
    prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
            for match in IN_A_STRING.finditer(node.value):
                yield node.lineno, match[0]
            for match in FROM_IN_A_STRING.finditer(node.value):
                for name in match[2].replace(",", " ").split():
                    yield node.lineno, f"{match[1]}.{name}"


def _imports_by_name(tree: ast.Module) -> Iterator[int]:
    """Lines that mention `importlib.import_module` or `__import__`, under whatever alias."""
    for node in ast.walk(tree):
        if (
            (isinstance(node, ast.Name) and node.id in BY_NAME)
            or (isinstance(node, ast.Attribute) and node.attr in BY_NAME)
            or (isinstance(node, ast.ImportFrom) and BY_NAME & {one.name for one in node.names})
        ):
            yield node.lineno


@cache
def _code_lines(text: str) -> int:
    prose = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and _is_text(node)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = enumerate(text.splitlines(), 1)
    return sum(
        1 for at, line in lines if at not in prose and line.strip() and line.lstrip()[0] != "#"
    )
