"""A program that emits spans and ends in one of many ways: what `exit_matrix` runs as a process.

    python -m benchmarks.exit_program kit sigterm http://127.0.0.1:4318 100

It is what anybody would write: a provider, a batch processor, the official exporter. The two sides
differ in where the processor is imported from and, for the kit, in one line about SIGTERM. Nothing
is exported before the end: a burst is smaller than a batch, and the delay is the default.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

RUN = "exit.run"
"""The resource attribute that tells the receiver which run a span is of."""


class Program:
    """A tracing pipeline of one side: `official`, or this `kit`. `count` spans make a burst."""

    def __init__(self, side: str, ending: str, endpoint: str, count: int) -> None:
        self.arguments = (side, ending, endpoint, count)
        self.count = count
        self._side = side
        patience = 2 if ending == "dead_collector" else 10
        exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=patience)
        room = count if ending == "full_queue" else None
        if side == "kit":
            from otlp_kit.adapters import BatchSpanProcessor
            from otlp_kit.runtime.lifecycle import exit_on_sigterm

            exit_on_sigterm()
        else:
            from opentelemetry.sdk.trace.export import (  # type: ignore[assignment]
                BatchSpanProcessor,
            )
        self._provider = TracerProvider(resource=Resource({RUN: f"{side}.{ending}"}))
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=room, max_export_batch_size=room)
        )
        self._tracer = self._provider.get_tracer("exit")

    def emit(self) -> None:
        """One burst."""
        for number in range(self.count):
            self._tracer.start_span(f"span {number}").end()

    def flush(self) -> None:
        """What each side offers to a process that will end in `os._exit`."""
        if self._side == "kit":
            from otlp_kit.runtime.lifecycle import flush_before_exit

            flush_before_exit()
        else:
            self._provider.force_flush()


def end(program: Program) -> None:
    program.emit()


def exception(program: Program) -> None:
    program.emit()
    raise RuntimeError("on purpose")


def sys_exit(program: Program) -> None:
    program.emit()
    sys.exit(3)


def sigint(program: Program) -> None:
    # As at a terminal: a shell has its background jobs ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _end_by_signal(program, signal.SIGINT)


def sigterm(program: Program) -> None:
    _end_by_signal(program, signal.SIGTERM)


def sigkill(program: Program) -> None:
    _end_by_signal(program, signal.SIGKILL)


def _end_by_signal(program: Program, number: signal.Signals) -> None:
    program.emit()
    os.kill(os.getpid(), number)
    time.sleep(30)  # a handler of Python runs between two instructions: here


def os_exit(program: Program) -> None:
    program.emit()
    os._exit(0)


def fork_sys_exit(program: Program) -> None:
    program.emit()
    _fork(program, sys.exit)


def fork_os_exit(program: Program) -> None:
    program.emit()
    _fork(program, lambda: os._exit(0))


def fork_flushed(program: Program) -> None:
    program.emit()
    _fork(program, lambda: _flush_and_exit(program))


def _fork(program: Program, leave: Callable[[], NoReturn]) -> None:
    child = os.fork()
    if not child:
        program.emit()
        leave()
    os.waitpid(child, 0)


def _flush_and_exit(program: Program) -> NoReturn:
    program.flush()
    os._exit(0)


def mp_fork(program: Program) -> None:
    program.emit()
    process = multiprocessing.get_context("fork").Process(target=program.emit)
    process.start()
    process.join()


def mp_spawn(program: Program) -> None:
    program.emit()
    process = multiprocessing.get_context("spawn").Process(target=_spawned, args=program.arguments)
    process.start()
    process.join()


def _spawned(side: str, ending: str, endpoint: str, count: int) -> None:
    logging.basicConfig(level=logging.INFO)
    Program(side, ending, endpoint, count).emit()


def prefork(program: Program) -> None:
    """Two workers are forked before there is work; each handles what comes until nothing does."""
    program.emit()
    work, give = os.pipe()
    children = []
    for _ in range(2):
        child = os.fork()
        if not child:
            os.close(give)
            while os.read(work, 1):
                program.emit()
            _flush_and_exit(program)
        children.append(child)
    os.write(give, b"12")
    os.close(give)
    for child in children:
        os.waitpid(child, 0)


def full_queue(program: Program) -> None:
    """The first burst is on its way to a slow collector; of three more the queue holds one."""
    program.emit()
    time.sleep(0.5)
    for _ in range(3):
        program.emit()


def dead_collector(program: Program) -> None:
    program.emit()


def main(side: str, ending: str, endpoint: str, count: str) -> None:
    logging.basicConfig(level=logging.INFO)
    program = Program(side, ending, endpoint, int(count))
    endings: dict[str, Callable[[Program], None]] = {
        function.__name__: function
        for function in (end, exception, sys_exit, sigint, sigterm, sigkill, os_exit, fork_sys_exit,
                         fork_os_exit, fork_flushed, mp_fork, mp_spawn, prefork, full_queue,
                         dead_collector)
    }  # fmt: skip
    endings[ending](program)


if __name__ == "__main__":
    main(*sys.argv[1:])
