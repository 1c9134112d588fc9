"""What one page has while its blocks run: a folder, a shell, ports, and what was printed last.

The page says `127.0.0.1:4318`, as its reader will type it; the tests may run beside a receiver
that has that port. So the page gets free ports, put in before a block runs and taken out of what
it printed. `otlp-kit` finds its data directory inside the page's folder.
"""

from __future__ import annotations

import asyncio
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from sybil import Document

ROOT = Path(__file__).resolve().parent.parent
WELL_KNOWN = re.compile(r"(?<=127\.0\.0\.1:)43\d\d\b")
END = "\x1e"
PATIENCE = 60.0
"""Seconds after which a command counts as stuck."""


class Page(Document):
    """One Markdown file. Its Python blocks share a namespace, its shell blocks a shell."""

    def __init__(self, text: str, path: str) -> None:
        super().__init__(text, path)
        self.namespace.update(__name__="__main__", __page__=self)
        self.printed: str | None = None
        self._ports: dict[str, str] = {}

    @cached_property
    def _temporary(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="otlp-kit-page-", ignore_cleanup_errors=True)

    @property
    def folder(self) -> Path:
        """Where the page's blocks run and its files are."""
        return Path(self._temporary.name)

    @cached_property
    def shell(self) -> Shell:
        return Shell(self.folder)

    @cached_property
    def runner(self) -> asyncio.Runner:
        """The event loop of blocks with a top-level `await`."""
        return asyncio.Runner()

    def local(self, text: str) -> str:
        """`text` with free ports in place of the well-known ones."""
        return WELL_KNOWN.sub(self._free_port, text)

    def published(self, text: str) -> str:
        """The opposite of `local`, for what was printed."""
        for known, free in self._ports.items():
            text = re.sub(rf"(?<=127\.0\.0\.1:){free}\b", known, text)
        return text

    def _free_port(self, known: re.Match[str]) -> str:
        if known[0] not in self._ports:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                self._ports[known[0]] = str(probe.getsockname()[1])
        return self._ports[known[0]]

    def close(self) -> None:
        """End the shell and everything that it started; remove the folder."""
        for name in ("shell", "runner"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
        if "_temporary" in self.__dict__:
            self._temporary.cleanup()


class Shell:
    """A bash that lives as long as its page, so that `cd` and background jobs last."""

    def __init__(self, folder: Path) -> None:
        here = Path(sys.executable).parent
        self.environment = os.environ | {
            "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}",
            "XDG_DATA_HOME": str(folder / ".local/share"),
            "CHECKOUT": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "100",
        }
        self._process = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, cwd=folder, env=self.environment, start_new_session=True,
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def run(self, command: str, background_lines: int = 0) -> tuple[str, int]:
        """Output and exit status. A job sent to the background is given time to print its lines."""
        assert self._process.stdin
        self._process.stdin.write(f"{{ {command}\n}} </dev/null; printf '\\n{END}%d\\n' $?\n")
        self._process.stdin.flush()
        output: list[str] = []
        while not (line := self._next(output)).startswith(END):
            output.append(line)
        output = "".join(output)[:-1].splitlines(keepends=True)
        while len(output) < background_lines:
            output.append(self._next(output))
        return "".join(output), int(line[1:])

    def _next(self, so_far: list[str]) -> str:
        try:
            return self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise TimeoutError(f"stuck; printed so far:\n{''.join(so_far)}") from None

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(f"{END}1")  # the shell itself ended

    def close(self) -> None:
        """End the shell and its jobs: they are one process group."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
