"""Fixtures that drive Chromium: one browser for all tests, one watched page for each.

def test_something(browser_page: Visit) -> None:
    browser_page.page.goto("http://127.0.0.1:PORT/")
    assert browser_page.offsite == []
    assert browser_page.errors == []
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENS = Path(__file__).resolve().parents[2] / "build/screens"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
LOCAL_SCHEMES = {"about", "blob", "data"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass
class Visit:
    """A browser page, and what it did that it should not have done."""

    page: Page
    offsite: list[str] = field(default_factory=list)
    """Addresses outside loopback that it asked for. Each such request was stopped."""
    errors: list[str] = field(default_factory=list)
    """Console errors, uncaught exceptions, and answers of 400 and above."""

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window; 0 or less is good."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def screenshot(self, name: str, **options: Any) -> None:
        """Keep a picture as build/screens/NAME.png, for a person to look at."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENS / f"{name}.png", **options)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, started once."""
    if CHROMIUM is None:
        pytest.skip("needs `chromium` on the PATH")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open a watched page: `open_page(width=420, dark=True)`."""
    contexts = []

    def open_(*, width: int = 1440, height: int = 900, dark: bool = False) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        return watch(context.new_page())

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def browser_page(open_page: Callable[..., Visit]) -> Visit:
    """One watched page, 1440 pixels wide, light."""
    return open_page()


def watch(page: Page) -> Visit:
    """Note what `page` does; let no request leave loopback."""
    visit = Visit(page)

    def route(request: Any) -> None:
        address = urlsplit(request.request.url)
        if address.scheme in LOCAL_SCHEMES or address.hostname in LOOPBACK:
            request.continue_()
        else:
            visit.offsite.append(request.request.url)
            request.abort()

    page.route("**/*", route)
    page.on("console", lambda message: visit.errors.append(message.text)
            if message.type == "error" else None)  # fmt: skip
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("response", lambda answer: visit.errors.append(f"{answer.status} {answer.url}")
            if answer.status >= 400 else None)  # fmt: skip
    return visit
