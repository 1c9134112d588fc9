"""Thresholds against the official SDK's own, where it has them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace._sampling_experimental._trace_state import OtelTraceState
from opentelemetry.sdk.trace._sampling_experimental._util import calculate_threshold
from opentelemetry.trace import TraceState

from otlp_kit.model import Span
from otlp_kit.processors.tail_threshold import (
    ALWAYS,
    NEVER,
    probability_of,
    randomness_of,
    recorded_threshold,
    threshold_of,
    with_threshold,
)

PROBABILITIES = st.floats(2.0**-56, 1, exclude_min=False)
THRESHOLDS = st.integers(0, NEVER - 1)
STATES = st.sampled_from(
    ["", "vendor=1", "ot=rv:0123456789abcd", "a=b, ot=th:8;rv:ffffffffffffff;x:y ,c=d", "ot=th:zz"]
)


@given(PROBABILITIES)
def test_the_official_sdk_has_the_same_threshold(probability: float) -> None:
    """For any probability; and it stands for that probability, to 56 bits."""
    threshold = threshold_of(probability)
    assert threshold == calculate_threshold(probability)
    assert abs(Fraction(probability_of(threshold)) - Fraction(probability)) <= Fraction(1, NEVER)


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.1, float("nan"), 2.0**-57])
def test_what_is_no_probability_has_no_threshold(wrong: float) -> None:
    """The error says what is allowed."""
    with pytest.raises(ValueError, match="more than 0 and at most 1"):
        threshold_of(wrong)


@given(STATES, THRESHOLDS)
def test_the_official_sdk_reads_what_is_written(state: str, threshold: int) -> None:
    """The higher of both thresholds, the same random value, and every other vendor's member."""
    before = OtelTraceState.parse(TraceState.from_header([state]))
    written = with_threshold(state, threshold)
    header = TraceState.from_header([written])
    after = OtelTraceState.parse(header)
    assert (recorded_threshold(written) or 0) == max(threshold, before.threshold, 0)
    assert max(after.threshold, 0) == max(threshold, before.threshold, 0)
    assert after.random_value == before.random_value
    others = {k: v for k, v in TraceState.from_header([state]).items() if k != "ot"}
    assert {k: v for k, v in header.items() if k != "ot"} == others


def test_what_is_not_known_is_taken_for_what_is_said() -> None:
    """For everything, unless it is said that nobody knows; a known threshold stays byte for byte."""
    assert with_threshold("", ALWAYS) == "ot=th:0"
    assert with_threshold("a=b,ot=rv:0123456789abcd", ALWAYS) == "ot=rv:0123456789abcd;th:0,a=b"
    assert with_threshold("a=b , ot=th:8", ALWAYS) == "a=b , ot=th:8"
    assert with_threshold("a=b", threshold_of(0.5), unknown=None) == "a=b"
    assert with_threshold("ot=th:8", threshold_of(0.25), unknown=None) == "ot=th:c"
    assert with_threshold("", threshold_of(0.5), unknown=threshold_of(0.25)) == "ot=th:c"


def test_a_full_trace_state_loses_its_last_member() -> None:
    """There may be 32, and the one that was changed stands first."""
    full = ",".join(f"k{number}=v" for number in range(32))
    members = with_threshold(full, threshold_of(0.25)).split(",")
    assert (members[0], members[-1], len(members)) == ("ot=th:c", "k30=v", 32)


@given(st.binary(min_size=16, max_size=16))
def test_randomness_is_the_end_of_the_trace_id_unless_it_is_given(trace_id: bytes) -> None:
    """56 bits; an `rv` that is none does not count."""
    number = int(trace_id.hex(), 16) % NEVER
    assert randomness_of(Span(trace_id=trace_id)) == number
    assert randomness_of(Span(trace_id=trace_id, trace_state="ot=rv:123")) == number
    assert randomness_of(Span(trace_id=trace_id, trace_state="ot=rv:" + "0" * 13 + "a")) == 10
