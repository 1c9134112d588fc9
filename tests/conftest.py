"""Fixtures that start the real thing: `otlp-kit serve` as a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import CLI, Running

# No verdict may depend on how busy the machine is; whole batches of records are large inputs.
settings.register_profile(
    "kit",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("kit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright keeps an event loop running in the main thread."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture
def start_receiver(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start `otlp-kit serve` on free ports; stopped at the end of the test, whatever happened."""
    started: list[Running] = []

    def start(data: Path = tmp_path / "data", prefix: tuple[str, ...] = ()) -> Running:
        process = subprocess.Popen(
            [*prefix, *CLI, "serve", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0",
             "--ui", "127.0.0.1:0", "--data", str(data)],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert process.stdout
        first = process.stdout.readline()
        assert first.startswith("listening "), first
        bound = dict(word.split("=", 1) for word in first.split()[1:])
        started.append(Running(process, bound["http"], bound["grpc"], bound["ui"], data))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()
        if running.process.stdout:
            running.process.stdout.close()


@pytest.fixture
def receiver(start_receiver: Callable[..., Running]) -> Running:
    """One running receiver."""
    return start_receiver()
