"""The official JavaScript SDK and exporters, from npm, against the receiver."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import Running
from tools.vendor import node

PROGRAM = Path(__file__).parent / "programs/js"
MODULES = Path(__file__).parents[2] / "build/js"
COUNT = 25


@pytest.fixture(scope="module")
def packages() -> None:
    """The packages of package.json are in build/js."""
    wanted = (PROGRAM / "package.json").read_text()
    installed = MODULES / "package.json"
    if (MODULES / "node_modules").is_dir() and installed.read_text() == wanted:
        return
    shutil.rmtree(MODULES, ignore_errors=True)
    MODULES.mkdir(parents=True)
    installed.write_text(wanted)
    options = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"]
    subprocess.run(
        [*node("npm"), "install", *options],
        cwd=MODULES,
        check=True,
        capture_output=True,
        timeout=300,
    )


@pytest.mark.slow
@pytest.mark.spec("OTLP-10")
@pytest.mark.spec("OTLP-13")
@pytest.mark.parametrize("protocol", ["http", "proto", "grpc"])
def test_three_signals_from_javascript(receiver: Running, packages: None, protocol: str) -> None:
    """HTTP/JSON, HTTP/protobuf (chunked bodies both) and gRPC: every item once, with its content."""
    url = receiver.grpc if protocol == "grpc" else receiver.http
    done = subprocess.run(
        [*node("node"), PROGRAM / "signals.mjs", MODULES, protocol, url, str(COUNT)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")

    spans = receiver.sql("select * from spans order by start_unix_nano, name")
    assert sorted(span["name"] for span in spans) == sorted(f"span {i}" for i in range(COUNT))
    for span in spans:
        number = int(span["name"].split()[1])
        assert json.loads(span["attributes"]) == {
            "i": number, "half": 0.5, "ok": True, "list": ["a", "b"],
        }  # fmt: skip
        assert json.loads(span["events"])[0]["attributes"] == {"at": number}
        assert span["service"] == f"js-{protocol}"
        assert 0 < span["start_unix_nano"] <= span["end_unix_nano"]

    logs = receiver.sql("select body, severity_number, attributes from logs")
    assert sorted(log["body"] for log in logs) == sorted(f"log {i}" for i in range(COUNT))
    assert {log["severity_number"] for log in logs} == {9}

    metrics = {row["name"]: row for row in receiver.sql("select name, type, value from metrics")}
    assert float(metrics["js.count"]["value"]) == COUNT
    assert json.loads(metrics["js.size"]["value"])["count"] == 1
