"""The data that every drawing is made from, and what a notebook gets."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from hypothesis import given

from otlp_kit.model import Event, Link, Resource, Scope, Span, SpanKind, StatusCode
from otlp_kit.views.waterfall import MIME, Waterfall, js_value
from tests.views.forests import TRACE, chain, forests, values

SPAN = Span(
    name="charge card",
    trace_id=TRACE,
    span_id=b"\x01" * 8,
    parent_span_id=b"\x02" * 8,
    start_unix_nano=1_000,
    end_unix_nano=3_500,
    kind=SpanKind.CLIENT,
    attributes={"amount": 12},
    events=[Event("declined", 3_000, {"code": 51})],
    links=[Link(TRACE, b"\x03" * 8, attributes={"why": "retry"})],
    status_code=StatusCode.ERROR,
    status_message="card declined",
    resource=Resource({"service.name": "payments"}),
    scope=Scope("shop.cards", "1.2"),
)


def test_the_data_has_the_shape_that_the_figures_read() -> None:
    """Every field, by name: views/js/waterfall.js and GET /api/trace/ID rely on it."""
    assert Waterfall([SPAN]).data() == {
        "trace_id": TRACE.hex(),
        "start_unix_nano": "1000",
        "duration_ns": 2_500,
        "spans": [
            {
                "span_id": "01" * 8,
                "parent_span_id": "02" * 8,
                "name": "charge card",
                "service": "payments",
                "scope": "shop.cards 1.2",
                "kind": 3,
                "depth": 0,
                "offset_ns": 0,
                "duration_ns": 2_500,
                "status_code": 2,
                "status_message": "card declined",
                "attributes": {"amount": 12},
                "events": [{"name": "declined", "offset_ns": 2_000, "attributes": {"code": 51}}],
                "links": [
                    {"trace_id": TRACE.hex(), "span_id": "03" * 8, "attributes": {"why": "retry"}}
                ],
                "orphan": True,
            }
        ],
    }


@given(forests)
def test_every_span_is_in_the_data_exactly_once(spans: list[Span]) -> None:
    """Counted by id, name and times, since ids may be given twice."""
    found = Waterfall(spans).data()["spans"]
    assert Counter((span["span_id"], span["name"]) for span in found) == Counter(
        (span.span_id.hex(), span.name) for span in spans
    )


@given(forests)
def test_depths_in_the_data_agree_with_the_parents_in_it(spans: list[Span]) -> None:
    """The row that a reader takes for the parent has the id that the span names."""
    open_at: dict[int, dict[str, Any]] = {}
    for span in Waterfall(spans).data()["spans"]:
        if span["depth"]:
            assert open_at[span["depth"] - 1]["span_id"] == span["parent_span_id"]
        else:
            assert span["orphan"] == bool(span["parent_span_id"])
        open_at[span["depth"]] = span


def numbers(value: Any) -> list[int | float]:
    """Every number in a piece of JSON."""
    if isinstance(value, dict):
        return [n for item in value.values() for n in numbers(item)]
    if isinstance(value, list):
        return [n for item in value for n in numbers(item)]
    return [value] if isinstance(value, int | float) else []


@given(forests)
def test_the_data_is_json_whose_numbers_a_double_holds(spans: list[Span]) -> None:
    """Through the strict encoder, and back as JavaScript would read it."""
    read = json.loads(json.dumps(Waterfall(spans).data(), allow_nan=False))
    assert all(float(n) == n and math.isfinite(n) for n in numbers(read))


@given(values)
def test_a_value_that_json_and_javascript_can_hold_is_left_alone(value: Any) -> None:
    """js_value changes nothing the second time."""
    assert js_value(js_value(value)) == js_value(value)


def test_what_json_cannot_hold_is_written_as_protobuf_writes_it() -> None:
    """Large integers and what is not finite as strings, bytes as base64."""
    given_values = [2**53, -(2**53) + 1, math.nan, math.inf, -math.inf, b"\x00\xff", True, None]
    assert js_value(given_values) == [
        "9007199254740992", -9007199254740991, "NaN", "Infinity", "-Infinity", "AP8=", True, None,
    ]  # fmt: skip


def test_a_notebook_gets_text_a_picture_and_the_data() -> None:
    """By the names of their types."""
    figure = Waterfall([SPAN])
    assert figure._repr_mimebundle_() == {
        "text/plain": figure.text(),
        "image/svg+xml": figure.svg(),
        MIME: figure.data(),
    }


def test_a_waterfall_says_what_it_is() -> None:
    """Its repr has the id, the counts and the length."""
    assert repr(Waterfall([SPAN])) == (
        f"<Waterfall [trace {TRACE.hex()} | 1 span, 1 error | 2.5 µs]>"
    )


def test_no_spans_make_an_empty_waterfall() -> None:
    """Drawing nothing is not an error."""
    empty = Waterfall([])
    assert empty.data() == {"trace_id": "", "start_unix_nano": "0", "duration_ns": 0, "spans": []}
    assert empty.text() == "no spans"
    assert "<svg" in empty.svg()


def test_twenty_thousand_spans_are_drawn_up_to_the_limit_and_all_in_the_data() -> None:
    """Text and SVG say how many are left out."""
    figure = Waterfall(chain(20_000))
    assert len(figure.data()["spans"]) == 20_000
    assert figure.text().splitlines()[-1] == "… 19,500 more spans"
    assert "… 19,500 more spans" in figure.svg()
    assert len(figure.text()) + len(figure.svg()) < 1_000_000
