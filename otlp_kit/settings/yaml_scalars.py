"""What a scalar of YAML is, by the core schema of YAML 1.2.

    plain("0o17")       # 15
    plain("no")         # 'no': YAML 1.1 took it for false, and 12:30 for a number
    plain("~")          # None
    quoted("5")         # '5'

It gets the text of one scalar, and does not look for where that begins or ends.

Specification: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import math
import re

MAX_DIGITS = 308
"""Of a number. One digit more, and no float holds it; thousands, and Python would not print it."""

_NULL = re.compile(r"(?:null|Null|NULL|~)?")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NO_NUMBER = re.compile(r"\.(?:nan|NaN|NAN)")
_BASES = {"0o": 8, "0x": 16}


def plain(text: str) -> str | int | float | bool | None:
    """The value of `text` that stands without quotes. Raises `ValueError` for a number too large."""
    if _NULL.fullmatch(text):
        return None
    if _BOOLEAN.fullmatch(text):
        return text.lower() == "true"
    if _INFINITE.fullmatch(text) or _NO_NUMBER.fullmatch(text):
        return float(text.replace(".", ""))
    integer = _INTEGER.fullmatch(text)
    if not integer and not _FLOAT.fullmatch(text):
        return text
    try:
        if len(text) <= MAX_DIGITS:
            number = int(text, _BASES.get(text[:2], 10)) if integer else float(text)
            if not math.isinf(number):
                return number
    except OverflowError:
        pass
    raise ValueError(f"must be a smaller number, of at most {MAX_DIGITS} digits")


def quoted(text: str) -> str:
    """The value of `text` that stands in quotes or in a block of lines.

    JSON writes what is beyond 16 bits as two escapes, which are one character here.
    Raises `ValueError` where one of the two is missing.
    """
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError("must not have one half of a character (\\ud800 to \\udfff)") from None
