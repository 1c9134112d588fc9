"""Attribute values as JSON text and back, without loss.

What JSON knows stays as it is, so that `json_extract` reads it. What it does not know becomes an
object with one member, named and written as in OTLP/JSON: `{"bytesValue": "<base64>"}`,
`{"doubleValue": "NaN"}` (or `"Infinity"`, `"-Infinity"`); and a map that looks like such an object is
wrapped: `{"kvlistValue": {...}}`.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from otlp_kit.model import Resource

LARGEST = 2**63 - 1
"""The largest integer that SQLite holds: as a time, a moment in the year 2262."""

MARKS = ("bytesValue", "doubleValue", "kvlistValue")


def service_name(resource: Resource) -> str:
    return str(resource.attributes.get("service.name", ""))


def to_json(value: Any) -> str:
    """`value` (see `model.Value`) as JSON."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def from_json(text: str) -> Any:
    """The value that `to_json` was given."""
    return _value(json.loads(text))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"doubleValue": "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        plain = {key: _plain(item) for key, item in value.items()}
        marked = len(plain) == 1 and next(iter(plain)) in MARKS
        return {"kvlistValue": plain} if marked else plain
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_value(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if len(plain) == 1:
        [(mark, held)] = plain.items()
        if mark == "bytesValue":
            return base64.b64decode(held)
        if mark == "doubleValue":
            return float(held)
        if mark == "kvlistValue":
            return {key: _value(item) for key, item in held.items()}
    return {key: _value(item) for key, item in plain.items()}
