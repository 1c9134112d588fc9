"""Values as JSON that JavaScript reads without loss: what the page and the figures are fed.

It is not OTLP's JSON: values stand as themselves, without their types.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

SAFE_INTEGER = 2**53 - 1
NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def js_value(value: object) -> Any:
    """`value` as JSON can hold it and JavaScript keeps it.

    Integers that a double cannot hold, infinities and not-a-number become strings and bytes become
    base64, as in the JSON mapping of protobuf: https://protobuf.dev/programming-guides/json/
    """
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else NOT_FINITE[str(value)]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): js_value(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [js_value(item) for item in value]
    return str(value)
