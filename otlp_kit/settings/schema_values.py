"""What a person writes for a time, a size and an address, and what the kit makes of it.

    >>> seconds("250ms"), size("2GB"), address("[::1]:4318")
    (0.25, 2000000000, [::1]:4318)

A plain number is seconds, or bytes. Each function takes its own result, too, and raises `ValueError`
with a rule that reads on after the name of a setting: "must be ...".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from otlp_kit.settings import otel_env

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
BYTES = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_FACTORS: dict[str, dict[str, float]] = {"seconds": SECONDS, "bytes": {**BYTES}}
_UNITS = {unit.lower(): factor for unit, factor in BYTES.items()}

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
_WITH_UNIT = re.compile(rf"({_NUMBER}) ?([A-Za-z]*)")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?")
_ADDRESS = re.compile(
    r"(?:(?:\[([0-9A-Fa-f:.]+(?:%[a-zA-Z0-9_.-]+)?)\]|([a-zA-Z0-9_.-]*)):)?([0-9]{1,5})"
)
_CASELESS = "|".join("".join(f"[{a}{a.swapcase()}]" for a in unit) for unit in BYTES)
SECONDS_PATTERN = rf"^[ \t]*{_NUMBER} ?({'|'.join(SECONDS)})?[ \t]*$"
SIZE_PATTERN = rf"^[ \t]*{_NUMBER} ?({_CASELESS})?[ \t]*$"
WHOLE_PATTERN = rf"^[ \t]*{_WHOLE.pattern}[ \t]*$"
NUMBER_PATTERN = rf"^[ \t]*{_DECIMAL.pattern}[ \t]*$"
ADDRESS_PATTERN = rf"^[ \t]*{_ADDRESS.pattern}[ \t]*$"
PAIR_PATTERN = r"^[ \t]*[^= \t][^=]*=|\$\{"
BOOLEAN_PATTERN = r"^[ \t]*([tT][rR][uU][eE]|[fF][aA][lL][sS][eE])[ \t]*$"
"""What a text may look like, for those who read no Python."""


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """A host and a port to listen on. Port 0 takes any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    __repr__ = __str__


def shown(value: object, unit: str) -> str:
    """A value of `unit` as a person would write it.

    >>> [shown(time, "seconds") for time in (2592000.0, 90.0, 0.25)]
    ['30d', '90s', '250ms']
    >>> shown(64 * 2**20, "bytes"), shown(512, "records"), shown(True, "")
    ('64MiB', '512 records', 'true')
    """
    factors: dict[str, float] = _FACTORS.get(unit, {})
    if factors and isinstance(value, int | float) and 0 < value < inf:
        whole = [name for name, factor in factors.items() if (value / factor).is_integer()]
        largest = max(whole, key=factors.__getitem__, default=next(iter(factors)))
        return f"{value / factors[largest]:.15g}{largest}"
    if isinstance(value, bool):
        return str(value).lower()
    text = f"{value:.15g}" if isinstance(value, float) else str(value)
    return f"{text} {unit}" if unit and isinstance(value, int | float) else text


def whole(value: object) -> int:
    """A whole number, as a number or as a text of digits."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip(" \t")):
        return int(value.strip(" \t"))
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
        raise ValueError("must be a whole number")
    return int(value)


def number(value: object) -> float:
    """A number, or a text of one."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip(" \t")):
        return float(value.strip(" \t"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    return float(value)


def boolean(value: object) -> bool:
    """True or false, or a text of either."""
    text = value.strip(" \t").lower() if isinstance(value, str) else value
    if text in ("true", "false"):
        return text == "true"
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def seconds(value: object) -> float:
    """A time: a number of seconds, or text such as `250ms`, `30s`, `10m`, `12h` or `7d`."""
    rule = "must be a time: a number of seconds, or text such as 250ms, 30s, 10m, 12h or 7d"
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return inf
    found = _WITH_UNIT.fullmatch(value.strip(" \t")) if isinstance(value, str) else None
    if not found or found[2] not in ("", *SECONDS):
        raise ValueError(rule)
    if found[2] == "ms":
        return float(found[1]) / 1000  # times 0.001 would not be what was written
    return float(found[1]) * SECONDS[found[2] or "s"]


def size(value: object) -> int:
    """A size: a number of bytes, or text such as `500KB`, `64MiB` or `2GB`."""
    rule = "must be a size: a number of bytes, or text such as 500KB, 64MiB or 2GB"
    if isinstance(value, int | float) and not isinstance(value, str):
        try:
            return whole(value)
        except ValueError:
            raise ValueError(rule) from None
    found = _WITH_UNIT.fullmatch(value.strip(" \t")) if isinstance(value, str) else None
    factor = _UNITS.get((found[2] or "B").lower()) if found else None
    if not found or not factor:
        raise ValueError(rule)
    return round(float(found[1]) * factor)


def pairs(value: object) -> dict[str, str]:
    """Pairs: the text `k=v,k2=v2`, percent-encoded, or a list of `k=v`, each as it is."""
    rule = "must be a list of key=value, separated by commas"
    if isinstance(value, str):
        pairs: dict[str, str] = otel_env.TABLE["OTEL_RESOURCE_ATTRIBUTES"].parse(value)
        return pairs
    if isinstance(value, Mapping):
        return {str(name): str(held) for name, held in value.items()}
    items = value if isinstance(value, list | tuple) else [None]
    found = [item.partition("=") if isinstance(item, str) else ("", "", "") for item in items]
    if not all(name.strip(" \t") and equals for name, equals, _ in found):
        raise ValueError(rule)
    return {name.strip(" \t"): held.strip(" \t") for name, _, held in found}


def address(value: object) -> Address:
    """An address: `HOST:PORT`, `[IPV6]:PORT` or `PORT`, which is on 127.0.0.1."""
    if isinstance(value, Address):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # A bare number is a port: people write `http = 4318`.
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    found = _ADDRESS.fullmatch(text.strip(" \t")) if len(text) < 300 else None
    if not found or int(found[3]) > 65535:
        raise ValueError("must be HOST:PORT, [IPV6]:PORT or PORT, with a port from 0 to 65535")
    return Address(found[1] or found[2] or "127.0.0.1", int(found[3]))
