"""`otlp-kit conform exporter` says what an exporter keeps, and ends in a status for a script."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from otlp_kit.cli import cmd_conform, main
from otlp_kit.cli.conform_exporters import NAMED
from otlp_kit.testing.check_exporter import TRANSPORTS, check_exporter

EXPORTER = """
from otlp_kit.wire import Refused

class Exporter:
    def __init__(self, endpoint):
        self.endpoint = endpoint

    def export(self, batch, deadline):
        raise Refused("not today")

    def shutdown(self):
        pass

def broken(endpoint):
    raise RuntimeError("not\\ntoday")

number = 7
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the directory where the command runs."""
    (tmp_path / "acme_exporter.py").write_text(EXPORTER)
    (tmp_path / "acme_broken.py").write_text("raise OSError('no disk')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(__import__("sys").modules, "acme_exporter", raising=False)
    return "acme_exporter"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsense", "'nonsense' is not MODULE:FACTORY, and none of kit-http, "),
        ("acme_nowhere:make", "cannot load acme_nowhere:make: there is no module acme_nowhere"),
        ("acme_exporter:nothing", "cannot load acme_exporter:nothing: module 'acme_exporter' has"),
        ("acme_exporter:number", "cannot load acme_exporter:number: it is not a function"),
        ("acme_broken:make", "cannot load acme_broken:make: OSError: no disk"),
        ("acme_exporter:broken", "acme_exporter:broken does not make an exporter: RuntimeError: not today"),
    ],
)  # fmt: skip
def test_what_is_no_exporter_is_one_line(
    name: str, message: str, module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, for there was nothing to check."""
    assert main(["conform", "exporter", name]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"otlp-kit: {message}")
    assert len(captured.err.splitlines()) == 1


@pytest.fixture
def two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite cut down to what is quick: one line that holds here, and one that does not."""
    monkeypatch.setattr(
        cmd_conform,
        "check_exporter",
        lambda make, transport, **settings: check_exporter(
            make, transport, lines=(5, 67), **settings
        ),
    )


@pytest.mark.usefixtures("two_lines")
def test_a_table_and_a_status(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One row for each line, what was seen below it, and the sum."""
    assert main(["conform", "exporter", f"{module}:Exporter"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "fail    5  MUST    spans are POSTed to /v1/traces",
        "                   0 requests; export said Refused: not today",
        "pass   67  SHOULD  nothing to export is no request",
        "http/protobuf: 1 pass, 1 fail, 0 n.a.",
    ]
    assert not logging.root.manager.disable


@pytest.mark.usefixtures("two_lines")
def test_the_same_as_json(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    """For a program; only what is demanded, if that is asked for."""
    name = f"{module}:Exporter"
    assert main(["conform", "exporter", name, "--json", "--must", "--transport", "http/json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "exporter": name,
        "transport": "http/json",
        "lines": [
            {
                "line": 5,
                "level": "MUST",
                "text": "spans are POSTed to /v1/traces",
                "verdict": "fail",
                "seen": "0 requests; export said Refused: not today",
            }
        ],
    }


@pytest.mark.usefixtures("two_lines")
@pytest.mark.parametrize("name", ["official-http", "official-grpc"])
def test_official_exporters_are_known_by_name(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They send spans of their own SDK."""
    assert main(["conform", "exporter", name, "--must"]) == 0
    assert ": 1 pass, 0 fail" in capsys.readouterr().out


@pytest.mark.usefixtures("two_lines")
def test_an_official_exporter_of_somebody_else_gets_official_spans(
    tmp_path: Path, module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though its factory says nothing about them."""
    (tmp_path / "acme_official.py").write_text(
        "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter\n"
        "def make(endpoint):\n"
        "    return OTLPSpanExporter(endpoint + '/v1/traces')\n"
    )
    assert main(["conform", "exporter", "acme_official:make", "--must"]) == 0
    assert ": 1 pass, 0 fail" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.spec(
    "OTLP-5",
    "OTLP-8",
    "OTLP-12",
    "OTLP-17",
    "OTLP-18",
    "OTLP-19",
    "OTLP-27",
    "OTLP-28",
    "OTLP-29",
    "OTLP-30",
)
@pytest.mark.spec(
    "OTLP-31",
    "OTLP-32",
    "OTLP-33",
    "OTLP-34",
    "OTLP-35",
    "OTLP-36",
    "OTLP-38",
    "OTLP-45",
    "OTLP-47",
    "OTLP-48",
)
@pytest.mark.spec(
    "OTLP-49",
    "OTLP-51",
    "OTLP-52",
    "OTLP-53",
    "OTLP-54",
    "OTLP-55",
    "OTLP-56",
    "OTLP-57",
    "OTLP-58",
    "OTLP-60",
)
@pytest.mark.spec(
    "OTLP-62",
    "OTLP-64",
    "OTLP-65",
    "OTLP-67",
    "OTLP-89",
    "OTLP-90",
    "OTLP-91",
    "OTLP-93",
    "OTLP-94",
    "OTLP-96",
)
@pytest.mark.spec("OTLP-97", "OTLP-98", "OTLP-101", "OTLP-102")
@pytest.mark.parametrize("name", ["kit-http", "kit-json", "kit-grpc"])
def test_the_kits_exporters_keep_every_line(name: str) -> None:
    """Whatever can be seen of them from outside; and nothing is left unsaid."""
    report = check_exporter(NAMED[name].factory(), NAMED[name].transport)  # type: ignore[arg-type]
    assert [str(one) for one in report.results if one.verdict != "pass"] == []


def test_every_transport_has_a_name() -> None:
    """Of the kit's own."""
    assert {NAMED[f"kit-{name}"].transport for name in ("http", "json", "grpc")} == {*TRANSPORTS}
