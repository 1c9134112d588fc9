"""`otlp-kit up`: everything answers, and everything ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.support import CLI, otlp_kit, wait_for_answer

ANY = ("--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--ui", "127.0.0.1:0", "--site", "127.0.0.1:0",
       "--lab", "127.0.0.1:0")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_answers_everywhere_and_leaves_no_process(
    number: signal.Signals, tmp_path: Path
) -> None:
    """All addresses of the table answer; one signal ends every process, and the data stays."""
    up = subprocess.Popen(
        [*CLI, "up", *ANY, "--data", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert up.stdout
    shown = ""
    while "Ctrl-C stops everything" not in shown:
        line = up.stdout.readline()
        assert line, shown
        shown += line
    links = dict(re.findall(r"^  (receiver|page|site|lab) +(http://\S+)", shown, re.MULTILINE))
    assert set(links) == {"receiver", "page", "site", "lab"}, shown
    assert wait_for_answer(links["page"]) == 200
    assert wait_for_answer(links["site"]) == 200
    assert wait_for_answer(links["lab"]) == 200
    assert (
        wait_for_answer(f"{links['receiver']}/v1/traces") == 405
    )  # a GET; the receiver takes POST

    family = [psutil.Process(up.pid), *psutil.Process(up.pid).children(recursive=True)]
    assert len(family) > 1
    up.send_signal(number)
    rest, _ = up.communicate(timeout=30)
    assert up.returncode == 0
    assert "Your data stays in" in rest
    assert not [process for process in family if process.is_running()]
    assert (tmp_path / "data/otlp.sqlite3").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["--http", "--grpc", "--ui", "--site", "--lab"])
def test_a_taken_port_stops_everything_before_it_starts(flag: str, tmp_path: Path) -> None:
    """Which address is taken and which flag moves it; exit 2; nothing half started."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        wanted = list(ANY)
        wanted[wanted.index(flag) + 1] = address
        done = otlp_kit("up", *wanted, "--data", tmp_path / "data")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"otlp-kit: cannot listen on {address}: Address already in use. "
        f"Choose another address with {flag} HOST:PORT"
    ]


@pytest.mark.slow
def test_two_receivers_do_not_share_a_directory(receiver) -> None:  # type: ignore[no-untyped-def]
    """The second says that the first is there, and which process it is."""
    done = otlp_kit("up", *ANY, "--data", receiver.data)
    assert done.returncode == 2
    assert f"in use by another otlp-kit (process {receiver.process.pid})" in done.stderr
    assert "Traceback" not in done.stderr
