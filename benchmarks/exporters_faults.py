"""What becomes of spans when the peer dies under an exporter, and how long that takes.

    death = dies(row.make, grpc=False, batch=spans, seconds=8.0, returns=True)
    death.lost, death.duplicates, death.silent

The peer is a real server behind a `Cable`. It reads a request whole, and then the connection ends
without an answer; from then on it is back, or nobody listens. Nobody can know whether a process that
ended there had kept the spans, so both cases are counted: *lost* are those that no answered request
had, if it kept nothing; *duplicates* are those that were read more than once, if it kept all. What the
exporter says is beside it: spans that it calls delivered and that no answer ever covered are *silent*.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from benchmarks.exporters_rows import Place, Running, Told
from otlp_kit.testing.hostile_answers import Answer, closed, silent, success
from otlp_kit.testing.hostile_grpc import GrpcAnswer, HostileGrpcServer
from otlp_kit.testing.hostile_record import Arrival, Record
from otlp_kit.testing.hostile_server import HostileServer
from otlp_kit.wire import JSON, PROTOBUF

Make: TypeAlias = Callable[[Place], Running]
POLL = 0.02
"""Seconds between two looks at whether the cable is gone."""


@dataclass(frozen=True, slots=True)
class Death:
    """One batch and a peer that died, in spans."""

    emitted: int
    unique: int
    """Those that the peer read at all."""
    duplicates: int
    """What it read beyond that."""
    answered: int
    """Those that a request had which was answered."""
    told: Told

    @property
    def lost(self) -> int:
        return self.emitted - self.answered

    @property
    def silent(self) -> int:
        return max(0, self.told.delivered - self.answered)


def dies(make: Make, *, grpc: bool, batch: Sequence[Any], seconds: float, returns: bool) -> Death:
    """Export `batch` once, within `seconds`, to a peer that dies over the first request."""

    def script(arrival: Arrival) -> Any:
        if arrival.number:
            return _yes(arrival, grpc)
        cable.cut(for_good=not returns)
        return GrpcAnswer(silent=True) if grpc else closed()

    with peer(script, grpc) as server, Cable(server.endpoint) as cable:
        told = _export(make, cable.endpoint, grpc, batch, seconds)
        arrivals = server.arrivals
    read = [Counter(_names(arrival)) for arrival in arrivals]
    seen = sum(read, Counter[bytes]())
    answered = sum(read[1:], Counter[bytes]())
    return Death(len(batch), len(seen), seen.total() - len(seen), len(answered), told)


def over(make: Make, *, grpc: bool, batch: Sequence[Any], seconds: float, listens: bool) -> float:
    """How many seconds after its `seconds` an export ends, or before if negative. The peer takes the
    request and never answers; or, with `listens` false, refuses the connection."""

    def script(arrival: Arrival) -> Any:
        return GrpcAnswer(silent=True) if grpc else silent()

    with peer(script, grpc) as server, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # has a port that is nobody else's, and does not listen
        endpoint = server.endpoint if listens else f"http://127.0.0.1:{deaf.getsockname()[1]}"
        running = make(_place(endpoint, grpc, seconds))
        begin = time.monotonic()
        running.export(batch, seconds)
        took = time.monotonic() - begin
        running.close()
    return took - seconds


def too_large(make: Make, *, batch: Sequence[Any], limit: int, grpc: bool) -> tuple[int, int]:
    """How many spans of a batch arrive if a request may have `limit` bytes, and the largest request."""
    with peer(lambda arrival: _yes(arrival, grpc), grpc) as server:

        def limited(place: Place) -> Running:
            return make(replace(place, max_request=limit))

        _export(limited, server.endpoint, grpc, batch, 10.0)
        arrivals = server.arrivals
    names = {name for arrival in arrivals for name in _names(arrival)}
    return len(names), max((len(arrival.body()) for arrival in arrivals), default=0)


@contextmanager
def peer(script: Any, grpc: bool) -> Iterator[Any]:
    """A server that plays `script`, and keeps what arrives."""
    with HostileGrpcServer(script) if grpc else HostileServer(script) as server:
        assert isinstance(server, Record)
        yield server


def _export(make: Make, endpoint: str, grpc: bool, batch: Sequence[Any], seconds: float) -> Told:
    with HostileServer([success()]) as near:
        running = make(replace(_place(endpoint, grpc, seconds), near=near.endpoint))
        try:
            return running.export(batch, seconds)
        finally:
            running.close()


def _place(endpoint: str, grpc: bool, seconds: float) -> Place:
    place = Place(timeout=seconds)
    return replace(place, grpc=endpoint) if grpc else replace(place, http=endpoint)


def _yes(arrival: Arrival, grpc: bool) -> Answer | GrpcAnswer:
    if grpc:
        return GrpcAnswer()
    as_json = arrival.headers.get("content-type", "").startswith(JSON)
    return success(content_type=JSON if as_json else PROTOBUF)


def _names(arrival: Arrival) -> list[bytes]:
    """The spans of a request, each by its two ids."""
    return [span.trace_id + span.span_id for span in arrival.records()]


class Cable:
    """A way to a server that can be cut under a request, as the end of its process does it: the
    connections are closed by the kernel, and whoever comes then is served anew, or refused."""

    def __init__(self, endpoint: str) -> None:
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._lock = threading.Lock()
        self._gone = False
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(POLL)
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def cut(self, *, for_good: bool) -> None:
        """End every connection; with `for_good`, refuse further ones."""
        with self._lock:
            self._gone |= for_good
            if for_good:
                self._listener.close()
            ends, self._open = self._open, []
        for end in ends:
            with suppress(OSError):  # the other side was quicker
                end.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it, which closes it

    def __enter__(self) -> Cable:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut(for_good=True)
        for thread in list(self._threads):
            thread.join()

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._gone:
            try:
                near, _ = self._listener.accept()
            except OSError:  # nobody came within POLL, or it is over
                continue
            near.settimeout(None)
            far = socket.create_connection(self._target)
            for end in (near, far):  # before it may be cut, and closed
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if self._gone:
                    near.close()
                    far.close()
                    return
                self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                self._start(self._carry, source, sink)

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        """All bytes of one direction; its end is the end of the other one, too."""
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()
