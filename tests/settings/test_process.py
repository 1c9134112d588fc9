"""The environment of the process, and that nothing else reads it."""

from __future__ import annotations

import ast
import logging
import os
from pathlib import Path

import pytest

from otlp_kit.settings.process import (
    environment,
    environment_of_child,
    proxy_for,
    user_data_directory,
)

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


def test_what_is_handed_out_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child gets more, and this process is as it was."""
    monkeypatch.setenv("OTLP_KIT_TEST", "mine")
    child = environment_of_child(OTLP_KIT_TEST="the child's", MORE="1")
    assert child["OTLP_KIT_TEST"] == "the child's"
    copy = environment()
    copy["OTLP_KIT_TEST"] = "changed"
    assert os.environ["OTLP_KIT_TEST"] == "mine"
    assert "MORE" not in os.environ


def test_data_lies_where_the_user_says() -> None:
    """By the variable of the freedesktop specification, where it holds."""
    assert user_data_directory({"XDG_DATA_HOME": "/elsewhere"}).parts[-2:] == (
        "elsewhere",
        "otlp-kit",
    )
    assert user_data_directory({"XDG_DATA_HOME": ""}) == Path.home() / ".local/share/otlp-kit"


def test_a_proxy_is_asked_for_by_scheme(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As `urllib` reads the variables; what is no URL is a warning that shows no password."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_for("http://collector") is None
    monkeypatch.setenv("https_proxy", "proxy:3128")
    monkeypatch.setenv("no_proxy", "near")
    assert proxy_for("https://collector") == "http://proxy:3128"
    assert proxy_for("https://near:4318/v1/traces") is None
    assert proxy_for("http://collector") is None
    monkeypatch.setenv("all_proxy", "http://user:hunter2@proxy")
    with caplog.at_level(logging.WARNING):
        assert proxy_for("http://collector") is None
    assert "the proxy for http in the environment is ignored" in caplog.text
    assert "hunter2" not in caplog.text
