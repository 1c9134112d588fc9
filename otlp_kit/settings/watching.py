"""When is it time to read files of settings again? By looking at them, and at nothing else.

    watch = Watch(look(paths), settle=0.2)
    watch.due(look(paths), now)         # None: as it was read; 0.0: read; else seconds until then
    watch.was_read(found)               # `found` is what was looked at before it was read

`look` asks the system what each path leads to: its real place, inode, size and times. So it sees a
file that is written, one that an editor renames over another, and the link `..data` that Kubernetes
exchanges. It needs no notification, which network file systems do not give, and reads no file.
`Watch` is the decision; it knows no file and no clock.

What cannot be seen: a file that is itself a mount point (`subPath` in Kubernetes, `-v FILE:FILE` in
Docker) stays the file it was at the start, whatever is renamed over its source. `mounted_files`
names them; mount the directory instead. Also unseen is a change of content within one tick of the
file system's clock that keeps size and inode, if it comes after the file was read in that tick.

https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from otlp_kit.settings.secret_files import secret_files

AWAY = 2.0
"""Seconds for which a file may be missing, as between unlink and rename, before that is a change."""


class At(NamedTuple):
    """What a path leads to. Two that are equal are the same file with the same content."""

    place: str
    """The path without links; empty where the system does not let it be seen."""
    directory: bool = False
    about: tuple[int | None, ...] = ()
    """Device and inode; of a file its size and times, too. Without a place, why there is none."""


Look: TypeAlias = Mapping[str, At | None]
"""What is where, by path; None: nothing."""


def look(paths: Iterable[str | os.PathLike[str]]) -> Look:
    """What `paths` lead to now: files, and directories with what is right inside them.

    Names in a directory that begin with a dot are left out, as `secret_files` does. Never raises for
    what a file system can do.
    """
    return {str(file): _at(file) for path in map(Path, paths) for file in (path, *_inside(path))}


def _inside(path: Path) -> Iterable[Path]:
    try:
        return secret_files(path).values()
    except ValueError:  # it is a file, or may not be listed
        return ()


def _at(path: Path) -> At | None:
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return At("", about=(error.errno,))
    place = os.path.realpath(path)
    if stat.S_ISDIR(about.st_mode):  # what else happens inside is no change
        return At(place, True, (about.st_dev, about.st_ino))
    # st_ctime, too: it changes with owner and mode, so that a file may be read at last.
    times = about.st_mtime_ns, about.st_ctime_ns
    return At(place, False, (about.st_dev, about.st_ino, about.st_size, *times))


class Watch:
    """Says when to read: `settle` seconds after the last change, `AWAY` after something vanished.

    `read` is what was looked at before it was read for the first time. What changes more often than
    every `settle` seconds is not read until it rests.
    """

    def __init__(self, read: Look, settle: float) -> None:
        self._read = self._last = read
        self._since = 0.0
        self._settle = settle

    def due(self, found: Look, now: float) -> float | None:
        """Seconds until it is time to read; None if all is as it was when it was read."""
        if found != self._last:
            self._last, self._since = found, now
        if found == self._read:
            return None
        vanished = any(at and not found.get(path) for path, at in self._read.items())
        rest = max(self._settle, AWAY) if vanished else self._settle
        return max(0.0, self._since + rest - now)

    def was_read(self, found: Look) -> None:
        """What `found` shows has been read, successfully or not."""
        self._read = found


def mounted_files(found: Look, mountinfo: str) -> tuple[str, ...]:
    """Those files in `found` that are mount points themselves, so that no exchange reaches them.

    `mountinfo` is the text of `/proc/self/mountinfo`:
    https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    """
    lines = [line.split(" ") for line in mountinfo.splitlines()]
    points = {_unescaped(line[4]) for line in lines if len(line) > 4}
    return tuple(
        path for path, at in found.items() if at and not at.directory and at.place in points
    )


def _unescaped(point: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point)
