"""Every item can be carried away: it runs elsewhere, under another name, without this package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from otlp_kit.cli.copying import Destination, Plan
from otlp_kit.cli.items import BUNDLES, CONFTEST, Kit
from otlp_kit.cli.source_code import BROUGHT, PACKAGES, packages
from tools import registry

ROOT = Path(__file__).resolve().parents[2]
KIT = Kit.here()

BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"a copy imports {{name}}", name=name)
sys.meta_path.insert(0, Blocked())
"""
FEW_EXAMPLES = """
from hypothesis import HealthCheck, settings
settings.register_profile(
    "few", max_examples=5, deadline=None, suppress_health_check=list(HealthCheck)
)
"""


def project(folder: Path, *blocked: str) -> dict[str, str]:
    """An empty project: the environment of a Python that finds `folder` and no module `blocked`."""
    (folder / "sitecustomize.py").write_text(BLOCK.format(names={"otlp_kit", *blocked}))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return kept | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def run(
    folder: Path, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip


def copy(kit: Kit, folder: Path, *names: str, package: str = "acme/telemetry", tests: bool) -> Plan:
    plan = Plan.of(kit, names, Destination.parse(package, folder), tests=tests, version="0")
    plan.write()
    return plan


def test_the_registry_has_no_problem() -> None:
    """Nothing smuggled, a test for each item, every distance within its budget."""
    assert registry.problems(KIT) == []


def test_the_registry_is_derived_and_complete() -> None:
    """One entry for each item and bundle; what it says about one of them can be counted by hand."""
    entries = {entry["name"]: entry for entry in json.loads(registry.text(KIT))}
    assert [*entries] == [*KIT.names, *BUNDLES]
    buffer = entries["processors/buffer"]
    path = ROOT / "otlp_kit/processors/buffer.py"
    assert buffer["own_lines"] == len(path.read_text("utf-8").splitlines())
    assert buffer["tests"] == ["tests/processors/test_buffer.py"]
    assert "concepts/processor.md" in buffer["pages"]
    assert entries["exporters/otlp_http"]["packages"] == ["urllib3"]


def test_every_package_is_declared() -> None:
    """What an item needs is in an extra of pyproject.toml, or comes with one that is."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    declared = {re.split(r"[<>=;\[ ]", one)[0] for extra in extras.values() for one in extra}
    every = packages(s for item in KIT.closure(KIT.names) for s in item.sources)
    needed = {name.partition("[")[0] for name in every}
    assert needed - set(BROUGHT.values()) <= declared
    assert set(every) <= set(PACKAGES.values())


@pytest.mark.slow
def test_every_item_runs_its_tests_in_another_project(tmp_path: Path) -> None:
    """All items with their tests under another name, the original blocked. Hypothesis tries few
    examples here: what is tested is the copy, the code is tested where it comes from."""
    environment = project(tmp_path)
    copy(KIT, tmp_path, *KIT.names, tests=True)
    (tmp_path / "conftest.py").write_text(FEW_EXAMPLES)
    done = run(
        tmp_path, environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
        "--hypothesis-profile=few", "-m", "not slow", "tests/telemetry",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_every_item_alone_imports_without_the_others(tmp_path: Path) -> None:
    """Each item gets a package of its own, which holds what it needs and nothing else."""
    environment = project(tmp_path)
    modules = []
    for number, name in enumerate([*KIT.names, *BUNDLES]):
        plan = copy(KIT, tmp_path, name, package=f"alone_{number}", tests=False)
        paths = (path.relative_to(tmp_path) for path in plan.files if path.suffix == ".py")
        modules += [".".join(path.with_suffix("").parts) for path in paths]
    program = "import importlib, sys\nfor name in sys.stdin.read().split():\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}    importlib.import_module(name)"],
        input="\n".join(modules), cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["processors/batch", "stores/memory_store", "testing/fake_clock"])
def test_with_pytest_alone_the_tests_pass_or_skip(name: str, tmp_path: Path) -> None:
    """Standard library and pytest: what needs more skips itself, and something still runs."""
    blocked = ("google", "grpc", "hypothesis", "opentelemetry", "urllib3", "uvicorn")
    environment = project(tmp_path, *blocked) | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    copy(KIT, tmp_path, name, tests=True)
    done = run(tmp_path, environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


PLANTED = {
    "processors/by_name.py": (
        'import importlib\ndef f():\n    return importlib.import_module("otlp_kit.wire")\n',
        ["a string names otlp_kit.wire", "an import by name"],
    ),
    "processors/undeclared.py": (
        "def f():\n    import leftpad\n", ["no package is declared for leftpad"],
    ),
    "processors/commanding.py": (
        "def f():\n    from otlp_kit.cli import main\n", ["otlp_kit.cli stays here"],
    ),
    "processors/untested.py": ("X = 1\n", ["has no tests"]),
    "processors/endless.py": ("X = 1\n" * 451, ["reaches 451 lines; its budget is 450"]),
}  # fmt: skip


@pytest.fixture
def planted(tmp_path: Path) -> Kit:
    """A kit of `wire`, its test, and five items with one fault each."""
    files = {f"otlp_kit/{name}": text for name, (text, _) in PLANTED.items()}
    files |= {
        f"tests/processors/test_{Path(name).stem}.py": (
            f"from otlp_kit.processors.{Path(name).stem} import *\n\n"
            "def test_it():\n    globals().get('f', int)()\n"
        )
        for name in PLANTED
        if "untested" not in name
    }
    files |= {"otlp_kit/wire.py": "X = 1\n", "otlp_kit/processors/__init__.py": '"""P."""\n'}
    files |= {"otlp_kit/cli/__init__.py": "main = 1\n", "otlp_kit/__init__.py": "V = 1\n"}
    files |= {"tests/test_wire.py": "import otlp_kit.wire\n", f"tests/{CONFTEST}": ""}
    for name, text in files.items():
        path = tmp_path / "original" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Kit(tmp_path / "original/otlp_kit", tmp_path / "original/tests")


def test_each_planted_fault_is_named(planted: Kit) -> None:
    """A smuggled import, an undeclared package, a command, a missing test, a far reach: each once."""
    found = registry.problems(planted)
    expected = [
        (path.removesuffix(".py"), message)
        for path, (_, messages) in PLANTED.items()
        for message in messages
    ]
    for name, message in expected:
        assert [one for one in found if one.startswith(f"{name}: ") and message in one], "\n".join(
            [message, *found]
        )
    assert {one.partition(":")[0] for one in found} == {name for name, _ in expected}


@pytest.mark.slow
def test_a_smuggled_import_also_fails_where_it_is_copied(planted: Kit, tmp_path: Path) -> None:
    """The check that runs the copies would catch it, too: what was smuggled is not there."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = project(elsewhere)
    copy(planted, elsewhere, "processors/by_name", tests=True)
    done = run(elsewhere, environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 1
    assert "No module named 'acme.telemetry.wire'" in done.stdout
