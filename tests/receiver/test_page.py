"""The page's server: what it serves, to whom, and what it says when something is wrong."""

from __future__ import annotations

import asyncio
import http.client
import json
import math
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.receiver.page import ASGIApp, host_name, json_for_js, page_app
from otlp_kit.views import JS_DIRECTORY

HOSTS = {"127.0.0.1", "localhost", "[::1]"}
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACE = {"trace_id": TRACE_ID, "spans": []}
ROW = {"trace_id": TRACE_ID, "name": "tea", "start_unix_nano": 1_700_000_000_000_000_001}
STATUS = {"ledger": {"created": 3, "dropped": {}}, "trouble": None, "addresses": {}}


@dataclass
class Answer:
    """What an app sent."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def make(
    latest: Callable[[int], list[dict[str, Any]]] = lambda limit: [ROW],
    trace: Callable[[str], dict[str, Any] | None] = {TRACE_ID: TRACE}.get,
    status: Callable[[], dict[str, Any]] = lambda: STATUS,
    **more: Any,
) -> ASGIApp:
    return page_app(latest, trace, status, HOSTS, JS_DIRECTORY, **more)


def ask(
    target: str,
    app: ASGIApp | None = None,
    method: str = "GET",
    hosts: tuple[str, ...] = ("127.0.0.1:4320",),
) -> Answer:
    """Call the app directly, as an ASGI server would."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"host", host.encode("latin-1")) for host in hosts],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run((app or make())(scope, receive, send))  # type: ignore[arg-type]
    start, body = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], headers, body["body"])


def test_the_page_and_everything_that_it_loads_are_served() -> None:
    """Each src, href and import of page.html and page.js has an answer of the right type."""
    page = ask("/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    loaded = re.findall(r'(?:src|href)="(/[^"]+)"', page.body.decode())
    loaded += re.findall(r'from "\./([^"]+)"', (JS_DIRECTORY / "page.js").read_text())
    assert len(loaded) == 10
    types = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    for name in loaded:
        answer = ask(name if name.startswith("/") else f"/js/{name}")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith(types[name.rpartition(".")[2]])


def test_the_page_has_no_inline_script_or_style_and_names_no_other_host() -> None:
    """Its policy would block them, and it needs none."""
    html = ask("/").body.decode()
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", html)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


@pytest.mark.parametrize("target", ["/", "/js/page.js", "/api/status", "/nothing"])
def test_every_answer_lets_the_browser_load_only_from_here(target: str) -> None:
    """The policy, and no guessing of types."""
    headers = ask(target).headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_what_was_asked_for_is_answered_as_json_that_is_not_stored() -> None:
    """Telemetry leaves nothing in the browser's cache."""
    for target, body in (
        ("/api/latest", [{**ROW, "start_unix_nano": "1700000000000000001"}]),
        (f"/api/trace/{TRACE_ID}", TRACE),
        (f"/api/trace/{TRACE_ID.upper()}", TRACE),
        ("/api/status", STATUS),
    ):
        answer = ask(target)
        assert (answer.status, answer.json()) == (200, body)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("query", "limit"),
    [("", 50), ("?limit=7", 7), ("?limit=0", 1), ("?limit=99999", 10_000), ("?limit=2&limit=3", 3)],
)
def test_the_limit_is_kept_within_bounds(query: str, limit: int) -> None:
    """One to ten thousand traces."""
    asked: list[int] = []

    def latest(limit: int) -> list[dict[str, Any]]:
        asked.append(limit)
        return []

    assert ask(f"/api/latest{query}", make(latest=latest)).status == 200
    assert asked == [limit]


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("service=my%20shop&limit=7", {"service": "my shop"}),
        ("min_ms=200&max_ms=1e3&status=error&limit=7",
         {"min_ms": "200", "max_ms": "1e3", "status": "error"}),
        ("attribute=http.route%3D%2F%E6%B3%A8%E6%96%87&limit=7", {"attribute": "http.route=/注文"}),
        ("name=a&name=b&limit=7", {"name": "b"}),
        ("name=a&service=&color=red&limit=7", {"name": "a"}),
    ],
)  # fmt: skip
def test_filters_make_a_question_a_search(query: str, filters: dict[str, str]) -> None:
    """They are handed on as they were typed; empty and unknown ones are left out."""
    asked: list[tuple[dict[str, str], int]] = []

    def search(filters: dict[str, str], limit: int) -> list[dict[str, Any]]:
        asked.append((filters, limit))
        return [ROW]

    answer = ask(f"/api/latest?{query}", make(search=search))
    assert (answer.status, answer.json()[0]["name"]) == (200, "tea")
    assert asked == [(filters, 7)]


def test_no_filter_is_no_search() -> None:
    """Nor is an empty one."""

    def search(filters: dict[str, str], limit: int) -> list[dict[str, Any]]:
        raise AssertionError

    for query in ("", "?limit=3", "?name=&status="):
        assert ask(f"/api/latest{query}", make(search=search)).status == 200


def test_a_filter_that_is_not_understood_is_the_askers_mistake() -> None:
    """400 with the words of the store in one line, and not 503."""

    def search(filters: dict[str, str], limit: int) -> list[dict[str, Any]]:
        raise ValueError("min_ms must be a number of milliseconds,\nnot 'soon'")

    answer = ask("/api/latest?min_ms=soon", make(search=search))
    message = "min_ms must be a number of milliseconds, not 'soon'"
    assert (answer.status, answer.json()) == (400, {"error": message})


def test_logs_metrics_and_points_are_answered_as_json_that_is_not_stored() -> None:
    """With what was asked for handed on, and numbers that a double cannot hold as strings."""
    asked: list[tuple[str, ...]] = []

    def answering(row: dict[str, Any]) -> Callable[..., list[dict[str, Any]]]:
        return lambda *question: (asked.append(question), [row])[1]

    app = make(
        logs=answering({"time_unix_nano": "1700000000000000001", "body": {"n": 2**60}}),
        metrics=answering({"name": "orders", "latest": math.inf}),
        points=answering({"value": {"bucket_counts": [1, 2**53]}}),
    )
    for target, row in (
        (f"/api/logs/{TRACE_ID.upper()}", {"time_unix_nano": "1700000000000000001", "body": {"n": str(2**60)}}),
        ("/api/metrics", {"name": "orders", "latest": "Infinity"}),
        ("/api/points?name=orders%20paid&service=caf%C3%A9", {"value": {"bucket_counts": [1, str(2**53)]}}),
        ("/api/points?name=orders", {"value": {"bucket_counts": [1, str(2**53)]}}),
    ):  # fmt: skip
        answer = ask(target, app)
        assert (answer.status, answer.json()) == (200, [row])
        assert answer.headers["cache-control"] == "no-store"
    assert asked == [(TRACE_ID,), (), ("orders paid", "café"), ("orders", "")]


@pytest.mark.parametrize("target", [f"/api/logs/{TRACE_ID}", "/api/metrics", "/api/points?name=a"])
def test_a_page_without_these_signals_has_none_to_show(target: str) -> None:
    """An empty list, which is no error."""
    answer = ask(target)
    assert (answer.status, answer.json()) == (200, [])


@pytest.mark.parametrize(
    ("target", "status", "message"),
    [
        (f"/api/trace/{'0' * 32}", 404, f"There is no trace {'0' * 32} here"),
        ("/api/trace/xyz", 400, "A trace id is 32 hexadecimal digits"),
        ("/api/trace/", 400, "A trace id is 32 hexadecimal digits"),
        (f"/api/trace/{TRACE_ID}0", 400, "A trace id is 32 hexadecimal digits"),
        ("/api/latest?limit=many", 400, "limit must be a whole number"),
        ("/api/latest?limit=", 400, "limit must be a whole number"),
        ("/api/latest?limit=-1", 400, "limit must be a whole number"),
        ("/api/latest?name=tea", 404, "There is no search here"),
        ("/api/logs/xyz", 400, "A trace id is 32 hexadecimal digits"),
        ("/api/points", 400, "name must be the name of a metric"),
        ("/api/points?name=&service=shop", 400, "name must be the name of a metric"),
        ("/js/../../ledger.py", 404, "Nothing is at /js/../../ledger.py"),
        ("/js/", 404, "Nothing is at /js/"),
        ("/page.html", 404, "Nothing is at /page.html"),
    ],
)
def test_a_bad_question_gets_one_line_of_json(target: str, status: int, message: str) -> None:
    """Which says what is wrong with it."""
    answer = ask(target)
    assert (answer.status, answer.json()) == (status, {"error": message})
    assert answer.body.count(b"\n") == 1


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4320", "127.0.0.1", "localhost:1", "LocalHost:4320", "[::1]:4320", "[::1]"]
)
def test_the_hosts_that_it_is_served_under_are_answered(host: str) -> None:
    """With any port, since a tunnel may change it."""
    assert ask("/api/status", hosts=(host,)).status == 200


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("",),
        ("evil.example",),
        ("evil.example:4320",),
        ("127.0.0.1.evil.example",),
        ("127.0.0.1@evil.example",),
        ("localhost:4320:evil.example",),
        ("xn--\xfcber:80",),
        ("127.0.0.1", "evil.example"),
        ("127.0.0.1:4320", "127.0.0.1:4320"),
    ],
)
@pytest.mark.parametrize("target", ["/", "/api/status", "/js/page.js"])
def test_any_other_host_is_turned_away(hosts: tuple[str, ...], target: str) -> None:
    """A name that was made to resolve to this machine reads nothing (DNS rebinding)."""
    assert ask(target, hosts=hosts).status == 421


@given(st.text(st.characters(max_codepoint=255)))
def test_only_the_port_is_cut_off_a_host(host: str) -> None:
    """No text becomes an allowed name but that name, with or without a port."""
    if host_name(host) in HOSTS:
        assert re.fullmatch(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]*)?", host.lower())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT"])
def test_the_page_only_reads(method: str) -> None:
    """GET and HEAD; anything else is told so."""
    answer = ask("/api/status", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("target", ["/", "/api/status", "/nothing"])
def test_head_is_get_without_the_body(target: str) -> None:
    """Same status, same headers."""
    get, head = ask(target), ask(target, method="HEAD")
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


def test_a_store_that_fails_is_reported_in_one_line() -> None:
    """503 with its words, so that the page can show them; the next question is answered."""

    def broken(limit: int) -> list[dict[str, Any]]:
        raise OSError("disk I/O error\nsecond line")

    app = make(latest=broken)
    answer = ask("/api/latest", app)
    assert (answer.status, answer.json()) == (503, {"error": "disk I/O error second line"})
    assert ask("/api/status", app).status == 200


def test_a_slow_store_does_not_hold_up_the_loop() -> None:
    """While one question waits in its thread, another one is answered."""
    release = threading.Event()

    def slow(limit: int) -> list[dict[str, Any]]:
        assert release.wait(10)
        return []

    app = make(latest=slow)
    statuses: list[int] = []

    async def question(path: str) -> None:
        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"",
                 "headers": [(b"host", b"localhost")]}  # fmt: skip
        await app(scope, None, send)  # type: ignore[arg-type]

    async def both() -> None:
        waiting = asyncio.create_task(question("/api/latest"))
        await question("/api/status")
        assert not waiting.done()
        release.set()
        await waiting

    asyncio.run(both())
    assert statuses == [200, 200]


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
))  # fmt: skip
def test_json_for_javascript_is_strict_json_with_numbers_that_a_double_holds(value: Any) -> None:
    """Parsed with the constants of Python's extension refused."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    def small(text: str) -> int:
        assert int(float(text)) == int(text)
        return int(text)

    json.loads(json_for_js(value), parse_constant=refuse, parse_int=small)


def test_what_javascript_cannot_hold_becomes_a_string() -> None:
    """As in the JSON mapping of protobuf."""
    body = json_for_js({"n": 2**63, "x": [math.nan, -math.inf], "b": b"\xff\x00"})
    assert body == b'{"n":"9223372036854775808","x":["NaN","-Infinity"],"b":"/wA="}'


@contextmanager
def served(app: ASGIApp) -> Iterator[int]:
    """The app behind a real server, in a thread; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_level="warning", lifespan="off")  # type: ignore[arg-type]
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(10)


def test_a_real_server_carries_it_over_a_real_connection() -> None:
    """Keep-alive, HEAD, an unknown host and an unknown trace, on one connection."""
    with served(make()) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        seen = []
        for method, path, headers in (
            ("GET", "/", {}),
            ("HEAD", "/js/waterfall.js", {}),
            ("GET", "/api/status", {"Host": "evil.example"}),
            ("GET", f"/api/trace/{'a' * 32}", {}),
            ("GET", "/js/..%2f..%2fledger.py", {}),
            ("GET", "/api/status", {}),
        ):
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            seen.append(answer.status)
        connection.close()
    assert seen == [200, 200, 421, 404, 404, 200]
    assert json.loads(body) == STATUS
