"""Thresholds and random bits in a tracestate: the specification's tables, and the official parser."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace._sampling_experimental._trace_state import OtelTraceState
from opentelemetry.sdk.trace._sampling_experimental._util import calculate_threshold
from opentelemetry.trace import TraceState

from otlp_kit.tracing import tracestate
from otlp_kit.tracing.tracestate import (
    MAX_THRESHOLD,
    adjusted_count,
    encoded,
    probability_of,
    randomness,
    read,
    threshold_of,
    with_threshold,
)
from tests.tracing.parents import any_trace_states, probabilities, trace_ids, trace_states

# 1 in N: the thresholds of precision 3, 4 and 5, and the exact adjusted count of precision 4, from
# the table in tracestate-probability-sampling.md, "Converting floating-point probability".
TABLE = [
    (1, ("0", "0", "0"), 1),
    (2, ("8", "8", "8"), 2),
    (3, ("aab", "aaab", "aaaab"), 3.00004577706569),
    (4, ("c", "c", "c"), 4),
    (5, ("ccd", "cccd", "ccccd"), 5.0000762951094835),
    (8, ("e", "e", "e"), 8),
    (10, ("e66", "e666", "e6666"), 9.99938968568813),
    (16, ("f", "f", "f"), 16),
    (100, ("fd71", "fd70a", "fd70a4"), 99.99771123402633),
    (1000, ("ffbe7", "ffbe77", "ffbe76d"), 1000.012874769029),
    (10_000, ("fff972", "fff9724", "fff97247"), 9999.830725674266),
    (100_000, ("ffff584", "ffff583a", "ffff583a5"), 99999.238556461),
    (1_000_000, ("ffffef4", "ffffef39", "ffffef391"), 999992.38556461),
]


@pytest.mark.parametrize(("n", "texts", "count"), TABLE)
def test_thresholds_are_those_of_the_table(n: int, texts: tuple[str, ...], count: float) -> None:
    """1 in N, with three precisions; and the count that such a span stands for."""
    assert tuple(encoded(threshold_of(1 / n, precision)) for precision in (3, 4, 5)) == texts
    assert adjusted_count(f"ot=th:{texts[1]}") == pytest.approx(count, rel=1e-12)
    assert threshold_of(1 / n) == threshold_of(1 / n, 4)


@given(probabilities)
def test_with_all_digits_a_threshold_is_the_official_one(p: float) -> None:
    """The official SDK does not round."""
    assert threshold_of(p, 14) == calculate_threshold(p)


@given(probabilities, st.integers(1, 14))
def test_rounding_keeps_nearly_the_share_that_was_asked_for(p: float, precision: int) -> None:
    """Within half of the last digit, relative to the share; never below the least probability."""
    threshold = threshold_of(p, precision)
    assert 0 <= threshold < MAX_THRESHOLD
    half_a_digit = 8 * 16.0**-precision
    assert probability_of(threshold) == pytest.approx(p, rel=half_a_digit, abs=2.0**-56)
    assert len(encoded(threshold)) <= 14


@given(probabilities, probabilities)
def test_who_asks_for_more_has_no_higher_threshold(one: float, other: float) -> None:
    """Else rounding would tear traces."""
    small, large = sorted((one, other))
    assert threshold_of(large) <= threshold_of(small)


@pytest.mark.parametrize("p", [0, -0.1, 1.1, 2.0**-57, math.nan, math.inf])
def test_what_is_no_probability_is_refused(p: float) -> None:
    """Zero is none either: never is not a form of probability sampling."""
    with pytest.raises(ValueError, match="range from 2\\^-56 to 1"):
        threshold_of(p)


def test_a_precision_has_one_to_fourteen_digits() -> None:
    """More there are not in 56 bits."""
    for precision in (0, 15):
        with pytest.raises(ValueError, match="from 1 to 14"):
            threshold_of(0.5, precision)


@given(st.integers(0, MAX_THRESHOLD - 1))
def test_a_threshold_arrives_as_it_was_sent(threshold: int) -> None:
    """Zeros at the end are left out and come back."""
    state = with_threshold("", threshold)
    assert read(state) == (threshold, None)
    assert adjusted_count(state) == pytest.approx(1 / probability_of(threshold))


@given(trace_states)
def test_a_header_reads_as_officially(state: str) -> None:
    """Wherever `ot` stands in it, and whatever else is in `ot`."""
    theirs = OtelTraceState.parse(TraceState.from_header([state]))
    ours = tuple(-1 if one is None else one for one in read(state))
    assert ours == (theirs.threshold, theirs.random_value)


@pytest.mark.parametrize(
    "field",
    ["th:", "th", "th:C", "th:0x8", "th:-1", "th:8_0", "th: 8", "th:000000000000000", "TH:8",
     "rv:", "rv:6e6d1a75832a2", "rv:6E6D1A75832A2F", "rv:6e6d1a75832a2f0", "rv:0x6d1a75832a2f"],
)  # fmt: skip
def test_a_field_that_is_not_as_specified_counts_as_absent(field: str) -> None:
    """1 to 14, or exactly 14, lower-case hexadecimal digits; the official parser takes more."""
    assert read(f"ot={field}") == (None, None)
    assert read(f"congo=1,ot=p:8;{field}") == (None, None)
    assert adjusted_count(f"ot={field}") == 0


@pytest.mark.parametrize("state", ["", "congo=ot:th:8", "t@ot=th:8", "xot=th:8", "congo=1"])
def test_other_entries_are_none_of_our_business(state: str) -> None:
    """Also where they look much like `ot`, or are another tenant's."""
    assert read(state) == (None, None)
    assert with_threshold(state, None) == state


@given(any_trace_states, st.one_of(st.none(), st.integers(0, MAX_THRESHOLD - 1)))
def test_writing_a_threshold_changes_nothing_else(state: str, threshold: int | None) -> None:
    """Other vendors and other fields keep their order; what is written can be read; it is valid."""
    written = with_threshold(state, threshold)
    assert read(written) == (threshold, read(state)[1])
    before, after = (dict(e.split("=", 1) for e in s.split(",") if e) for s in (state, written))
    fields = [f for f in before.pop("ot", "").split(";") if f and f.partition(":")[0] != "th"]
    kept = [f for f in after.pop("ot", "").split(";") if f and f.partition(":")[0] != "th"]
    assert kept == fields
    assert list(after.items()) == list(before.items())
    assert TraceState.from_header([written]).to_header() == written
    assert with_threshold(written, threshold) == written


def test_a_changed_entry_comes_first() -> None:
    """As W3C asks; one without any field left is taken out."""
    assert with_threshold("a=1,ot=p:8;th:c,b=2", 1 << 55) == "ot=th:8;p:8,a=1,b=2"
    assert with_threshold("a=1,\tot=p:8;th:c ,b=2", None) == "ot=p:8,a=1,b=2"
    assert with_threshold("a=1,ot=th:c", None) == "a=1"
    assert with_threshold("ot=th:c", None) == ""


def test_what_has_no_room_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """256 characters in a value, 32 entries: the threshold gives way, and that is said once."""
    tracestate._report_no_room.cache_clear()
    longest = "k1:" + "x" * 248
    assert len("th:8;" + longest) == 256
    assert with_threshold(f"ot={longest}", 1 << 55) == f"ot=th:8;{longest}"
    assert with_threshold(f"ot={longest}y", 1 << 55) == f"ot={longest}y"
    assert with_threshold(f"a=1,ot=th:8;{longest}", 0xFD << 48) == f"ot={longest},a=1"
    others = ",".join(f"v{n}=1" for n in range(32))
    assert with_threshold(others, 1 << 55) == others
    assert with_threshold(others[: others.rindex(",")], 1 << 55).startswith("ot=th:8,v0=1")
    [record] = caplog.records
    assert "no room for a sampling threshold" in record.getMessage()


def test_an_entry_that_is_too_long_is_not_read() -> None:
    """It is not valid as a whole, so it gives way to one that is."""
    state = f"ot=th:c;k1:{'x' * 256},a=1"
    assert read(state) == (None, None)
    assert with_threshold(state, 1 << 55) == "ot=th:8,a=1"


@given(trace_ids)
def test_random_bits_are_the_end_of_the_id_unless_set(trace_id: bytes) -> None:
    """The example of tracestate-handling.md: 43.1 % of the range."""
    assert f"{randomness(trace_id):014x}" == trace_id.hex()[-14:]
    explicit = randomness(trace_id, "ot=rv:6e6d1a75832a2f")
    assert explicit == 0x6E6D1A75832A2F
    assert explicit / MAX_THRESHOLD == pytest.approx(0.431, abs=0.0005)
