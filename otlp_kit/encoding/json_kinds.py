"""How one field looks in OTLP's JSON: a `Kind` for each type, with both directions.

It is protobuf's JSON mapping, but for ids (hexadecimal) and enums (integers, never names). Reading is
as lenient as that mapping: 64-bit integers come as strings or numbers, base64 with or without
padding, null means absent. What cannot be read raises `DecodeError` that names the field.

Specification: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding and
https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otlp_kit.encoding.protobuf_common import MAX_DEPTH, key_utf8
from otlp_kit.encoding.protobuf_read import DecodeError
from otlp_kit.encoding.repair import as_text, count, whole, without_surrogates

NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of field: to JSON, and from it."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    is_set: Callable[[Any], bool] = bool
    """Whether a value is written: proto3 leaves out defaults, but for fields that may be absent."""


def clean(text: str) -> str:
    """Text that UTF-8 can hold: half of a surrogate pair becomes a replacement character."""
    text = as_text(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        return without_surrogates(text)
    return text


def _read_text(plain: Any) -> str:
    if not isinstance(plain, str):
        raise DecodeError("must be a string")
    return clean(plain)


def _read_hex(plain: Any) -> bytes:
    try:
        # fromhex allows blanks, which are no digits.
        return bytes.fromhex(plain) if plain.isalnum() or not plain else _no_hex()
    except (AttributeError, TypeError, ValueError):
        return _no_hex()


def _no_hex() -> bytes:
    raise DecodeError("must be hexadecimal digits")


def _read_base64(plain: Any) -> bytes:
    try:
        standard = plain.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (AttributeError, TypeError, ValueError, binascii.Error):
        raise DecodeError("must be base64") from None


def _read_bool(plain: Any) -> bool:
    if not isinstance(plain, bool):
        raise DecodeError("must be true or false")
    return plain


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def read(plain: Any) -> int:
        number: int | None = None
        if isinstance(plain, str):
            digits = plain.removeprefix("-")
            if digits.isascii() and digits.isdecimal() and len(digits) <= 20:
                number = int(plain)
        elif isinstance(plain, float) and plain.is_integer():
            number = int(plain)
        elif isinstance(plain, int) and not isinstance(plain, bool):
            number = plain
        if number is None or not low <= number <= high:
            raise DecodeError(f"must be an integer from {low} to {high}")
        return number

    return read


def _read_enum(plain: Any) -> int:
    if not isinstance(plain, int) or isinstance(plain, bool):
        raise DecodeError("must be the number of the enum's value, not its name")
    return _integer(-(2**31), 2**31 - 1)(plain)


def _write_double(number: float) -> Any:
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _read_double(plain: Any) -> float:
    if isinstance(plain, str):
        if plain in NOT_FINITE:
            return NOT_FINITE[plain]
        try:
            if plain.isascii() and plain.strip() == plain and "_" not in plain:
                number = float(plain)
                if math.isfinite(number):
                    return number
        except ValueError:
            pass
    elif isinstance(plain, int | float) and not isinstance(plain, bool):
        try:
            return float(plain)
        except OverflowError:
            pass
    raise DecodeError("must be a number")


def listed(kind: Kind) -> Kind:
    """A repeated field."""

    def read(plain: Any) -> list[Any]:
        if not isinstance(plain, list):
            raise DecodeError("must be a list")
        return [kind.read(item) for item in plain]

    return Kind(lambda items: [kind.write(item) for item in items], read)


TEXT = Kind(clean, _read_text)
HEX = Kind(bytes.hex, _read_hex)
BOOL = Kind(bool, _read_bool)
UINT32 = Kind(lambda number: whole(number, 32), _integer(0, 2**32 - 1))
INT32 = Kind(lambda number: whole(number, 32, signed=True), _integer(-(2**31), 2**31 - 1))
UINT64 = Kind(lambda number: str(whole(number, 64)), _integer(0, 2**64 - 1))
INT64 = Kind(lambda number: str(whole(number, 64, signed=True)), _integer(-(2**63), 2**63 - 1))
ENUM = Kind(lambda number: int(whole(number, 32, signed=True)), _read_enum)
DOUBLE = Kind(_write_double, _read_double, lambda number: str(number) != "0.0")  # -0.0 is not 0
OPTIONAL_DOUBLE = Kind(_write_double, _read_double, lambda number: number is not None)


def write_value(value: Any, inside: tuple[int, ...] = ()) -> dict[str, Any]:
    """An `AnyValue`. What the protocol cannot hold is replaced as in `protobuf_common`."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {"stringValue": clean(value)}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return {"intValue": str(int(value))}
        return {"stringValue": as_text(int(value))}
    if isinstance(value, float):
        return {"doubleValue": _write_double(value)}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, Mapping | Sequence):
        if id(value) in inside or len(inside) >= MAX_DEPTH:
            count()
            return {}
        inside = (*inside, id(value))
        if isinstance(value, Mapping):
            return {"kvlistValue": {"values": write_attributes(value, inside)}}
        return {"arrayValue": {"values": [write_value(item, inside) for item in value]}}
    return {"stringValue": clean(as_text(value))}


def write_attributes(
    attributes: Mapping[str, Any], inside: tuple[int, ...] = ()
) -> list[dict[str, Any]]:
    return [
        {"key": key_utf8(key).decode(), "value": write_value(value, inside)}
        for key, value in attributes.items()
    ]


def read_value(plain: Any) -> Any:
    """What an `AnyValue` holds; of several members the last one counts."""
    value = None
    for key, read in _VALUES.items():
        held = object_of(plain).get(key)
        if held is not None:
            value = read(held)
    return value


def object_of(plain: Any) -> dict[str, Any]:
    if not isinstance(plain, dict):
        raise DecodeError("must be an object")
    return plain


def read_attributes(plain: Any) -> dict[str, Any]:
    if not isinstance(plain, list):
        raise DecodeError("must be a list")
    attributes = {}
    for pair in plain:
        key, value = object_of(pair).get("key"), pair.get("value")
        attributes["" if key is None else _read_text(key)] = (
            None if value is None else read_value(value)
        )
    return attributes


def _values(plain: Any) -> Any:
    values = object_of(plain).get("values")
    return [] if values is None else values


def _read_array(plain: Any) -> list[Any]:
    values = _values(plain)
    if not isinstance(values, list):
        raise DecodeError("must be a list")
    return [read_value(item) for item in values]


_VALUES: dict[str, Callable[[Any], Any]] = {
    "stringValue": _read_text,
    "boolValue": _read_bool,
    "intValue": INT64.read,
    "doubleValue": _read_double,
    "arrayValue": _read_array,
    "kvlistValue": lambda plain: read_attributes(_values(plain)),
    "bytesValue": _read_base64,
}

VALUE = Kind(write_value, read_value, lambda value: value is not None)
ATTRIBUTES = Kind(write_attributes, read_attributes)
