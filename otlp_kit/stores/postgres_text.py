"""What PostgreSQL cannot hold is replaced, and counted in `encoding.repair`; the batch lives.

Its texts know neither NUL nor half a surrogate pair: U+FFFD stands there instead, and in a key of
JSON the character is written out as `\\u0000`, so that keys stay different. Its `jsonb` makes a
decimal of every number: one that Python writes with an exponent is written out with a fraction, so
that it comes back as the same float, and minus zero, which no decimal is, as in OTLP/JSON.

    >>> fit_json('{"a\\\\u0000":"b\\\\u0000","huge":1e+16}')
    '{"a\\\\\\\\u0000":"b\ufffd","huge":10000000000000000.0}'

https://www.postgresql.org/docs/current/datatype-json.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from otlp_kit.encoding.repair import as_text, count, whole

UNFIT = re.compile("[\0\ud800-\udfff]")
SUSPECT = re.compile(r"\\u0000|[\ud800-\udfff]|\de[+-]\d|-0\.0")
"""JSON in which this is not found is fit as it stands, and nearly all is."""
TOKEN = re.compile(
    r'(?P<text>"(?:[^"\\]+|\\.)*")(?P<key>:?)|-?\d+(?:\.\d+)?e[+-]\d+|-0\.0(?!\d)', re.DOTALL
)
CHARACTER = re.compile(r"\\.[0-9a-f]{0,4}|[\ud800-\udfff]")


def fit_text(value: Any) -> str | None:
    """`value` as a text that PostgreSQL holds; None stays."""
    return None if value is None else UNFIT.sub(_replaced, as_text(value))


def fit_json(text: str) -> str:
    """JSON, as `json_values.to_json` writes it, such that `jsonb` holds it."""
    return TOKEN.sub(_fit_token, text) if SUSPECT.search(text) else text


def fit_row(row: Sequence[Any], columns: Mapping[str, str]) -> list[Any]:
    """The values of `row` as its `columns`, from name to type, hold them."""
    return [FIT[kind](value) for value, kind in zip(row, columns.values(), strict=True)]


FIT: dict[str, Callable[[Any], Any]] = {
    "text": fit_text,
    "jsonb": fit_json,
    "bigint": lambda value: int(whole(value, 64, signed=True)),
    "boolean": bool,
}
"""For each type of a column: what makes a value fit."""


def _replaced(match: re.Match[str]) -> str:
    count()
    return "\ufffd"


def _fit_token(match: re.Match[str]) -> str:
    if match["text"]:
        fit = _written_out if match["key"] else _fit_character
        return CHARACTER.sub(fit, match["text"]) + match["key"]
    if match[0] == "-0.0":
        return '{"doubleValue":"-0.0"}'
    plain = f"{Decimal(match[0]):f}"
    return plain if "." in plain else f"{plain}.0"


def _fit_character(match: re.Match[str]) -> str:
    character = match[0]
    if character == r"\u0000" or len(character) == 1:
        return _replaced(match)
    return character


def _written_out(match: re.Match[str]) -> str:
    character = match[0]
    if character == r"\u0000":
        count()
        return r"\\u0000"
    if len(character) == 1:
        count()
        return rf"\\u{ord(character):04x}"
    return character
