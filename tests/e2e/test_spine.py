"""A span travels end to end: official program, receiver, database, terminal and page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support import Running, otlp_kit

PROGRAMS = Path(__file__).parent / "programs"


def run_shop(receiver: Running, orders: int) -> list[str]:
    """Run the official-SDK program against the receiver; returns the trace ids it printed."""
    done = subprocess.run(
        [sys.executable, PROGRAMS / "shop.py", str(orders)],
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def get(url: str) -> object:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def test_the_program_knows_nothing_of_this_kit() -> None:
    """The e2e programs are what anybody could have written."""
    for program in PROGRAMS.glob("*.py"):
        assert "otlp_kit" not in program.read_text()


@pytest.mark.slow
def test_an_official_program_is_seen_everywhere(receiver: Running) -> None:
    """Every span of an official-SDK program is in SQL, in the terminal and on the page, once."""
    traces = run_shop(receiver, orders=10)
    rows = receiver.sql("select trace_id, span_id, name, service, kind from spans")
    assert len(rows) == 40
    assert len({(row["trace_id"], row["span_id"]) for row in rows}) == 40
    assert {row["trace_id"] for row in rows} == set(traces)
    assert {row["service"] for row in rows} == {"shop"}

    listed = otlp_kit("traces", "--data", receiver.data)
    assert all(trace_id in listed.stdout for trace_id in traces)
    shown = otlp_kit("show", traces[4], "--data", receiver.data)
    assert shown.returncode == 0, shown.stderr
    for name in ("POST /orders", "reserve stock", "charge card", "connect", "card declined"):
        assert name in shown.stdout

    latest = get(f"{receiver.ui}/api/latest?limit=50")
    assert {row["trace_id"] for row in latest} == set(traces)  # type: ignore[attr-defined, index]
    waterfall = get(f"{receiver.ui}/api/trace/{traces[4]}")
    assert [span["depth"] for span in waterfall["spans"]] == [0, 1, 1, 2]  # type: ignore[index]
    ledger = get(f"{receiver.ui}/api/status")["ledger"]  # type: ignore[index]
    assert (ledger["created"], ledger["stored"], ledger["inside"]) == (40, 40, 0)
    assert "created 40 = stored 40" in receiver.stop()


@pytest.mark.slow
def test_a_span_is_on_the_page_soon_after_it_was_sent(receiver: Running) -> None:
    """When the exporter has its answer, the page's data has the trace: there is no delay between."""
    [trace_id] = run_shop(receiver, orders=1)
    latest = get(f"{receiver.ui}/api/latest?limit=1")
    assert latest[0]["trace_id"] == trace_id  # type: ignore[index]


@pytest.mark.slow
def test_data_survives_a_restart(start_receiver, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """What one run stored, the next run shows; the data directory is free again."""
    first = start_receiver(tmp_path / "kept")
    traces = run_shop(first, orders=2)
    first.stop()
    second = start_receiver(tmp_path / "kept")
    latest = get(f"{second.ui}/api/latest?limit=10")
    assert {row["trace_id"] for row in latest} == set(traces)  # type: ignore[attr-defined, index]


@pytest.mark.slow
def test_a_read_only_disk_is_said_and_nothing_is_acknowledged(
    start_receiver, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    """A receiver that may not write answers 503, and the page and the terminal say why."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user with setpriv")
    data = tmp_path / "data"
    start_receiver(data).stop()
    for path in (data, *data.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.geteuid() and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    receiver = start_receiver(data, prefix=nobody)
    request = urllib.request.Request(
        f"{receiver.http}/v1/traces",
        data=_one_span(),
        headers={"Content-Type": "application/x-protobuf"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 503
    assert get(f"{receiver.ui}/api/status")["trouble"]  # type: ignore[index]
    assert receiver.sql("select count(*) as n from spans") == [{"n": 0}]


def _one_span() -> bytes:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = os.urandom(16), os.urandom(8), "lost"
    span.start_time_unix_nano = span.end_time_unix_nano = time.time_ns()
    return request.SerializeToString()
