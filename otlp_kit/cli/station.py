"""The receiver as `serve` and `up` run it: store, service, page and sockets, put together.

Opening is all or nothing: the data directory is locked and every port is bound before anything
starts, so that a port which is taken leaves nothing half started.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from otlp_kit.cli.options import Stop
from otlp_kit.cli.settings_options import data_directory
from otlp_kit.receiver.grpc_server import serve_grpc
from otlp_kit.receiver.http_server import bind, otlp_app, serve
from otlp_kit.receiver.page import page_app
from otlp_kit.receiver.service import Service
from otlp_kit.runtime.lifecycle import stop_on_signals
from otlp_kit.settings.schema import KitSettings
from otlp_kit.settings.schema_values import Address
from otlp_kit.stores.retention import Retention
from otlp_kit.stores.sqlite_store import SqliteStore
from otlp_kit.views import JS_DIRECTORY
from otlp_kit.views.waterfall import Waterfall
from otlp_kit.wire import Unavailable

EXPIRE_EVERY = 60.0
"""Seconds between two looks for what is too old."""


class Station:
    """Everything that `serve` runs. Use it as a context manager: leaving it closes the store."""

    def __init__(
        self,
        *,
        http: Address,
        grpc: Address,
        ui: Address,
        data: Path,
        retention: Retention | None = None,
    ) -> None:
        self._opened = ExitStack()
        with ExitStack() as opening:
            opening.callback(self._opened.close)
            self._opened.enter_context(locked(data))
            self.http = self._opened.enter_context(listen(http, "--http"))
            self.grpc = self._opened.enter_context(listen(grpc, "--grpc"))
            self.ui = self._opened.enter_context(listen(ui, "--ui"))
            self.store = SqliteStore(data, retention=retention)
            self._opened.callback(self.store.close)
            opening.pop_all()
        self.data = data
        self.service = Service(self.store.put)
        self.addresses = {
            "http": url(self.http),
            "grpc": url(self.grpc),
            "ui": url(self.ui),
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; SIGINT and SIGTERM set it."""
        hosts = {"127.0.0.1", "localhost", "[::1]", str(self.ui.getsockname()[0])}
        page = page_app(
            self.store.latest,
            self._trace,
            self._status,
            hosts,
            JS_DIRECTORY,
            search=self.store.search,
            logs=self.store.logs,
            metrics=self.store.metrics,
            points=self.store.points,
        )
        # grpcio binds by itself; until here the socket kept others from taking the port.
        self.grpc.close()
        grpc = self.addresses["grpc"].removeprefix("http://")
        with stop_on_signals(stop.set):
            async with asyncio.TaskGroup() as running:
                expiring = running.create_task(self._let_expire())
                running.create_task(serve_grpc(self.service, grpc, stop))
                http = [(otlp_app(self.service), self.http), (page, self.ui)]
                running.create_task(serve(http, stop))
                await stop.wait()
                expiring.cancel()

    async def _let_expire(self) -> None:
        """What is too old leaves, though nothing new comes."""
        while True:
            await asyncio.sleep(EXPIRE_EVERY)
            with suppress(Unavailable):  # as long as nothing can be written, nothing can leave
                await asyncio.to_thread(self.store.remove_expired)

    def _trace(self, trace_id: str) -> dict[str, Any] | None:
        spans = self.store.spans(trace_id)
        return Waterfall(spans).data() if spans else None

    def _status(self) -> dict[str, Any]:
        totals = self.service.ledger.totals()
        ledger = {
            name: getattr(totals, name)
            for name in ("created", "delivered", "rejected", "stored", "unknown", "inside")
        }
        return {
            "ledger": {**ledger, "dropped": dict(totals.dropped)},
            "trouble": self.service.trouble,
            "addresses": self.addresses,
        }

    def __enter__(self) -> Station:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def open_station(settings: KitSettings) -> Station:
    """The station that `settings` describe."""
    return Station(
        http=settings.receiver.http,
        grpc=settings.receiver.grpc,
        ui=settings.receiver.page,
        data=data_directory(settings),
        retention=retention(settings),
    )


def retention(settings: KitSettings) -> Retention:
    """How much its store keeps."""
    return Retention(settings.store.keep, settings.store.max_size)


def url(listening: socket.socket) -> str:
    """The http URL of a bound socket."""
    host, port = listening.getsockname()[:2]
    return f"http://{Address(host, port)}"


def listen(wanted: Address, flag: str) -> socket.socket:
    """Bind `wanted`, or stop with a line that names the address and the flag that moves it."""
    try:
        return bind(wanted.host, wanted.port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise Stop(
            f"cannot listen on {wanted}: {reason}. Choose another address with {flag} HOST:PORT"
        ) from None


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold an exclusive lock on a data directory. It is the process's: a crash releases it."""
    path = data / "lock"
    try:
        data.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        if not data.is_dir():
            raise Stop(f"cannot use the data directory {data}: {error.strerror}") from None
        # Another user's directory: nothing can be stored there, and the receiver will say so.
        yield
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise Stop(
                f"{data} is in use by another otlp-kit (process {owner}). "
                "Stop it, or choose another directory with --data DIR"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def run_until_stopped(main: Callable[[asyncio.Event], Any]) -> None:
    """Run the coroutine function `main` with a fresh stop event, on uvloop where there is one."""

    async def start() -> None:
        await main(asyncio.Event())

    try:
        import uvloop
    except ImportError:
        asyncio.run(start())
    else:
        uvloop.run(start())
