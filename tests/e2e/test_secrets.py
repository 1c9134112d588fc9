"""A planted secret reaches the wire from wherever it was said, and is shown nowhere on the way.

The peer must find it in the header of a request: a secret that nobody used would be shown nowhere,
too. Then nothing may hold so much as a piece of it: what a pipeline program prints, logs, raises and
dumps; what a running receiver prints, logs, dumps and answers; and what `config` says of it.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from otlp_kit.cli import main
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span
from otlp_kit.testing.hostile_answers import failure, success
from otlp_kit.testing.hostile_grpc import GrpcAnswer, HostileGrpcServer
from otlp_kit.testing.hostile_record import Record
from otlp_kit.testing.hostile_server import HostileServer
from otlp_kit.views import JS_DIRECTORY
from tests.cli.serving import FREE, PATIENCE, Served, serving, without_settings

SECRET = "Zk7Qw9Xv3Jb5Ty1Np8Mh"
PIECE = 6
"""Characters in a row that are no accident."""
PAIR = f"x-token={SECRET}"
BROKEN = f'exporter.headers = ["{SECRET}\n{PAIR}\nexporter:\n  headers: {SECRET}'
"""Wrong in every format; a secret that is read from a file by itself is no pair, either."""
CHECKOUT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "kit/programs/secret_holder.py"


@dataclass
class Said:
    """How a secret is said in one layer: options and variables; and the source that `explain` names."""

    source: str
    options: Sequence[str | Path] = ()
    environ: dict[str, str] = field(default_factory=dict)
    files: Sequence[Path] = ()
    """That are watched for changes."""


@pytest.fixture(autouse=True)
def no_core() -> Iterator[None]:
    """A process that aborts leaves no file with its memory, which would hold the secret."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def in_toml(place: Path) -> Said:
    kit = file(place / "kit.toml", f'[exporter]\nheaders = ["{PAIR}"]\n')
    return Said(f"{kit}, line 2", ["--config", kit], files=[kit])


def in_yaml(place: Path) -> Said:
    kit = file(place / "kit.yaml", f"exporter:\n  headers: {PAIR}\n")
    return Said(f"{kit}, line 2", ["--config", kit], files=[kit])


def in_a_reference(place: Path) -> Said:
    kit = file(place / "kit.toml", 'exporter.headers = "x-token=${TOKEN}"\n')
    return Said(f"{kit}, line 1", ["--config", kit], {"TOKEN": SECRET})


def in_a_secret_directory(place: Path) -> Said:
    secret = file(place / "secrets/exporter.headers", f"{PAIR}\n")
    return Said(str(secret), ["--secrets", secret.parent], files=[secret])


def in_an_env_file(place: Path) -> Said:
    env = file(place / "kit.env", f"OTLP_KIT_EXPORTER_HEADERS={PAIR}\n")
    return Said(f"{env}, line 1", ["--env-file", env], files=[env])


def in_a_variable(place: Path) -> Said:
    name = "OTLP_KIT_EXPORTER_HEADERS"
    return Said(f"variable {name}", environ={name: PAIR})


def in_the_file_of_a_variable(place: Path) -> Said:
    name, secret = "OTLP_KIT_EXPORTER_HEADERS_FILE", file(place / "token", f"{PAIR}\n")
    return Said(f"variable {name}", environ={name: str(secret)})


def in_a_variable_of_others(place: Path) -> Said:
    name = "OTEL_EXPORTER_OTLP_HEADERS"
    return Said(f"variable {name}", environ={name: PAIR})


def on_the_command_line(place: Path) -> Said:
    return Said("command line", ["--set", f"exporter.headers={PAIR}"])


LAYERS: tuple[Callable[[Path], Said], ...] = (
    in_toml, in_yaml, in_a_reference, in_a_secret_directory, in_an_env_file, in_a_variable,
    in_the_file_of_a_variable, in_a_variable_of_others, on_the_command_line,
)  # fmt: skip


def assert_hidden(text: str, where: str) -> None:
    """No piece of the secret is in `text`, neither as it is nor in base64."""
    texts = (SECRET, b64encode(SECRET.encode()).decode())
    pieces = [one[at : at + PIECE] for one in texts for at in range(len(one) - PIECE + 1)]
    found = [at for piece in pieces if (at := text.find(piece)) >= 0]
    assert not found, f"{where}: {text[max(0, found[0] - 300) : found[0] + 100]}"


def start_program(server: Any, protocol: str, said: Said) -> subprocess.Popen[str]:
    target = [f"exporter.endpoint={server.endpoint}", f"exporter.protocol={protocol}"]
    options = [word for each in target for word in ("--set", each)]
    return subprocess.Popen(
        [sys.executable, PROGRAM, *said.options, *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=without_settings(PYTHONPATH=str(CHECKOUT), **said.environ),
    )  # fmt: skip


def check_program(process: subprocess.Popen[str], server: Record) -> str:
    """Waits for its end: the peer has the secret, nobody else has. Returns what it logged."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGABRT, err
    assert [one.headers.get("x-token") for one in server.arrivals] == [SECRET] * 3
    for shown in ("<BatchProcessor", "ExporterSettings(", "exporter.headers = ***"):
        assert shown in out
    for told in (
        "RuntimeError: in a thread", "RuntimeError: as a whole", "Refused", "no such token: ***",
        "Current thread", "Fatal Python error: Aborted",
    ):  # fmt: skip
        assert told in err
    assert_hidden(out, "standard output of the program")
    assert_hidden(err, "standard error of the program")
    return err


def get(served: Served, path: str) -> str:
    with urllib.request.urlopen(served.url["ui"] + path, timeout=30) as answer:
        body: bytes = answer.read()
    return body.decode()


def pages(trace_id: str) -> list[str]:
    """The page, the files that it loads, and whatever its scripts ask for."""
    asked = [
        "/api/latest?limit=10", f"/api/latest?attribute=x-token%3D{SECRET}",
        f"/api/trace/{trace_id}", f"/api/logs/{trace_id}",
        "/api/metrics", "/api/points?name=requests&service=", "/api/status",
    ]  # fmt: skip
    scripts = sorted(JS_DIRECTORY.glob("*.js"))
    known = {name for one in scripts for name in re.findall(r"/api/\w+", one.read_text())}
    assert known == {name for one in asked for name in re.findall(r"/api/\w+", one)}
    return ["/", *(f"/js/{one.name}" for one in scripts), *asked]


def check_receiver(served: Served, said: Said) -> None:
    """It gets a span with the secret beside it, and an end with a dump of its threads."""
    trace_id = os.urandom(16)
    span = Span("one", trace_id, os.urandom(8), start_unix_nano=1, end_unix_nano=2)
    served.post(encode_spans([span]), {"x-token": SECRET})
    for path in pages(trace_id.hex()):
        assert_hidden(get(served, path), f"GET {path}")
    if said.files:
        served.wait_for(lambda: "settings not reloaded" in served.err)
    served.process.send_signal(signal.SIGABRT)
    served.wait_for(lambda: served.process.poll() is not None)
    assert "Fatal Python error: Aborted" in served.err
    assert_hidden(served.out, "standard output of the receiver")
    assert_hidden(served.err, "standard error of the receiver")
    for each in (served.directory / "data").iterdir():
        assert_hidden(each.read_bytes().decode("latin-1"), str(each))


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_a_secret_is_sent_and_never_shown(
    layer: Callable[[Path], Said],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By a pipeline program, by a running receiver, and by `config explain`, told in any layer."""
    said = layer(tmp_path / "said")
    environ = without_settings(PYTHONFAULTHANDLER="1", **said.environ)
    refusal = failure(401, f"no such token: {SECRET}")
    with HostileServer([success(), refusal]) as server:
        process = start_program(server, "http/protobuf", said)
        with serving(tmp_path / "served", *FREE, *said.options, environ=environ) as served:
            check_explain(said, monkeypatch, capsys)
            assert server.wait_for(1, PATIENCE)  # so the program has read its files
            for each in said.files:
                each.write_text(BROKEN)
            check_receiver(served, said)
            assert "DEBUG:urllib3" in check_program(process, server)


def check_explain(
    said: Said, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All settings, and the one: its source and stars."""
    for name in os.environ:
        if name.startswith(("OTLP_KIT_", "OTEL_")):
            monkeypatch.delenv(name)
    for name, value in said.environ.items():
        monkeypatch.setenv(name, value)
    for key in ([], ["exporter.headers"]):
        assert main(["config", "explain", *key, *map(str, said.options)]) == 0
        captured = capsys.readouterr()
        assert said.source in captured.out
        assert "***" in captured.out
        assert_hidden(captured.out + captured.err, f"config explain {key}")


@pytest.mark.slow
def test_a_secret_is_sent_over_grpc_and_never_shown(tmp_path: Path) -> None:
    """The same program, with the other transport's errors and logs."""
    refusal = GrpcAnswer(16, f"no such token: {SECRET}")
    with HostileGrpcServer([GrpcAnswer(), refusal]) as server:
        process = start_program(server, "grpc", in_toml(tmp_path / "said"))
        check_program(process, server)
