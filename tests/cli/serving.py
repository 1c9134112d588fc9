"""A running `otlp-kit serve` whose output is looked at while it runs."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import CLI

PATIENCE = 60.0
FREE = ("--set", "receiver.http=0", "--set", "receiver.grpc=0", "--set", "receiver.page=0")
"""Any free ports, in the form that options and files of a test can go before."""


def without_settings(**more: str) -> dict[str, str]:
    """The environment of these tests, with `more`, but with no other variable that sets something."""
    ours = ("OTLP_KIT_", "OTEL_")
    return {name: held for name, held in os.environ.items() if not name.startswith(ours)} | more


@dataclass
class Served:
    """The process, and what it has printed so far; `url` is by `http`, `grpc` and `ui`."""

    process: subprocess.Popen[bytes]
    directory: Path
    url: Mapping[str, str]

    @property
    def out(self) -> str:
        return (self.directory / "stdout").read_text()

    @property
    def err(self) -> str:
        return (self.directory / "stderr").read_text()

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Until it has; fails with what was printed when the process ends or time runs out."""
        wait_for(lambda: happened() or self.process.poll() is not None)
        assert happened(), self.out + self.err

    def post(self, body: bytes, headers: Mapping[str, str] = {}) -> None:
        """Send an export request of traces over HTTP."""
        kind = {"Content-Type": "application/x-protobuf", **headers}
        request = urllib.request.Request(f"{self.url['http']}/v1/traces", body, kind)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert answer.status == 200


def wait_for(happened: Callable[[], bool]) -> None:
    last = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < last
        time.sleep(0.02)


@contextmanager
def serving(directory: Path, *options: str | Path, environ: Mapping[str, str]) -> Iterator[Served]:
    """`otlp-kit serve` with `options`, its data and its output in `directory`, until the end."""
    directory.mkdir(exist_ok=True)
    command = [*CLI, "serve", "--data", str(directory / "data"), *map(str, options)]
    with (directory / "stdout").open("wb") as out, (directory / "stderr").open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environ)
    try:
        served = Served(process, directory, {})
        served.wait_for(lambda: "\n" in served.out)
        words = served.out.splitlines()[0].removeprefix("listening ").split()
        served.url = dict(word.split("=", 1) for word in words)
        yield served
    finally:
        process.kill()
        process.wait()
