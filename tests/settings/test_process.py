"""The environment of the process."""

from __future__ import annotations

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
