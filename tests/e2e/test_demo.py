"""The shop: three services, three signals, one slow and one failing path."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from typing import Any

import psutil
import pytest

from tests.support import CLI, Running, otlp_kit


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.slow
def test_the_shop_makes_whole_traces_logs_and_metrics(receiver: Running) -> None:
    """Twenty orders: traces across three services, a decline in four, a slow one in ten."""
    done = otlp_kit("demo", "--http", receiver.http, "--grpc", receiver.grpc, "--orders", "20",
                    "--rate", "20", timeout=90)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "20 orders, 15 confirmed"
    traces = receiver.sql(
        "select trace_id, count(distinct service) as services, count(*) as spans from spans group by 1"
    )
    assert len(traces) == 20
    assert {trace["services"] for trace in traces} == {3}
    assert sorted(trace["spans"] for trace in traces) == [7] * 18 + [8] * 2
    [declined] = receiver.sql(
        "select count(distinct trace_id) as n from spans where status_message = 'card declined'"
    )
    assert declined["n"] == 5
    slow = receiver.sql(
        """select distinct logs.trace_id from logs join spans using (trace_id)
        where body = 'wrapping took long' and name = 'wrap'"""
    )
    assert len(slow) == 2
    names = {
        row["name"] for row in receiver.sql("select name from metrics where service = 'stock'")
    }
    assert names == {"shop.items.reserved", "shop.items.on_shelf", "shop.reserve.duration"}
    [exemplar] = receiver.sql(
        """select count(*) as n from metrics, json_each(exemplars) as e
        where json_extract(e.value, '$.trace_id') in (select trace_id from spans)"""
    )
    assert exemplar["n"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--http", "http://example.com:4318"], "is not an http:// address of this machine"),
        (["--rate", "1000"], "is not a rate above 0 and up to 20"),
        (["--rate", "nan"], "is not a rate"),
    ],
)
def test_the_demo_stays_at_home_and_slow(arguments: list[str], message: str) -> None:
    """It sends to loopback only, at a bounded rate."""
    done = otlp_kit("demo", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_sigterm_closes_the_shop(receiver: Running) -> None:
    """As Ctrl-C does: none of its services is left behind."""
    command = [*CLI, "demo", "--http", receiver.http, "--grpc", receiver.grpc]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        assert demo.stdout.readline().startswith("the shop is open")
        services = psutil.Process(demo.pid).children()
        assert len(services) == 3
        demo.terminate()
        assert demo.wait(30) == 143
    assert not any(service.is_running() for service in services)
