"""Where an exporter is put to the test: a hostile server of its transport, and what was seen.

    bench = HttpBench(make, records=None, content_type=PROTOBUF)
    seen = bench.play(bench.busy(), bench.ok())       # one export, answered 503 and then 200
    seen.gaps                                         # seconds between its requests

The two transports (`exporter_transports`) answer alike (`ok`, `busy`, `refuse`, ...), so that a check
is written once. This file knows nothing about what is right; the checks do.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

from otlp_kit.testing.exporter_subject import Make, Outcome, Records, Subject
from otlp_kit.testing.hostile_record import Arrival, Record
from otlp_kit.wire import PROTOBUF

PATIENCE = 8.0
"""Seconds that an export gets where nothing else is said: the official ones retry after 1, 3, 7."""


class Failed(Exception):
    """The line does not hold; the text says what was seen."""


class NotApplicable(Exception):
    """Nothing can be said about the line; the text says why."""


def expect(holds: bool, seen: str) -> None:
    """Raise `Failed` unless the line holds."""
    if not holds:
        raise Failed(seen)


def not_applicable(why: str) -> NoReturn:
    raise NotApplicable(why)


@dataclass(frozen=True, slots=True)
class Seen:
    """One export, from both ends."""

    outcome: Outcome
    arrivals: tuple[Arrival, ...]
    connections: int
    sent: int

    @property
    def count(self) -> int:
        """Requests."""
        return len(self.arrivals)

    @property
    def gaps(self) -> list[float]:
        """Seconds between each request and the next."""
        return [later.at - earlier.at for earlier, later in pairwise(self.arrivals)]

    def only(self) -> Arrival:
        """The one request there has to be."""
        expect(self.count == 1, f"{self.count} requests; export said {self.outcome.said}")
        return self.arrivals[0]


class Bench(ABC):
    """One factory at one transport. Everything it starts ends with the call that started it."""

    transport: str
    content_type = PROTOBUF

    def __init__(self, make: Make, records: Records | None = None) -> None:
        self._make = make
        self._records = records
        taken = inspect.signature(make).parameters
        self._takes_all = any(one.kind is one.VAR_KEYWORD for one in taken.values())
        self._taken = set(taken)

    def takes(self, setting: str) -> bool:
        """Whether the factory takes an argument of this name."""
        return self._takes_all or setting in self._taken

    @contextmanager
    def subject(
        self, endpoint: str, *, patience: float = PATIENCE, **settings: Any
    ) -> Iterator[Subject]:
        """A new exporter that sends to `endpoint`. Raises `NotApplicable` for an unknown setting."""
        for name in settings:
            if not self.takes(name):
                not_applicable(f"the factory does not take {name!r}")
        timed = self.takes("timeout")
        if timed:
            settings["timeout"] = patience
        try:
            exporter = self._make(endpoint, **settings)
        except Exception as error:
            raise Failed(f"with {settings} the factory raised {error!r}") from error
        subject = Subject(exporter, self._records, patience, timed)
        try:
            yield subject
        finally:
            subject.shut_down()

    def play(
        self,
        *script: Any,
        path: str = "",
        count: int = 1,
        size: int = 0,
        patience: float = PATIENCE,
        **settings: Any,
    ) -> Seen:
        """One export of `count` spans against `script`: answers, or one function that makes them."""
        with (
            self.server(script[0] if callable(script[0]) else script) as (server, endpoint),
            self.subject(endpoint + path, patience=patience, **settings) as subject,
        ):
            outcome = subject.export(count, size)
            sent = getattr(server, "sent", 0)
            return Seen(outcome, server.arrivals, server.connections, sent)

    def play_all(self, scripts: Sequence[Sequence[Any]], **settings: Any) -> list[Seen]:
        """An export against each script, all at once, each with a server and an exporter."""
        with ThreadPoolExecutor(len(scripts)) as threads:
            return list(threads.map(lambda script: self.play(*script, **settings), scripts))

    @abstractmethod
    def server(self, script: Any) -> AbstractContextManager[tuple[Record, str]]:
        """A server and its endpoint."""

    @abstractmethod
    def late_server(self, script: Any) -> AbstractContextManager[tuple[str, Callable[[], Record]]]:
        """An endpoint at which nobody listens, and a function that changes that."""

    @abstractmethod
    def ok(self, rejected: int = 0, message: str = "") -> Any:
        """Success, or a partial one."""

    @abstractmethod
    def empty_partial(self) -> Any:
        """A partial success that rejects nothing and says nothing."""

    @abstractmethod
    def busy(self, retry_after: int | None = None) -> Any:
        """A failure that may be retried."""

    @abstractmethod
    def refuse(self) -> Any:
        """A failure that must not be retried."""

    @abstractmethod
    def silent(self) -> Any:
        """No answer."""

    @abstractmethod
    def slow(self, seconds: float) -> Any:
        """Success that comes late."""
