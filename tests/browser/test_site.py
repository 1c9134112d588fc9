"""The built site in Chromium: every page opens, diagrams are drawn, nothing leaves loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.browser.conftest import Visit

ROOT = Path(__file__).resolve().parents[2]
DRAWN = [
    "",
    "learn/first-span/",
    "learn/three-signals/",
    "concepts/metrics-model/",
    "concepts/processor/",
]
"""Pages that have a diagram."""
# The theme draws into closed shadow roots; opened, a test can look inside.
OPEN_SHADOWS = """
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function () { return attach.call(this, { mode: "open" }); };
"""

pytestmark = pytest.mark.browser


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built for this test from the pages as they are."""
    target = tmp_path_factory.mktemp("site")
    for command in (
        ["-m", "tools.vendor"],
        ["-m", "mkdocs", "build", "--strict", "--site-dir", str(target)],
    ):
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def site(built: Path) -> Iterator[str]:
    """The address of the built site, served as plain files."""
    handler = partial(Quiet, directory=str(built))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


NARROW = 420


def page_paths(built: Path) -> list[str]:
    found = (path.parent.relative_to(built).as_posix() for path in built.rglob("index.html"))
    return sorted("" if path == "." else f"{path}/" for path in found)


@pytest.mark.parametrize("width", [1440, NARROW])
def test_every_page_opens_and_stays_at_home(
    site: str, built: Path, open_page: Callable[..., Visit], width: int
) -> None:
    """No page asks another host, logs an error, or is wider than its window."""
    visit = open_page(width=width)
    paths = page_paths(built)
    assert {*DRAWN, "reference/facts/"} <= set(paths)
    for path in paths:
        # Pages that only show a file are many, of one kind, and load nothing late. One that is not
        # too wide for a narrow window is not for a wide one.
        shows_a_file = path.startswith("reference/source/")
        if shows_a_file and width > NARROW:
            continue
        visit.page.goto(site + path, wait_until="load" if shows_a_file else "networkidle")
        assert visit.page.locator("h1").count() == 1, path
        assert visit.overflow() <= 0, f"{path} is {visit.overflow()} px too wide"
        fonts = visit.page.evaluate(
            "document.fonts.ready.then(fonts => [...fonts]"
            ".filter(f => f.status === 'loaded').map(f => f.family))"
        )
        assert any("Source Sans 3" in font for font in fonts), path
    assert visit.offsite == []
    assert visit.errors == []


@pytest.mark.parametrize("path", DRAWN)
def test_diagrams_are_drawn(site: str, open_page: Callable[..., Visit], path: str) -> None:
    """Mermaid makes an SVG with words in it of every diagram, from the vendored file."""
    visit = open_page()
    visit.page.add_init_script(OPEN_SHADOWS)
    visit.page.goto(site + path)
    drawing = visit.page.locator(".mermaid svg")
    drawing.first.wait_for()
    assert drawing.count() == visit.page.locator(".mermaid").count()
    assert "error" not in (drawing.first.get_attribute("aria-roledescription") or "")
    assert len((drawing.first.text_content() or "").split()) > 5
    assert visit.offsite == []
    assert visit.errors == []


def test_a_page_without_a_diagram_does_not_load_mermaid(site: str, browser_page: Visit) -> None:
    """The library is large; only a page that draws pays for it."""
    asked: list[str] = []
    browser_page.page.on("request", lambda request: asked.append(request.url))
    browser_page.page.goto(f"{site}reference/facts/", wait_until="networkidle")
    assert asked
    assert not [url for url in asked if "mermaid.min" in url]


def test_search_finds_a_page(site: str, browser_page: Visit) -> None:
    """Typing a word of a page into the search box offers that page."""
    browser_page.page.goto(site)
    box = browser_page.page.locator("input.md-search__input")
    box.click()
    box.press_sequentially("ledger")
    found = browser_page.page.locator(".md-search-result__link", has_text="ledger").first
    found.wait_for()
    assert browser_page.errors == []


def test_a_fact_leads_to_where_it_comes_from(site: str, browser_page: Visit) -> None:
    """The number on the start page links to its entry, with command and date."""
    page = browser_page.page
    page.goto(site)
    page.locator("a.fact").first.click()
    page.wait_for_url("**/reference/facts/#*")
    assert "python -m benchmarks." in page.locator("article").inner_text()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 420])
def test_pictures_for_a_person_to_look_at(
    site: str, open_page: Callable[..., Visit], width: int, dark: bool
) -> None:
    """Screenshots of every written page, in build/screens; the colours follow the system."""
    visit = open_page(width=width, dark=dark)
    for path in [*DRAWN, "reference/facts/"]:
        visit.page.goto(site + path, wait_until="networkidle")
        scheme = visit.page.locator("body").get_attribute("data-md-color-scheme")
        assert scheme == ("slate" if dark else "default")
        name = path.strip("/").replace("/", "-") or "start"
        visit.screenshot(f"site-{name}-{'dark' if dark else 'light'}-{width}", full_page=True)
