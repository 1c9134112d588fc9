"""A PostgreSQL server of the tests' own, from Debian's package `postgresql`.

    with running_server() as server:
        PostgresStore(server.new_database())

Its files lie in a temporary directory, it listens on a Unix socket there and on no port, and it ends
with the block. PostgreSQL refuses to run as root, so root runs it as the user of the package.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

PASSWORD = "s3cret-of-the-tests"
NUMBERS = itertools.count()


def programs() -> Path | None:
    """The directory of `initdb` and `postgres`: from the PATH, else the newest of Debian's."""
    found = shutil.which("initdb")
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4])
    )
    return Path(found).parent if found else debian[-1].parent if debian else None


def other_user() -> dict[str, Any]:
    """What `subprocess` needs so that the server does not run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


class Server:
    """A server in `home`, started and killed at will; the user is `kit`, with a password."""

    def __init__(self, bin_directory: Path, home: Path) -> None:
        self._bin, self.home = bin_directory, home
        self._user = other_user()
        password = home / "password"
        password.write_text(PASSWORD)
        for path in (home, password):
            os.chown(path, self._user.get("user", -1), self._user.get("group", -1))
        subprocess.run(
            [self._bin / "initdb", "-D", home / "data", "-U", "kit", "-A", "scram-sha-256",
             "--pwfile", password, "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True, capture_output=True, cwd=home, **self._user,
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers; after a `kill`, until the old one's memory is free."""
        deadline = time.monotonic() + 60
        while True:
            self.process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.home / "data", "-k", self.home, "-h", "",
                 "-c", "fsync=off"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.home, **self._user,
            )  # fmt: skip
            while self.process.poll() is None:
                try:
                    psycopg.connect(self.conninfo("postgres")).close()
                except psycopg.OperationalError:
                    assert time.monotonic() < deadline, "PostgreSQL did not start"
                    time.sleep(0.05)
                else:
                    return
            assert time.monotonic() < deadline, "PostgreSQL ended at once"
            time.sleep(0.05)

    def kill(self) -> None:
        """As a crash would end it."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)  # the fast way: clients are cut off
        self.process.wait(timeout=60)

    def conninfo(self, database: str) -> str:
        return f"host={self.home} user=kit password={PASSWORD} dbname={database}"

    def new_database(self, options: str = "") -> str:
        """A new, empty database as a connection string."""
        name = f"kit{next(NUMBERS)}"
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name} template template0 {options}")
        return self.conninfo(name)


@contextmanager
def running_server() -> Iterator[Server]:
    """A server until the end of the block; the test is skipped where there is none to run."""
    bin_directory = programs()
    if bin_directory is None:
        pytest.skip("there is no PostgreSQL server here: install Debian's package postgresql")
    with tempfile.TemporaryDirectory(prefix="kit") as home:
        server = Server(bin_directory, Path(home))
        try:
            yield server
        finally:
            server.stop()


def ask(conninfo: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, by psycopg itself."""
    with psycopg.connect(conninfo) as connection:
        return list(connection.execute(query).fetchall())
