"""A file to which whole lines are appended, by several threads and processes, and which is rotated.

    file = LineFile(Path("traces.jsonl"), max_bytes=10_000_000, keep=5)
    file.append(b'{"a":1}\\n', deadline)

After `traces.jsonl` come `traces.jsonl.1`, the latest finished one, to `traces.jsonl.5`. It knows
nothing of what a line says.

A line is one write in append mode, under a lock of the file that all processes share (`flock`, where
there is one). So no line stands inside another, a finished file ends with a whole line, and what a
full disk let through of a line is taken back. What a crash left of one is closed with a newline: it
costs no line but itself. A file that somebody else moved or deleted is opened anew.

Durability: when `append` returns, the system has the line. It outlives this process, not a power
cut; with `sync` the disk has it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from weakref import WeakMethod

try:
    import fcntl
except ImportError:  # not everywhere; there, one process may write
    fcntl = None  # type: ignore[assignment]

POLL = 0.005
"""Seconds between two attempts to get the file's lock: there is no waiting for it with a limit."""

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)


class LineFile:
    """The file at `path`, opened at the first line.

    `max_bytes` is the most that one file holds, None for no limit; `keep` is how many finished files
    stay beside it. `sync` waits for the disk at each line.
    """

    def __init__(
        self, path: Path, *, max_bytes: int | None = None, keep: int = 5, sync: bool = False
    ) -> None:
        self._path = path
        self._max_bytes, self._keep, self._sync = max_bytes, keep, sync
        self._lock = threading.Lock()
        self._file: int | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_call, WeakMethod(self._begin_anew)))

    def append(self, line: bytes, deadline: float) -> None:
        """Write `line`, which ends with a newline, whole or not at all.

        `deadline` is a time of `time.monotonic()`. Raises `OSError`; `TimeoutError` if others held
        the file too long.
        """
        left = min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)
        if not self._lock.acquire(timeout=left):
            raise TimeoutError("another thread is still writing")
        try:
            file, end = self._open_with_room(len(line), deadline)
            try:
                if end and not _ends_a_line(file):
                    line = b"\n" + line  # who began that line is gone
                try:
                    self._write(file, line, end == 0)
                except OSError:
                    with suppress(OSError):  # if that fails too, the next line closes this one
                        os.ftruncate(file, end)
                    raise
            finally:
                _unlock(file)
        finally:
            self._lock.release()

    def _write(self, file: int, line: bytes, is_new: bool) -> None:
        written = os.write(file, line)
        while written < len(line):  # a disk that is almost full; the next write says so
            written += os.write(file, line[written:])
        if self._sync:
            os.fsync(file)
            if is_new:
                _sync_name(self._path.parent)

    def close(self) -> None:
        """Close the file; another `append` opens it again."""
        with self._lock:
            self._forget()

    def _open_with_room(self, size: int, deadline: float) -> tuple[int, int]:
        """The file, locked, with room for `size` bytes more; and how many it holds."""
        while True:
            if self._file is None:
                self._file = os.open(self._path, FLAGS, 0o666)
            file = self._file
            _lock(file, deadline)
            try:
                end = os.fstat(file).st_size
                if not self._is_at_its_path(file):
                    self._forget()
                elif end and self._max_bytes and end + size > self._max_bytes:
                    self._rotate()
                    self._forget()
                else:
                    return file, end
            except BaseException:
                _unlock(file)
                raise

    def _is_at_its_path(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self._path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        """Move the finished files up by one; the last gives way. The lock of the latest is held."""
        if not self._keep:
            self._path.unlink()
            return
        for number in range(self._keep, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path

    def _forget(self) -> None:
        """Close the file, and so release its lock."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _begin_anew(self) -> None:
        """In the child of a fork: an inherited file shares its lock with the parent's."""
        self._lock = threading.Lock()
        self._forget()


def _call(method: WeakMethod[Callable[[], None]]) -> None:
    """Call a method of what may be gone by now."""
    if alive := method():
        alive()


def _lock(file: int, deadline: float) -> None:
    if fcntl is None:
        return
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError("another process is still writing") from None
        time.sleep(POLL)


def _unlock(file: int) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_UN)


def _ends_a_line(file: int) -> bool:
    os.lseek(file, -1, os.SEEK_END)  # where to read; what is written goes to the end anyway
    return os.read(file, 1) == b"\n"


def _sync_name(directory: Path) -> None:
    """A file whose name is not on the disk is lost with all that it holds."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
