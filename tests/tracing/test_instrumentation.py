"""The official instrumentation packages run unchanged on the kit's provider, and give the same trees.

One program (a client, a web server that queries a database and calls itself) runs twice, on the
official provider and on the kit's, over real sockets; the two forests are compared field by field.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import flask
import pytest
import requests
import urllib3
from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from werkzeug.serving import make_server

from tests.tracing.sides import Side, forest, kit, official, outline

CLIENTS = (RequestsInstrumentor, URLLib3Instrumentor, SQLite3Instrumentor)


def shop(base: str) -> flask.Flask:
    """A web application with a view for each way in which a request can go."""
    app = flask.Flask("shop")

    @app.get("/stock/<item>")
    def stock(item: str) -> str:
        # Through the module, since what is instrumented is the module's function.
        with closing(sqlite3.connect(":memory:")) as connection, closing(connection.cursor()) as do:
            do.execute("CREATE TABLE stock (item TEXT, number INTEGER)")
            do.executemany("INSERT INTO stock VALUES (?, ?)", [("tea", 3), ("cup", 1)])
            do.execute("SELECT number FROM stock WHERE item = ?", (item,))
            row = do.fetchone()
        return str(row[0]) if row else flask.abort(404)

    @app.get("/order/<item>")
    def order(item: str) -> str:
        trace.get_current_span().set_attribute("order.item", item)
        answer = requests.get(f"{base}/stock/{item}", timeout=10)
        trace.get_current_span().add_event("asked", {"status": answer.status_code})
        return f"{item}: {answer.text}"

    @app.get("/broken")
    def broken() -> str:
        raise ValueError("the shelf fell down")

    @app.get("/no-table")
    def no_table() -> str:
        with closing(sqlite3.connect(":memory:")) as connection, closing(connection.cursor()) as do:
            do.execute("SELECT * FROM nothing")
        return "never"

    @app.get("/moved")
    def moved() -> Any:
        return flask.redirect("/stock/tea")

    return app


class Server:
    """One port for both runs, since URLs are attributes; what answers there is exchanged."""

    def __init__(self) -> None:
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.app: Any = None
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _answer(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def nobody() -> Iterator[str]:
    """A URL where nobody listens: the port is taken, so that nobody will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


@contextmanager
def instrumented(side: Side, server: Server) -> Iterator[None]:
    """The packages' own way in, and out again, so that other tests see nothing of it."""
    app = shop(server.url)
    app.logger.disabled = True  # a view that fails is what some of these tests want
    FlaskInstrumentor.instrument_app(app, tracer_provider=side.provider)
    instrumentors = [kind() for kind in CLIENTS]
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=side.provider, skip_dep_check=True)
    server.app = app
    try:
        yield
    finally:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
        FlaskInstrumentor.uninstrument_app(app)
        app.logger.disabled = False  # it is the logger of that name, also for the next test


def trees(side: Side, server: Server, program: Callable[[trace.Tracer], None]) -> list[Any]:
    with instrumented(side, server):
        program(side.provider.get_tracer("client", "1.0", "https://example.org/schema"))
    assert context_api.get_current() == {}
    return forest(side.records())


def both(server: Server, program: Callable[[trace.Tracer], None]) -> list[Any]:
    """The forest of `program`, which is the same on either side."""
    expected = trees(official(), server, program)
    assert trees(kit(), server, program) == expected
    return expected


STOCK = [
    "GET /stock/<item> (server)",
    ["CREATE (client)"],
    ["INSERT (client)"],
    ["SELECT (client)"],
]


def test_a_request_through_a_server_that_queries_and_calls_on(server: Server) -> None:
    """Two hops over real sockets are one trace; parents that came over the network are remote."""

    def program(tracer: trace.Tracer) -> None:
        with tracer.start_as_current_span("buy", attributes={"basket": ["tea"]}):
            assert requests.get(f"{server.url}/order/tea", timeout=10).text == "tea: 3"

    found = both(server, program)
    assert outline(found) == [
        [
            "buy (internal)",
            ["GET (client)", ["GET /order/<item> (server)", ["GET (client)", STOCK]]],
        ]
    ]
    [client] = found[0]["children"]
    [handler] = client["children"]
    assert [span["flags"] for span in (found[0], client, handler)] == [0x103, 0x103, 0x303]
    assert handler["attributes"]["order.item"] == "tea"
    assert [event["name"] for event in handler["events"]] == ["asked"]


def test_a_request_by_urllib3_alone(server: Server) -> None:
    """A client below `requests` gives its own spans, and a root where nothing is current."""

    def program(tracer: trace.Tracer) -> None:
        with urllib3.PoolManager() as pool:
            assert pool.request("GET", f"{server.url}/stock/cup").data == b"1"

    assert outline(both(server, program)) == [["GET (client)", STOCK]]


def test_a_page_that_is_not_there(server: Server) -> None:
    """404 is the client's error and not the server's, whether there is no view or no item."""

    def program(tracer: trace.Tracer) -> None:
        for path in ("/nowhere", "/stock/unicorn"):
            assert requests.get(server.url + path, timeout=10).status_code == 404

    found = both(server, program)
    assert [root["status_code"] for root in found] == [2, 2]
    assert [root["children"][0]["status_code"] for root in found] == [0, 0]


def test_a_view_that_raises(server: Server) -> None:
    """The server's span has the exception, with its traceback; the client's only the status."""

    def program(tracer: trace.Tracer) -> None:
        assert requests.get(f"{server.url}/broken", timeout=10).status_code == 500

    [client] = both(server, program)
    [handler] = client["children"]
    [event] = handler["events"]
    assert event["attributes"]["exception.type"] == "ValueError"
    assert event["attributes"]["exception.stacktrace"] == "ValueError: the shelf fell down"
    assert (handler["status_code"], client["status_code"], client["events"]) == (2, 2, [])


def test_a_query_that_fails(server: Server) -> None:
    """The error passes through the span of the query and that of the request, and marks both."""

    def program(tracer: trace.Tracer) -> None:
        assert requests.get(f"{server.url}/no-table", timeout=10).status_code == 500

    [client] = both(server, program)
    [handler] = client["children"]
    [query] = handler["children"]
    for span in (handler, query):
        assert span["status_code"] == 2
        assert span["events"][0]["attributes"]["exception.type"] == "sqlite3.OperationalError"


def test_a_connection_that_is_refused(server: Server, nobody: str) -> None:
    """There is a client's span and nothing below it, from either client."""

    def program(tracer: trace.Tracer) -> None:
        with pytest.raises(requests.ConnectionError), tracer.start_as_current_span("buy"):
            requests.get(nobody, timeout=10)
        with pytest.raises(urllib3.exceptions.MaxRetryError), urllib3.PoolManager() as pool:
            pool.request("GET", nobody, retries=0)

    found = both(server, program)
    assert outline(found) == [["buy (internal)", ["GET (client)"]], ["GET (client)"]]
    assert [root["status_code"] for root in found] == [2, 2]
    assert found[0]["events"][0]["attributes"]["exception.type"].startswith("requests.")


def test_a_redirect(server: Server) -> None:
    """The client follows inside one span of its own; both requests that arrive are below it."""

    def program(tracer: trace.Tracer) -> None:
        with tracer.start_as_current_span("look"):
            assert requests.get(f"{server.url}/moved", timeout=10).text == "3"

    assert outline(both(server, program)) == [
        ["look (internal)", ["GET (client)", ["GET /moved (server)"], STOCK]]
    ]


def test_a_caller_that_did_not_sample(server: Server) -> None:
    """The decision in the header of a stranger holds for everything below."""

    def program(tracer: trace.Tracer) -> None:
        header = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-00"}
        with urllib3.PoolManager() as pool, _uninstrumented():
            assert pool.request("GET", f"{server.url}/order/tea", headers=header).status == 200
            header["traceparent"] = header["traceparent"][:-1] + "1"
            assert pool.request("GET", f"{server.url}/stock/tea", headers=header).status == 200

    [handler] = both(server, program)
    assert handler["parent"] is True, "a parent that is nobody's here"
    assert handler["flags"] == 0x301


@contextmanager
def _uninstrumented() -> Iterator[None]:
    from opentelemetry.instrumentation.utils import suppress_http_instrumentation

    with suppress_http_instrumentation():
        yield


PROGRAM = """
import asyncio, contextvars, json, sys
from concurrent.futures import ThreadPoolExecutor

from opentelemetry import trace
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor

from tests.tracing import sides

side = getattr(sides, sys.argv[1])()
early = trace.get_tracer("early", "0.1")  # before there is a provider: a proxy
trace.set_tracer_provider(side.provider)
assert trace.get_tracer_provider() is side.provider
SQLite3Instrumentor().instrument(skip_dep_check=True)
import sqlite3

tracer = trace.get_tracer("program", "2", schema_url="https://example.org/2", attributes={"a": 1})

@early.start_as_current_span("query")
def query(number):
    trace.get_current_span().set_attribute("number", number)
    connection = sqlite3.connect(":memory:")
    connection.cursor().execute("SELECT ?", (number,)).close()
    connection.close()

@tracer.start_as_current_span("step")
async def step(number):
    await asyncio.sleep(0)
    with tracer.start_as_current_span(f"inner {number}", kind=trace.SpanKind.PRODUCER):
        await asyncio.sleep(0)
    if number == 2:
        raise LookupError("second")

async def steps():
    with tracer.start_as_current_span("steps"):
        return await asyncio.gather(*(step(n) for n in range(3)), return_exceptions=True)

with tracer.start_as_current_span("all") as root:
    with ThreadPoolExecutor(3) as pool:
        for number in range(3):  # one after the other: the order is part of the tree
            pool.submit(contextvars.copy_context().run, query, number).result()
        pool.submit(query, 3).result()  # without the context: a root
    asyncio.run(steps())
    with tracer.start_as_current_span("linked", links=[trace.Link(root.get_span_context(), {"n": 1})]):
        pass
assert trace.get_current_span() is trace.INVALID_SPAN
print(json.dumps(sides.forest(side.records())))
"""


@pytest.mark.slow
def test_the_global_provider_threads_and_tasks() -> None:
    """Set once for the process, it serves tracers from before and after, threads and tasks."""

    def run(side: str) -> Any:
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, side], capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        return json.loads(ended.stdout)

    expected = run("official")
    assert outline(expected) == [
        [
            "all (internal)",
            *[["query (internal)", ["SELECT (client)"]]] * 3,
            [
                "steps (internal)",
                *[["step (internal)", [f"inner {n} (producer)"]] for n in range(3)],
            ],
            ["linked (internal)"],
        ],
        ["query (internal)", ["SELECT (client)"]],
    ]
    assert run("kit") == expected
