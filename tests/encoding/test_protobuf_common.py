"""The writer's primitives where values are odd; official protobuf reads what they wrote."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_kit.encoding.protobuf_common import MAX_DEPTH
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Event, Span
from tests.encoding.official import from_request


class Mute:
    """An object that cannot be written as text."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Name(StrEnum):
    """A key that is text, though not of the type `str` itself."""

    HOST = "host"


def read_back(attributes: dict[Any, Any]) -> dict[str, Any]:
    """The attributes of one event, as the official library sees them after the journey."""
    body = encode_spans([Span(events=[Event(attributes=attributes)])])
    [span] = from_request(ExportTraceServiceRequest.FromString(body))
    return span.events[0].attributes


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_text_of_python_is_carried(key: str, value: str) -> None:
    """Only surrogates change: each into U+FFFD in values, written out in keys, which stay unique."""

    def healed(text: str) -> str:
        return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)

    name = key.encode("utf-8", "backslashreplace").decode()
    expected = {name: [healed(value), {name: healed(value)}]}
    assert read_back({key: [value, {key: value}]}) == expected
    assert read_back({key: value}) == {name: healed(value)}


@pytest.mark.parametrize("sign", [1, -1])
def test_integers_just_beyond_64_bits_become_text(sign: int) -> None:
    """The last that fits stays a number; the next is its decimal text."""
    last = 2**63 - 1 if sign > 0 else -(2**63)
    assert read_back({"k": last, "list": [last]}) == {"k": last, "list": [last]}
    over = last + sign
    assert read_back({"k": over, "list": [over]}) == {"k": str(over), "list": [str(over)]}


def test_an_integer_that_python_refuses_to_write_becomes_hexadecimal() -> None:
    """Decimal text of more than some thousand digits raises ValueError in Python."""
    huge = 10**5000
    assert read_back({"k": huge, "list": [-huge]}) == {"k": hex(huge), "list": [hex(-huge)]}


def test_an_object_without_text_is_told_by_its_type() -> None:
    """A stranger's `__str__` that raises costs its own value only, also as a key."""
    assert read_back({"k": Mute(), "map": {Mute(): 1}, Mute(): 2}) == {
        "k": "<Mute>",
        "map": {"<Mute>": 1},
        "<Mute>": 2,
    }


def test_a_key_that_is_not_text_becomes_text() -> None:
    """Alike at the top and inside a map; a key of a subclass of `str` is its text."""
    odd = {7: "seven", None: "none", Name.HOST: "enum", "": "empty"}
    expected = {"7": "seven", "None": "none", "host": "enum", "": "empty"}
    assert read_back({**odd, "map": odd}) == {**expected, "map": expected}


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"k": v}], ids=["lists", "maps"])
def test_the_deepest_value_that_is_kept_can_be_read_by_official_protobuf(wrap: Any) -> None:
    """`MAX_DEPTH` levels arrive whole even inside an event; one more ends in the empty value."""
    kept: Any = "bottom"
    for _ in range(MAX_DEPTH):
        kept = wrap(kept)
    assert read_back({"deep": kept}) == {"deep": kept}
    emptied: Any = None
    for _ in range(MAX_DEPTH):
        emptied = wrap(emptied)
    assert read_back({"deep": wrap(kept)}) == {"deep": emptied}


def test_a_value_that_is_shared_is_not_a_cycle() -> None:
    """The same list twice, side by side, is written twice."""
    shared = [1]
    assert read_back({"k": [shared, shared]}) == {"k": [[1], [1]]}
