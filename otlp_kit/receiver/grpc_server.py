"""The gRPC shell: the three `Export` methods around `Service.export`, on raw bytes.

There is no generated code: a method is a path, a request is the bytes of a protobuf message, and the
service decodes them itself. It runs in the event loop of the HTTP server; grpcio keeps the limits on
sizes and decompresses.

    await serve_grpc(service, "127.0.0.1:4317", stop)

Specification: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from otlp_kit.encoding.answers import encode_status, encode_success
from otlp_kit.receiver.service import Refusal, Service
from otlp_kit.wire import SIGNALS, Signal

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
"""The gRPC code for each way in which the service refuses; the rest is INTERNAL."""

MAX_AGE = 300
"""Seconds after which a connection is asked to go, and its client to open another: half a call, sent
and left, is not held for ever. grpcio bounds the size of a call, and not how many there are."""

PATIENCE = 30
"""Seconds that calls of such a connection get to finish."""

GRACE = 3.0
"""Seconds that open calls get to finish at shutdown."""

DETAILS = "grpc-status-details-bin"


async def serve_grpc(service: Service, address: str, stop: asyncio.Event) -> None:
    """Serve OTLP/gRPC at `address` (`HOST:PORT`) until `stop` is set."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", service.max_body),
            ("grpc.max_connection_age_ms", MAX_AGE * 1000),
            ("grpc.max_connection_age_grace_ms", PATIENCE * 1000),
            ("grpc.so_reuseport", 0),  # two servers on one port would share its requests
        ],
    )
    # One worker: requests are decoded and stored one after the other, as behind the HTTP shell.
    with ThreadPoolExecutor(1, thread_name_prefix="otlp-kit-grpc") as worker:
        methods = {signal.grpc_method: _handler(service, signal, worker) for signal in SIGNALS}
        server.add_generic_rpc_handlers((_Methods(methods),))
        server.add_insecure_port(address)
        await server.start()
        await stop.wait()
        await server.stop(GRACE)


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    """The table of methods, by full name; for any other grpcio answers UNIMPLEMENTED."""

    def __init__(self, methods: dict[str, Any]) -> None:
        self._methods = methods

    def service(self, details: Any) -> Any:
        return self._methods.get(details.method)


def _handler(service: Service, signal: Signal, worker: ThreadPoolExecutor) -> Any:
    async def export(body: bytes, context: Any) -> bytes:
        loop = asyncio.get_running_loop()
        try:
            accepted = await loop.run_in_executor(worker, service.export, signal, body)
        except Refusal as refused:
            code = CODES.get(refused.status, grpc.StatusCode.INTERNAL)
            details = refused.details()
            status = encode_status(refused.message, code.value[0], details)
            await context.abort(code, refused.message, ((DETAILS, status),) if details else ())
            raise AssertionError("abort does not return") from None
        return encode_success(accepted)

    method: Callable[[bytes, Any], Awaitable[bytes]] = export
    return grpc.unary_unary_rpc_method_handler(method)
