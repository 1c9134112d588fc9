"""What the protocol cannot hold is replaced, and counted; the batch around it lives.

The encoders call this where they meet it: half of a surrogate pair becomes U+FFFD (in a key it is written out), an integer beyond
64 bits its decimal text (hexadecimal if it has thousands of digits), an object of another type its
`str()`, or the name of its type if that fails. `repaired` does the same for the fields of a record:
a number is cut to what its field holds, and another type becomes the field's.

    >>> before = replaced()
    >>> as_text(3.5), whole(-1, 32)
    ('3.5', 0)
    >>> replaced() - before
    2

The count is the process's, of all encoders together.
"""

from __future__ import annotations

import re
import struct
import threading
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

R = TypeVar("R")
T = TypeVar("T")

UNFIT = (AttributeError, OverflowError, TypeError, ValueError, struct.error)
"""What an encoder raises at a field of a record that does not hold what its type says."""

_lock = threading.Lock()
_count = 0
_SURROGATE = re.compile("[\ud800-\udfff]")
SIGNED = {"offset", "scale"}
NARROW = {"flags", "kind", "status_code", "severity_number", "temporality", *SIGNED}


def count() -> None:
    """Something was replaced."""
    global _count
    with _lock:
        _count += 1


def replaced() -> int:
    """How many values this process has replaced so far."""
    return _count


def as_text(value: object) -> str:
    """`value` as text, whatever it is."""
    if isinstance(value, str):
        return value
    count()
    try:
        return str(value)
    except Exception:
        # Python refuses to write out huge integers; a stranger's `__str__` may raise anything.
        return hex(value) if isinstance(value, int) else f"<{type(value).__name__}>"


def without_surrogates(text: str) -> str:
    """`text` with U+FFFD for each half of a surrogate pair, which UTF-8 cannot hold."""
    count()
    return _SURROGATE.sub("\ufffd", text)


def key_without_surrogates(text: str) -> str:
    """`text` with each half of a surrogate pair written out, as `\\ud83d`.

    Keys must stay different from one another, which one replacement for all would not ensure.
    """
    count()
    return text.encode("utf-8", "backslashreplace").decode()


def whole(number: Any, bits: int, *, signed: bool = False) -> int:
    """`number` as an integer of so many bits: what is beyond them is cut to the nearest."""
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if isinstance(number, int) and low <= number <= high:
        return number
    count()
    try:
        return min(max(int(number), low), high)
    except (TypeError, ValueError, OverflowError):  # no number, not a number, infinity
        return high if number == float("inf") else 0


def number(value: Any) -> float:
    """`value` as an integer of 64 bits or a float."""
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        return whole(value, 64, signed=True)
    count()
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def fitting(write: Callable[[T], R], record: T) -> R:
    """`write(record)`; of a repaired copy if a field does not hold what its type says."""
    try:
        return write(record)
    except UNFIT:
        return write(repaired(record))


def repaired(record: T) -> T:
    """A copy of `record`, one of `model`, in which every field holds what its type says."""
    return type(record)(
        **{
            field.name: _repaired_value(field.name, str(field.type), getattr(record, field.name))
            for field in fields(record)  # type: ignore[arg-type]
        }
    )


def _repaired_value(name: str, kind: str, value: Any) -> Any:
    if is_dataclass(value):
        return repaired(value)
    if kind == "int":
        bits = 32 if name in NARROW or name.startswith("dropped_") else 64
        return whole(value, bits, signed=name in SIGNED)
    if kind == "str":
        return as_text(value)
    if kind == "bytes" and not isinstance(value, bytes):
        count()
        return b""
    if kind == "float" or (kind.endswith("float | None") and value is not None):
        return number(value)
    if kind == "list[int]":
        return [whole(item, 64) for item in value]
    if kind == "list[float]":
        return [float(number(item)) for item in value]
    if kind.startswith(("list[", "Sequence[")):
        return [repaired(item) if is_dataclass(item) else item for item in value]
    return value
