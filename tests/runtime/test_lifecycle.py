"""The ends of real processes: what is attached hears of every one at which a line of code can run."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otlp_kit.runtime.lifecycle import stop_on_signals

PROGRAM = """
import multiprocessing, os, signal, sys, time
from otlp_kit.runtime import lifecycle

class Thing:
    def __init__(self, name):
        self.name = name
    def shutdown(self, timeout):
        print(self.name, os.getpid() == parent, flush=True)

parent = os.getpid()
def child():
    pass
if __name__ == "__main__":
    thing, later = Thing("first"), Thing("later")
    lifecycle.attach(thing)
    lifecycle.attach(later)
    lifecycle.attach(thing)
"""
BOTH = "later True\nfirst True\n"


def run(directory: Path, ending: str) -> tuple[int, str]:
    """Run the program with this ending: its exit status and what it printed."""
    program = directory / "program.py"
    program.write_text(PROGRAM + "".join(f"    {line}\n" for line in ending.splitlines()))
    done = subprocess.run(
        [sys.executable, str(program)], stdout=subprocess.PIPE, text=True, timeout=60
    )
    return done.returncode, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("pass", 0),
        ("raise RuntimeError('on purpose')", 1),
        ("sys.exit(3)", 3),
        (
            # As at a terminal: a shell has its background jobs ignore it.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "os.kill(parent, signal.SIGINT); time.sleep(30)",
            -signal.SIGINT,
        ),
        ("lifecycle.exit_on_sigterm(); os.kill(parent, signal.SIGTERM); time.sleep(30)", 143),
        ("lifecycle.flush_before_exit(); os._exit(5)", 5),
    ],
)
def test_what_is_attached_is_shut_down_once_the_latest_first(
    tmp_path: Path, ending: str, status: int
) -> None:
    """Whatever way the program ends; SIGINT still ends it as a signal does."""
    assert run(tmp_path, ending) == (status, BOTH)


@pytest.mark.slow
def test_nothing_runs_where_nothing_can(tmp_path: Path) -> None:
    """SIGKILL, and os._exit without a word before."""
    assert run(tmp_path, "os.kill(parent, signal.SIGKILL)") == (-signal.SIGKILL, "")
    assert run(tmp_path, "os._exit(0)") == (0, "")


@pytest.mark.slow
def test_a_handler_of_the_program_is_left_alone(tmp_path: Path) -> None:
    """Whoever handles SIGTERM decides what it means."""
    ending = """
signal.signal(signal.SIGTERM, lambda *_: print("mine", flush=True))
lifecycle.exit_on_sigterm()
os.kill(parent, signal.SIGTERM)"""
    assert run(tmp_path, ending) == (0, f"mine\n{BOTH}")


@pytest.mark.slow
def test_what_is_detached_is_its_owners(tmp_path: Path) -> None:
    """And detaching it again does no harm."""
    assert run(tmp_path, "lifecycle.detach(later); lifecycle.detach(later)")[1] == "first True\n"


@pytest.mark.slow
def test_one_that_fails_does_not_keep_the_others(tmp_path: Path) -> None:
    """The error is logged; whoever is left is shut down."""
    assert run(tmp_path, "del later.name")[1] == "first True\n"


@pytest.mark.slow
def test_a_child_of_multiprocessing_shuts_down_what_it_inherited(tmp_path: Path) -> None:
    """It ends without the interpreter's exit; a spawned child inherits nothing."""
    ending = """
for method in ("fork", "spawn"):
    process = multiprocessing.get_context(method).Process(target=child)
    process.start()
    process.join()
print("joined", flush=True)"""
    assert run(tmp_path, ending)[1] == f"later False\nfirst False\njoined\n{BOTH}"


@pytest.mark.slow
def test_all_of_it_has_one_time_limit(tmp_path: Path) -> None:
    """What the latest used up, the first does not get."""
    ending = """
Thing.shutdown = lambda self, timeout: (print(timeout <= 0.2 and (self is later or timeout < 0.15)),
    time.sleep(0.05))
lifecycle.flush_before_exit(0.2)"""
    assert run(tmp_path, ending)[1] == "True\nTrue\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_a_server_to_stop(number: signal.Signals) -> None:
    """Only while the context lasts; then the handlers are as before."""
    before = signal.getsignal(number)

    async def serve() -> None:
        stop = asyncio.Event()
        with stop_on_signals(stop.set):
            os.kill(os.getpid(), number)
            await asyncio.wait_for(stop.wait(), 10)

    asyncio.run(serve())
    assert signal.getsignal(number) == before
