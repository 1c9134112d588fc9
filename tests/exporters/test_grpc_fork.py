"""The gate between calls and forks, without gRPC."""

from __future__ import annotations

import os
import threading

import pytest

from otlp_kit.exporters import grpc_fork
from otlp_kit.exporters.grpc_fork import calling, lock
from tests.exporters.grpc_servers import soon

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def fork() -> int:
    """The exit code of a child that takes the lock and marks a call."""
    child = os.fork()
    if not child:
        with lock(), calling(soon()):
            os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_fork_waits_for_the_calls_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins when the last has ended; one that begins meanwhile waits for the fork."""
    monkeypatch.setattr(grpc_fork, "PATIENCE", 60.0)
    order: list[str] = []
    entered, release = threading.Event(), threading.Event()

    def call() -> None:
        with calling(soon()):
            entered.set()
            release.wait(20)
            order.append("call")

    def second() -> None:
        with calling(soon()):
            order.append("second")

    first = threading.Thread(target=call)
    first.start()
    entered.wait(20)
    forked: list[int] = []

    def divide() -> None:
        forked.append(fork())
        order.append("fork")

    forking = threading.Thread(target=divide)
    forking.start()
    while not grpc_fork._state.forking:
        threading.Event().wait(0.001)
    late = threading.Thread(target=second)
    late.start()
    release.set()
    for thread in (first, forking, late):
        thread.join(20)
    assert forked == [7]
    assert order[0] == "call"
    assert sorted(order) == ["call", "fork", "second"]


def test_a_call_that_never_ends_holds_a_fork_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child has a lock of its own, and nobody inside; the parent goes on."""
    monkeypatch.setattr(grpc_fork, "PATIENCE", 0.01)
    with calling(soon()):
        assert fork() == 7
        with calling(soon()):
            pass
    assert grpc_fork._state.inside == 0


def test_a_call_does_not_wait_for_a_fork_past_its_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It enters, for the caller to see that the time is over."""
    monkeypatch.setattr(grpc_fork._state, "forking", True)
    with calling(soon(-1)):
        pass
