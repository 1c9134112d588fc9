"""A span for a pool with a reset that is right, and resets that each leave something behind.

`check_pool` passes the first and finds the fault of each of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Status:
    """Held by each span, of its own."""

    code: int = 0
    message: str = ""


@dataclass(slots=True)
class Reused:
    """What a pool of spans might hold: ids, times, containers, an object, and a lazy slot."""

    name: str = ""
    trace_id: bytes = b""
    parent_span_id: bytes | None = None
    start_unix_nano: int = 0
    end_unix_nano: int = 0
    kind: int = 1
    attributes: dict[str, Any] = field(default_factory=lambda: {"service.name": "shop"})
    events: list[Any] = field(default_factory=list)
    status: Status = field(default_factory=Status)
    token: Any = field(init=False, repr=False, compare=False)
    """Unset until somebody attaches the span to a context."""


def reset(span: Reused) -> None:
    """Everything as it began."""
    span.name, span.trace_id, span.parent_span_id = "", b"", None
    span.start_unix_nano = span.end_unix_nano = 0
    span.kind = 1
    span.attributes = {"service.name": "shop"}
    span.events = []
    span.status = Status()
    if hasattr(span, "token"):
        del span.token


def forgets_attributes(span: Reused) -> None:
    """The classic: the next request's span carries what this one's customer did."""
    attributes = span.attributes
    reset(span)
    span.attributes = attributes


def adds_defaults_to_what_is_there(span: Reused) -> None:
    """It looks like a reset, and only overwrites what it knows."""
    attributes = dict(span.attributes)
    reset(span)
    span.attributes = attributes | {"service.name": "shop"}


def forgets_the_trace_id(span: Reused) -> None:
    """Two requests become one trace."""
    trace_id = span.trace_id
    reset(span)
    span.trace_id = trace_id


def forgets_a_timestamp(span: Reused) -> None:
    """A span that ends before it begins."""
    end = span.end_unix_nano
    reset(span)
    span.end_unix_nano = end


def forgets_the_parent(span: Reused) -> None:
    """A root that hangs below another request's span."""
    parent = span.parent_span_id
    reset(span)
    span.parent_span_id = parent


def keeps_the_object_inside(span: Reused) -> None:
    """The code of the status is reset, its message is not."""
    status = span.status
    reset(span)
    status.code = 0
    span.status = status


def resets_to_another_default(span: Reused) -> None:
    """0 is not what a fresh one has."""
    reset(span)
    span.kind = 0


def leaves_the_lazy_slot(span: Reused) -> None:
    """Nobody thinks of a slot that is usually unset."""
    token = getattr(span, "token", None)
    reset(span)
    if token is not None:
        span.token = token


_NO_EVENTS: list[Any] = []


def shares_one_list(span: Reused) -> None:
    """To save an allocation: and the events of one are the events of all."""
    reset(span)
    _NO_EVENTS.clear()
    span.events = _NO_EVENTS


@dataclass(slots=True)
class ReusedInBilling(Reused):
    """A subclass whose author did not know of the pool."""

    invoice: str = ""


class Loose:
    """A thing with `__dict__`, whose users hang on it what they like."""

    def __init__(self) -> None:
        self.name = ""


def reset_loose(loose: Loose) -> None:
    loose.name = ""


def reset_loose_whole(loose: Loose) -> None:
    loose.__dict__.clear()
    loose.name = ""


class NeverGivesBack:
    """A pool that has been replaced by plain allocation: then there is nothing to check."""

    def __init__(self, factory: Callable[[], Any], reset: Callable[[Any], object]) -> None:
        self.acquire = factory

    def release(self, thing: Any) -> None:
        pass


_ONE_FOR_ALL: dict[str, Any] = {}


@dataclass(slots=True)
class BornShared:
    """The factory itself gives each the same dict."""

    attributes: dict[str, Any] = field(default_factory=lambda: _ONE_FOR_ALL)
