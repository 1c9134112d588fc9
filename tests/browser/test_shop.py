"""The real shop on the real page: from a failing order to its logs, from a measurement to its trace."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.support import Running, otlp_kit

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_person_finds_what_went_wrong(browser_page: Visit, receiver: Running) -> None:
    """Search the declined order, open it; read the logs of a slow one; follow an exemplar."""
    done = otlp_kit("demo", "--http", receiver.http, "--grpc", receiver.grpc, "--orders", "20",
                    "--rate", "20", timeout=90)  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = browser_page.page
    page.goto(receiver.ui)
    expect(page.locator("#counted")).to_have_text("20")
    search = page.get_by_role("textbox", name="Search traces")

    search.fill("status:error bank=broke")
    expect(page.get_by_role("heading", name="Traces found 5")).to_be_visible()
    page.locator("#list button").first.click()
    page.get_by_role("treeitem").filter(has_text="ask bank").click()
    expect(page.get_by_role("complementary")).to_contain_text("card declined")
    browser_page.screenshot("shop-declined")

    # By the attribute, too: on a busy machine others take as long.
    search.fill(">200ms order.gift_wrap=true")
    expect(page.get_by_role("heading", name="Traces found 2")).to_be_visible()
    page.locator("#list button").first.click()
    page.get_by_role("button", name=re.compile(r"\d logs")).click()
    expect(page.get_by_role("complementary")).to_contain_text("wrapping took long")

    page.get_by_role("link", name="Metrics", exact=True).click()
    page.locator("#metric-list button").filter(has_text="shop.reserve.duration").click()
    # The latest lies on top: on a slow machine two orders may be closer than two fingers.
    page.get_by_role("link", name="Exemplar").last.click()
    expect(page.get_by_role("treeitem").filter(has_text="POST /reserve")).to_be_visible()
    browser_page.screenshot("shop-exemplar")
    assert browser_page.offsite == []
    assert browser_page.errors == []
