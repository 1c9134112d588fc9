"""The first page: a bare ASGI app that answers with files and with six pieces of JSON.

It queries and draws nothing itself: where telemetry comes from, how a trace becomes a waterfall and
what the ledger says is handed in as functions. It writes nothing, so it takes GET and HEAD only.

    GET /                    page.html
    GET /js/NAME             a file of the same directory
    GET /api/latest?limit=   the latest traces, newest first; with any of the filters service, name,
                             min_ms, max_ms, status and attribute, those for which all hold
    GET /api/trace/ID        one trace, as views/js/waterfall.js draws it
    GET /api/logs/ID         the log records of a trace, by time
    GET /api/metrics         every stream, with its latest value
    GET /api/points?name=&service=   the data points of a metric, by time
    GET /api/status          ledger, trouble, addresses

Telemetry is private, and a page on loopback can be asked for by every site that the user visits.
Such a site cannot read the answers, unless it makes its own name resolve to 127.0.0.1 (DNS
rebinding); its name is then in the Host header, and anything but the allowed hosts gets 421. The
content security policy lets the page run and ask only what came from here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from otlp_kit.encoding.js_values import js_value

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = tuple[int, str, bytes]
Rows = Sequence[Mapping[str, Any]]

JSON = "application/json"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " object-src 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
TRACE_ID = re.compile(r"[0-9a-f]{32}")
DEFAULT_LIMIT, MOST = 50, 10_000
FILTERS = ("service", "name", "min_ms", "max_ms", "status", "attribute")

logger = logging.getLogger(__name__)


def page_app(
    latest: Callable[[int], Rows],
    trace: Callable[[str], Mapping[str, Any] | None],
    status: Callable[[], Mapping[str, Any]],
    hosts: AbstractSet[str],
    directory: Path,
    *,
    search: Callable[[dict[str, str], int], Rows] | None = None,
    logs: Callable[[str], Rows] | None = None,
    metrics: Callable[[], Rows] | None = None,
    points: Callable[[str, str], Rows] | None = None,
) -> ASGIApp:
    """The app. The functions may block: each call gets a thread.

    `search` gets the filters as they were typed, and raises ValueError for one that it does not
    understand. Without `logs`, `metrics` or `points` there are none to show.

    `hosts` are the allowed host names of a Host header, without port ("127.0.0.1", "[::1]");
    `directory` holds page.html and what it loads. Its files are read once, here.
    """
    files = {path.name: path for path in sorted(directory.iterdir()) if path.suffix in TYPES}
    contents = {name: (200, TYPES[path.suffix], path.read_bytes()) for name, path in files.items()}

    def query(path: str, arguments: Mapping[str, list[str]]) -> Answer:
        if path == "/api/status":
            return 200, JSON, json_for_js(status())
        if path == "/api/latest":
            limit = arguments.get("limit", [str(DEFAULT_LIMIT)])[-1]
            if not re.fullmatch("[0-9]{1,9}", limit):
                return problem(400, "limit must be a whole number")
            number = min(max(int(limit), 1), MOST)
            filters = {
                name: arguments[name][-1] for name in FILTERS if arguments.get(name, [""])[-1]
            }
            if not filters:
                return 200, JSON, json_for_js(latest(number))
            if search is None:
                return problem(404, "There is no search here")
            try:
                return 200, JSON, json_for_js(search(filters, number))
            except ValueError as error:
                return problem(400, str(error))
        if path == "/api/metrics":
            return 200, JSON, json_for_js(metrics() if metrics else [])
        if path == "/api/points":
            name, service = (arguments.get(key, [""])[-1] for key in ("name", "service"))
            if not name:
                return problem(400, "name must be the name of a metric")
            return 200, JSON, json_for_js(points(name, service) if points else [])
        if path.startswith(("/api/trace/", "/api/logs/")):
            trace_id = path.rpartition("/")[2].lower()
            if not TRACE_ID.fullmatch(trace_id):
                return problem(400, "A trace id is 32 hexadecimal digits")
            if path.startswith("/api/logs/"):
                return 200, JSON, json_for_js(logs(trace_id) if logs else [])
            found = trace(trace_id)
            if found is None:
                return problem(404, f"There is no trace {trace_id} here")
            return 200, JSON, json_for_js(found)
        return problem(404, f"Nothing is at {path}")

    async def answer(scope: Scope) -> Answer:
        host = [value for name, value in scope["headers"] if name == b"host"]
        if len(host) != 1 or host_name(host[0].decode("latin-1")) not in hosts:
            return problem(421, "This page answers only to the host name that it is served under")
        if scope["method"] not in ("GET", "HEAD"):
            return problem(405, "This page takes GET and HEAD only")
        path = scope["path"]
        name = "page.html" if path == "/" else path.removeprefix("/js/")
        if name in contents:
            return contents[name]
        arguments = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        try:
            return await asyncio.to_thread(query, path, arguments)
        except Exception as error:  # whatever a store can raise; it is said on the page
            logger.warning("%s: %s", path, error)
            return problem(503, str(error) or type(error).__name__)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        code, kind, body = await answer(scope)
        headers = [
            *HEADERS,
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store" if kind == JSON else b"no-cache"),
        ]
        if code == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": code, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})

    return app


def host_name(host: str) -> str:
    """A Host header without its port, in lower case: `[::1]:4320` is `[::1]`."""
    return re.sub(r":[0-9]*$", "", host).lower()


def problem(code: int, message: str) -> Answer:
    """An answer that says in one line what is wrong."""
    return code, JSON, json.dumps({"error": " ".join(message.split())}).encode() + b"\n"


def json_for_js(value: object) -> bytes:
    """`value` as JSON that every JavaScript reads without loss; see `js_value`."""
    return json.dumps(js_value(value), allow_nan=False, separators=(",", ":")).encode()
