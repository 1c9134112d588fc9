"""The page in Chromium with a real store behind it: search, logs, metrics, and the way between."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from otlp_kit.model import Exemplar, LogRecord, Metric, Resource, Span, StatusCode
from otlp_kit.model.metric import (
    Buckets,
    ExponentialHistogramPoint,
    HistogramPoint,
    NumberPoint,
    SummaryPoint,
    Temporality,
)
from otlp_kit.receiver.page import page_app
from otlp_kit.stores.sqlite_store import SqliteStore
from otlp_kit.views import JS_DIRECTORY
from otlp_kit.views.waterfall import Waterfall
from otlp_kit.wire import LOGS, METRICS, TRACES
from tests.browser.test_page import MARKUP, MS, TRACE, fits, order, picture, serving, show, span

__all__ = ["show"]  # a fixture

pytestmark = pytest.mark.browser

CHECKOUT = Resource({"service.name": "checkout"})
CHARGE = (4).to_bytes(8, "big")


def logs(spans: list[Span]) -> list[LogRecord]:
    """Six records of the failing order: four of the failing span, one of the root, one of none."""
    begin = spans[3].start_unix_nano

    def log(ms: float, number: int, text: str, body: object, span_id: bytes = CHARGE) -> LogRecord:
        return LogRecord(
            time_unix_nano=begin + int(ms * MS), severity_number=number, severity_text=text,
            body=body, trace_id=TRACE, span_id=span_id, resource=CHECKOUT,
            attributes={"attempt": 2, "card.kind": "test"} if number > 12 else {},
        )  # fmt: skip

    return [
        log(1, 9, "INFO", "asking the bank"),
        log(30, 13, "WARN", {"bank": "slow", "waited_ms": 29}),
        log(68, 17, "ERROR", f"card declined {MARKUP}"),
        log(69, 5, "DEBUG", "giving up"),
        log(80, 9, "", "order kept for later", (1).to_bytes(8, "big")),
        log(-45, 9, "INFO", "a record of no span", b""),
    ]


def metrics(now: int) -> list[Metric]:
    """One of every kind, ten points each, five seconds apart; exemplars lead to the order."""

    def at(i: int) -> int:
        return now + (i - 9) * 5_000_000_000

    def exemplar(i: int, value: float) -> list[Exemplar]:
        return [Exemplar(value, at(i) - 10**9, TRACE, CHARGE)] if i % 4 == 1 else []

    def counts(i: int, share: int) -> list[int]:
        return [n * i * share for n in (0, 8, 21, 34, 12, 5, 1, 0)]

    bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5]
    common = {"resource": CHECKOUT, "temporality": Temporality.CUMULATIVE}
    return [
        Metric("process.memory.usage", "gauge", "By", resource=CHECKOUT, points=[
            NumberPoint(180_000_000 + 9_000_000 * (i * 7 % 5), at(i)) for i in range(10)]),
        Metric("orders", "sum", "{order}", is_monotonic=True, **common, points=[
            NumberPoint(i * i * (3 if paid == "card" else 1), at(i), attributes={"paid": paid},
                        exemplars=exemplar(i, 1) if paid == "card" else [])
            for i in range(10) for paid in ("card", "invoice")]),
        Metric("queue.length", "sum", "{order}", **common, points=[
            NumberPoint((i * 5) % 7, at(i), exemplars=exemplar(i, 4)) for i in range(10)]),
        Metric("http.server.request.duration", "histogram", "s", **common, points=[
            HistogramPoint(sum(counts(i, s)), 2.7 * i * s, counts(i, s), bounds, None, None, at(i),
                           attributes={"http.route": route, "http.request.method": "POST"},
                           exemplars=exemplar(i, 0.07) if s == 3 else [])
            for i in range(10) for s, route in ((3, "/orders"), (1, "/carts/{id}"))]),
        Metric("bank.answer.duration", "exponential_histogram", "ms", **common, points=[
            ExponentialHistogramPoint(20 * i, 900.0 * i, 1, 2 * i, 0.0,
                                      Buckets(6, [i, 3 * i, 9 * i, 4 * i, i]), time_unix_nano=at(i))
            for i in range(10)]),
        Metric("gc.pause", "summary", "s", resource=CHECKOUT, points=[
            SummaryPoint(i * 4, 0.1 * i, [(0.5, 0.002), (0.99, 0.031)], at(i)) for i in range(10)]),
    ]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Forty traces of two services, an order that fails, its logs, and every kind of metric."""
    store = SqliteStore(tmp_path)
    spans = order()
    for i in range(40):
        name, service = (("GET /carts/{id}", "carts"), ("nightly count", "stock"))[i % 2]
        store.put(TRACES, [
            span(1, 0, name, i - 60_000, i - 60_000 + 2 * (i + 1), service, (i + 1).to_bytes(16, "big"),
                 attributes={"cart.size": i % 3}, status_code=StatusCode.ERROR if i == 8 else 0)
        ], f"trace {i}")  # fmt: skip
    store.put(TRACES, spans, "order")
    store.put(LOGS, logs(spans), "logs")
    store.put(METRICS, metrics(spans[0].start_unix_nano), "metrics")
    yield store
    store.close()


@pytest.fixture
def address(store: SqliteStore) -> Iterator[str]:
    """The page behind a real server on a free port."""

    def trace(trace_id: str) -> dict[str, object] | None:
        spans = store.spans(trace_id)
        return Waterfall(spans).data() if spans else None

    def status() -> dict[str, object]:
        return {"ledger": {"created": 48, "stored": 48}, "trouble": None, "addresses": {}}

    app = page_app(
        store.latest, trace, status, {"127.0.0.1"}, JS_DIRECTORY,
        search=store.search, logs=store.logs, metrics=store.metrics, points=store.points,
    )  # fmt: skip
    with serving(app) as (url, _):
        yield url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 420])
def test_a_search_leads_to_the_failing_span_and_its_logs(
    address: str, show: Callable[..., Page], width: int, scheme: str
) -> None:
    """By keyboard, on a desk and on a phone; the address keeps what was searched for."""
    look = f"{scheme}-{width}"
    page = show(address, width, scheme)
    expect(page.locator("#counted")).to_have_text("41")
    page.keyboard.press("/")
    picture(page, f"signals-search-empty-{look}")
    page.keyboard.type("orders status:error >100ms")
    expect(page.locator("#list button")).to_have_count(1)
    chips = page.locator("#search .chips button")
    expect(chips).to_have_text(
        [re.compile("error"), re.compile("at least 100 ms"), re.compile("orders")]
    )
    expect(page.get_by_role("heading", name="Traces found 1")).to_be_visible()
    assert fits(page)
    picture(page, f"signals-search-{look}")

    page.locator("#list button").click()
    expect(page).to_have_url(re.compile(rf"#/trace/{TRACE.hex()}\?q=orders\+status%3Aerror"))
    failing = page.get_by_role("treeitem").filter(has_text="charge card")
    expect(failing).to_have_attribute("aria-label", re.compile("error, 4 logs"))
    expect(page.get_by_role("button", name="6 logs")).to_be_visible()
    failing.click()
    details = page.get_by_role("complementary")
    entries = details.locator(".log")
    expect(entries).to_have_count(4)
    expect(entries.nth(1)).to_contain_text('{"bank":"slow","waited_ms":29}')
    expect(entries.nth(2)).to_contain_text(f"card declined {MARKUP}")
    expect(entries.nth(2)).to_contain_text("+ 108 ms")
    assert page.locator("img").count() == 0
    assert fits(page)
    picture(page, f"signals-logs-{look}")

    page.get_by_role("button", name="6 logs").click()
    expect(page.get_by_role("complementary", name="Logs of the trace")).to_contain_text(
        "a record of no span"
    )
    expect(entries).to_have_count(6)
    picture(page, f"signals-all-logs-{look}")
    entries.filter(has_text="order kept").get_by_role("button", name="POST /orders").click()
    expect(details.get_by_role("heading", level=3)).to_have_text("POST /orders")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 420])
def test_an_exemplar_leads_to_its_span(
    address: str, show: Callable[..., Page], width: int, scheme: str
) -> None:
    """From the list of metrics to a chart to a diamond to the waterfall, and back."""
    look = f"{scheme}-{width}"
    page = show(address, width, scheme)
    page.get_by_role("link", name="Metrics", exact=True).click()
    rows = page.locator("#metric-list button")
    expect(rows).to_have_count(6)
    assert fits(page)
    picture(page, f"signals-metrics-{look}")
    rows.filter(has_text="http.server.request.duration").click()
    expect(
        page.locator("#chart").get_by_text("2,187 measurements since the stream began")
    ).to_be_visible()
    expect(page.locator("#chart rect.bucket").nth(1)).to_be_visible()
    assert fits(page)
    picture(page, f"signals-histogram-{look}")

    marks = page.get_by_role("link", name="Exemplar 70 ms")
    expect(marks).to_have_count(3)
    marks.last.click()
    expect(page).to_have_url(re.compile(rf"#/trace/{TRACE.hex()}\?span={CHARGE.hex()}$"))
    expect(page.get_by_role("complementary").get_by_role("heading", level=3)).to_have_text(
        "charge card"
    )
    page.go_back()
    expect(page.get_by_role("heading", name="http.server.request.duration")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("process.memory.usage", "MiB"),
        ("orders", "Rate per second"),
        ("queue.length", "in order"),
        ("bank.answer.duration", "180 measurements"),
        ("gc.pause", "99 of 100 below"),
    ],
)
def test_every_kind_of_metric_is_drawn(
    address: str, show: Callable[..., Page], name: str, said: str
) -> None:
    """From a link, on a desk and on a phone."""
    for width, scheme in ((1440, "light"), (420, "dark")):
        page = show(f"{address}#/metrics?name={name}&service=checkout", width, scheme)
        chart = page.locator("#chart")
        expect(chart).to_contain_text(said)
        expect(chart.locator("path.line").first).to_be_attached()
        assert not re.search("NaN|Infinity|undefined", chart.inner_html() + page.evaluate(
            "document.querySelector('#chart div').shadowRoot.innerHTML"))  # fmt: skip
        assert fits(page)
        picture(page, f"signals-{name}-{scheme}-{width}")


@pytest.mark.parametrize(
    ("temporality", "monotonic", "latest"),
    [(Temporality.CUMULATIVE, True, "1/s"), (Temporality.DELTA, True, "5"),
     (Temporality.CUMULATIVE, False, "5")],
)  # fmt: skip
def test_a_counter_that_begins_anew_has_no_negative_rate(
    store: SqliteStore, address: str, show: Callable[..., Page], temporality: int, monotonic: bool,
    latest: str,
) -> None:  # fmt: skip
    """10, 20, then 5 after a restart, five seconds apart; other sums are drawn as they are."""
    points = [NumberPoint(value, 10**18 + i * 5 * 10**9) for i, value in enumerate((10, 20, 5))]
    sent = Metric("c", "sum", points=points, temporality=temporality, is_monotonic=monotonic)
    store.put(METRICS, [sent], "counter")
    page = show(f"{address}#/metrics?name=c")
    expect(page.locator("#chart .value")).to_have_text(latest)


def test_a_chart_is_walked_by_keyboard(address: str, show: Callable[..., Page]) -> None:
    """Streams are picked with Space, exemplars walked with arrows and opened with Enter."""
    page = show(f"{address}#/metrics?name=orders&service=checkout")
    stream = page.get_by_role("button", name="paid card")
    stream.focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="paid card")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="paid card")).to_be_focused()
    page.get_by_role("link", name="Exemplar").last.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("link", name="Exemplar").nth(1)).to_be_focused()
    page.wait_for_timeout(1200)  # a poll goes by
    expect(page.get_by_role("link", name="Exemplar").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary").get_by_role("heading", level=3)).to_have_text(
        "charge card"
    )
    page.go_back()
    page.locator("#metric-list button[aria-current]").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Choose a metric")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("nightly")
    expect(page.locator("#list button").first).to_contain_text("nightly count")
    expect(page.locator("#counted")).to_have_text("20")


def test_a_search_is_kept_in_the_link_and_cleared_with_escape(
    address: str, show: Callable[..., Page]
) -> None:
    """A link with a query and a trace opens both; Escape in the search brings all back."""
    page = show(f"{address}#/trace/{TRACE.hex()}?q=service:carts+cart.size=0")
    expect(page.locator("#list button")).to_have_count(7)
    expect(page.get_by_role("treeitem")).to_have_count(8)
    search = page.get_by_role("textbox", name="Search traces")
    expect(search).to_have_value("service:carts cart.size=0")
    page.get_by_role("button", name="cart.size = 0, remove").click()
    expect(page.locator("#counted")).to_have_text("20")
    expect(search).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#counted")).to_have_text("41")
    expect(page).to_have_url(re.compile(rf"#/trace/{TRACE.hex()}$"))
    expect(page.get_by_role("treeitem")).to_have_count(8)


def test_a_search_that_finds_nothing_says_so(address: str, show: Callable[..., Page]) -> None:
    """And keeps saying it while the reader looks, instead of showing the welcome."""
    page = show(f"{address}#/?q=unheard+of")
    expect(page.get_by_text("No trace is like this.")).to_be_visible()
    expect(page.get_by_text("Nothing has arrived yet")).to_be_hidden()


@pytest.mark.parametrize(
    ("query", "filters", "unused"),
    [
        ("", {}, []),
        ("make tea", {"name": "make tea"}, []),
        ('service:"my shop" "a=b"', {"service": "my shop", "name": "a=b"}, []),
        (">200ms <1.5s", {"min_ms": "200", "max_ms": "1500"}, []),
        (">=20us", {"min_ms": "0.02"}, []),
        (">5", {"min_ms": "5"}, []),
        ("status:error http.route=/a?b=c", {"status": "error", "attribute": "http.route=/a?b=c"}, []),
        ("has:retry", {"attribute": "retry"}, []),
        ("a=1 b=2", {"attribute": "a=1"}, ["b = 2: one at a time"]),
        ("status:bad service: >soon", {}, ["status: error or ok", "service: what?", ">soon: a time, as >200ms"]),
        ("constructor:x toString", {"name": "constructor:x toString"}, []),
        ('"half', {"name": "half"}, []),
    ],
)  # fmt: skip
def test_what_a_search_understands(
    address: str, open_page: Callable[..., object], query: str, filters: object, unused: list[str]
) -> None:
    """Text to filters, and what could not be used is said."""
    page = open_page().page  # type: ignore[attr-defined]
    page.goto(f"{address}js/icon.svg")
    seen = page.evaluate(
        f"async (query) => (await import('{address}js/search.js')).understand(query)", query
    )
    assert seen["filters"] == filters
    assert [chip["label"] for chip in seen["chips"] if not chip["used"]] == unused


@pytest.mark.slow
def test_ten_thousand_traces_scroll(
    store: SqliteStore, address: str, show: Callable[..., Page]
) -> None:
    """A few rows are in the document; older traces are fetched as they are scrolled to."""
    store.put(TRACES, [
        span(1, 0, f"old {i}", -i - 90_000, 1 - i - 90_000, "bulk", (10**6 + i).to_bytes(16, "big"))
        for i in range(10_000)
    ], "bulk")  # fmt: skip
    for width in (1440, 420):
        page = show(address, width)
        expect(page.locator("#counted")).to_have_text("the last 100")
        page.locator("#list button").first.focus()
        for number in ("300", "900", "2,700", "8,100", "10,000"):
            page.keyboard.press("End")
            expect(page.locator("#counted")).to_have_text(f"the last {number}")
        page.keyboard.press("End")
        expect(page.locator("#list button").last).to_contain_text("old 9958")
        expect(page.locator("#list button").last).to_be_in_viewport()
        assert page.locator("#list button").count() < 60
        page.keyboard.press("Home")
        expect(page.locator("#list button").first).to_contain_text("POST /orders")
        assert fits(page)
