"""The HTTP shell: sockets, chunks and time-outs around `Service.handle`.

A bare ASGI application, run by uvicorn. The event loop only moves bytes; one worker thread decodes
and stores, since the database has one writer anyway. How many bytes may wait for it is bounded: past
that, senders are asked to come back later.

    await serve([(otlp_app(service), bind("127.0.0.1", 4318))], stop)
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

import uvicorn

from otlp_kit.receiver.service import Refusal, Request, Response, Service

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Any, Receive, Send], Awaitable[None]]

MAX_WAITING = 4
"""How many bodies of the largest size may be in memory at once."""

PATIENCE = 30.0
"""Seconds without a byte of the body after which a sender is given up."""

GRACE = 3
"""Seconds that open requests get to finish at shutdown."""


class _Gone(Exception):
    """The client closed the connection before its request was complete."""


def otlp_app(service: Service) -> App:
    """The ASGI application that answers OTLP/HTTP requests with `service`."""
    return _OtlpApp(service)


class _OtlpApp:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._free = MAX_WAITING * service.max_body
        # One thread: requests are decoded and stored one after the other, in order of arrival.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="otlp-kit-receiver")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        held = 0

        def hold(count: int) -> None:
            nonlocal held
            if count > self._free:
                raise Refusal(
                    503, "too many requests are waiting", retry_after="1", connection="close"
                )
            self._free -= count
            held += count

        try:
            body = await self._read(scope, receive, hold)
            request = Request(scope["method"], scope["path"], _headers(scope), body)
            loop = asyncio.get_running_loop()
            response = await loop.run_in_executor(self._worker, self._service.handle, request)
        except Refusal as refused:
            response = refused.response
        except _Gone:
            return
        finally:
            self._free += held
        await _respond(response, send)

    async def _read(self, scope: Any, receive: Receive, hold: Callable[[int], None]) -> bytes:
        """The body, sized or chunked. One that is too large is read on and thrown away for a while.

        A client that is still sending does not listen: it would see a broken connection instead of
        the answer.
        """
        limit = self._service.max_body
        chunks: list[bytes] = []
        size = 0
        while True:
            try:
                message = await asyncio.wait_for(receive(), PATIENCE)
            except TimeoutError:
                raise Refusal(408, "the body did not arrive in time", connection="close") from None
            if message["type"] == "http.disconnect":
                raise _Gone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= limit:
                hold(len(chunk))
                chunks.append(chunk)
            else:
                chunks.clear()
            if size > 2 * limit or not message.get("more_body"):
                break
        if size > limit:
            raise Refusal(413, f"the body is larger than {limit} bytes", connection="close")
        return b"".join(chunks)


def _headers(scope: Any) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def _respond(response: Response, send: Send) -> None:
    headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in {**response.headers, "content-length": str(len(response.body))}.items()
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises `OSError` if the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


async def serve(apps: Sequence[tuple[App, socket.socket]], stop: asyncio.Event) -> None:
    """Serve each application on its socket until `stop` is set, then let open requests finish."""
    servers = [_Server(_config(app)) for app, _ in apps]
    running = [
        asyncio.create_task(server.serve(sockets=[listening]))
        for server, (_, listening) in zip(servers, apps, strict=True)
    ]
    stopped = asyncio.create_task(stop.wait())
    # A server that fails must not leave the others serving as if nothing were wrong.
    await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*running)
    stopped.cancel()


def _config(app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE,
    )


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever set `stop`; uvicorn would take them for itself."""
        yield
