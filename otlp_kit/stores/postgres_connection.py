"""A connection to PostgreSQL that waits until a deadline and no longer, and what errors may show.

psycopg's own limits hold for each address of a host, or for one statement on the server; here
everything together, the connecting included, is over at one time of `time.monotonic()`. Only the
look-up of a host's name is the system's affair.

https://www.postgresql.org/docs/current/libpq-async.html
"""

from __future__ import annotations

import math
import selectors
import time
from collections.abc import Generator
from typing import Any, TypeAlias

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from otlp_kit.stores import postgres_schema as sql
from otlp_kit.wire import Refused, Unavailable

SHOWN = ("host", "hostaddr", "port", "dbname", "user", "service")
"""What an error may repeat of a connection string."""

Waiting: TypeAlias = Generator[Any, Any, Any]


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits for its server until `deadline` and no longer."""

    deadline = math.inf

    @classmethod
    def opened(cls, conninfo: str, deadline: float) -> Connection:
        """Connect by the deadline: libpq's own limit holds for each address, and is two seconds at least."""
        server = pq.PGconn.connect_start(conninfo.encode())
        with selectors.DefaultSelector() as selector:
            while (status := server.connect_poll()) != pq.PollingStatus.OK:
                if status == pq.PollingStatus.FAILED:
                    raise psycopg.OperationalError(server.error_message.decode(errors="replace"))
                reading = status == pq.PollingStatus.READING
                key = selector.register(
                    server.socket, selectors.EVENT_READ if reading else selectors.EVENT_WRITE
                )
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError("no answer to the attempt to connect")
                selector.unregister(key.fileobj)
        server.nonblocking = 1
        connection = cls(server)
        # Statements that the server keeps by name get lost in a pool between it and this process.
        connection.prepare_threshold = None
        return connection

    def begin(self, deadline: float) -> None:
        """Begin a transaction that both sides give up at the deadline."""
        self.deadline = deadline
        left = deadline - time.monotonic()
        self.execute(sql.BEGIN, (str(max(1, math.ceil(left * 1000))),))

    def wait(self, gen: Waiting, *args: Any, **kwargs: Any) -> Any:
        return super().wait(self._bounded(gen), *args, **kwargs)

    def _bounded(self, gen: Waiting) -> Waiting:
        """`gen`, which yields whenever it has to wait, and is asked again every now and then."""
        try:
            wanted = next(gen)
            while True:
                if time.monotonic() >= self.deadline:
                    raise TimeoutError("the server did not answer by the deadline")
                wanted = gen.send((yield wanted))
        except StopIteration as done:
            return done.value


def checked(conninfo: str) -> tuple[str, str]:
    """`conninfo` with what this store needs, and the part of it that may be shown."""
    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(conninfo).items()}
    except psycopg.Error:
        # libpq's own words repeat the part that it cannot read, which may be of the password.
        raise ValueError(
            "conninfo must be a URL postgresql://user:password@host/database or key=value pairs"
        ) from None
    is_port = all(port == "" or port.isdecimal() for port in parts.get("port", "").split(","))
    if not is_port or ("://" in conninfo and conninfo.count("@") > 1):
        raise ValueError("conninfo: in a URL, write @ : / of a password as %40 %3A %2F")
    shown = " ".join(f"{key}={parts[key]}" for key in SHOWN if key in parts)
    return make_conninfo(conninfo, client_encoding="UTF8"), f"PostgreSQL ({shown or 'by default'})"


class Broken(Unavailable):
    """The connection was lost, which says nothing about the next one."""


def failure(
    error: Exception, where: str, *, committing: bool, broken: bool
) -> Unavailable | Refused:
    """What an error means. The server's details and contexts stay out: they quote the rows."""
    text = str(error)
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        text = f"{error.diag.message_primary} ({error.sqlstate})"
    text = f"{where}: {' '.join(text.split())}"
    kinds = (psycopg.DataError, psycopg.IntegrityError)
    if isinstance(error, kinds) or (getattr(error, "sqlstate", None) or "").startswith("54"):
        return Refused(text)  # class 54: a limit of the program is exceeded
    return (Broken if broken else Unavailable)(text, maybe_delivered=committing)
