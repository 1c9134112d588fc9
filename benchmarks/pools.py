"""When does it pay to use a thing again? Pools against plain allocation, kind by kind.

`python -m benchmarks.pools` takes about two minutes, prints each ratio, and writes
`results/pools.json`. Plain allocation and its pools run in turn in each round, so each ratio is of one
moment on one machine. What a server answers it answers in another process. Nothing here has a gate:
where pooling loses is as much a result as where it wins.
"""

from __future__ import annotations

import ctypes
import gc
import http.client
import multiprocessing
import queue
import socket
import sqlite3
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
import trustme

from benchmarks.harness import Fact, judge, ratio, record
from benchmarks.pools_grid import (
    THREADS,
    Spent,
    Way,
    buffer_grid,
    grid,
    hits,
    in_threads,
    memory,
    per_use,
    repeat,
    spent,
    ways,
)
from benchmarks.workload import kit_spans, sdk_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Resource, Scope, Span
from otlp_kit.pools.buffer_pool import BufferPool
from otlp_kit.pools.object_pool import ObjectPool

BATCH = 512
SIZES = {"64": 64, "1k": 1 << 10, "16k": 1 << 14, "64k": 1 << 16, "256k": 1 << 18, "1m": 1 << 20,
         "4m": 1 << 22}  # fmt: skip
M_MMAP_THRESHOLD = -3  # of mallopt, in malloc.h
METHOD = "/bench.Pools/Call"
BODY = b"x" * 600
"""About as much as an encoded span."""


def against_plain(facts: dict[str, Fact], name: str, seconds: Spent, what: str) -> None:
    """How many times faster each pool is than `plain`, and how many times less CPU it takes."""
    plain = seconds["plain"]
    for pool, (wall, cpu) in seconds.items():
        if pool == "plain":
            continue
        fact = f"pools.{name}" if pool == "pool" else f"pools.{name}.{pool}"
        facts[fact] = ratio(plain[0], wall, f"times faster: {what}, {pool} against plain", None)
        facts[f"{fact}.cpu"] = ratio(
            plain[1], cpu, f"times less CPU: {what}, {pool} against plain", None
        )


# Small objects: spans, 512 at a time, as a batch processor holds them.

RESOURCE, SCOPE = Resource({"service.name": "bench"}), Scope("bench")


def new_span() -> Span:
    return Span(resource=RESOURCE, scope=SCOPE)


def reset_span(span: Span) -> None:
    """Every field, as `check_pool` wants it."""
    span.name = span.status_message = span.trace_state = ""
    span.trace_id = span.span_id = span.parent_span_id = b""
    span.start_unix_nano = span.end_unix_nano = span.status_code = span.flags = 0
    span.kind = 1
    span.attributes, span.events, span.links = {}, [], []
    span.dropped_attributes_count = span.dropped_events_count = span.dropped_links_count = 0
    span.resource, span.scope = RESOURCE, SCOPE


def batches(acquire: Callable[[], Span], release: Callable[[Span], object], count: int) -> None:
    for _ in range(count):
        held = []
        for number in range(BATCH):
            span = acquire()
            span.name = "GET /users/{id}"
            span.attributes["http.response.status_code"] = number
            held.append(span)
        for span in held:
            release(span)


def object_ways() -> dict[str, Way]:
    shared: queue.SimpleQueue[Span] = queue.SimpleQueue()
    lined: queue.Queue[Span] = queue.Queue()

    def from_queue(source: Any) -> Span:
        try:
            span: Span = source.get_nowait()
        except queue.Empty:
            return new_span()
        return span

    def to_queue(source: Any, span: Span) -> None:
        reset_span(span)
        source.put(span)

    return {
        **span_ways(new_span),
        "simple_queue": Way(partial(from_queue, shared), partial(to_queue, shared)),
        "queue": Way(partial(from_queue, lined), partial(to_queue, lined)),
    }


def span_ways(make: Callable[[], Span]) -> dict[str, Way]:
    return ways(make, reset=reset_span, keep=BATCH)


def objects(facts: dict[str, Fact]) -> None:
    for threads in THREADS:
        seconds = spent({
            name: partial(in_threads, threads, partial(batches, acquire, release, 12 // threads))
            for name, (acquire, release, _) in object_ways().items()
        })  # fmt: skip
        per_use(facts, "span", threads, seconds, 12 * BATCH)
        many = "one thread" if threads == 1 else f"{threads} threads"
        against_plain(facts, f"object.{threads}", seconds, f"spans of this kit on {many}")
    hits(facts, "span", new_span, span_ways, lambda way: batches(way.acquire, way.release, 12),
         12 * BATCH * max(THREADS))  # fmt: skip
    for name, (acquire, release, _) in object_ways().items():
        if name not in ("plain", "list", "local", "locked"):
            continue
        batches(acquire, release, 2)
        before = gc.get_stats()[0]["collections"]
        batches(acquire, release, 40)
        runs = gc.get_stats()[0]["collections"] - before
        acquire, release, _ = object_ways()[name]  # with nothing in it yet
        exact(facts, f"object.collections.{name}", runs, "runs",
              f"runs of the collector's youngest generation for 40 batches of {BATCH} spans ({name})")  # fmt: skip
        size, peak, tracked = memory(partial(burst, acquire, release))
        exact(facts, f"object.peak.{name}", round(peak / 1024), "KiB",
              f"most memory while a burst of {BATCH} spans is held ({name})")  # fmt: skip
        exact(facts, f"object.kept.{name}", round(size / 1024), "KiB",
              f"memory still held after a burst of {BATCH} spans ({name})")  # fmt: skip
        exact(facts, f"object.tracked.{name}", tracked, "objects",
              f"objects that the collector still looks at after a burst of {BATCH} spans ({name})")  # fmt: skip


def encoding(facts: dict[str, Fact]) -> None:
    """What is left of the gain when a span gets ten attributes and is encoded."""
    model = kit_spans("mixed")

    def work(acquire: Callable[[], Span], release: Callable[[Span], object]) -> None:
        held = []
        for span in model:
            mine = acquire()
            mine.name, mine.trace_id, mine.span_id = span.name, span.trace_id, span.span_id
            mine.start_unix_nano, mine.end_unix_nano = span.start_unix_nano, span.end_unix_nano
            mine.attributes.update(span.attributes)
            held.append(mine)
        encode_spans(held)
        for mine in held:
            release(mine)

    seconds = spent({name: partial(repeat, 4, partial(work, way.acquire, way.release))
                     for name, way in object_ways().items() if name in ("plain", "list", "locked")})  # fmt: skip
    against_plain(facts, "object.encoded", seconds, "a span made, filled and encoded")


def burst(acquire: Callable[[], Span], release: Callable[[Span], object]) -> object:
    batches(acquire, release, 1)
    return acquire, release  # so that a free list lives until it has been measured


def exact(facts: dict[str, Fact], name: str, value: float, unit: str, what: str) -> None:
    facts[f"pools.{name}"] = Fact(value, value, value, unit, what)


# Byte buffers.


def buffers(facts: dict[str, Fact]) -> None:
    for name, size in SIZES.items():
        source = memoryview(bytes(size))
        pool, zeroing = BufferPool(max_bytes=64 << 20), BufferPool(max_bytes=64 << 20, zero=True)
        count = max(8, min(4000, (16 << 20) // size))

        def plain(size: int = size) -> None:
            bytearray(size)

        def plain_filled(size: int = size, source: memoryview = source) -> None:
            memoryview(bytearray(size))[:] = source

        own = memoryview(bytearray(size))

        def kept_filled(own: memoryview = own, source: memoryview = source) -> None:
            own[: len(source)] = source

        def pooled(pool: BufferPool, size: int = size) -> None:
            pool.release(pool.acquire(size))

        def pooled_filled(pool: BufferPool, size: int = size, source: memoryview = source) -> None:
            view = pool.acquire(size)
            view[:] = source
            pool.release(view)

        seconds = spent({
            "plain": partial(repeat, count, plain),
            "pool": partial(repeat, count, partial(pooled, pool)),
        })  # fmt: skip
        against_plain(
            facts, f"buffer.{name}", seconds, f"a buffer of {size:,} bytes, not written to"
        )
        seconds = spent({
            "plain": partial(repeat, count, plain_filled),
            "pool": partial(repeat, count, partial(pooled_filled, pool)),
            "zeroing": partial(repeat, count, partial(pooled_filled, zeroing)),
            "own": partial(repeat, count, kept_filled),
        })  # fmt: skip
        against_plain(
            facts, f"filled.{name}", seconds, f"a buffer of {size:,} bytes, written to once"
        )
        for threads in THREADS[1:] if name in ("64k", "1m") else ():
            share = count // threads
            seconds = spent({
                "plain": partial(in_threads, threads, partial(repeat, share, plain_filled)),
                "pool": partial(
                    in_threads, threads, partial(repeat, share, partial(pooled_filled, pool))
                ),
            })  # fmt: skip
            against_plain(
                facts, f"filled.{name}.threads.{threads}", seconds,
                f"a buffer of {size:,} bytes, written to once, on {threads} threads",
            )  # fmt: skip


def mapped(facts: dict[str, Fact]) -> None:
    """The same, with an allocator that takes large memory from the system and gives it back at once.

    glibc does so below its threshold, which it raises as soon as a larger block is freed. Pinning the
    threshold cannot be undone, so this part comes last.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(M_MMAP_THRESHOLD, 1 << 17)
    pool = BufferPool(max_bytes=64 << 20)
    for name in ("1m", "4m"):
        size = SIZES[name]
        source = memoryview(bytes(size))

        def plain(size: int = size, source: memoryview = source) -> None:
            memoryview(bytearray(size))[:] = source

        def pooled(size: int = size, source: memoryview = source) -> None:
            view = pool.acquire(size)
            view[:] = source
            pool.release(view)

        count = max(8, (16 << 20) // size)
        seconds = spent(
            {"plain": partial(repeat, count, plain), "pool": partial(repeat, count, pooled)}
        )
        against_plain(
            facts, f"mapped.{name}", seconds,
            f"a buffer of {size:,} bytes, written to once, while the allocator keeps no large memory",
        )  # fmt: skip


def feed(theirs: socket.socket, size: int) -> None:
    """The peer: a body for each byte that comes, until the other side closes."""
    body = bytes(size)
    while theirs.recv(1):
        theirs.sendall(body)


def receiving(facts: dict[str, Fact]) -> None:
    """A body from a socket: pieces joined, against `recv_into` a buffer, fresh or of a pool."""
    spawn = multiprocessing.get_context("spawn")
    for name in ("1k", "64k", "1m", "4m"):
        size = SIZES[name]
        here, there = socket.socketpair()
        process = spawn.Process(target=feed, args=(there, size), daemon=True)
        process.start()
        there.close()
        pool = BufferPool(max_bytes=64 << 20)
        count = max(16, min(400, (16 << 20) // size))

        def joined(here: socket.socket = here, size: int = size) -> None:
            here.send(b"!")
            pieces, left = [], size
            while left:
                piece = here.recv(min(left, 65_536))
                pieces.append(piece)
                left -= len(piece)
            b"".join(pieces)

        def filled(view: memoryview, here: socket.socket = here) -> None:
            here.send(b"!")
            at = 0
            while at < len(view):
                at += here.recv_into(view[at:])

        def fresh(size: int = size, filled: Any = filled) -> None:
            filled(memoryview(bytearray(size)))

        def pooled(size: int = size, pool: BufferPool = pool, filled: Any = filled) -> None:
            with pool.borrow(size) as view:
                filled(view)

        seconds = spent(
            {
                "plain": partial(repeat, count, joined),
                "fresh": partial(repeat, count, fresh),
                "pool": partial(repeat, count, pooled),
            },
        )
        against_plain(
            facts, f"receive.{name}", seconds,
            f"receiving a body of {size:,} bytes, into a buffer against pieces that are joined",
        )  # fmt: skip
        here.close()
        process.join(5)


# What has a handshake, a file or a stack.


class Answers(BaseHTTPRequestHandler):
    """Reads the body and answers with nothing."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def serve(pipe: Connection, certificate: str) -> None:
    """HTTP, HTTPS and gRPC in a process of their own, until the pipe closes."""
    ports = []
    for secure in (False, True):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        server.daemon_threads = True
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ports.append(server.server_address[1])
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: b"")
    grpc_server = grpc.server(ThreadPoolExecutor(4))
    grpc_server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("bench.Pools", {"Call": handler}),)
    )
    ports.append(grpc_server.add_insecure_port("127.0.0.1:0"))
    grpc_server.start()
    pipe.send(ports)
    try:
        pipe.recv()
    except EOFError:
        grpc_server.stop(None)


@contextmanager
def serving() -> Iterator[tuple[int, int, int, ssl.SSLContext]]:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    ours, theirs = multiprocessing.Pipe()
    with authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.tempfile() as path:
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=serve, args=(theirs, path), daemon=True)
        process.start()
        theirs.close()
        http_port, tls_port, grpc_port = ours.recv()
        yield http_port, tls_port, grpc_port, trusting
        ours.close()
        process.join(5)
        process.terminate()


def connections(facts: dict[str, Fact]) -> None:
    with serving() as (http_port, tls_port, grpc_port, trusting):

        def plain_http() -> http.client.HTTPConnection:
            return connected(http.client.HTTPConnection("127.0.0.1", http_port))

        def tls() -> http.client.HTTPConnection:
            return connected(http.client.HTTPSConnection("127.0.0.1", tls_port, context=trusting))

        for name, connect, what in (
            ("http", plain_http, "an HTTP request"),
            ("tls", tls, "an HTTPS request"),
        ):
            pool = ObjectPool(
                connect, lambda _: None, capacity=4, close=http.client.HTTPConnection.close
            )
            against_plain(facts, name, spent({
                "plain": partial(repeat, 24, partial(once, connect)),
                "pool": partial(repeat, 24, partial(again, pool)),
            }), f"{what}, on a connection of a pool against one of its own")  # fmt: skip
            pool.clear()
            grid(facts, f"connection.{name}", connect, kept_connections, posted, 24, "us")

        def channel() -> grpc.Channel:
            # Without this, channels to one address share a connection below.
            return grpc.insecure_channel(
                f"127.0.0.1:{grpc_port}", options=[("grpc.use_local_subchannel_pool", 1)]
            )

        channels = ObjectPool(channel, lambda _: None, capacity=4, close=lambda one: one.close())

        def call_once() -> None:
            with channel() as one:
                one.unary_unary(METHOD)(BODY)

        def call_again() -> None:
            with channels.borrow() as one:
                one.unary_unary(METHOD)(BODY)

        against_plain(facts, "grpc", spent({
            "plain": partial(repeat, 24, call_once), "pool": partial(repeat, 24, call_again),
        }), "a gRPC call, on a channel of a pool against one of its own")  # fmt: skip
        channels.clear()


def connected(connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def post(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/v1/traces", BODY)
    connection.getresponse().read()


def once(connect: Callable[[], http.client.HTTPConnection]) -> None:
    connection = connect()
    post(connection)
    connection.close()


def again(pool: ObjectPool[http.client.HTTPConnection]) -> None:
    with pool.borrow() as connection:
        post(connection)


def posted(way: Way) -> None:
    connection = way.acquire()
    post(connection)
    way.release(connection)


def kept_connections(connect: Callable[[], http.client.HTTPConnection]) -> dict[str, Way]:
    return ways(connect, reset=lambda _: None, end=http.client.HTTPConnection.close, keep=4)


def threads_and_handles(facts: dict[str, Fact]) -> None:
    with ThreadPoolExecutor(1) as workers:

        def new_thread() -> None:
            thread = threading.Thread(target=int)
            thread.start()
            thread.join()

        against_plain(facts, "thread", spent({
            "plain": partial(repeat, 300, new_thread),
            "pool": partial(repeat, 300, lambda: workers.submit(int).result()),
        }), "a task on another thread, of a pool against a new one")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bench.db")
        connect = partial(sqlite3.connect, path, check_same_thread=False)
        with connect() as database:
            database.execute("create table spans (id integer primary key, name)")
            database.executemany("insert into spans (name) values (?)", [("GET /",)] * 1000)
        database.close()

        def handle_of_its_own() -> None:
            own = connect()
            own.execute("select name from spans where id = 500").fetchall()
            own.close()

        handles = ObjectPool(connect, sqlite3.Connection.rollback, capacity=4,
                             close=sqlite3.Connection.close)  # fmt: skip

        def handle_of_the_pool() -> None:
            with handles.borrow() as one:
                one.execute("select name from spans where id = 500").fetchall()

        for threads in THREADS:
            share = 240 // threads
            against_plain(facts, f"sqlite.{threads}", spent({
                "plain": partial(in_threads, threads, partial(repeat, share, handle_of_its_own)),
                "pool": partial(in_threads, threads, partial(repeat, share, handle_of_the_pool)),
            }), f"a query of SQLite on {threads} thread(s), on a pooled handle against one of its own")  # fmt: skip
        handles.clear()

        def queried(way: Way) -> None:
            one = way.acquire()
            one.execute("select name from spans where id = 500").fetchall()
            way.release(one)

        def kept_handles(connect: Callable[[], sqlite3.Connection]) -> dict[str, Way]:
            return ways(connect, reset=sqlite3.Connection.rollback, end=sqlite3.Connection.close,
                        keep=4)  # fmt: skip

        grid(facts, "connection.sqlite", connect, kept_handles, queried, 240, "us")


# What saves memory is how a thing is represented.


def representations(facts: dict[str, Fact]) -> None:
    spans: Sequence[Any] = kit_spans("mixed")
    for name, what, make in (
        ("sdk", "a span of the official SDK", partial(sdk_spans, "mixed")),
        ("kit", "a record of this kit", partial(kit_spans, "mixed")),
        ("encoded", "a span as encoded bytes", partial(encode_spans, spans)),
    ):
        make()
        sizes, counts = [], []
        for _ in range(5):
            size, _, tracked = memory(make)
            sizes.append(size / BATCH)
            counts.append(tracked / BATCH)
        for fact, values, unit in (("bytes", sizes, "bytes"), ("tracked", counts, "objects")):
            low, value, high = min(values), sorted(values)[len(values) // 2], max(values)
            digits = 0 if unit == "bytes" else 1
            facts[f"pools.span.{fact}.{name}"] = Fact(
                round(value, digits), round(low, digits), round(high, digits), unit,
                f"memory of {what}" if unit == "bytes"
                else f"objects that the collector looks at for {what}",
            )  # fmt: skip


def main() -> int:
    facts: dict[str, Fact] = {}
    for part in (
        objects, encoding, buffers, buffer_grid, receiving, connections, threads_and_handles, representations, mapped,
    ):  # fmt: skip
        begin = time.perf_counter()
        part(facts)
        print(f"{part.__name__}: {time.perf_counter() - begin:.1f} s", file=sys.stderr)
    record(
        "pools",
        facts,
        sources=[
            "benchmarks/pools.py",
            "benchmarks/pools_grid.py",
            "benchmarks/workload.py",
            "otlp_kit/pools/budget.py",
            "otlp_kit/pools/buffer_pool.py",
            "otlp_kit/pools/holders.py",
            "otlp_kit/pools/object_pool.py",
            "otlp_kit/pools/thread_local_pool.py",
        ],
        packages=["grpcio", "opentelemetry-sdk"],
    )
    return judge(facts)


if __name__ == "__main__":
    sys.exit(main())
