"""The sampling threshold and the random bits of a trace, as they travel: `tracestate: ot=th:c`.

    >>> f"{threshold_of(0.25):014x}"            # T: reject this many of 2^56
    'c0000000000000'
    >>> with_threshold("vendor=1", threshold_of(0.25))
    'ot=th:c,vendor=1'
    >>> adjusted_count("ot=th:c,vendor=1")      # such a span stands for four
    4.0

A span is kept where the randomness R of its trace is at least T. R is the same everywhere in a
trace: the last 56 bits of the trace id, or `rv`, which whoever began the trace may have set. Only
`th` is ever written here; entries of other vendors and other fields of `ot` stay, in their order.
A `th` or `rv` that is not as specified counts as absent. All spans of a trace bring the same header,
so what was read and written last is remembered.

Specification: https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/ and
https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
"""

from __future__ import annotations

import logging
import math
import re
from functools import cache, lru_cache

log = logging.getLogger(__name__)

MAX_THRESHOLD = 1 << 56
"""One more than the largest threshold: reject all."""
LEAST_PROBABILITY = 2.0**-56
DIGITS = 14
"""Hexadecimal digits of 56 bits."""
LONGEST_VALUE = 256
MOST_ENTRIES = 32
_THRESHOLD = re.compile(r"[0-9a-f]{1,14}")
_RANDOMNESS = re.compile(r"[0-9a-f]{14}")


def threshold_of(p: float, precision: int = 4) -> int:
    """How many of 2^56 to reject so that the share `p` is kept; 0 keeps all.

    `p` from 2^-56 to 1. Rounded to `precision` hexadecimal digits (1 to 14) after the leading f's, so
    that the header stays short: for a small `p` these are the digits that count. Raises `ValueError`.
    """
    if not LEAST_PROBABILITY <= p <= 1:
        raise ValueError(f"a probability of {p} is not in the range from 2^-56 to 1")
    if not 1 <= precision <= DIGITS:
        raise ValueError(f"precision is {precision}, but has to be from 1 to {DIGITS} digits")
    exact = MAX_THRESHOLD - round(math.ldexp(p, 56))
    _, exponent = math.frexp(p)
    digits = min(DIGITS, precision + exponent // -4)
    step = 1 << 4 * (DIGITS - digits)
    return (exact + step // 2) // step * step


def probability_of(threshold: int) -> float:
    """The share that `threshold` keeps, from 2^-56 to 1."""
    return (MAX_THRESHOLD - threshold) / MAX_THRESHOLD


@lru_cache(maxsize=512)
def read(trace_state: str) -> tuple[int | None, int | None]:
    """(threshold, explicit randomness) of a W3C tracestate; None for what is not there or not valid."""
    if "ot=" not in trace_state:
        return None, None
    threshold = randomness = None
    for field in _split(trace_state)[0]:
        key, _, value = field.partition(":")
        if key == "th":
            valid = _THRESHOLD.fullmatch(value)
            threshold = int(value.ljust(DIGITS, "0"), 16) if valid else None
        elif key == "rv":
            randomness = int(value, 16) if _RANDOMNESS.fullmatch(value) else None
    return threshold, randomness


def randomness(trace_id: bytes, trace_state: str = "") -> int:
    """The 56 random bits of a trace: those of `rv` if it is set, else the end of the trace id."""
    _, explicit = read(trace_state)
    return int.from_bytes(trace_id[9:], "big") if explicit is None else explicit


def adjusted_count(trace_state: str) -> float:
    """How many spans the one with this tracestate stands for, from 1; 0 where that is unknown."""
    threshold, _ = read(trace_state)
    return 0.0 if threshold is None else MAX_THRESHOLD / (MAX_THRESHOLD - threshold)


def encoded(threshold: int) -> str:
    """`threshold` as the value of `th`: hexadecimal, without the zeros at its end."""
    return f"{threshold:014x}".rstrip("0") or "0"


@lru_cache(maxsize=512)
def with_threshold(trace_state: str, threshold: int | None) -> str:
    """`trace_state` with this `th`, or without one; equal to it where nothing changes.

    Where `ot` would become longer than W3C allows, or there are 32 entries of others, the threshold
    is left out: a count that is unknown does less harm than one that is wrong.
    """
    if "ot=" not in trace_state:
        if threshold is None:
            return trace_state
        if not trace_state:
            return f"ot=th:{encoded(threshold)}"
    elif threshold is not None and threshold == read(trace_state)[0]:
        return trace_state
    fields, others = _split(trace_state)
    kept = [field for field in fields if field.partition(":")[0] != "th"]
    if threshold is None and len(kept) == len(fields):
        return trace_state
    if threshold is not None:
        value = ";".join([f"th:{encoded(threshold)}", *kept])
        if len(value) <= LONGEST_VALUE and len(others) < MOST_ENTRIES:
            return ",".join([f"ot={value}", *others])
        _report_no_room()
    return ",".join([f"ot={';'.join(kept)}", *others] if kept else others)


def _split(trace_state: str) -> tuple[list[str], list[str]]:
    """The fields of the entry `ot`, and the other entries; an `ot` that is too long has no fields."""
    fields: list[str] = []
    others = []
    for raw in trace_state.split(","):
        entry = raw.strip(" \t")
        if entry.startswith("ot="):
            value = entry[3:]
            if not fields and len(value) <= LONGEST_VALUE:
                fields = [field for field in value.split(";") if field]
        elif entry:
            others.append(entry)
    return fields, others


@cache
def _report_no_room() -> None:
    """Once: the next span of such a caller has no more room."""
    log.warning("tracestate has no room for a sampling threshold: adjusted counts will be unknown")
