"""Who holds what of a pool, and what happens to a thing while nobody may hold it.

    holders.lent(thing)         somebody has it: which thread, since when; with debug, from where
    holders.back(thing)         it is returned; NotHeld if that had happened before
    holders.seal(thing)         debug: every field becomes poison, which raises when it is used
    holders.unseal(thing)       the fields are as before; UsedAfterRelease if one was written to

    PoolError
     +-- Exhausted              all are out and the deadline passed: give some back, or allow more
     +-- NotHeld                returned twice, or to the wrong pool: find the second owner
     +-- UsedAfterRelease       somebody kept it and went on using it

Poison works on slots and `__dict__`. A thing without either (a `bytearray`, a `dict`) is followed from
owner to owner, but cannot be sealed; nor can what a field holds, if somebody kept that by itself.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

_HERE = str(Path(__file__).parent)
_FRAMES = 3
"""How many callers are named of where something was acquired."""


class PoolError(Exception):
    """A pool was used wrongly, or is too small. The three kinds say which."""


class Exhausted(PoolError):
    """Everything is out, and nothing came back in time. The message says who holds what."""


class NotHeld(PoolError):
    """Somebody returned what is not out: for the second time, or to the wrong pool."""


class UsedAfterRelease(PoolError):
    """Somebody used a thing that they had returned."""


class Poison:
    """Stands in each field of a returned thing; all that one can do with it raises."""

    __slots__ = ()

    def _used(self, *_: Any, **__: Any) -> NoReturn:
        raise UsedAfterRelease("this was read from a thing that had been returned to its pool")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # a debugger asks what this is; that is no use of it
            raise AttributeError(name)
        self._used()

    __getitem__ = __setitem__ = __delitem__ = __call__ = __iter__ = _used
    __len__ = __contains__ = __bool__ = __int__ = __index__ = __add__ = __radd__ = _used
    __lt__ = __le__ = __gt__ = __ge__ = __str__ = __bytes__ = __format__ = _used
    __eq__ = __ne__ = __hash__ = _used

    def __repr__(self) -> str:
        return "<returned to its pool>"


POISON = Poison()


@dataclass(slots=True)  # not frozen: that would take as long as everything else that `lent` does
class Holder:
    """Who has a thing."""

    thing: Any
    """Kept here, or its `id` could become that of another."""
    thread: threading.Thread
    since: float
    where: str
    """File and line of the callers, nearest first; empty without debug."""

    def line(self, now: float) -> str:
        where = f", acquired at {self.where}" if self.where else ""
        return f"{self.thread.name} for {now - self.since:.1f} s{where}"


class Holders:
    """The owners of one pool's things. It takes no lock: each call is one step for a dict."""

    def __init__(self, *, debug: bool) -> None:
        self.debug = debug
        self._held: dict[int, Holder] = {}
        self._returned: dict[int, str] = {}
        self._sealed: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def things(self) -> list[Any]:
        """What is out."""
        return [holder.thing for holder in list(self._held.values())]

    def lent(self, thing: Any, now: float) -> None:
        where = _callers() if self.debug else ""
        self._returned.pop(id(thing), None)
        self._held[id(thing)] = Holder(thing, threading.current_thread(), now, where)

    def back(self, thing: Any) -> None:
        if self._held.pop(id(thing), None) is None:
            before = self._returned.get(id(thing))
            said = f": first at {before}" if before else ", or is of another pool"
            raise NotHeld(f"a {type(thing).__name__} was returned twice{said}")
        if self.debug:
            self._returned[id(thing)] = _callers()

    def seal(self, thing: Any) -> None:
        fields = {name: getattr(thing, name) for name in field_names(thing)}
        for name in fields:
            object.__setattr__(thing, name, POISON)  # past what a class of its own might do there
        self._sealed[id(thing)] = fields

    def unseal(self, thing: Any) -> None:
        fields = self._sealed.pop(id(thing), None)
        if fields is None:
            return
        for name in field_names(thing):
            if getattr(thing, name) is not POISON:
                raise UsedAfterRelease(
                    f"{type(thing).__name__}.{name} was set after it had been returned"
                    f" at {self._returned.get(id(thing))}"
                )
        for name, value in fields.items():
            object.__setattr__(thing, name, value)

    def forget(self, thing: Any) -> None:
        """A thing that leaves the pool for good."""
        self._returned.pop(id(thing), None)
        self._sealed.pop(id(thing), None)

    def report(self, now: float) -> str:
        """One line for each that is out, the longest held first."""
        held = sorted(self._held.values(), key=lambda holder: holder.since)
        return "\n".join(f"  {type(one.thing).__name__}: {one.line(now)}" for one in held)


def field_names(thing: Any) -> list[str]:
    """The fields that `thing` has a value in now: slots of all its classes, then `__dict__`."""
    slots = [name for name in _slots(type(thing)) if hasattr(thing, name)]
    return [*slots, *getattr(thing, "__dict__", ())]


def _slots(cls: type) -> Iterator[str]:
    for base in cls.__mro__:
        names = base.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name.startswith("__") and not name.endswith("__"):
                yield f"_{base.__name__.lstrip('_')}{name}"
            elif name not in {"__dict__", "__weakref__"}:
                yield name


def _callers() -> str:
    """The nearest callers outside of the pools, such as `shop.py:12 in pay < web.py:80 in handle`."""
    found: list[str] = []
    frame = sys._getframe(1)
    while frame.f_back and len(found) < _FRAMES:
        frame = frame.f_back
        path = frame.f_code.co_filename
        if not path.startswith(_HERE) and Path(path).name != "contextlib.py":
            found.append(f"{Path(path).name}:{frame.f_lineno} in {frame.f_code.co_name}")
    return " < ".join(found)
