"""The gRPC side of the hostile server: any status, any detail, any silence, over real HTTP/2.

    busy = GrpcAnswer(14, details=encode_status("busy", 14, [retry_info(2)]))
    with HostileGrpcServer([busy, GrpcAnswer()]) as server:
        ...                     # export to server.endpoint
        first, second = server.arrivals

The script and the record are those of `hostile_server`. What grpcio does for a server is not in the
record: the headers `content-type` and `grpc-encoding`; bodies are decompressed.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

from otlp_kit.testing.hostile_record import MAX_BODY, Arrival, Record

DETAILS = "grpc-status-details-bin"
CODES = {code.value[0]: code for code in grpc.StatusCode}
WORKERS = 32
"""Calls that can wait for their answer at once."""


@dataclass(frozen=True, slots=True)
class GrpcAnswer:
    """What one call gets: a message, or a status that is not 0 (OK)."""

    code: int = 0
    message: str = ""
    """The words beside the code."""
    details: bytes = b""
    """A serialized `google.rpc.Status`, for the trailer `grpc-status-details-bin`; b"" for none."""
    body: bytes = b""
    """The response message when the code is 0."""
    delay: float = 0.0
    """Seconds before the answer."""
    silent: bool = False
    """Whether there is no answer at all, until the client goes."""


GrpcScript: TypeAlias = Sequence[GrpcAnswer] | Callable[[Arrival], GrpcAnswer]


class HostileGrpcServer(Record):
    """Plays `script` to whoever calls, whatever the method. Use it in a `with` statement.

    `port` 0 takes a free one; another is for a server that was not there before.
    """

    def __init__(self, script: GrpcScript, *, port: int = 0) -> None:
        super().__init__()
        self._script = script
        self._stopped = threading.Event()
        self._peers: dict[str, int] = {}
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="hostile-grpc")
        self._server = grpc.server(
            self._workers, options=[("grpc.max_receive_message_length", MAX_BODY)]
        )
        self._server.add_generic_rpc_handlers((_AnyMethod(self._call),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """End all calls and all threads. May be called twice."""
        self._stopped.set()
        self._server.stop(None).wait()
        self._workers.shutdown()

    def __enter__(self) -> HostileGrpcServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, method: str, body: bytes, context: Any) -> bytes:
        headers = {
            name: value if isinstance(value, str) else value.hex()
            for name, value in context.invocation_metadata()
        }
        arrival = self.arrived(self._connection(context.peer()), "POST", method, headers, body)
        try:
            return self._answer(arrival, context)
        finally:
            self.answered()

    def _connection(self, peer: str) -> int:
        """A client's port stands for its connection: grpcio shows no other sign of it."""
        with self._changed:
            if peer not in self._peers:
                self._peers[peer] = self.connections
                self.connections += 1
            return self._peers[peer]

    def _answer(self, arrival: Arrival, context: Any) -> bytes:
        if callable(self._script):
            answer = self._script(arrival)
        else:
            answer = self._script[min(arrival.number, len(self._script) - 1)]
        if answer.silent or answer.delay:
            gone = threading.Event()
            if context.add_callback(gone.set):  # also called when the server stops
                gone.wait(None if answer.silent else answer.delay)
        if answer.code:
            if answer.details:
                context.set_trailing_metadata(((DETAILS, answer.details),))
            context.abort(CODES[answer.code], answer.message)
        return answer.body


class _AnyMethod(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    def __init__(self, call: Callable[[str, bytes, Any], bytes]) -> None:
        self._call = call

    def service(self, details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            lambda body, context: self._call(details.method, body, context)
        )
