"""The checker for the exercise on answers: notebook 08, *learn/answers*.

    def client(post, wait):     # post() -> (status, headers, body); wait(seconds)
        ...
        return Accepted(rejected, message)          # or raise Unavailable or Refused

    react(client)                       is its reaction right to each of `ANSWERS`?

The server is a list, and time is virtual: an hour of waiting takes no time. As in `exercises`, a
checker says what is wrong and never prints the answer.

Specification: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from otlp_kit.encoding.answers import encode_status, encode_success
from otlp_kit.lab.exercises import Verdict
from otlp_kit.wire import PROTOBUF, Accepted, Refused, SendError, Unavailable

RECORDS = 5
PATIENCE = 60.0
"""Seconds until the client's deadline: a wait that would pass it raises `Unavailable`."""
TOO_MANY = 30
"""Requests within that time after which the server has seen enough."""

HttpAnswer: TypeAlias = tuple[int, dict[str, str], bytes]
"""Status, headers with names in lower case, body."""
Client: TypeAlias = Callable[[Callable[[], HttpAnswer], Callable[[float], None]], Accepted]


def _said(status: int, body: bytes = b"", **headers: str) -> HttpAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"content-type": PROTOBUF, **named}, body


@dataclass(frozen=True, slots=True)
class _Case:
    text: str
    script: tuple[HttpAnswer | None, ...]
    """An answer for each request, the last for all further ones; None: the connection ends."""
    end: Accepted | type[SendError]
    hint: str
    fewest: int = 1
    """Requests, at least."""
    most: int = 1
    least_wait: float = 0.0


_TAKEN = _said(200)
_BUSY = _said(503, encode_status("busy"))

_CASES = {
    "all": _Case(
        "200, and an empty message", (_TAKEN,), Accepted(),
        "Nothing in the message means: nothing was rejected.",
    ),
    "some": _Case(
        f"200, and a message: 3 of {RECORDS} rejected, because they are too old",
        (_said(200, encode_success(Accepted(3, "too old"))),), Accepted(3),
        "The status speaks of the request, the body of the records. decode_success reads it.",
    ),
    "warning": _Case(
        "200, and a message: none rejected, but please use /v2",
        (_said(200, encode_success(Accepted(0, "please use /v2"))),), Accepted(),
        "Words alone reject nothing.",
    ),
    "other": _Case(
        "202, without a body", ((202, {}, b""),), Accepted(),
        "There are more ways to say success than 200.",
    ),
    "login": _Case(
        "302, to the login of a proxy", (_said(302, location="/login"),), Refused,
        "Whoever said this has not read the records, and will not the next time.",
    ),
    "bad": _Case(
        "400: this cannot be read", (_said(400, encode_status("not a span")),), Refused,
        "The same bytes are the same mistake again.",
    ),
    "broken": _Case(
        "500: something is broken", (_said(500, encode_status("a bug")),), Refused,
        "Of the answers that begin with 5, the specification names those that may be tried again.",
    ),
    "busy": _Case(
        "503, and 200 the next time", (_BUSY, _TAKEN), Accepted(),
        "It is busy now. Come again, and not at once.", fewest=2, most=2,
    ),
    "slower": _Case(
        "429 with Retry-After: 7, and 200 the next time", (_said(429, retry_after="7"), _TAKEN),
        Accepted(), "The server says in a header how long to stay away.",
        fewest=2, most=2, least_wait=7,
    ),
    "both": _Case(
        "503, and the next time 200 with 2 rejected",
        (_BUSY, _said(200, encode_success(Accepted(2, "too old")))), Accepted(2),
        "The second answer deserves to be read as the first one was.", fewest=2, most=2,
    ),
    "hung up": _Case(
        "the connection is reset (post raises an OSError), and 200 the next time",
        (None, _TAKEN), Accepted(), "Nobody refused anything. Come again, later.",
        fewest=2, most=2,
    ),
    "gone": _Case(
        "503, whenever one asks", (_BUSY,), Unavailable,
        "Each wait is longer than the last one, and the wait that raises is the end.",
        fewest=2, most=TOO_MANY,
    ),
    "away": _Case(
        "503 with Retry-After: 3600", (_said(503, retry_after="3600"),), Unavailable,
        "Compare what it asks for with the time there is. Who comes earlier is part of the load.",
    ),
}  # fmt: skip
ANSWERS = {name: case.text for name, case in _CASES.items()}
"""What the server says, in each of thirteen exports of five records."""


class _Enough(BaseException):
    """Ends a client that does not end: no `except Exception` holds it."""


class _Server:
    def __init__(self, case: _Case) -> None:
        self._script = case.script
        self.posts = 0
        self.waited = 0.0

    def post(self) -> HttpAnswer:
        self.posts += 1
        if self.posts > TOO_MANY:
            raise _Enough
        said = self._script[min(self.posts, len(self._script)) - 1]
        if said is None:
            raise ConnectionResetError("the connection was reset")
        return said

    def wait(self, seconds: float) -> None:
        if self.waited + seconds > PATIENCE:
            raise Unavailable("the deadline would pass")
        self.waited += max(0.0, seconds)


def react(client: Client) -> Verdict:
    """A client's reaction to each of `ANSWERS`: what it does, and what it says became of 5 records.

    `client(post, wait)` returns `Accepted`, or raises `Refused` if the same request would fail again
    and `Unavailable` if time was over before it was taken.
    """
    for name, case in _CASES.items():
        if difference := _difference(case, client):
            return Verdict(False, f"{name}: {difference}", case.hint)
    return Verdict(passed=True)


def _difference(case: _Case, client: Client) -> str:
    """What is wrong with the client's reaction, or nothing."""
    server = _Server(case)
    try:
        end: object = client(server.post, server.wait)
    except _Enough:
        return f"{server.posts} requests within {server.waited:.0f} s, and no end."
    except SendError as error:
        end = error
    except Exception as error:  # whatever a reader's code does
        return f"the client raised {type(error).__name__}: {error}."
    if not isinstance(end, Accepted | SendError):
        return f"the client returned {end!r}, which is no Accepted."
    if isinstance(end, Accepted) and not isinstance(case.end, Accepted):
        return "the client says success, and nobody has the records."
    if server.posts > case.most:
        return f"{server.posts} requests are too many."
    if server.posts < case.fewest:
        return f"the client gives up after {server.posts} request(s)."
    if server.posts > 1 and not server.waited:
        return "the client comes back at once."
    if server.waited < case.least_wait:
        return f"the client comes back after {server.waited:.1f} s."
    if isinstance(case.end, type):
        said = type(end).__name__
        return "" if isinstance(end, case.end) else f"{said} is not what the answer means."
    if isinstance(end, SendError):
        return f"the client raised {end!r}, and the server has the records."
    if end.rejected != case.end.rejected:
        return f"the client says that {end.rejected} were rejected."
    return ""
