"""A file of whole lines: several writers, rotation, and what a crash or a full disk leaves."""

from __future__ import annotations

import fcntl
import math
import multiprocessing
import os
import resource
import threading
import time
from pathlib import Path

import pytest

from otlp_kit.exporters.line_file import LineFile

PATIENCE = 60.0


def lines_of(directory: Path) -> list[bytes]:
    """All lines of all files, each of which must end with a whole one."""
    lines: list[bytes] = []
    for file in directory.iterdir():
        data = file.read_bytes()
        assert data.endswith(b"\n")
        lines += data.splitlines()
    return lines


def test_the_full_file_becomes_number_one(tmp_path: Path) -> None:
    """The latest finished file is .1; what is older than `keep` goes."""
    file = LineFile(tmp_path / "a.jsonl", max_bytes=4, keep=2)
    for letter in b"abcdefg":
        file.append(bytes([letter, 10]), math.inf)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.jsonl": b"g\n",
        "a.jsonl.1": b"e\nf\n",
        "a.jsonl.2": b"c\nd\n",
    }


def test_nothing_but_the_file_may_be_kept(tmp_path: Path) -> None:
    """With `keep` 0 a full file is deleted."""
    file = LineFile(tmp_path / "a", max_bytes=2, keep=0)
    file.append(b"a\n", math.inf)
    file.append(b"b\n", math.inf)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"b\n"]


def test_a_file_that_was_there_is_continued_and_counted(tmp_path: Path) -> None:
    """What an earlier run wrote fills the file too."""
    path = tmp_path / "a"
    path.write_bytes(b"old\n")
    file = LineFile(path, max_bytes=6)
    file.append(b"n\n", math.inf)
    assert path.read_bytes() == b"old\nn\n"
    file.append(b"n\n", math.inf)
    assert path.read_bytes() == b"n\n"


def test_what_a_crash_left_is_closed(tmp_path: Path) -> None:
    """A line without its end does not swallow the next one."""
    path = tmp_path / "a"
    path.write_bytes(b"whole\nhal")
    LineFile(path).append(b"new\n", math.inf)
    assert path.read_bytes() == b"whole\nhal\nnew\n"


@pytest.mark.parametrize("away", ["rename", "delete"])
def test_a_file_that_somebody_took_is_opened_anew(tmp_path: Path, away: str) -> None:
    """Another program may rotate: lines do not go on into what it moved."""
    path = tmp_path / "a"
    file = LineFile(path)
    file.append(b"1\n", math.inf)
    if away == "rename":
        path.rename(tmp_path / "b")
    else:
        path.unlink()
    file.append(b"2\n", math.inf)
    assert path.read_bytes() == b"2\n"
    file.close()
    file.append(b"3\n", math.inf)
    assert path.read_bytes() == b"2\n3\n"


def write_to_the_limit(path: Path) -> None:
    """In a process of its own: files may have ten bytes, then more."""
    file = LineFile(path)
    file.append(b"first\n", math.inf)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 100))
    with pytest.raises(OSError, match="File too large"):
        file.append(b"does not fit\n", math.inf)
    assert path.read_bytes() == b"first\n"
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    file.append(b"later\n", math.inf)


def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    """The system took four bytes of the line and no more: none is left."""
    child = multiprocessing.get_context("fork").Process(
        target=write_to_the_limit, args=(tmp_path / "a",)
    )
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == 0
    assert (tmp_path / "a").read_bytes() == b"first\nlater\n"


def write_many(file: LineFile, name: int, count: int) -> None:
    for number in range(count):
        file.append(f"{name}:{number}:{'x' * 5000}\n".encode(), math.inf)


def test_threads_and_processes_share_a_file_and_its_rotation(tmp_path: Path) -> None:
    """Children that inherited it open: every line is there once, whole."""
    file = LineFile(tmp_path / "a", max_bytes=100_000, keep=1000)
    file.append(b"0:0:x\n", math.inf)
    fork = multiprocessing.get_context("fork")
    writers: list[threading.Thread | multiprocessing.context.ForkProcess] = [
        fork.Process(target=write_many, args=(file, name, 50)) for name in (1, 2, 3)
    ]
    for writer in writers:
        writer.start()
    writers += [threading.Thread(target=write_many, args=(file, name, 50)) for name in (4, 5)]
    for writer in writers[3:]:
        writer.start()
    for writer in writers:
        writer.join(PATIENCE)
    lines = lines_of(tmp_path)
    assert len(lines) == 251
    found = sorted(tuple(map(int, line.split(b":")[:2])) for line in lines)
    assert found == [(0, 0), *((name, n) for name in range(1, 6) for n in range(50))]
    assert all(path.stat().st_size <= 100_000 for path in tmp_path.iterdir())


def test_who_waits_for_the_file_waits_no_longer_than_the_deadline(tmp_path: Path) -> None:
    """Another process stopped in the middle of a line."""
    path = tmp_path / "a"
    file = LineFile(path)
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="another process"):
            file.append(b"1\n", time.monotonic())
        waiting = threading.Thread(target=file.append, args=(b"2\n", math.inf))
        waiting.start()
        while not file._lock.locked():
            time.sleep(0.001)
        with pytest.raises(TimeoutError, match="another thread"):
            file.append(b"3\n", time.monotonic())
    waiting.join(PATIENCE)
    assert path.read_bytes() == b"2\n"


def test_a_child_does_not_wait_for_a_thread_of_its_parent(tmp_path: Path) -> None:
    """At the fork another thread was in the middle of a line, and held the lock."""
    path = tmp_path / "a"
    file = LineFile(path)
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = threading.Thread(target=file.append, args=(b"parent\n", math.inf))
        waiting.start()
        while not file._lock.locked():
            time.sleep(0.001)
        child = os.fork()
        if not child:
            try:
                with pytest.raises(TimeoutError, match="another process"):
                    file.append(b"child\n", time.monotonic())
                fcntl.flock(other, fcntl.LOCK_UN)
                file.append(b"child\n", time.monotonic() + PATIENCE)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    waiting.join(PATIENCE)
    assert sorted(path.read_bytes().splitlines()) == [b"child", b"parent"]


def test_the_disk_may_be_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `sync` the line is forced to the disk, and with the first one the file's name."""
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(Path(f"/dev/fd/{file}").is_dir()))
    file = LineFile(tmp_path / "a", sync=True)
    file.append(b"1\n", math.inf)
    file.append(b"2\n", math.inf)
    assert synced == [False, True, False]


def test_what_the_disk_did_not_take_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who tries again would write it twice."""

    def broken(file: int) -> None:
        raise OSError(5, "Input/output error")

    file = LineFile(tmp_path / "a", sync=True)
    file.append(b"1\n", math.inf)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="Input/output"):
            file.append(b"2\n", math.inf)
    file.append(b"3\n", math.inf)
    assert (tmp_path / "a").read_bytes() == b"1\n3\n"
