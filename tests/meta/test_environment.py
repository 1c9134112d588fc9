"""The environment is read in settings and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

KIT = Path(__file__).parents[2] / "otlp_kit"
READS = {"environ", "environb", "getenv", "getenvb", "getproxies", "expandvars", "putenv"}
OF_OTHERS = {
    "adapters/sdk_conformance.py": "gives an official exporter, which takes no base URL, a variable",
    "cli/cmd_conform.py": "quiets grpcio, which reads a variable of its own when it is imported",
    "exporters/otlp_grpc.py": "the same, and asks what grpcio was told about forks",
}
"""Who may name the environment beside `settings`, since another library reads it there."""


def naming_the_environment(source: str) -> bool:
    """Whether `source` names anything that reads, or changes, the variables of the process."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr in READS)
        or (isinstance(node, ast.ImportFrom) and {one.name for one in node.names} & READS)
        for node in ast.walk(ast.parse(source))
        if not _of_a_parameter(node)
    )


def _of_a_parameter(node: ast.AST) -> bool:
    """`self.environ` is a value that was handed over."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id not in ("os", "request", "urllib")
    )


def test_the_environment_is_read_in_settings_and_nowhere_else() -> None:
    """But for variables that another library reads by itself; each place with its reason."""
    naming = {
        str(path.relative_to(KIT))
        for path in KIT.rglob("*.py")
        if naming_the_environment(path.read_text("utf-8"))
    }
    assert {name for name in naming if not name.startswith("settings/")} == set(OF_OTHERS)
    assert {name for name in naming if name.startswith("settings/")} == {
        "settings/otel_env.py",
        "settings/process.py",
    }


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['A']",
        "import os\nos.getenv('A')",
        "from os import environ",
        "from urllib.request import getproxies",
        "import urllib.request\nurllib.request.getproxies()",
    ],
)
def test_every_way_to_read_it_is_known(source: str) -> None:
    """The test above can fail."""
    assert naming_the_environment(source)
