"""The two transports of a `Bench`: how OTLP/HTTP and OTLP/gRPC say yes, later, never, and nothing.

bench = HttpBench(make, records=None, content_type=PROTOBUF)
bench.play(bench.failure(503, retry_after=2), bench.ok())

bench = GrpcBench(make, records=None)
bench.play(bench.failure(14, retry_info(2)), bench.ok())
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from otlp_kit.encoding.answers import encode_status, encode_success, retry_info
from otlp_kit.testing import hostile_answers as http_answers
from otlp_kit.testing.exporter_bench import Bench, not_applicable
from otlp_kit.testing.exporter_subject import Make, Records
from otlp_kit.testing.hostile_record import Record
from otlp_kit.testing.hostile_server import HostileServer
from otlp_kit.wire import JSON, Accepted

EMPTY_PARTIAL = b"\x0a\x00"
"""A response whose `partial_success` is there, and has nothing in it."""


class HttpBench(Bench):
    """OTLP/HTTP in either encoding."""

    def __init__(self, make: Make, records: Records | None, content_type: str) -> None:
        super().__init__(make, records)
        self.content_type = content_type
        self.transport = "http/json" if content_type == JSON else "http/protobuf"

    @contextmanager
    def server(self, script: Any) -> Iterator[tuple[HostileServer, str]]:
        with HostileServer(script) as server:
            yield server, server.endpoint

    @contextmanager
    def late_server(self, script: Any) -> Iterator[tuple[str, Callable[[], Record]]]:
        with HostileServer(script, listening=False) as server:

            def come() -> Record:
                server.listen()
                return server

            yield server.endpoint, come

    def ok(self, rejected: int = 0, message: str = "") -> http_answers.Answer:
        return http_answers.success(rejected, message, content_type=self.content_type)

    def empty_partial(self) -> http_answers.Answer:
        body = b'{"partialSuccess": {}}' if self.content_type == JSON else EMPTY_PARTIAL
        return http_answers.answer(200, body, content_type=self.content_type)

    def failure(
        self, status: int, retry_after: str | int | None = None, code: int = 0
    ) -> http_answers.Answer:
        """Any failure, with a body in the encoding of this bench."""
        return http_answers.failure(
            status, "as told", retry_after=retry_after, code=code, content_type=self.content_type
        )

    def busy(self, retry_after: int | None = None) -> http_answers.Answer:
        return self.failure(503, retry_after)

    def refuse(self) -> http_answers.Answer:
        return self.failure(400)

    def silent(self) -> http_answers.Answer:
        return http_answers.silent()

    def slow(self, seconds: float) -> http_answers.Answer:
        whole = self.ok()
        return http_answers.Answer(whole.pieces, delay=seconds)


class GrpcBench(Bench):
    """OTLP/gRPC; needs grpcio."""

    transport = "grpc"

    def __init__(self, make: Make, records: Records | None) -> None:
        from otlp_kit.testing import hostile_grpc  # only here: the other transports need nothing

        super().__init__(make, records)
        self._grpc = hostile_grpc

    @contextmanager
    def server(self, script: Any) -> Iterator[tuple[Record, str]]:
        with self._grpc.HostileGrpcServer(script) as server:
            yield server, server.endpoint

    @contextmanager
    def late_server(self, script: Any) -> Iterator[tuple[str, Callable[[], Record]]]:
        if not hasattr(socket, "SO_REUSEPORT"):
            not_applicable("this system cannot keep a port for a server that comes later")
        servers: list[Any] = []
        with socket.socket() as kept:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            kept.bind(("127.0.0.1", 0))
            port = kept.getsockname()[1]

            def come() -> Record:
                server: Record = self._grpc.HostileGrpcServer(script, port=port)
                servers.append(server)
                return server

            try:
                yield f"http://127.0.0.1:{port}", come
            finally:
                for server in servers:
                    server.close()

    def failure(self, code: int, *details: bytes) -> Any:
        """Any status, with `details` for `grpc-status-details-bin`."""
        status = encode_status("as told", code, details) if details else b""
        return self._grpc.GrpcAnswer(code, "as told", details=status)

    def ok(self, rejected: int = 0, message: str = "") -> Any:
        return self._grpc.GrpcAnswer(body=encode_success(Accepted(rejected, message)))

    def empty_partial(self) -> Any:
        return self._grpc.GrpcAnswer(body=EMPTY_PARTIAL)

    def answer(self, **fields: Any) -> Any:
        """Any answer; see `hostile_grpc.GrpcAnswer`."""
        return self._grpc.GrpcAnswer(**fields)

    def busy(self, retry_after: int | None = None) -> Any:
        return self.failure(14, *([] if retry_after is None else [retry_info(retry_after)]))

    def refuse(self) -> Any:
        return self.failure(3)

    def silent(self) -> Any:
        return self._grpc.GrpcAnswer(silent=True)

    def slow(self, seconds: float) -> Any:
        return self._grpc.GrpcAnswer(delay=seconds)
