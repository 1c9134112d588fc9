"""Text from strangers, made fit for a line: harmless, measured in columns, clipped.

A span's name comes from whoever sent it. Printed as it is, it could move the cursor, recolour the
terminal or reverse the line; put into XML, it could end the document. `plain_text` makes what
cannot be seen visible, and is applied to every foreign string that leaves as text or SVG. It does
not escape markup: that is the business of the format, and is done where the format is written.

    >>> print(plain_text("tea\\x1b[31m\\n"))
    tea\\x1b[31m\\n
    >>> clip("reserve stock", 8), duration_text(2_040_000)
    ('reserve…', '2.04 ms')

Columns follow Unicode Standard Annex 11, https://www.unicode.org/reports/tr11/. A sequence of
emoji joined into one picture counts more columns than most terminals give it.
"""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"  # they shape Indic and Persian words, and emoji; they cannot do harm
_ZERO_WIDTH = {"Mn", "Me", "Cf"}


def plain_text(text: str) -> str:
    """`text` on one line, with controls, bidirectional overrides and lone surrogates made visible."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _visible(c) for c in text)


def _visible(character: str) -> str:
    if character in _JOINERS:
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode()


def columns(text: str) -> int:
    """How many terminal columns `text` takes."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def clip(text: str, width: int) -> str:
    """The beginning of `text`, ending in an ellipsis if it does not fit into `width` columns."""
    if columns(text) <= width:
        return text
    kept, room = [], width - 1
    for character in text:
        room -= _columns(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + "…" if width > 0 else ""


def pad(text: str, width: int) -> str:
    """`text` in exactly `width` columns."""
    clipped = clip(text, width)
    return clipped + " " * (width - columns(clipped))


def counted(number: int, noun: str) -> str:
    """`1 span`, `2,000 spans`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def duration_text(nanoseconds: int) -> str:
    """A duration as a person says it: three digits and a unit, or two units from a minute on."""
    for unit, scale in (("ns", 1), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)):
        value = nanoseconds / scale
        if value < (59.995 if unit == "s" else 999.5):
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            number = f"{value:.{digits}f}"
            return f"{number.rstrip('0').rstrip('.') if digits else number} {unit}"
    seconds = round(nanoseconds / 1e9)
    for large, small, size, step in (("m", "s", 60, 1), ("h", "m", 3600, 60)):
        if seconds < size * (60 if large == "m" else 24):
            return f"{seconds // size} {large} {seconds % size // step:02d} {small}"
    return f"{seconds // 86400} d {seconds % 86400 // 3600:02d} h"
