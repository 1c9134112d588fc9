"""A line of the specification and the check that holds an exporter to it, as one row of a table.

    CHECKS = Checks()

    @CHECKS.line(49, "MUST", "400 is not retried")
    def bad_request(bench): ...             # raises Failed or NotApplicable

The numbers are those of the kit's conformance list, as in `@pytest.mark.spec("OTLP-49")`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Level = Literal["MUST", "SHOULD"]

Run = TypeVar("Run", bound=Callable[[Any], None])


@dataclass(frozen=True, slots=True)
class Line:
    """A statement without a keyword, such as a default path, counts as MUST."""

    number: int
    level: Level
    text: str
    """What holds where the check passes."""


@dataclass(frozen=True, slots=True)
class Check:
    """`run(bench)` returns where the line holds."""

    line: Line
    run: Callable[[Any], None]
    alone: bool
    """Whether nothing else may run meanwhile: it measures what the whole process does."""


class Checks:
    """The checks of one file, in the order in which they stand there."""

    def __init__(self) -> None:
        self.all: list[Check] = []

    def line(
        self, number: int, level: Level, text: str, *, alone: bool = False
    ) -> Callable[[Run], Run]:
        """Make the decorated function the check of a line."""

        def keep(run: Run) -> Run:
            self.all.append(Check(Line(number, level, text), run, alone))
            return run

        return keep


UNSEEN = {
    3: "the default port: every exporter here is told where to send",
    4: "the default port: every exporter here is told where to send",
    6: "another path is another endpoint: lines 89 and 90",
    7: "HTTP/2 is allowed, and nothing is lost without it",
    36: "the same as line 101",
    37: "a client that waits as it is told throttles itself: lines 33 and 51",
    39: "what an exporter records of an error it retried stays inside; its end is line 65",
    52: "the same as line 101",
    63: "parallel connections are allowed, and seen as line 62",
    66: "one exporter has one destination",
    92: "what else could be done to a URL; lines 89 to 91 have what the text names",
    95: "certificates: no files are made here",
    99: "names of options are each library's own; the limits are lines 17 to 19",
    100: "each protocol is a run of its own",
}
"""Lines of the client's side that no check here looks at, and why."""
