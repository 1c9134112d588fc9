"""Notebook 01 in JupyterLab, as `otlp-kit up` starts it, in Chromium."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from otlp_kit.cli.lab_process import LabProcess
from otlp_kit.cli.station import listen
from otlp_kit.settings.schema_values import Address
from tests.browser.conftest import Visit
from tests.support import Running, wait_for_answer

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_the_first_notebook_runs_in_the_lab(
    open_page: Callable[..., Visit], receiver: Running, tmp_path: Path
) -> None:
    """All cells run, the waterfall is drawn inline, the span is in the running receiver."""
    folder = tmp_path / "notebooks"
    shutil.copytree(NOTEBOOKS, folder)  # Lab saves what it runs
    listening = listen(Address("127.0.0.1", 0), "--lab")
    with LabProcess(folder, listening, {"http": receiver.http, "ui": receiver.ui}) as lab:
        assert wait_for_answer(lab.url) == 200
        visit = open_page(height=1200)
        page = visit.page
        address = urlsplit(lab.url)
        page.goto(
            f"{address.scheme}://{address.netloc}/lab/tree/01_first_span.ipynb?{address.query}"
        )
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
        page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        figure = page.locator(".jp-RenderedSVG img").first
        figure.wait_for(state="attached", timeout=20_000)
        page.locator(".jp-OutputArea-output", has_text="Not yet: 1 span").wait_for(
            state="attached", timeout=20_000
        )
        figure.scroll_into_view_if_needed()
        assert figure.evaluate("image => image.complete && image.naturalWidth > 100")
        visit.screenshot("lab-notebook")
        assert visit.offsite == []
    assert receiver.sql("select name, service from spans") == [
        {"name": "GET /hello", "service": "notebook"}
    ]
