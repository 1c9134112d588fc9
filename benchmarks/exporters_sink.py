"""A peer that takes everything at once, over HTTP and gRPC, and counts requests.

    with sink() as peer:
        peer.http, peer.grpc        # base URLs
        peer.requests()             # how many came since it was asked last

A process of its own, so that what it costs is not the exporter's. It reads a request whole and
decodes nothing: what is timed against it is the exporter and the way there.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import uvloop

from benchmarks.accepting import Accepting
from benchmarks.harness import ROOT


class Sink:
    """The process, as its client sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin
        assert process.stdout
        self._order, self._answer = process.stdin, process.stdout
        self._seen = 0
        self.http, self.grpc = self._answer.readline().split()

    def requests(self) -> int:
        """Requests since the last call of this."""
        self._order.write("\n")
        self._order.flush()
        before, self._seen = self._seen, int(self._answer.readline())
        return self._seen - before


@contextmanager
def sink() -> Iterator[Sink]:
    """The peer, for as long as the context lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.exporters_sink"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield Sink(process)
    finally:
        process.terminate()
        process.communicate()


class Total:
    """Requests that came whole, for threads and for the loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 0

    def one(self) -> None:
        with self._lock:
            self.now += 1


class Counting(Accepting):
    """`Accepting`, which has nothing left of a request once it is whole."""

    def __init__(self, total: Total) -> None:
        self._total = total

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._missing and not self._head:
            self._total.one()


class AnyMethod(grpc.GenericRpcHandler):
    """Whatever is called, the answer is an empty message."""

    def __init__(self, total: Total) -> None:
        self._total = total

    def service(self, details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self._take)

    def _take(self, body: bytes, context: Any) -> bytes:
        self._total.one()
        return b""


async def serve() -> None:
    total, loop = Total(), asyncio.get_running_loop()
    calls = grpc.server(ThreadPoolExecutor(2))
    calls.add_generic_rpc_handlers((AnyMethod(total),))
    grpc_port = calls.add_insecure_port("127.0.0.1:0")
    calls.start()
    server = await loop.create_server(lambda: Counting(total), "127.0.0.1", 0)
    http_port = server.sockets[0].getsockname()[1]
    # The path says after how many milliseconds `Accepting` is to answer.
    print(f"http://127.0.0.1:{http_port}/0 http://127.0.0.1:{grpc_port}", flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(total.now, flush=True)
    calls.stop(None).wait()


if __name__ == "__main__":
    uvloop.run(serve())
