"""The calculator of howto/size in Chromium: by keyboard, live, and the same as Python."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate import Retry
from otlp_kit.simulate.sizing import size
from otlp_kit.simulate.sizing_terms import SETTINGS, Scenario
from tests.browser.conftest import Visit
from tests.simulate.sizing_scenarios import SCENARIOS

MODULE = Path(__file__).resolve().parents[2] / "otlp_kit/views/js/sizing.js"
PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<meta name="color-scheme" content="light dark"><div id="sizing"></div><script type="module">
import { render } from "./sizing.js";
render(document.getElementById("sizing"));
</script>"""

pytestmark = pytest.mark.browser


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def calculator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with nothing but the calculator."""
    folder = tmp_path_factory.mktemp("sizing")
    shutil.copy(MODULE, folder)
    (folder / "index.html").write_text(PAGE, "utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("width", "dark"), [(900, False), (420, True)])
def test_a_keyboard_is_enough(
    calculator: str, open_page: Callable[..., Visit], width: int, dark: bool
) -> None:
    """Tab goes from field to field; each change is answered at once with the lines to copy."""
    visit = open_page(width=width, dark=dark)
    page = visit.page
    page.goto(calculator)
    page.get_by_label("Records a second").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("200")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("300")
    advice = size(Scenario(rate=200, burst=300, outage=16.0, latency=2.0))
    lines = page.locator("pre").inner_text()
    assert f"OTEL_BSP_MAX_QUEUE_SIZE={advice.max_queue_size}\n" in lines
    assert f"OTEL_BSP_EXPORT_TIMEOUT={advice.export_timeout * 1000:.0f}" in lines
    page.get_by_label("Longest wait between attempts").fill("5")
    short = size(
        Scenario(rate=200, burst=300, outage=16.0, latency=2.0, retry=Retry(Backoff(cap=5.0)))
    )
    assert f"OTEL_BSP_MAX_QUEUE_SIZE={short.max_queue_size}\n" in page.locator("pre").inner_text()
    visit.screenshot(f"sizing-{width}", full_page=True)
    assert visit.overflow() <= 0
    assert visit.errors == []
    assert visit.offsite == []


def test_what_cannot_be_had_is_said(calculator: str, browser_page: Visit) -> None:
    """A contradiction takes the place of the lines; so does a field that is no number."""
    page = browser_page.page
    page.goto(calculator)
    page.get_by_label("Delivered within").fill("0.03")
    said = page.get_by_role("status")
    assert "less than two requests" in said.inner_text()
    assert not page.locator("pre").is_visible()
    page.get_by_label("Delivered within").fill("")
    assert "Delivered within: a number" in said.inner_text()
    page.get_by_label("Delivered within").fill("1")
    assert page.locator("pre").is_visible()
    assert browser_page.errors == []


def test_every_field_has_a_label(calculator: str, browser_page: Visit) -> None:
    """Each input is found by its label, and says its unit."""
    page = browser_page.page
    page.goto(calculator)
    fields = page.locator("input")
    assert fields.count() == 9
    for number in range(fields.count()):
        labels, unit = fields.nth(number).evaluate(
            """(input) => [input.labels.length,
                input.getRootNode().getElementById(input.getAttribute("aria-describedby")).textContent]"""
        )
        assert labels == 1
        assert unit


def test_chromium_calculates_as_python_does(calculator: str, browser_page: Visit) -> None:
    """The twelve scenarios, number by number, in a browser."""
    asked = [
        {name: getattr(one, name) for name in Scenario.__dataclass_fields__ if name != "retry"}
        | {name: getattr(one.retry.backoff, name) for name in Backoff.__dataclass_fields__}
        for one in SCENARIOS.values()
    ]
    browser_page.page.goto(calculator)
    answers = browser_page.page.evaluate(
        """async (asked) => {
            const { size } = await import("./sizing.js");
            return JSON.stringify(JSON.parse(asked).map(size));
        }""",
        json.dumps(asked),
    )
    for scenario, answer in zip(SCENARIOS.values(), json.loads(answers), strict=True):
        advice = size(scenario)
        assert answer == {name: getattr(advice, name) for name in SETTINGS}
