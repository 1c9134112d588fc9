"""What can be seen of files that change, and when it is time to read them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.settings.watching import AWAY, At, Look, Watch, look, mounted_files

SETTLE = 0.5
TICK = 0.02
"""Seconds in which the clock of a file system moves on."""


def mount(volume: Path, files: dict[str, str], version: int) -> None:
    """Write `files` as the kubelet does: a new directory, and one rename that shows all of it.

    https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go
    """
    volume.mkdir(exist_ok=True)
    data = volume / "..data"
    old = data.readlink() if data.is_symlink() else None
    new = volume / f"..2026_01_01_00_00_{version:02}.{version}"
    new.mkdir()
    for name, text in files.items():
        (new / name).write_text(text)
    (volume / "..data_tmp").symlink_to(new.name)
    (volume / "..data_tmp").rename(data)
    for name in files:
        if not (volume / name).is_symlink():
            (volume / name).symlink_to(Path("..data") / name)
    for path in volume.iterdir():
        if not path.name.startswith("..") and path.name not in files:
            path.unlink()
    if old:
        shutil.rmtree(volume / old)


def sees(path: Path, change: Callable[[], object]) -> bool:
    """Whether a look at `path` tells that `change` happened."""
    before = look([path])
    change()
    return look([path]) != before


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kit.toml"
    path.write_text("a")
    return path


def test_a_file_that_nobody_touches_looks_the_same(file: Path) -> None:
    """Reading it is no change, and neither is another file beside it."""
    assert not sees(file, file.read_text)
    assert not sees(file, file.with_name("other").touch)


def test_every_way_to_write_a_file_is_seen(file: Path) -> None:
    """In place, appended, renamed over, moved away, linked elsewhere."""
    other = file.with_name("other")
    assert sees(file, lambda: file.write_text("longer"))
    with file.open("a") as end:
        assert sees(file, lambda: (end.write("more"), end.flush()))
    other.write_text("of another file")
    assert sees(file, lambda: other.rename(file))
    assert sees(file, lambda: file.rename(other))
    assert look([file]) == {str(file): None}
    assert sees(file, lambda: file.symlink_to(other))


@pytest.mark.skipif(os.name != "posix", reason="only there is this time the one of a change")
def test_what_neither_size_nor_time_of_writing_tells_is_seen(file: Path) -> None:
    """As many bytes with their old time, as some tools write; a file that may be read at last."""

    def write_as_if_never_written() -> None:
        time.sleep(TICK)
        file.write_text("b")
        os.utime(file, ns=(0, 0))

    def allow() -> None:
        time.sleep(TICK)
        file.chmod(0o644)

    os.utime(file, ns=(0, 0))
    assert sees(file, write_as_if_never_written)
    file.chmod(0o200)
    assert sees(file, allow)


@pytest.mark.parametrize("watched", ["kit.toml", "."])
def test_the_exchange_of_data_in_a_kubernetes_volume_is_seen(tmp_path: Path, watched: str) -> None:
    """Through the file and through the directory; no link that the program knows has changed."""
    volume = tmp_path / "volume"
    mount(volume, {"kit.toml": "a"}, 1)
    link = (volume / "kit.toml").lstat()
    assert sees(volume / watched, lambda: mount(volume, {"kit.toml": "a"}, 2))
    assert (volume / "kit.toml").lstat().st_mtime_ns == link.st_mtime_ns


def test_a_directory_is_what_lies_right_inside(tmp_path: Path) -> None:
    """A file more, a file less, a file changed: but not what begins with a dot or lies deeper."""
    (tmp_path / "token").write_text("a")
    (tmp_path / "deeper").mkdir()
    assert sees(tmp_path, (tmp_path / "another").touch)
    assert sees(tmp_path, lambda: (tmp_path / "token").write_text("longer"))
    assert sees(tmp_path, (tmp_path / "another").unlink)
    assert not sees(tmp_path, (tmp_path / ".swp").touch)
    assert not sees(tmp_path, (tmp_path / "deeper/file").touch)


def test_no_path_is_too_strange_to_look_at(tmp_path: Path) -> None:
    """A link to itself, a path through a file, a name that is too long, a pipe: none raises."""
    loop, file, pipe = tmp_path / "loop", tmp_path / "file", tmp_path / "pipe"
    loop.symlink_to(loop)
    file.touch()
    os.mkfifo(pipe)
    found = look([loop, file / "in_it", tmp_path / ("x" * 300), pipe])
    assert len(found) == 4
    assert found[str(file / "in_it")] is None
    assert len(look([tmp_path])) == 4


def test_a_mount_by_sub_path_never_changes_and_is_the_only_one_so(tmp_path: Path) -> None:
    """A bind mount of a file holds on to its inode. A hard link does the same, without a mount."""
    volume, by_sub_path = tmp_path / "volume", tmp_path / "kit.toml"
    mount(volume, {"kit.toml": "a"}, 1)
    os.link((volume / "kit.toml").resolve(), by_sub_path)
    before = look([by_sub_path])[str(by_sub_path)]
    assert sees(volume / "kit.toml", lambda: mount(volume, {"kit.toml": "b"}, 2))
    after = look([by_sub_path])[str(by_sub_path)]
    assert before
    assert after
    assert by_sub_path.read_text() == "a"
    # The link count went from two to one, which is a change of the inode that content did not have.
    assert (before.place, before.about[:4]) == (after.place, after.about[:4])


BIND = """
import sys
from pathlib import Path
from otlp_kit.settings.watching import look, mounted_files
print(*mounted_files(look(sys.argv[1:]), Path("/proc/self/mountinfo").read_text()), sep="\\n")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="bind mounts are Linux's")
def test_the_system_says_which_file_is_mounted_by_itself(tmp_path: Path) -> None:
    """Asked of a real bind mount, with a blank in its name; links to it and others' mounts differ."""
    volume, app = tmp_path / "volume", tmp_path / "an app"
    mount(volume, {"kit.toml": "a"}, 1)
    app.mkdir()
    trap, link, safe = app / "kit.toml", app / "link", app / "safe.toml"
    trap.touch()
    safe.touch()
    link.symlink_to(trap)
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh",
         volume / "kit.toml", trap, sys.executable, "-c", BIND, trap, link, safe, app, volume],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"may not mount here: {done.stderr}")
    assert done.stdout.splitlines() == [str(trap), str(link)]


def test_what_a_mount_point_is_called_is_read_as_the_system_writes_it() -> None:
    """Blanks come as octal codes; a directory that is mounted is no trap."""
    text = (
        "35 24 0:30 / /proc rw - proc proc rw\n"
        r"36 35 98:0 /mnt1 /etc/a\040b\134c rw,noatime master:1 - ext3 /dev/root rw" "\n"
        "37 35 98:0 /mnt2 /etc/kit rw - ext3 /dev/root rw\n"
        "torn line\n"
    )  # fmt: skip
    found = {
        "here": At("/etc/a b\\c"),
        "there": At("/etc/kit", directory=True),
        "nowhere": None,
        "else": At("/etc/kit/kit.toml"),
    }
    assert mounted_files(found, text) == ("here",)


def shown(content: str) -> Look:
    """What a look finds at one file with `content`; at none for an empty one."""
    return {"kit.toml": At(content) if content else None}


def test_it_is_read_once_it_rests() -> None:
    """Each further change begins the wait anew; afterwards there is nothing to do."""
    watch = Watch(shown("a"), SETTLE)
    assert watch.due(shown("a"), 100.0) is None
    assert watch.due(shown("b"), 101.0) == SETTLE
    assert watch.due(shown("c"), 101.25) == SETTLE
    assert watch.due(shown("c"), 101.5) == 0.25
    assert watch.due(shown("c"), 101.75) == 0.0
    watch.was_read(shown("c"))
    assert watch.due(shown("c"), 102.0) is None


def test_a_file_that_comes_back_as_it_was_is_no_change() -> None:
    """Somebody moved it away and back, and nobody has to know."""
    watch = Watch(shown("a"), SETTLE)
    assert watch.due(shown("b"), 1.0) == SETTLE
    assert watch.due(shown("a"), 1.25) is None


def test_a_file_that_is_away_for_a_moment_is_waited_for() -> None:
    """Longer than for any other change: between unlink and rename there is none."""
    watch = Watch(shown("a"), SETTLE)
    assert watch.due(shown(""), 1.0) == AWAY
    assert watch.due(shown(""), 2.5) == AWAY - 1.5
    assert watch.due(shown("b"), 2.75) == SETTLE
    assert watch.due(shown(""), 3.0) == AWAY
    assert watch.due(shown(""), 3.0 + AWAY) == 0.0, "it stayed away"
    watch.was_read(shown(""))
    assert watch.due(shown("b"), 6.0) == SETTLE


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.125, 0.25, 0.5, 1.0]))))
def test_whatever_happens_the_last_state_is_read_and_none_that_moves(
    steps: list[tuple[str, float]],
) -> None:
    """Against the rule itself: read what has looked the same for `settle`, and is not what was read."""
    watch, now, read, last, since = Watch(shown("a"), SETTLE), 0.0, "a", "a", 0.0
    for content, passed in [*steps, (steps[-1][0] if steps else "a", SETTLE)]:
        now += passed
        if content != last:
            last, since = content, now
        due = watch.due(shown(content), now)
        assert (due is None) == (content == read)
        if due is not None:
            assert due == max(0.0, SETTLE - (now - since))
            if due == 0:
                read = content
                watch.was_read(shown(content))
    now += SETTLE
    if watch.due(shown(last), now) == 0:
        read = last
    assert read == last
