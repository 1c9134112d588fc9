"""Attribute values as JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.stores.json_values import MARKS, from_json, to_json
from tests.encoding.strategies import values


@given(values | st.floats())
def test_values_pass_through_json_without_loss(value: Any) -> None:
    """Bytes, not-a-number, 64-bit integers, and maps that look like the notation for those."""
    assert repr(from_json(to_json(value))) == repr(value)
    for mark in MARKS:
        marked = {mark: value}
        assert repr(from_json(to_json(marked))) == repr(marked)


@given(values | st.floats())
def test_the_text_is_strict_json(value: Any) -> None:
    """No bare NaN or Infinity, which only some readers of JSON take."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(to_json(value), parse_constant=refuse)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"http.request.method": "GET", "n": 2**63 - 1}, '{"http.request.method":"GET","n":9223372036854775807}'),
        (b"\x00\xff", '{"bytesValue":"AP8="}'),
        ([float("nan"), float("inf"), float("-inf")], '[{"doubleValue":"NaN"},{"doubleValue":"Infinity"},{"doubleValue":"-Infinity"}]'),
        ([True, None, 1.0, "é"], '[true,null,1.0,"é"]'),
    ],
)  # fmt: skip
def test_what_json_knows_stays_as_it_is(value: Any, text: str) -> None:
    """A person who queries the column finds what the program recorded."""
    assert to_json(value) == text
