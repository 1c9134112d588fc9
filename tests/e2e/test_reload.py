"""Settings that change under load: no record is lost, nothing is restarted, every change is counted."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.exchange import Exchange
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.model import Resource, Scope, Span
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.outcome import Outcome
from otlp_kit.reliability.retry import Retrying
from otlp_kit.settings.layers import Value
from otlp_kit.settings.reload import Changes, Reloader
from otlp_kit.settings.schema import load_settings
from otlp_kit.wire import TRACES
from tests.support import Running

CHANGES, SECONDS = 50, 5.0
"""How many changes, and in what time at the least; at the pace of a person it would be thirty."""
SETTLE = INTERVAL = 0.02
PATIENCE = 60.0
PRODUCERS, AT_ONCE, PAUSE = 4, 5, 0.005
FIXED = dict.fromkeys(
    ("batch.in_flight", "batch.when_full", "batch.block_timeout", "service.name"),
    "the threads are started at the start",
)

REFUSED = (
    "[batch\ndelay = 1\n",  # no TOML
    "[batch]\ndelay = -1\n",  # out of range
    "[batch]\nmax_queue_size = 100\nmax_batch_size = 200\n",  # more than there can be
    "[batch]\ndelai = 1\n",  # no such setting
    '[exporter]\ncompression = "brotli"\n',
)
ADJUSTED = {
    f"batch.{name}": name
    for name in ("max_queue_size", "max_batch_size", "delay", "export_timeout")
}


def valid(number: int, url: str) -> str:
    """The settings number `number`; each one differs from the one before in most values."""
    queue, batch = ((2000, 500), (300, 300), (5000, 64), (150, 100))[number % 4]
    endpoint = url.replace("127.0.0.1", "localhost") if number // 2 % 2 else url
    return f"""
        [batch]
        max_queue_size = {queue}
        max_batch_size = {batch}
        delay = {0.01 + number / 1000}
        export_timeout = {20 + number % 3}
        when_full = "block"
        block_timeout = "60s"
        [exporter]
        endpoint = "{endpoint}"
        compression = "{("none", "gzip", "gzip")[number % 3]}"
    """


def sender(settings: Mapping[str, Value]) -> HttpSender:
    """What the settings say of the way to the receiver."""
    return HttpSender(
        settings["exporter.endpoint"].value, compression=settings["exporter.compression"].value
    )


class Service:
    """A program with a pipeline that follows its file of settings, as one would write it."""

    def __init__(self, file: Path) -> None:
        self.reloader = Reloader(
            lambda: load_settings(files=[file]),
            [file],
            fixed=FIXED.get,
            settle=SETTLE,
            interval=INTERVAL,
        )
        settings = self.reloader.subscribe(self.follow)
        self.way = Exchange(sender(settings))
        self.processor: BatchProcessor[Span] = BatchProcessor(
            OtlpExporter(encode_spans, Retrying(self.way), TRACES),
            when_full=settings["batch.when_full"].value,
            block_timeout=settings["batch.block_timeout"].value,
            **{argument: settings[name].value for name, argument in ADJUSTED.items()},
        )
        self.exchanges = 0
        self.reloader.start()

    def follow(self, changes: Changes) -> None:
        """Apply what has changed to what runs."""
        after = changes.after
        self.processor.adjust(
            **{argument: after[name].value for name, argument in ADJUSTED.items()}
        )
        if any(name.startswith("exporter.") for name in changes.changed):
            self.way.exchange(sender(after))
            self.exchanges += 1


class Load:
    """Threads that emit spans until they are told to stop."""

    def __init__(self, processor: BatchProcessor[Span]) -> None:
        self.over = threading.Event()
        self.counts = [0] * PRODUCERS
        self.processor = processor
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(PRODUCERS)]
        for thread in self.threads:
            thread.start()

    def run(self, producer: int) -> None:
        trace_id = os.urandom(16)
        resource, scope = Resource({"service.name": "reloads"}), Scope("load")
        while not self.over.wait(PAUSE):
            for _ in range(AT_ONCE):
                now = time.time_ns()
                self.processor.emit(
                    Span(
                        f"span {producer}", trace_id, os.urandom(8),
                        start_unix_nano=now, end_unix_nano=now, resource=resource, scope=scope,
                    )
                )  # fmt: skip
            self.counts[producer] += AT_ONCE

    def stop(self) -> int:
        """How many spans there were."""
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        return sum(self.counts)


def workers() -> set[int | None]:
    return {thread.ident for thread in threading.enumerate() if thread.name == "otlp-kit-batch"}


def wait_for(condition: Callable[[], bool]) -> None:
    last = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.001)


@pytest.mark.slow
def test_fifty_changes_under_load_lose_nothing_and_restart_nothing(
    receiver: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Forty are taken and ten refused; every span that was emitted is in the receiver's database."""
    file = tmp_path / "kit.toml"
    file.write_text(valid(0, receiver.http))
    before = workers()
    service = Service(file)
    processor, reloader = service.processor, service.reloader
    mine = workers() - before
    load = Load(processor)
    refused = itertools.cycle(REFUSED)
    for number in range(1, CHANGES + 1):
        began = time.monotonic()
        new = tmp_path / "kit.toml.new"
        new.write_text(next(refused) if number % 5 == 0 else valid(number, receiver.http))
        new.replace(file)
        wait_for(lambda n=number: reloader.state.reloads + reloader.state.refused == n)  # type: ignore[misc]
        assert (reloader.state.trouble != "") == (number % 5 == 0)
        time.sleep(max(0.0, SECONDS / CHANGES - (time.monotonic() - began)))
    assert workers() - before == mine, "the same threads since the start"
    assert len(mine) == 1
    emitted = load.stop()
    assert processor.shutdown(PATIENCE) is Outcome.FLUSHED
    reloader.stop()

    assert (reloader.state.reloads, reloader.state.refused) == (40, 10)
    assert service.exchanges >= 30
    assert reloader.needs_restart == {}
    totals = processor.totals()
    assert emitted > 1000
    assert str(totals) == f"created {emitted:,} = delivered {emitted:,}"
    status: Any = json.load(urllib.request.urlopen(f"{receiver.ui}/api/status", timeout=10))
    ledger = status["ledger"]
    assert (ledger["created"], ledger["stored"], ledger["inside"]) == (emitted, emitted, 0)
    assert receiver.sql("select count(*) as spans, count(distinct span_id) as ids from spans") == [
        {"spans": emitted, "ids": emitted}
    ]
    assert "a subscriber failed" not in caplog.text
    assert "failed to close" not in caplog.text
