"""Values as PostgreSQL holds them, without a server."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.encoding.repair import replaced
from otlp_kit.stores.json_values import from_json, to_json
from otlp_kit.stores.postgres_text import fit_json, fit_row, fit_text
from tests.encoding.strategies import values


@given(values | st.floats())
def test_json_without_nul_keeps_its_meaning(value: Any) -> None:
    """Also where the numbers become decimals, as in `jsonb`."""
    text = to_json(value)
    if "\\u0000" in text:
        return
    held = json.loads(fit_json(text), parse_float=Decimal)
    assert repr(from_json(as_jsonb(held))) == repr(value)


def as_jsonb(held: Any) -> str:
    """JSON in which every decimal is written as PostgreSQL writes a numeric: without an exponent."""
    if isinstance(held, Decimal):
        return f"{held:f}" if held else f"{abs(held):f}"
    if isinstance(held, list):
        return f"[{','.join(map(as_jsonb, held))}]"
    if isinstance(held, dict):
        return (
            f"{{{','.join(f'{json.dumps(key)}:{as_jsonb(item)}' for key, item in held.items())}}}"
        )
    return json.dumps(held)


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_text_holds_what_postgresql_refuses(value: Any) -> None:
    """Neither NUL nor half a surrogate pair, as itself or escaped; and it is still JSON."""
    text = fit_json(to_json(value))
    text.encode()
    assert "\\u0000" not in text.replace("\\\\", "")
    json.loads(text)


def test_keys_stay_different() -> None:
    """A replacement for all would make one of two."""
    text = fit_json(to_json({"a\0": 1, "a\ud83d": 2, "a": 3}))
    assert json.loads(text) == {"a\\u0000": 1, "a\\ud83d": 2, "a": 3}


def test_every_replacement_is_counted() -> None:
    """One for each character or number that was cut."""
    before = replaced()
    row = ["a\0b", '{"a":"\\u0000\\u0000"}', 2**70, 1, None]
    columns = {"a": "text", "b": "jsonb", "c": "bigint", "d": "boolean", "e": "text"}
    assert fit_row(row, columns) == ["a\ufffdb", '{"a":"\ufffd\ufffd"}', 2**63 - 1, True, None]
    assert replaced() - before == 4
    assert fit_text("plain") == "plain"
    assert replaced() - before == 4
