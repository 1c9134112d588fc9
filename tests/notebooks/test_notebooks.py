"""Every notebook runs from top to bottom, and its two files say the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("*.py"))


def tool(*command: str | Path) -> None:
    subprocess.run([sys.executable, "-m", *map(str, command)], check=True, capture_output=True)


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


def text_of(notebook: nbformat.NotebookNode) -> str:
    """Everything that the cells printed or showed as text."""
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_notebook_is_made_from_its_source(source: Path, tmp_path: Path) -> None:
    """NAME.ipynb is what jupytext and nbstripout make of NAME.py; `make notebooks` renews it."""
    made = tmp_path / f"{source.stem}.ipynb"
    tool("jupytext", "--quiet", "--to", "ipynb", "--output", made, source)
    tool("nbstripout", made)
    committed = source.with_suffix(".ipynb")
    assert nbformat.read(made, 4).cells == nbformat.read(committed, 4).cells, (
        f"{committed.name} differs from {source.name}: run `make notebooks`"
    )


@pytest.mark.slow
def test_first_span_works_without_a_receiver(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Notebook 01 ends by itself when nothing listens, and says what to start."""
    monkeypatch.setitem(os.environ, "OTLP_KIT_RECEIVER", "http://127.0.0.1:9")
    notebook = run(NOTEBOOKS / "01_first_span.ipynb", tmp_path)
    shown = text_of(notebook)
    assert "created 2 = stored 1 + dropped 1 (duplicate 1)" in shown
    assert "Refused:" in shown
    assert "No receiver is running" in shown
    assert "Not yet: 1 span(s)" in shown
    figures = [
        o
        for c in notebook.cells
        for o in c.get("outputs", ())
        if "image/svg+xml" in o.get("data", {})
    ]
    assert len(figures) == 2


@pytest.mark.slow
def test_first_span_reaches_the_running_receiver(tmp_path: Path, monkeypatch, receiver) -> None:  # type: ignore[no-untyped-def]
    """Notebook 01 sends its span over HTTP to a receiver, where SQL finds it."""
    monkeypatch.setitem(os.environ, "OTLP_KIT_RECEIVER", receiver.http)
    shown = text_of(run(NOTEBOOKS / "01_first_span.ipynb", tmp_path))
    assert "See it on the page" in shown
    [row] = receiver.sql("select name, service, trace_id from spans")
    assert (row["name"], row["service"]) == ("GET /hello", "notebook")
    assert row["trace_id"] in shown


@pytest.mark.slow
def test_bytes_are_read_changed_and_left_to_repair(tmp_path: Path) -> None:
    """Notebook 02 reads the name by hand, breaks its length, and waits for two answers."""
    notebook = run(NOTEBOOKS / "02_bytes.ipynb", tmp_path)
    shown = text_of(notebook)
    assert "you said 1, it takes 2: c8 01" in shown
    assert "Span 5 b'GET /hello'" in shown
    assert "SERVER" in shown
    assert "cannot be read" in shown
    assert "'refused'" in shown
    assert "another span, or none" in shown
    assert "Not yet: varint(128) gave 00" in shown
    assert "Not yet: nothing is changed" in shown
    tables = [
        o["data"]["text/html"]
        for cell in notebook.cells
        for o in cell.get("outputs", ())
        if "text/html" in o.get("data", {})
    ]
    assert len(tables) == 2
    assert all("opentelemetry-proto" in table for table in tables)


@pytest.mark.slow
def test_spans_vanish_and_are_kept(tmp_path: Path) -> None:
    """Notebook 03 ends real processes, is surprised by its own guess, and waits for two answers."""
    shown = text_of(run(NOTEBOOKS / "03_vanishing_spans.ipynb", tmp_path))
    surprised = [line.split("  ")[0] for line in shown.splitlines() if line.endswith("surprise")]
    assert surprised == [
        "exception", "SIGINT", "fork, child by os._exit", "multiprocessing, fork"
    ]  # fmt: skip
    assert "Not yet: exception: 0 of 100 is not it." in shown
    assert "SIGTERM                    100\n      shut down: created 100 = delivered 100" in shown
    assert "multiprocessing, fork      200\n" in shown
    assert "SIGKILL                      0\n" in shown
    assert "Not yet: 100 of 200 arrived." in shown


@pytest.mark.slow
def test_the_clock_is_turned_by_hand(tmp_path: Path) -> None:
    """Notebook 04 sees a batch leave in four ways, and waits for eight predictions and a choice."""
    shown = text_of(run(NOTEBOOKS / "04_state_machine.ipynb", tmp_path))
    for reason in (
        "it is: timer",
        "three came: size",
        "somebody asked: flush",
        "the end: shutdown",
    ):
        [line] = [line for line in shown.splitlines() if reason in line]
        assert not line.endswith("nothing")
    assert "you said 10.0, it left at 12.0" in shown
    assert "created 3 = delivered 2 + dropped 1 (already_shutdown 1)" in shown
    assert "Not yet: step 2, at 5" in shown
    assert "Not yet: a span is acknowledged only 5.24 s after it ended" in shown


@pytest.mark.slow
def test_a_burst_overflows_and_is_accounted_for(tmp_path: Path) -> None:
    """Notebook 05 holds one line of a log against a ledger, and waits for two answers."""
    shown = text_of(run(NOTEBOOKS / "05_overflow.ipynb", tmp_path))
    assert shown.count("the log says: Queue full, dropping Span.") == 1
    assert shown.count("300 of 1100 arrived") == 2
    assert "created 1,100 = delivered 300 + dropped 800 (queue_full 800)" in shown
    assert "you said 1, it was 800" in shown
    assert "block            1100      0         15.8 s" in shown
    assert "created 51 = delivered 17 + rejected 3 + unknown 10 + dropped 21" in shown
    assert "Not yet: 55 records are still inside" in shown
    assert "Not yet: import: with drop_newest, 800 of 1,100 records are lost." in shown


@pytest.mark.slow
def test_a_pool_leaks_and_is_measured(tmp_path: Path) -> None:
    """Notebook 06 leaks an attribute, measures nine sizes, and waits for a reset and six answers."""
    shown = text_of(run(NOTEBOOKS / "06_pools.ipynb", tmp_path))
    assert "GET /health {'user.email': 'alice@example.com'}" in shown
    assert "you said 1, it is 14: attributes, dropped_attributes_count," in shown
    assert shown.count("expected parent_span_id to be b'', as in a fresh one") == 2
    assert len(re.findall(r"^ +[\d,]+( +[\d.]+us){3} +[\d.]+x #*$", shown, re.M)) == 9
    assert "Exhausted all 2 are out, and none came back in 0.1 s:" in shown
    assert len(re.findall(r"acquired at \S+ in forgets_to_return", shown)) == 2
    assert re.search(r"Not yet:\s+expected parent_span_id", shown)  # printed in pieces
    assert "Not yet: span: to reuse one takes 4 us, to make one 1." in shown


@pytest.mark.slow
def test_a_rate_is_bounded_by_requests_on_their_way(tmp_path: Path) -> None:
    """Notebook 07 waits for answers over both protocols, and for a pair that carries the rate."""
    shown = text_of(run(NOTEBOOKS / "07_grpc_or_http.ipynb", tmp_path))
    assert re.search(r"you said 40,000; it is \d,\d{3}\n", shown)
    rows = re.findall(r"^(HTTP|gRPC) +(0|5|50) ms +(1|4) +[\d,]+ +[\d,]+ +[\d.]+$", shown, re.M)
    assert len(rows) == 12
    assert [len(re.findall(rf"^{p} k = +\d+:", shown, re.M)) for p in ("HTTP", "gRPC")] == [2, 2]
    assert "spans a second leave, one batch each round trip." in shown
    assert ", reached" not in shown


@pytest.mark.slow
def test_a_size_is_predicted_simulated_and_run(tmp_path: Path) -> None:
    """Notebook 09 checks the pencil by simulation, the simulation by threads, and waits for a size."""
    shown = text_of(run(NOTEBOOKS / "09_sizing.ipynb", tmp_path))
    assert "length     49.5  , you said 100\nrate x wait = 49.5" in shown
    assert (
        "you said 0; created 10,000 = delivered 6,000 + dropped 4,000 (queue_full 4,000)" in shown
    )
    assert "room for 1600\n  simulated: created 2,000 = delivered 2,000\n" in shown
    [small, large] = [
        float(line.split()[1].rstrip("%")) for line in shown.splitlines() if "error:" in line
    ]
    assert abs(small) < 10
    assert large == 0
    assert "spans are lost.\nHint: While the peer is away nothing leaves. How many come?" in shown


@pytest.mark.slow
def test_a_sample_is_made_whole_and_counted(tmp_path: Path) -> None:
    """Notebook 12 tears traces, waits for late errors, corrects a bias, and waits for a budget."""
    shown = text_of(run(NOTEBOOKS / "12_sampling.ipynb", tmp_path))
    assert "you said 50 %; it is 3.1%, and by the formula 3.2%" in shown
    assert "of front, cart, stock, bank, mail\n-----\nxx---\nxxx--\nxxxxx\n" in shown
    waits = re.findall(r"^ *(\d+) s +(\d+) of 121 +([\d,]+) +([\d,]+)", shown, re.M)
    kept = {int(wait): int(whole) for wait, whole, _, _ in waits}
    assert kept[2] < kept[6] < kept[10] == kept[20] == 121
    assert shown.count("what happened:  4,000 requests,   3.0% failed") == 2
    assert "what arrived:     310 requests,  39.0% failed" in shown
    assert "estimated:      3,901 requests,   3.1% failed" in shown
    assert "stands for 20.00" in shown
    assert "failed requests, 2" in shown
    assert "An error that comes after the decision cannot change it." in shown


@pytest.mark.slow
def test_each_answer_is_given_to_two_exporters(tmp_path: Path) -> None:
    """Notebook 08 sees a rejected count missed and counted, and waits for a client that reads it."""
    shown = text_of(run(NOTEBOOKS / "08_answers.ipynb", tmp_path)).replace("\n\n", "\n")
    missed = "official: force_flush() is True, 1 request(s)\nyou said 1, it was 0\n"
    assert missed in shown
    assert "kit: created 5 = delivered 2 + rejected 3, 1 request(s)" in shown
    _, answers = shown.split("--- 302, to a login page\n")
    assert answers.startswith(
        "official: force_flush() is True, 1 request(s)\n"
        "  the log says: export of 5 records failed: HTTP 302\n"
        "kit: created 5 = dropped 5 (export_failed 5), 1 request(s)\n"
    )
    assert "kit: created 5 = unknown 5, 1 request(s)" in answers
    assert answers.count("brought 5 spans") == 2
    assert "Not yet: some: the client says that 0 were rejected." in answers
    assert "the client gave up: HTTP 503" in answers


@pytest.mark.slow
def test_an_exporter_is_held_to_the_specification(tmp_path: Path) -> None:
    """Notebook 13 sees ten lines of code fail eleven lines of OTLP, mends some, and waits for the rest."""
    shown = text_of(run(NOTEBOOKS / "13_your_exporter.ipynb", tmp_path))
    first, rest = shown.split("you said 12, it keeps 5\n")
    assert "http/protobuf: 5 pass, 11 fail, 0 n.a." in first
    assert re.search(r"proxy: POST with \d+ bytes\nlogin: GET with 0 bytes\n", rest)
    assert "it keeps 10 of 16\n" in rest
    assert "Not yet: line 65, an export that did not deliver says so: " in rest
    assert "`export` has three ends" in rest
    assert "partial success      created 5 = delivered 2 + rejected 3\n" in rest
