"""Times, sizes, addresses and pairs as people write them."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.settings import schema_values
from otlp_kit.settings.schema_values import (
    Address,
    address,
    boolean,
    number,
    pairs,
    seconds,
    shown,
    size,
    whole,
)

PARSERS = (address, boolean, number, pairs, seconds, size, whole)
PATTERNS = {
    boolean: schema_values.BOOLEAN_PATTERN,
    number: schema_values.NUMBER_PATTERN,
    seconds: schema_values.SECONDS_PATTERN,
    size: schema_values.SIZE_PATTERN,
    whole: schema_values.WHOLE_PATTERN,
}
TEXTS = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"\s?[+-]?[0-9]{1,4}(\.[0-9]{1,2})?(e[0-9])? ?[A-Za-z]{0,3}", fullmatch=True),
    st.sampled_from(
        ["true", "FALSE", "5kib", "1 GB", "inf", "nan", "٣", "1_000", "0x1", ".5", "5."]
    ),
)
ANYTHING = st.one_of(
    TEXTS, st.integers(), st.floats(), st.booleans(), st.none(), st.lists(TEXTS, max_size=2)
)


@given(
    st.integers(0, 999), st.sampled_from(["milliseconds", "seconds", "minutes", "hours", "days"])
)
def test_a_time_is_what_timedelta_makes_of_it(count: int, unit: str) -> None:
    """For every unit, and for a number without one."""
    short = "ms" if unit == "milliseconds" else unit[0]
    expected = timedelta(**{unit: count}).total_seconds()
    assert seconds(f"{count}{short}") == pytest.approx(expected)
    assert seconds(expected) == seconds(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "size_in_bytes"),
    [("7", 7), ("500KB", 500_000), ("500kb", 500_000), ("1.5 MB", 1_500_000), ("64MiB", 2**26), (2e9, 2 * 10**9)],
)  # fmt: skip
def test_a_size_counts_thousands_unless_it_says_binary(text: Any, size_in_bytes: int) -> None:
    """KB is 1000 bytes, and KiB is 1024, whatever the case."""
    assert size(text) == size_in_bytes


@given(st.ip_addresses(), st.integers(0, 65535))
def test_an_address_is_taken_back_as_it_is_shown(host: Any, port: int) -> None:
    """Of both versions of IP, as a text, and as the value itself."""
    wanted = Address(str(host), port)
    assert address(str(wanted)) == wanted == address(wanted)
    family = socket.AF_INET6 if host.version == 6 else socket.AF_INET
    assert socket.inet_pton(family, address(str(wanted)).host) == host.packed


def test_a_port_alone_is_on_loopback() -> None:
    """As a number and as a text."""
    assert address(4318) == address("4318") == address(":4318") == Address("127.0.0.1", 4318)


@pytest.mark.parametrize(
    "text",
    ["", "::1", "[::1]", "[::1:4318", "::1]:4318", "a b:1", "http://h:80", "h:65536", "h:-1", "h:٣", "9" * 5000, True, 4318.5, None],
)  # fmt: skip
def test_no_address_is_guessed(text: Any) -> None:
    """An IPv6 address needs its brackets, or its last part would be the port."""
    with pytest.raises(ValueError, match=r"^must be HOST:PORT, \[IPV6\]:PORT or PORT"):
        address(text)


NAMES = st.text("abc.", min_size=1, max_size=5)


@given(st.dictionaries(NAMES, st.text(max_size=9)))
def test_pairs_in_a_text_are_percent_encoded(wanted: dict[str, str]) -> None:
    """As the specification has them, so that a value may hold commas and more."""
    assert pairs(",".join(f"{name}={quote(value)}" for name, value in wanted.items())) == wanted


def test_pairs_in_a_list_are_taken_as_they_are() -> None:
    """There is nothing that would have to be escaped."""
    assert pairs(["a=b,c%20", "d = e=f "]) == {"a": "b,c%20", "d": "e=f"}


@pytest.mark.parametrize("parse", PARSERS)
@given(said=ANYTHING)
def test_what_is_not_taken_is_refused_with_a_rule(parse: Callable[[Any], Any], said: Any) -> None:
    """One that reads on after a name; and each result is taken again, for the same."""
    try:
        value = parse(said)
    except ValueError as error:
        rule = str(error)
    else:
        rule = "must be "
        assert parse(value) == value or value != value
    assert rule.startswith("must be ")


@pytest.mark.parametrize("parse", PATTERNS)
@given(text=TEXTS)
def test_the_pattern_of_a_text_is_what_is_taken(parse: Callable[[Any], Any], text: str) -> None:
    """An editor, which reads the pattern, and the kit agree about every text."""
    try:
        parse(text)
    except ValueError:
        taken = False
    else:
        taken = True
    assert taken == bool(re.search(PATTERNS[parse], text, re.ASCII)) or not text.isascii()


@pytest.mark.parametrize(("parse", "unit"), [(seconds, "seconds"), (size, "bytes")])
@given(st.integers(1, 10**9))
def test_what_is_shown_of_a_value_is_taken_for_it(
    parse: Callable[[Any], Any], unit: str, value: int
) -> None:
    """A size to the byte, and a time to far below a millisecond."""
    assert parse(shown(parse(value), unit)) == pytest.approx(value)
