"""The JSON Schema of a file of settings, against an independent validator and the kit's own reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from otlp_kit.settings.layers import Mistakes, load
from otlp_kit.settings.schema import KEYS, json_schema
from otlp_kit.settings.toml_file import read_toml

jsonschema = pytest.importorskip("jsonschema")

SCHEMA = json_schema()
NAMES = {key.name: key for key in KEYS}
TEXTS = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
    st.sampled_from(["${A}", "${A:-7}", "$$", "5s", "-1", "0", "512", "1e3", "2GiB", "true", "a=b", "h:1", "[::1]:0", "grpc", "gzip", "block", "production"]),
)  # fmt: skip
SCALARS = st.one_of(
    st.booleans(), st.integers(), st.sampled_from([0, 1, 64, 65, 65535, 65536]),
    st.floats(allow_nan=False, allow_infinity=False), TEXTS,
)  # fmt: skip
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2))


def leaves(schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every setting in `schema` with what it says about it."""
    for name, found in schema["properties"].items():
        if "$ref" in found:
            section = SCHEMA["$defs"][found["$ref"].rpartition("/")[2]]
            yield from leaves(section, f"{prefix}{name}.")
        else:
            yield prefix + name, found


def document(name: str, value: Any) -> dict[str, Any]:
    """`value` as the setting `name`, in its tables."""
    for part in reversed(name.split(".")):
        value = {part: value}
    return dict(value)


def loads(path: Path, name: str, value: Any) -> bool:
    """Whether the kit takes a TOML file with `value` as `name`."""
    path.write_text(f"{name} = {json.dumps(value)}\n")
    try:
        load(KEYS, files=[path], readers={".toml": read_toml}, environ={"A": "9"})
    except Mistakes:
        return False
    return True


def test_it_is_a_schema() -> None:
    """By the rules of JSON Schema itself; it has a name, and survives being written."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"]
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA


def test_it_has_every_setting_and_nothing_else() -> None:
    """And the files of secrets."""
    files = {f"{key.name}_file" for key in KEYS if key.secret}
    assert {name for name, _ in leaves(SCHEMA)} == NAMES.keys() | files


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_is_described(name: str) -> None:
    """With its unit and its default, where an editor shows it."""
    about = dict(leaves(SCHEMA))[name]["description"]
    key = NAMES[name]
    assert key.about in about
    assert f"Unit: {key.unit}." in about or not key.unit
    assert ("Default: unset." in about) == (key.default is None)
    assert "x-" not in json.dumps(SCHEMA)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(st.sampled_from(sorted(NAMES)), VALUES)
@example("batch.max_queue_size", 512.0)
@example("batch.in_flight", 65)
@example("exporter.insecure", 1)
@example("exporter.timeout", 0)
@example("receiver.http", 4318.0)
@example("profile", "${A}")
def test_an_editor_and_the_kit_agree(tmp_path: Path, name: str, value: Any) -> None:
    """What the kit takes is valid. What is valid it takes, but for the range of a text."""
    valid = jsonschema.Draft202012Validator(SCHEMA).is_valid(document(name, value))
    taken = loads(tmp_path / "kit.toml", name, value)
    assert valid or not taken
    texts = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    assert taken or not valid or texts


@given(st.sampled_from(sorted(NAMES)), st.text("abcdef_", min_size=1, max_size=9))
def test_a_misspelt_setting_is_invalid(name: str, other: str) -> None:
    """In each table, so that an editor marks it while it is typed."""
    wrong = f"{name.rpartition('.')[0]}.{other}".lstrip(".")
    assume(not any(f"{known}.".startswith(f"{wrong}.") for known in dict(leaves(SCHEMA))))
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document(wrong, 1))
