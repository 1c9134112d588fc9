"""A running receiver takes over what it can of a changed file, and says what it cannot."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from otlp_kit.cli.options import Stop
from otlp_kit.cli.settings_options import loaded
from otlp_kit.cli.settings_reload import APPLIED, fixed, reloading
from otlp_kit.cli.station import Station, open_station
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span
from otlp_kit.settings.schema import KEYS, model
from otlp_kit.stores.retention import Retention
from otlp_kit.stores.sqlite_store import open_readonly
from tests.cli.serving import FREE, Served, serving, without_settings


def arguments_of(*options: str | Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    import_module("otlp_kit.cli.cmd_serve").add(parser.add_subparsers())
    return parser.parse_args(["serve", *FREE, *map(str, options)])


def replace(file: Path, text: str) -> Path:
    """Put a file with `text` in the place of `file`, in one step as editors do."""
    new = file.with_suffix(".new")
    new.write_text(text)
    return new.replace(file)


def span(name: str) -> bytes:
    return encode_spans([Span(name, os.urandom(16), os.urandom(8))])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return replace(tmp_path / "kit.toml", 'store.keep = "2d"\n')


@pytest.fixture
def station(file: Path, tmp_path: Path) -> Iterator[Station]:
    """Opened with the settings of `file`, but not running."""
    arguments = arguments_of("--config", file, "--data", tmp_path / "data")
    with open_station(model(loaded(arguments))) as opened:
        yield opened


def watchers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "otlp-kit-reload"]


def test_every_setting_is_applied_or_has_a_reason_why_not() -> None:
    """What a running receiver takes over are settings that exist."""
    names = {key.name for key in KEYS}
    assert names >= set(APPLIED)
    assert {name for name in names if not fixed(name)} == set(APPLIED)


def test_files_are_watched_as_long_as_the_receiver_runs(station: Station, file: Path) -> None:
    """By one thread, which ends; without a file there is none."""
    with reloading(arguments_of("--config", file), station):
        assert len(watchers()) == 1
    assert watchers() == []
    with reloading(arguments_of(), station):
        assert watchers() == []


def test_a_change_while_the_receiver_was_opened_counts(station: Station, file: Path) -> None:
    """Nobody would hear of it later."""
    assert station.store.retention == Retention(2 * 86_400.0, 2 * 10**9)
    replace(file, 'store = {keep = "1h", max_size = "50MB"}\n')
    with reloading(arguments_of("--config", file), station):
        assert station.store.retention == Retention(3600.0, 50_000_000)


def test_a_file_that_broke_while_the_receiver_was_opened_stops_it(
    station: Station, file: Path
) -> None:
    """With its mistake, as a moment before."""
    replace(file, "store.keep = 0\n")
    with (
        pytest.raises(Stop, match=r"kit\.toml, line 1: store\.keep must be more than 0"),
        reloading(arguments_of("--config", file), station),
    ):
        pass


@pytest.fixture
def served(file: Path, tmp_path: Path) -> Iterator[Served]:
    """A real `otlp-kit serve`, which watches `file`."""
    with serving(
        tmp_path / "served", *FREE, "--config", file, environ=without_settings()
    ) as running:
        yield running


def stored(served: Served) -> list[str]:
    database = open_readonly(served.directory / "data")
    try:
        return [name for (name,) in database.execute("select name from spans order by rowid")]
    finally:
        database.close()


@pytest.mark.slow
def test_a_running_receiver_takes_what_it_can_and_says_the_rest(served: Served, file: Path) -> None:
    """One file, changed five times: wrong ones and fixed settings are said and change nothing."""
    served.post(span("old"))
    assert stored(served) == ["old"]

    replace(file, 'store.keep = "soon"\nstore.kepe = 3\n')
    served.wait_for(lambda: served.err.count("^") == 2)
    assert "settings not reloaded, those before stay: " in served.err
    assert f"{file}, line 1: store.keep must be a time" in served.err
    assert f"{file}, line 2: store.kepe is no setting; did you mean store.keep?" in served.err
    assert "Traceback" not in served.err
    served.post(span("kept"))
    assert stored(served) == ["old", "kept"]

    replace(file, 'store.keep = "2d"\nsite.address = 0\nbatch.delay = 1\n')
    served.wait_for(lambda: served.err.count("needs a restart") == 2)
    reason = "has changed and needs a restart: it is read when the program starts"
    for name in ("site.address", "batch.delay"):
        assert f"{name} {reason}" in served.err
    assert "settings reloaded" not in served.out
    served.post(span("kept, too"))

    replace(file, 'store.keep = "1ms"\n')
    served.wait_for(lambda: "settings reloaded: " in served.out)
    assert served.out.splitlines()[1:] == ["settings reloaded: store.keep"]
    served.post(span("new"))
    assert "old" not in stored(served)

    replace(file, 'store.keep = "1h"\nstore.max_size = "1GB"\n')
    served.wait_for(lambda: served.out.count("settings reloaded") == 2)
    assert served.out.splitlines()[2:] == ["settings reloaded: store.keep, store.max_size"]
    served.post(span("newer"))
    assert "newer" in stored(served)
    served.process.terminate()
    served.wait_for(lambda: served.process.poll() is not None)
    assert served.process.returncode == 0
    assert served.out.splitlines()[-1] == "stopped: created 5 = stored 5"


@pytest.mark.slow
def test_a_changed_address_needs_a_restart(tmp_path: Path) -> None:
    """The receiver says so, and stays where it is."""
    file = replace(tmp_path / "kit.toml", "receiver = {http = 0, grpc = 0, page = 0}\n")
    with serving(tmp_path / "served", "--config", file, environ=without_settings()) as served:
        replace(file, 'receiver = {http = "127.0.0.2:0", grpc = 0, page = 0}\n')
        served.wait_for(lambda: "\n" in served.err)
        assert served.err.splitlines() == [
            "receiver.http has changed and needs a restart: it is read when the program starts"
        ]
        served.post(span("still here"))
        assert stored(served) == ["still here"]
