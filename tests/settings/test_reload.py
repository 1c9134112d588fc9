"""Settings that are read again: whole or not at all, once they rest, and everybody hears of it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from otlp_kit.settings.layers import Settings, load
from otlp_kit.settings.reload import Changes, Reloader, difference
from otlp_kit.settings.toml_file import read_toml
from otlp_kit.settings.watching import AWAY
from otlp_kit.testing.fake_clock import FakeClock
from tests.settings.known_keys import KEYS
from tests.settings.test_watching import mount

SIZE, DELAY, TOKEN = "batch.max_queue_size", "batch.delay", "exporter.token"
ENDPOINT = "exporter.endpoint"
SETTLE, INTERVAL = 0.25, 1.0
FIXED = {ENDPOINT: "the connection is made at the start"}
PATIENCE = 30.0


class Program:
    """A file of settings, a directory of secrets, and a reloader that is looked at by hand."""

    def __init__(self, folder: Path, text: str = "[batch]\ndelay = 5\n") -> None:
        self.file, self.secrets = folder / "kit.toml", folder / "secrets"
        self.write(text)
        self.clock = FakeClock()
        self.heard: list[Changes] = []
        self.reloader = self.reload_by(self.load)
        self.reloader.subscribe(self.heard.append)

    def reload_by(self, load: Callable[[], Settings]) -> Reloader:
        return Reloader(
            load,
            [self.file, self.secrets],
            fixed=FIXED.get,
            settle=SETTLE,
            interval=INTERVAL,
            clock=self.clock,
        )

    def load(self) -> Settings:
        secrets = [self.secrets]
        readers = {".toml": read_toml}
        return load(KEYS, files=[self.file], secret_directories=secrets, readers=readers)

    def write(self, text: str) -> None:
        """As careful programs do: nobody sees a half of it."""
        new = self.file.with_name("kit.toml.new")
        new.write_text(text)
        new.replace(self.file)

    def check(self) -> float:
        """Look twice, with time to settle between."""
        self.reloader.check()
        self.clock.advance(SETTLE)
        return self.reloader.check()

    def __getitem__(self, name: str) -> Any:
        return self.reloader.settings[name].value

    @property
    def counts(self) -> tuple[int, int]:
        return self.reloader.state.reloads, self.reloader.state.refused


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_what_is_written_is_read_once_it_rests(program: Program) -> None:
    """Not before; and a reader sees the old settings until then."""
    program.write("[batch]\ndelay = 7\n")
    assert program.reloader.check() == SETTLE
    assert program[DELAY] == 5
    program.clock.advance(SETTLE / 2)
    assert program.reloader.check() == SETTLE / 2
    program.clock.advance(SETTLE / 2)
    assert program.reloader.check() == INTERVAL
    assert program[DELAY] == 7
    assert program.reloader.check() == INTERVAL
    assert program.counts == (1, 0)


def test_subscribers_are_told_what_has_changed(program: Program) -> None:
    """Before, after, and the names of those whose value differs, in the order of the keys."""
    before = program.reloader.settings
    program.write("[batch]\ndelay = 7\nmax_queue_size = 9\n[exporter]\nheaders = []\n")
    program.check()
    [changes] = program.heard
    assert changes.before is before
    assert changes.after is program.reloader.settings
    assert changes.changed == (SIZE, DELAY)
    assert changes.needs_restart == {}


def test_a_new_place_of_an_old_value_is_taken_and_not_told(program: Program) -> None:
    """`explain` is right about the line; nobody has anything to do."""
    program.write("\n\n[batch]\ndelay = 5.0\n")
    program.check()
    assert program.reloader.settings[DELAY].source.line == 4
    assert program.counts == (1, 0)
    assert program.heard == []


def test_what_is_refused_leaves_everything_as_it_was(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    """Old settings, no call, one line in the log with the place; and then it is mended."""
    before = program.reloader.settings
    program.write("[batch]\ndelay = 7\nmax_queue_size = many\n")
    program.check()
    assert program.reloader.settings is before
    assert program.heard == []
    assert program.counts == (0, 1)
    [mistake] = program.reloader.state.mistakes
    assert mistake.line == 3
    [line] = caplog.messages
    assert "line 3" in line
    assert "refused now" in repr(program.reloader)
    program.write("[batch]\ndelay = 7\nmax_queue_size = 20\n")
    program.check()
    assert (program[DELAY], program[SIZE]) == (7, 20)
    assert program.counts == (1, 1)
    assert program.reloader.state.trouble == ""
    assert "refused now" not in repr(program.reloader)


def test_the_same_mistake_is_logged_once(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is saved again and again with it fills no log; another mistake is another line."""
    for edition, delay in enumerate((-1, -1, -1, -2, -2)):
        program.write(f"[batch]\ndelay = {delay}\n# edition {edition}\n")
        for _ in range(3):
            program.check()
    assert program.counts == (0, 5)
    assert ["not -1" in line for line in caplog.messages] == [True, False]


def test_no_secret_is_shown(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    """Neither one that is refused nor one that is taken, in no log, repr or error."""
    caplog.set_level(logging.DEBUG)
    for token in ("hunter2-is-refused", "hunter2isTaken", "hunter2isNew"):
        program.write(f'[exporter]\ntoken = "{token}"\n')
        program.check()
    assert program.counts == (2, 1)
    assert program[TOKEN].reveal() == "hunter2isNew"
    assert [changes.changed for changes in program.heard] == [(TOKEN,), (TOKEN,)]
    shown = [caplog.text, repr(program.reloader), str(program.reloader.state), repr(program.heard)]
    assert "hunter2" not in "".join(shown)


def test_what_nobody_expected_of_load_is_logged_without_its_words(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be anybody's, and repeat a secret."""
    broken = False

    def load_or_break() -> Settings:
        if broken:
            raise RuntimeError("hunter2")
        return program.load()

    reloader = program.reload_by(load_or_break)
    broken = True
    program.write("[batch]\ndelay = 7\n")
    reloader.check()
    program.clock.advance(SETTLE)
    reloader.check()
    assert reloader.state.refused == 1
    assert "RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_disk_that_fails_is_asked_again(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    """The file does not change when the disk is well again. It is one failure, and one line."""
    failing = False

    def load_or_fail() -> Settings:
        if failing:
            raise OSError(5, "Input/output error")
        return program.load()

    reloader = program.reload_by(load_or_fail)
    failing = True
    program.write("[batch]\ndelay = 7\n")
    reloader.check()
    program.clock.advance(SETTLE)
    for _ in range(5):
        reloader.check()
    assert (reloader.state.reloads, reloader.state.refused) == (0, 1)
    assert len(caplog.messages) == 1
    failing = False
    reloader.check()
    assert reloader.settings[DELAY].value == 7
    assert (reloader.state.reloads, reloader.state.refused) == (1, 1)


def test_what_changes_while_it_is_read_is_not_taken(program: Program) -> None:
    """Half of one version and half of another could look valid."""
    torn = True

    def load_slowly() -> Settings:
        settings = program.load()
        if torn:
            program.write("[batch]\ndelay = 9\n")
        return settings

    torn = False
    reloader = program.reload_by(load_slowly)
    torn = True
    program.write("[batch]\ndelay = 7\n")
    reloader.check()
    program.clock.advance(SETTLE)
    reloader.check()
    assert (reloader.settings[DELAY].value, reloader.state.reloads) == (5, 0)
    torn = False
    reloader.check()
    program.clock.advance(SETTLE)
    reloader.check()
    assert (reloader.settings[DELAY].value, reloader.state.reloads) == (9, 1)


def test_a_change_during_the_first_reading_is_not_missed(program: Program) -> None:
    """What was looked at is older than what was read."""

    def load_slowly() -> Settings:
        settings = program.load()
        if settings[DELAY].value == 5:
            program.write("[batch]\ndelay = 7\n")
        return settings

    reloader = program.reload_by(load_slowly)
    assert reloader.settings[DELAY].value == 5
    reloader.check()
    program.clock.advance(SETTLE)
    reloader.check()
    assert reloader.settings[DELAY].value == 7


def test_a_file_that_is_gone_is_a_mistake_when_it_stays_away(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    """An editor that removes a file before it writes the new one is no trouble."""
    program.file.unlink()
    assert program.reloader.check() == INTERVAL < AWAY
    program.clock.advance(AWAY - 0.5)
    program.reloader.check()
    assert program.counts == (0, 0)
    program.write("[batch]\ndelay = 7\n")
    program.check()
    assert program.counts == (1, 0)
    assert caplog.messages == []
    program.file.unlink()
    program.reloader.check()
    program.clock.advance(AWAY)
    program.reloader.check()
    assert program.counts == (1, 1)
    assert program[DELAY] == 7
    assert "cannot be read" in caplog.text
    program.write("[batch]\ndelay = 8\n")
    program.check()
    assert program[DELAY] == 8


def test_a_kubernetes_volume_is_followed(program: Program) -> None:
    """The kubelet exchanges `..data`; a secret in it comes, is renewed, and goes."""
    for version, token in enumerate(["first", "second"], 1):
        mount(program.secrets, {"exporter.token": token}, version)
        program.check()
        assert program[TOKEN].reveal() == token
    mount(program.secrets, {}, 3)
    program.reloader.check()
    program.clock.advance(AWAY)
    program.reloader.check()
    assert program[TOKEN] is None
    assert program.counts == (3, 0)


def test_a_config_map_is_followed_through_its_link(tmp_path: Path) -> None:
    """`kit.toml` is a link to `..data/kit.toml`, and stays the same link."""
    volume = tmp_path / "volume"
    mount(volume, {"kit.toml": "[batch]\ndelay = 5\n"}, 1)
    clock = FakeClock()
    file = volume / "kit.toml"
    reloader = Reloader(
        lambda: load(KEYS, files=[file], readers={".toml": read_toml}),
        [file],
        fixed=FIXED.get,
        settle=SETTLE,
        clock=clock,
    )
    for version in range(2, 6):
        mount(volume, {"kit.toml": f"[batch]\ndelay = {version}\n"}, version)
        reloader.check()
        clock.advance(SETTLE)
        reloader.check()
        assert reloader.settings[DELAY].value == version
    assert (reloader.state.reloads, reloader.state.refused) == (4, 0)
    assert reloader.warnings() == ()


def test_a_mount_by_sub_path_keeps_the_settings_of_the_start(tmp_path: Path) -> None:
    """The trap: the volume has new settings, and whoever looks at the file has the old ones.

    A hard link stands for the bind mount: both hold on to the inode. `test_watching` has a real one.
    """
    volume, file = tmp_path / "volume", tmp_path / "kit.toml"
    mount(volume, {"kit.toml": "[batch]\ndelay = 5\n"}, 1)
    os.link((volume / "kit.toml").resolve(), file)
    program = Program.__new__(Program)
    program.file, program.secrets, program.clock = file, tmp_path / "none", FakeClock()
    program.reloader = program.reload_by(program.load)
    mount(volume, {"kit.toml": "[batch]\ndelay = 7\n"}, 2)
    program.check()
    assert program[DELAY] == 5
    assert program.reloader.needs_restart == {}


def test_a_file_that_is_mounted_by_itself_is_warned_of(
    program: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, when it begins to look, with the way out."""
    text = f"36 35 98:0 /kit.toml {program.file.resolve()} rw - ext3 /dev/root rw\n"
    read_text = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path: text if "mountinfo" in path.name else read_text(path)
    )
    [warning] = program.reloader.warnings()
    assert str(program.file) in warning
    assert "subPath" in warning
    program.reloader.start()
    program.reloader.stop()
    assert caplog.messages == [warning]


def test_a_key_that_only_a_restart_changes_is_said_to(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    """With the reason, for as long as the program differs from its settings."""
    program.write('[batch]\ndelay = 7\n[exporter]\nendpoint = "http://new:4318"\n')
    program.check()
    assert program.heard[0].changed == (DELAY, ENDPOINT)
    assert program.heard[0].needs_restart == FIXED
    assert program.reloader.needs_restart == FIXED
    assert FIXED[ENDPOINT] in caplog.text
    program.write('[batch]\ndelay = 8\n[exporter]\nendpoint = "http://new:4318"\n')
    program.check()
    assert program.heard[1].needs_restart == {}
    assert program.reloader.needs_restart == FIXED, "it still is another one"
    program.write("[batch]\ndelay = 8\n")
    program.check()
    assert program.heard[2].needs_restart == FIXED
    assert program.reloader.needs_restart == {}


def test_a_subscriber_that_fails_stops_neither_the_others_nor_the_change(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and it is called again the next time."""
    calls: list[str] = []

    def fail(changes: Changes) -> None:
        calls.append("failed")
        raise ZeroDivisionError

    program.reloader.subscribe(fail)
    program.reloader.subscribe(lambda changes: calls.append("told"))
    for delay in (7, 8):
        program.write(f"[batch]\ndelay = {delay}\n")
        program.check()
        assert program[DELAY] == delay
    assert calls == ["failed", "told", "failed", "told"]
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


def test_a_subscriber_may_use_what_it_is_told_by(program: Program) -> None:
    """It reads the settings, subscribes another, looks again and stops the looking."""
    others: list[Changes] = []
    reloader = program.reloader

    def busy(changes: Changes) -> None:
        assert reloader.settings is changes.after
        assert reloader.subscribe(others.append) is changes.after
        reloader.check()
        reloader.stop()

    reloader.subscribe(busy)
    program.write("[batch]\ndelay = 7\n")
    program.check()
    assert others == []
    program.write("[batch]\ndelay = 8\n")
    program.check()
    assert len(others) == 1


@pytest.fixture
def running(program: Program) -> Iterator[Program]:
    program.reloader.start()
    yield program
    program.reloader.stop()


def turn(program: Program, seconds: float) -> None:
    """Let time pass for the thread, and wait until it sleeps again."""
    program.clock.advance(seconds)
    assert program.clock.await_sleepers(1)


def test_the_thread_looks_every_interval_and_soon_after_a_change(running: Program) -> None:
    """A second for the first look, a quarter of one until it is read."""
    assert running.clock.await_sleepers(1)
    running.write("[batch]\ndelay = 7\n")
    turn(running, INTERVAL)
    assert running[DELAY] == 5
    turn(running, SETTLE)
    assert running[DELAY] == 7
    assert running.clock.monotonic() == INTERVAL + SETTLE


def test_the_thread_survives_what_goes_wrong_in_it(
    running: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Even what nobody thought of; it looks again after the interval."""
    assert running.clock.await_sleepers(1)
    monkeypatch.setattr(running.reloader, "_fixed", {}.pop)
    running.write("[batch]\ndelay = 7\n")
    turn(running, INTERVAL)
    turn(running, SETTLE)
    assert "cannot look" in caplog.text
    monkeypatch.setattr(running.reloader, "_fixed", FIXED.get)
    running.write("[batch]\ndelay = 8\n")
    turn(running, INTERVAL)
    turn(running, SETTLE)
    assert running[DELAY] == 8


def threads() -> int:
    return sum(thread.name == "otlp-kit-reload" for thread in threading.enumerate())


def test_it_starts_once_stops_at_once_and_starts_again(program: Program) -> None:
    """One thread, however often it is told; none when stop has returned."""
    for _ in range(2):
        for _ in range(3):
            program.reloader.start()
        assert threads() == 1
        program.reloader.stop()
        assert threads() == 0
        program.reloader.stop()
    assert program.clock.monotonic() == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_the_child_of_a_fork_goes_on_by_itself(program: Program) -> None:
    """With a thread of its own, even if the parent's was just reading: the lock is a new one."""
    reloader = Reloader(
        program.load, [program.file], fixed=FIXED.get, settle=0.01, interval=0.01
    )  # on the system's clock: the lock of the other one does not survive a fork
    reloader.start()
    reloader._lock.acquire()
    child = os.fork()
    if not child:
        try:
            told = threading.Event()
            reloader.subscribe(lambda changes: told.set())
            program.write("[batch]\ndelay = 7\n")
            fine = threads() == 1 and told.wait(PATIENCE)
            os._exit(0 if fine and reloader.settings[DELAY].value == 7 else 1)
        finally:
            os._exit(2)
    reloader._lock.release()
    assert os.waitpid(child, 0)[1] == 0
    reloader.stop()


@pytest.mark.parametrize(
    ("times", "rule"),
    [
        ({"settle": -1.0}, "settle must be at least 0 seconds"),
        ({"settle": float("nan")}, "settle must be at least 0 seconds"),
        ({"interval": 0.0}, "interval must be more than 0 seconds"),
    ],
)
def test_times_that_cannot_be_kept_are_refused(
    program: Program, times: Mapping[str, float], rule: str
) -> None:
    """The error names the rule."""
    with pytest.raises(ValueError, match=rule):
        Reloader(program.load, [], fixed=FIXED.get, **times)


def test_what_is_wrong_at_the_start_is_the_caller_s(tmp_path: Path) -> None:
    """A program that never had settings does not begin."""
    with pytest.raises(ValueError, match="line 2"):
        Program(tmp_path, "[batch]\ndelay = never\n")


def test_a_key_that_is_new_or_gone_is_a_difference(program: Program) -> None:
    """Two programs may know other keys, as after an update."""
    few = load(KEYS[:2])
    assert difference(few, load(KEYS), FIXED.get).changed == tuple(key.name for key in KEYS[2:])
    assert difference(load(KEYS), few, FIXED.get).needs_restart == FIXED
