"""The HTTP shell: sockets, chunks and time-outs around `Service.handle`.

A bare ASGI application, run by uvicorn. The event loop only moves bytes; one worker thread decodes
and stores, since the database has one writer anyway. How many requests and bytes may wait for it is
bounded: past that, senders are asked to come back later.

    await serve([(otlp_app(service), bind("127.0.0.1", 4318))], stop)
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeAlias

import uvicorn

from otlp_kit.receiver.http_protocol import PatientProtocol
from otlp_kit.receiver.service import Refusal, Request, Response, Service

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Any, Receive, Send], Awaitable[None]]

MAX_WAITING = 4
"""How many bodies of the largest size may be in memory at once."""

MAX_QUEUED = 1000
"""How many whole requests may wait for the worker. A later one would be answered too late anyway."""

PATIENCE = 30.0
"""Seconds until a header must be whole, and without a byte of the body, until a sender is given up."""

LINGER = 1.0
"""Seconds without a byte after which a sender that has its answer is no longer listened to."""

GRACE = 3
"""Seconds that open requests get to finish at shutdown."""


_log = logging.getLogger(__name__)


class _Gone(Exception):
    """The client closed the connection before its request was complete."""


class _Body:
    """The body of one request, piece by piece. `more` tells whether a piece is still to come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.more = True

    async def next(self, patience: float) -> bytes:
        """The next piece; raises `TimeoutError` after `patience` seconds, or `_Gone`."""
        message = await asyncio.wait_for(self._receive(), patience)
        if message["type"] == "http.disconnect":
            raise _Gone
        self.more = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece


def otlp_app(service: Service) -> App:
    """The ASGI application that answers OTLP/HTTP requests with `service`."""
    return _OtlpApp(service)


class _OtlpApp:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._free = MAX_WAITING * service.max_body
        self._queued = 0
        # One thread: requests are decoded and stored one after the other, in order of arrival.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="otlp-kit-receiver")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        held = 0

        def hold(count: int) -> None:
            nonlocal held
            if count > self._free:
                raise _too_many()
            self._free -= count
            held += count

        body = _Body(receive)
        headers = _headers(scope)
        try:
            whole = await self._read(body, headers, hold)
            response = await self._handle(Request(scope["method"], scope["path"], headers, whole))
        except Refusal as refused:
            response = refused.response(headers)
        except _Gone:
            return
        finally:
            self._free += held
        await _respond(response, body, send, self._service.max_body)

    async def _read(
        self, body: _Body, headers: Mapping[str, str], hold: Callable[[int], None]
    ) -> bytes:
        """The whole body, sized or chunked. Refused as soon as it is known to be too large."""
        limit = self._service.max_body
        too_large = Refusal(413, f"the body is larger than {limit} bytes")
        # A number: the HTTP parser has seen to that.
        if int(headers.get("content-length", 0)) > limit:
            raise too_large
        pieces: list[bytes] = []
        size = 0
        while body.more:
            try:
                piece = await body.next(PATIENCE)
            except TimeoutError:
                raise Refusal(408, "the body did not arrive in time") from None
            size += len(piece)
            if size > limit:
                raise too_large
            hold(len(piece))
            pieces.append(piece)
        return b"".join(pieces)

    async def _handle(self, request: Request) -> Response:
        if self._queued >= MAX_QUEUED:
            raise _too_many()
        self._queued += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._worker, self._service.handle, request)
        except Exception:
            # A defect of this program. It is not the sender's to guess at, and the next request
            # must still be served.
            _log.exception("cannot handle a request to %s", request.path)
            failed = Refusal(500, "the receiver failed at this request; its log says why")
            return failed.response(request.headers)
        finally:
            self._queued -= 1


def _too_many() -> Refusal:
    return Refusal(503, "too many requests are waiting", retry_after="1")


def _headers(scope: Any) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def _respond(response: Response, body: _Body, send: Send, patience: int) -> None:
    """Send the answer; after an early one, read on and throw away at most twice `patience` bytes.

    Closing a connection with unread bytes resets it: a sender that is still sending would see that
    instead of the answer.
    """
    named = {**response.headers, "content-length": str(len(response.body))}
    if body.more:
        named["connection"] = "close"
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if body.more:
        await send({"type": "http.response.body", "body": response.body, "more_body": True})
        left = 2 * patience
        with suppress(TimeoutError, _Gone):
            while body.more and left > 0:
                left -= len(await body.next(LINGER))
        await send({"type": "http.response.body", "body": b""})
    else:
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
        http=partial(PatientProtocol, patience=PATIENCE),  # type: ignore[arg-type]  # it is called
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
