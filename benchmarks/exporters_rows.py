"""The exporters that are set side by side, behind one shape.

    with tempfile.TemporaryDirectory() as folder:
        running = ROWS["http"].make(Place(http=endpoint, folder=Path(folder)))
        running.export(spans, 10.0)         # Told(delivered=512, failed=0, unknown=0)
        running.close()

Each is what a pipeline would use: those of the kit encode once, send and retry; the official ones
are as their constructors make them. A row also says what it is made of, for who counts lines.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from otlp_kit.cli.conform_exporters import MAX_REQUEST, NAMED, http_sender
from otlp_kit.encoding.otlp_json import decode_json, encode_json
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.console import ConsoleExporter
from otlp_kit.exporters.database import Store, StoreSender
from otlp_kit.exporters.fan_out import FanOut
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_file import FileSender, read_lines
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.stores.sqlite_store import FILE, SqliteStore
from otlp_kit.wire import JSON, TRACES, Accepted, Sender, SendError, Unavailable


@dataclass(frozen=True, slots=True)
class Told:
    """What an exporter says became of a batch, in spans."""

    delivered: int = 0
    failed: int = 0
    """Not delivered, or rejected by the peer."""
    unknown: int = 0
    """Sent, and nobody knows whether it arrived."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an exporter is to send, and within which limits. URLs are base URLs."""

    http: str = ""
    grpc: str = ""
    near: str = ""
    """The other destination of a fan-out; `http` if there is none."""
    folder: Path = Path()
    """An empty one, for what ends in files."""
    timeout: float = 10.0
    """Seconds for one export."""
    max_request: int = MAX_REQUEST
    """Bytes of one request."""


@dataclass(frozen=True, slots=True)
class Running:
    """One exporter at work."""

    export: Callable[[Sequence[Any], float], Told]
    """Export a batch; a kit exporter has so many seconds, an official one what its place said."""
    close: Callable[[], object]
    arrived: Callable[[], int] | None = None
    """Spans at the other end, where that end is in this process."""


def of_kit(exporter: Any, arrived: Callable[[], int] | None = None) -> Running:
    """An exporter of this kit, or one of the same shape."""

    def export(batch: Sequence[Any], seconds: float) -> Told:
        try:
            answer: Accepted = exporter.export(batch, time.monotonic() + seconds)
        except SendError as error:
            if isinstance(error, Unavailable) and error.maybe_delivered:
                return Told(unknown=len(batch))
            return Told(failed=len(batch))
        return Told(len(batch) - answer.rejected, answer.rejected)

    return Running(export, exporter.shutdown, arrived)


def of_official(exporter: Any) -> Running:
    """An exporter of the official SDK. It has two answers, and neither is `unknown`."""

    def export(batch: Sequence[Any], seconds: float) -> Told:
        success = exporter.export(batch).name == "SUCCESS"
        return Told(len(batch)) if success else Told(failed=len(batch))

    return Running(export, exporter.shutdown)


def named(name: str, transport: str, limited: bool = True) -> Callable[[Place], Running]:
    """One that `otlp-kit conform exporter` knows by this name."""

    def make(place: Place) -> Running:
        settings: dict[str, Any] = {"timeout": place.timeout}
        if limited:
            settings["max_request"] = place.max_request
        exporter = NAMED[name].factory()(getattr(place, transport), **settings)
        return (of_official if name.startswith("official") else of_kit)(exporter)

    return make


def fan_out(place: Place) -> Running:
    """To two peers over HTTP; what is told is told of the one at `place.http`."""
    far, near = (http_sender(url, timeout=place.timeout) for url in
                 (place.http, place.near or place.http))  # fmt: skip
    fan = FanOut({"near": near, "far": far}, send_timeout=place.timeout)
    exporter = OtlpExporter(encode_spans, fan, TRACES, max_request=place.max_request)

    hand_over = of_kit(exporter).export

    def export(batch: Sequence[Any], seconds: float) -> Told:
        before = fan.totals()["far"]
        hand_over(batch, seconds)
        fan.flush(2 * seconds)
        after = fan.totals()["far"]
        delivered = after.delivered - before.delivered
        unknown = after.unknown - before.unknown
        return Told(delivered, len(batch) - delivered - unknown, unknown)

    return Running(export, exporter.shutdown)


def console(place: Place) -> Running:
    stream = _nowhere()
    return Running(of_kit(ConsoleExporter("lines", stream=stream)).export, stream.close)


def official_console(place: Place) -> Running:
    stream = _nowhere()
    return Running(of_official(ConsoleSpanExporter(out=stream)).export, stream.close)


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")  # `Running.close` closes it


def file(place: Place) -> Running:
    path = place.folder / "traces.jsonl"

    def encode(batch: Sequence[Any]) -> bytes:
        return encode_json(TRACES, batch)

    def arrived() -> int:
        return sum(len(decode_json(TRACES, one.body)) for one in read_lines(path))

    exporter = OtlpExporter(
        encode, FileSender(path), TRACES, max_request=place.max_request, content_type=JSON
    )
    return of_kit(exporter, arrived)


def memory(place: Place) -> Running:
    store = MemoryStore()
    return _into(store, place, lambda: len(store.spans()))


def sqlite(place: Place) -> Running:
    def arrived() -> int:
        with closing(sqlite3.connect(place.folder / FILE)) as database:
            return int(database.execute("select count(*) from spans").fetchone()[0])

    return _into(SqliteStore(place.folder), place, arrived)


def _into(store: Store, place: Place, arrived: Callable[[], int]) -> Running:
    sender: Sender = StoreSender(store)
    exporter = OtlpExporter(encode_spans, sender, TRACES, max_request=place.max_request)
    return of_kit(exporter, arrived)


@dataclass(frozen=True, slots=True)
class Row:
    """One exporter of the table."""

    title: str
    make: Callable[[Place], Running]
    items: tuple[str, ...] = ()
    """What it is made of in the kit, as `otlp-kit copy` names it; () for an official one."""
    distribution: str = ""
    """What pip has to install for an official one."""
    module: str = ""
    """Where that one's class is, if it is a module of its own."""
    peers: int = 0
    """How many peers get a batch over the network."""
    limited: bool = True
    """Whether it can be told how large a request may be."""
    conformance: str = ""
    """Its name in `benchmarks/conformance`."""
    official: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "official", not self.items)


BY_PROTOBUF = ("encoding/protobuf_spans", "exporters/otlp")
BY_JSON = ("encoding/otlp_json", "exporters/otlp")
OVER_HTTP = ("reliability/retry", "exporters/otlp_http")
IN_STORE = (*BY_PROTOBUF, "exporters/database")
PACKAGE = "opentelemetry-exporter-otlp-proto"
CLASS = "opentelemetry.exporter.otlp.proto"

ROWS = {
    "console": Row("console, a line for each span", console, ("exporters/console",), limited=False),
    "file": Row("file, JSON", file, (*BY_JSON, "exporters/otlp_file")),
    "memory": Row("database, in memory", memory, (*IN_STORE, "stores/memory_store")),
    "sqlite": Row("database, SQLite", sqlite, (*IN_STORE, "stores/sqlite_store")),
    "http": Row(
        "HTTP, protobuf", named("kit-http", "http"), (*BY_PROTOBUF, *OVER_HTTP),
        peers=1, conformance="kit-http",
    ),
    "json": Row(
        "HTTP, JSON", named("kit-json", "http"), (*BY_JSON, *OVER_HTTP),
        peers=1, conformance="kit-json",
    ),
    "grpc": Row(
        "gRPC", named("kit-grpc", "grpc"),
        (*BY_PROTOBUF, "reliability/retry", "exporters/otlp_grpc"),
        peers=1, conformance="kit-grpc",
    ),
    "fan-out": Row(
        "fan-out to two, HTTP", fan_out, (*BY_PROTOBUF, *OVER_HTTP, "exporters/fan_out"), peers=2
    ),
    "official-http": Row(
        "official, HTTP, protobuf", named("official-http", "http"), distribution=f"{PACKAGE}-http",
        module=f"{CLASS}.http.trace_exporter", peers=1, conformance="official-http",
    ),
    "official-grpc": Row(
        "official, gRPC", named("official-grpc", "grpc", limited=False),
        distribution=f"{PACKAGE}-grpc", module=f"{CLASS}.grpc.trace_exporter", peers=1,
        limited=False, conformance="official-grpc",
    ),
    "official-console": Row(
        "official, console, JSON", official_console, distribution="opentelemetry-sdk", limited=False
    ),
}  # fmt: skip
