"""The page in Chromium: it shows what came in, answers to mouse and keyboard, and stays at home."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from playwright.sync_api import Page, expect

from otlp_kit.model import Event, Link, Resource, Scope, Span, SpanKind, StatusCode
from otlp_kit.receiver.page import page_app
from otlp_kit.views import JS_DIRECTORY
from otlp_kit.views.plain_text import duration_text
from otlp_kit.views.waterfall import Waterfall
from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser

MARKUP = "<img src=x onerror=alert(1)>"
TRACE = bytes(range(16))
BIG = b"\xff" * 16
MS = 1_000_000


def span(number: int, parent: int, name: str, begin: float, end: float, service: str = "shop",
         trace_id: bytes = TRACE, **more: Any) -> Span:  # fmt: skip
    """A span by small numbers; times in milliseconds from a moment of today."""
    start = (time.time_ns() // 10**9 - 5) * 10**9
    return Span(
        name,
        trace_id,
        number.to_bytes(8, "big"),
        parent.to_bytes(8, "big") if parent else b"",
        start + int(begin * MS),
        start + int(end * MS),
        resource=Resource({"service.name": service}),
        scope=Scope("shop.orders", "1.0"),
        **more,
    )


def order() -> list[Span]:
    """A trace that has something of everything."""
    declined = {"status_code": StatusCode.ERROR, "status_message": "card declined"}
    spans = [
        span(1, 0, "POST /orders", 0, 124, kind=SpanKind.SERVER,
             attributes={"http.request.method": "POST", "order.number": 2**60, "raw": b"\x00\xff"}),
        span(2, 1, "reserve stock", 4, 38, "stock"),
        span(3, 2, "SELECT stock_items", 8, 30, "postgres", kind=SpanKind.CLIENT),
        span(4, 1, "charge card", 40, 110, "payments", kind=SpanKind.CLIENT, **declined),
        span(5, 4, "connect", 41, 52, "payments"),
        span(6, 4, MARKUP, 53, 109, "payments", attributes={MARKUP: MARKUP}),
        span(7, 1, "送信 確認メール 📧", 111, 123, "mail", links=[Link(TRACE, b"8" * 8)]),
        span(8, 99, "parent is elsewhere", 70, 90, "stray"),
    ]  # fmt: skip
    spans[3].events = [Event("exception", spans[3].end_unix_nano - MS, {"type": "CardDeclined"})]
    return spans


@dataclass
class Shop:
    """What stands behind the page: a dict of traces, and the counts of a ledger."""

    traces: dict[str, list[Span]] = field(default_factory=dict)
    trouble: str | None = None
    created: int = 0

    def receive(self, spans: list[Span]) -> None:
        self.traces[spans[0].trace_id.hex()] = spans
        self.created += len(spans)

    def latest(self, limit: int) -> list[dict[str, Any]]:
        rows = []
        for trace_id, spans in reversed(self.traces.items()):
            begin = min(s.start_unix_nano for s in spans)
            rows.append({
                "trace_id": trace_id, "name": spans[0].name, "start_unix_nano": begin,
                "service": spans[0].resource.attributes["service.name"],
                "duration_ns": max(s.end_unix_nano for s in spans) - begin,
                "spans": len(spans), "errors": sum(s.status_code == 2 for s in spans),
            })  # fmt: skip
        return rows[:limit]

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        spans = self.traces.get(trace_id)
        return Waterfall(spans).data() if spans else None

    def status(self) -> dict[str, Any]:
        stored = max(0, self.created - 3)
        dropped = {"duplicate": self.created - stored} if self.created else {}
        return {
            "ledger": {"created": self.created, "delivered": 0, "stored": stored, "rejected": 0,
                       "dropped": dropped, "unknown": 0, "inside": 0},
            "trouble": self.trouble,
            "addresses": {"http": "http://127.0.0.1:41987"},
        }  # fmt: skip


@pytest.fixture
def shop() -> Shop:
    """Fourteen traces, the newest with something of everything."""
    shop = Shop()
    for i in range(13):
        trace_id = (i + 1).to_bytes(16, "big")
        name = ("GET /orders/{id}", "nightly stock count", "在庫を確認する")[i % 3]
        failed = StatusCode.ERROR if i % 5 == 3 else StatusCode.UNSET
        shop.receive(
            [span(1, 0, name, i, i + 3.7**i / 3000, "stock", trace_id, status_code=failed)]
        )
    shop.receive(order())
    return shop


@pytest.fixture
def address(shop: Shop) -> Iterator[str]:
    """The page behind a real server on a free port."""
    app = page_app(shop.latest, shop.trace, shop.status, {"127.0.0.1"}, JS_DIRECTORY)
    with serving(app) as (url, _):
        yield url


class serving:  # noqa: N801 - reads as a function
    """A server in a thread: its URL, and a function that stops it."""

    def __init__(self, app: Any) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([self.socket])))

    def stop(self) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(10)
        self.socket.close()

    def __enter__(self) -> tuple[str, Callable[[], None]]:
        self.thread.start()
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}/", self.stop

    def __exit__(self, *_: object) -> None:
        self.stop()


@pytest.fixture
def show(open_page: Callable[..., Visit]) -> Iterator[Callable[..., Page]]:
    """Open an address; at the end, nothing may have gone wrong there or left this machine.

    `quiet=False` allows complaints: Chromium logs every 404 and every refused connection.
    """
    visits: list[tuple[Visit, bool]] = []
    dialogs: list[str] = []

    def show(url: str, width: int = 1440, scheme: str = "light", quiet: bool = True) -> Page:
        height = 900 if width > 500 else 860
        visit = open_page(width=width, height=height, dark=scheme == "dark")
        visits.append((visit, quiet))
        visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        visit.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        visit.page.goto(url)
        return visit.page

    yield show
    assert dialogs == []
    assert [visit.offsite for visit, _ in visits] == [[] for _ in visits]
    assert [visit.errors for visit, quiet in visits if quiet] == [
        [] for _, quiet in visits if quiet
    ]


def picture(page: Page, name: str) -> None:
    """Keep a screenshot; whoever changes the page looks at it."""
    Visit(page).screenshot(name)


def fits(page: Page) -> bool:
    """Nothing sticks out of the window sideways."""
    return Visit(page).overflow() <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 420])
def test_a_click_leads_from_the_list_to_a_trace_to_a_span(
    shop: Shop, address: str, show: Callable[..., Page], width: int, scheme: str
) -> None:
    """On a desk and on a phone, by day and by night."""
    look = f"{scheme}-{width}"
    page = show(address, width, scheme)
    rows = page.locator("#list button")
    expect(rows).to_have_count(14)
    took = page.locator("#list .took").all_text_contents()
    assert took == [duration_text(row["duration_ns"]) for row in shop.latest(99)]
    assert fits(page)
    picture(page, f"page-list-{look}")

    rows.first.click()
    spans = page.get_by_role("treeitem")
    expect(spans).to_have_count(8)
    expect(page).to_have_url(re.compile(f"#/trace/{TRACE.hex()}$"))
    expect(page).to_have_title("POST /orders · otlp_kit")
    picture(page, f"page-trace-{look}")

    spans.filter(has_text="charge card").click()
    details = page.get_by_role("complementary")
    for text in ("card declined", "payments", "70 ms", "CardDeclined", "client"):
        expect(details).to_contain_text(text)
    assert fits(page)
    picture(page, f"page-span-{look}")

    shop.trouble = "database or disk is full"
    expect(page.get_by_role("alert")).to_contain_text(
        "Nothing can be stored: database or disk is full"
    )
    expect(page.get_by_role("alert")).to_be_in_viewport()
    assert fits(page)
    picture(page, f"page-trouble-{look}")
    shop.trouble = None
    expect(page.get_by_role("alert")).to_have_count(0)


def test_markup_in_a_span_is_shown_as_text(address: str, show: Callable[..., Page]) -> None:
    """In the row and in the details: no element is made, no dialog opens."""
    page = show(f"{address}#/trace/{TRACE.hex()}")
    page.get_by_role("treeitem").filter(has_text=MARKUP).click()
    details = page.get_by_role("complementary")
    expect(details.get_by_role("heading", name=MARKUP)).to_be_visible()
    expect(details.get_by_role("definition").filter(has_text=MARKUP)).to_have_count(1)
    assert page.locator("img").count() == 0


def test_values_that_javascript_cannot_hold_are_shown_unharmed(
    address: str, show: Callable[..., Page]
) -> None:
    """Every digit of a 64-bit integer, and bytes as base64."""
    page = show(f"{address}#/trace/{TRACE.hex()}")
    page.get_by_role("treeitem").first.click()
    details = page.get_by_role("complementary")
    expect(details).to_contain_text("1152921504606846976")
    expect(details).to_contain_text("AP8=")


def test_the_keyboard_alone_is_enough(address: str, show: Callable[..., Page]) -> None:
    """Into the list, into a trace, into a span, and back, with the focus to be seen."""
    page = show(address)
    expect(page.locator("#list button")).to_have_count(14)
    press = page.keyboard.press

    def focused() -> dict[str, str]:
        return page.evaluate(
            "() => { let at = document.activeElement;"
            " while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;"
            " return {role: at.role || at.tagName, text: at.textContent,"
            "         outline: getComputedStyle(at).outlineStyle}; }"
        )

    press("/"), press("Tab"), press("ArrowDown"), press("ArrowDown"), press("ArrowUp")
    assert (focused()["role"], focused()["outline"]) == ("BUTTON", "solid")
    press("Home"), press("Enter")
    expect(page.get_by_role("treeitem")).to_have_count(8)

    page.get_by_role("tree").focus()
    press("ArrowDown"), press("ArrowLeft")  # reserve stock, folded
    expect(page.get_by_role("treeitem")).to_have_count(7)
    assert focused()["outline"] == "solid"
    press("ArrowRight")
    expect(page.get_by_role("treeitem")).to_have_count(8)
    press("e")  # to the first error
    details = page.get_by_role("complementary")
    expect(details.get_by_role("heading", level=3)).to_have_text("charge card")
    press("ArrowDown")
    expect(details.get_by_role("heading", level=3)).to_have_text("connect")
    press("Escape")
    expect(details).to_have_count(0)
    assert focused()["role"] == "tree"
    press("Escape")
    expect(page.get_by_text("Choose a trace")).to_be_visible()
    assert "POST /orders" in focused()["text"]


def test_a_link_to_a_trace_opens_it_and_the_back_button_leaves_it(
    address: str, show: Callable[..., Page]
) -> None:
    """The hash is the only state of the page."""
    page = show(address, 420)
    page.goto(f"{address}#/trace/{TRACE.hex()}")
    expect(page.get_by_role("tree")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("tree")).to_have_count(0)
    expect(page.locator("#list button").first).to_be_visible()


@pytest.mark.parametrize(
    ("trace_id", "message"),
    [("0" * 32, "There is no trace 0000"), ("abc", "A trace id is 32 hexadecimal digits")],
)
def test_a_link_to_no_trace_says_so(
    address: str, show: Callable[..., Page], trace_id: str, message: str
) -> None:
    """In words, beside the list of those that are there."""
    page = show(f"{address}#/trace/{trace_id}", quiet=False)  # Chromium logs the 404
    expect(page.get_by_text(message)).to_be_visible()
    expect(page.locator("#list button")).to_have_count(14)


def test_what_comes_in_appears_without_a_reload(
    shop: Shop, address: str, show: Callable[..., Page]
) -> None:
    """A new trace on top of the list, its late span in the open waterfall, both in the ledger."""
    page = show(address)
    ledger = page.locator("#ledger")
    expect(ledger).to_contain_text("21 created = 18 stored + 0 rejected + 3 dropped (duplicate 3)")
    page.locator("#list button").nth(3).focus()
    before = page.evaluate("document.querySelector('#list div').shadowRoot.activeElement.title")
    new = [span(1, 0, "a new trace", 0, 9, trace_id=b"n" * 16)]
    shop.receive(new)
    expect(page.locator("#list button").first).to_contain_text("a new trace")
    expect(ledger).to_contain_text("22 created = 19 stored")
    expect(ledger).to_contain_text("every item accounted for")
    after = page.evaluate("document.querySelector('#list div').shadowRoot.activeElement.title")
    assert after == before, "the focus stays on its row"

    page.locator("#list button").first.click()
    expect(page.get_by_role("treeitem")).to_have_count(1)
    page.get_by_role("treeitem").click()
    new.append(span(2, 1, "a late span", 2, 5, trace_id=b"n" * 16))
    expect(page.get_by_role("treeitem")).to_have_count(2)
    expect(page.get_by_role("complementary")).to_contain_text("a new trace")


def test_a_ledger_that_does_not_add_up_is_not_glossed_over(
    shop: Shop, address: str, show: Callable[..., Page]
) -> None:
    """The figure adds for itself."""
    honest = shop.status
    shop.status = lambda: {**honest(), "ledger": {**honest()["ledger"], "stored": 1}}  # type: ignore[method-assign]
    app = page_app(shop.latest, shop.trace, shop.status, {"127.0.0.1"}, JS_DIRECTORY)
    with serving(app) as (url, _):
        page = show(url)
        expect(page.locator("#ledger")).to_contain_text("17 not accounted for")


def test_twenty_thousand_spans_stay_usable(
    shop: Shop, address: str, show: Callable[..., Page]
) -> None:
    """Only the rows in sight are in the document; the last one is a key away."""
    shop.receive([span(i + 1, i // 5, f"step {i}", i / 100, i / 100 + 4, f"service {i % 11}",
                       trace_id=BIG) for i in range(20_000)])  # fmt: skip
    for width in (1440, 420):
        page = show(f"{address}#/trace/{BIG.hex()}", width)
        expect(page.get_by_text("20,000 spans")).to_be_visible()
        page.get_by_role("tree").focus()
        page.keyboard.press("End")
        last = shop.trace(BIG.hex())["spans"][-1]["name"]  # type: ignore[index]
        expect(page.get_by_role("treeitem").filter(has_text=last).last).to_be_in_viewport()
        assert page.get_by_role("treeitem").count() < 120
        picture(page, f"page-large-light-{width}")


def test_a_receiver_that_is_gone_is_reported(shop: Shop, show: Callable[..., Page]) -> None:
    """What was seen stays on the screen."""
    app = page_app(shop.latest, shop.trace, shop.status, {"127.0.0.1"}, JS_DIRECTORY)
    with serving(app) as (url, stop):
        page = show(url, quiet=False)  # Chromium logs the refused connections
        expect(page.locator("#list button")).to_have_count(14)
        stop()
        expect(page.get_by_text("The receiver does not answer.")).to_be_visible()
        expect(page.locator("#list button")).to_have_count(14)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 420])
def test_an_empty_page_tells_what_to_try_first(
    shop: Shop, address: str, show: Callable[..., Page], width: int, scheme: str
) -> None:
    """With the address of this receiver, ready to be copied."""
    shop.traces.clear()
    shop.created = 0
    page = show(address, width, scheme)
    expect(page.get_by_role("heading", name="Nothing has arrived yet")).to_be_visible()
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    line = "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:41987"
    assert page.evaluate("navigator.clipboard.readText()") == line
    assert fits(page)
    picture(page, f"page-empty-{scheme}-{width}")
    shop.receive(order())
    expect(page.locator("#list button")).to_have_count(1)


def test_the_program_on_the_empty_page_sends_two_spans(tmp_path: Path) -> None:
    """Eight lines, run as they stand there, against a server that reads with official protobuf."""
    html = (JS_DIRECTORY / "page.html").read_text()
    found = re.search(r'id="program">(.*?)</code>', html, re.DOTALL)
    assert found
    assert found[1].count("\n") == 8
    (tmp_path / "tea.py").write_text(found[1])
    bodies: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        subprocess.run([sys.executable, tmp_path / "tea.py"], check=True, timeout=60,
                       env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})  # fmt: skip
        server.shutdown()
    [request] = map(ExportTraceServiceRequest.FromString, bodies)
    spans = request.resource_spans[0].scope_spans[0].spans
    assert [sent.name for sent in spans] == ["boil water", "make tea"]
    assert spans[0].parent_span_id == spans[1].span_id


def test_the_waterfall_serves_any_host_with_a_model(
    address: str, show: Callable[..., Page]
) -> None:
    """As a notebook's widget: it reports what is selected, follows the model, and cleans up."""
    page = show(address)
    seen = page.evaluate(
        """async (id) => {
            const { default: figure } = await import("/js/waterfall.js");
            const values = { trace: await (await fetch(`/api/trace/${id}`)).json(), selected: "" };
            const listeners = {}, saved = [];
            const model = {
                get: (name) => values[name],
                set: (name, value) => (values[name] = value),
                on: (name, listener) => (listeners[name] = listener),
                off: (name) => delete listeners[name],
                save_changes: () => saved.push(values.selected),
            };
            const el = document.body.appendChild(document.createElement("div"));
            const clean = figure.render({ model, el });
            const root = el.firstChild.shadowRoot;
            await new Promise(requestAnimationFrame);
            root.querySelectorAll(".row")[3].click();
            values.selected = "0000000000000002";
            listeners["change:selected"]();
            const title = root.querySelector("h3").textContent;
            clean();
            return { saved, title, left: el.children.length, listeners: Object.keys(listeners) };
        }""",
        TRACE.hex(),
    )
    assert seen == {
        "saved": ["0000000000000004"],
        "title": "reserve stock",
        "left": 0,
        "listeners": [],
    }
