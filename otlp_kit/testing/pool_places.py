"""Every place inside of a thing, and how to leave something there: for `check_pool`.

    places = Places(ignore, shared)
    list(places.walk(thing))        # (path, what is there): slots, `__dict__`, elements, and theirs
    places.picture(thing)           # path -> value, to be compared after the thing has changed
    list(places.ways(thing))        # (path, how) of each change that can be tried
    dirty(thing, path, how)         # do it; False if that place cannot be changed

It neither knows what a pool is nor judges what it finds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, MutableSequence, MutableSet
from typing import Any, TypeAlias

from otlp_kit.pools.holders import field_names

Step: TypeAlias = tuple[str, Any]
"""("field", name) or ("item", key or index): one step from a thing to what it holds."""
Path: TypeAlias = tuple[Step, ...]
Way: TypeAlias = tuple[Path, str]
"""Where, and how: `replaced`, `changed in place`, `set` or `added`."""

CONTAINERS = (dict, list, set, bytearray, deque)
_PLAIN = (bool, int, float, complex, str, bytes, type(None), range, slice, frozenset, tuple)
_DEEP = 8
"""Steps into a thing; what is further down is not looked at."""


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()
"""What is at a place that a thing does not have."""


class Dirt:
    """Left behind on purpose: what must not be found again."""

    def __repr__(self) -> str:
        return "what was left there"


class Places:
    """Looks through things; into no field called as one of `ignore`, and into no object whose id is
    in `shared`, which stands for itself."""

    def __init__(self, ignore: Collection[str] = (), shared: Collection[int] = ()) -> None:
        self.ignore, self.shared = ignore, shared

    def walk(self, thing: Any) -> Iterator[tuple[Path, Any]]:
        """Everything that `thing` holds, itself first; what is held twice is walked into once."""
        seen: set[int] = set(self.shared)

        def inside(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
            yield path, value
            if id(value) in seen or len(path) >= _DEEP:
                return
            seen.add(id(value))
            for step, held in self._held(value):
                yield from inside((*path, step), held)

        yield from inside((), thing)

    def _held(self, value: Any) -> Iterator[tuple[Step, Any]]:
        if isinstance(value, dict):
            yield from ((("item", key), held) for key, held in value.items())
        elif isinstance(value, list | tuple | deque):
            yield from ((("item", at), held) for at, held in enumerate(value))
        if isinstance(value, type) or (isinstance(value, _PLAIN) and not isinstance(value, tuple)):
            return
        for name in field_names(value):
            if name not in self.ignore:
                yield ("field", name), getattr(value, name)

    def picture(self, thing: Any) -> dict[Path, Any]:
        """What is where. A container stands as its type, and so does what has fields: their contents
        are places of their own, so that a copy is the same."""
        seen: dict[Path, Any] = {}
        for path, value in self.walk(thing):
            if isinstance(value, set | bytearray):
                seen[path] = value.copy()
            elif id(value) in self.shared or not self._has_places(value):
                seen[path] = value
            else:
                seen[path] = type(value)
        return seen

    def _has_places(self, value: Any) -> bool:
        return isinstance(value, CONTAINERS) or (not _is_plain(value) and bool(field_names(value)))

    def ways(self, thing: Any) -> Iterator[Way]:
        """Each change that can be tried."""
        for path, value in self.walk(thing):
            if path:
                yield path, "replaced"
            if id(value) in self.shared:
                continue
            if isinstance(value, CONTAINERS):
                yield path, "changed in place"
            elif not _is_plain(value):
                for name in _unset(value):
                    if name not in self.ignore:
                        yield (*path, ("field", name)), "set"
                if hasattr(value, "__dict__") and not isinstance(value, type):
                    yield (*path, ("field", "left_behind")), "added"


def dirty(root: Any, path: Path, how: str) -> bool:
    """Leave something at `path`; False if that cannot be changed: it is frozen, or gone by now."""
    try:
        if how == "changed in place":
            _add_to(_at(root, path))
            return True
        holder, (kind, key) = _at(root, path[:-1]), path[-1]
        value = _other(_at(root, path)) if how == "replaced" else Dirt()
        if kind == "field":
            setattr(holder, key, value)
        else:
            holder[key] = value
    except (AttributeError, KeyError, IndexError, TypeError):
        return False
    return True


def _at(value: Any, path: Path) -> Any:
    for kind, key in path:
        value = getattr(value, key) if kind == "field" else value[key]
    return value


def _add_to(container: Any) -> None:
    if isinstance(container, bytearray):
        if container:
            container[0] ^= 0xFF
        else:
            container.append(1)
    elif isinstance(container, MutableSequence):
        container.append(Dirt())
    elif isinstance(container, MutableSet):
        container.add(Dirt())
    else:
        container["left.behind"] = Dirt()


def _other(value: Any) -> Any:
    """Something else of the same kind, if that is known: a reset may well look at the type."""
    if isinstance(value, bool):
        return not value
    if type(value) is int or type(value) is float:
        return value + 7
    if type(value) is str:
        return value + " left behind"
    if type(value) is bytes:
        return value + b"\x07"
    if isinstance(value, CONTAINERS):
        copy = value.copy()
        _add_to(copy)
        return copy
    return Dirt()


def _unset(value: Any) -> list[str]:
    """Slots in which a fresh one has nothing yet."""
    names = [n for base in type(value).__mro__ for n in _named(base.__dict__.get("__slots__", ()))]
    return [n for n in names if not n.startswith("__") and not hasattr(value, n)]


def _named(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (*_PLAIN, *CONTAINERS, type))


def same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    try:
        return type(one) is type(other) and bool(one == other or one != one != other)
    except Exception:
        return False


def name_of(path: Path) -> str:
    text = "".join(f".{key}" if kind == "field" else f"[{key!r}]" for kind, key in path)
    return text.removeprefix(".") or "the thing"


def shown(value: Any) -> str:
    return f"a {value.__name__}" if isinstance(value, type) else repr(value)
