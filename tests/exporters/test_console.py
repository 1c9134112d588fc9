"""What a person reads on the terminal, to the letter."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otlp_kit.encoding.otlp_json import decode_json
from otlp_kit.exporters.console import ConsoleExporter
from otlp_kit.model import (
    HistogramPoint,
    LogRecord,
    Metric,
    NumberPoint,
    Resource,
    Span,
    StatusCode,
    SummaryPoint,
)
from otlp_kit.wire import LOGS, TRACES, Accepted
from tests.encoding.strategies import log_batches, metric_batches, span_batches

SHOP = Resource({"service.name": "shop"})
AT = 1_767_225_600_000_000_000  # the first moment of 2026
TRACE = bytes(range(16))
ROOT = Span("GET /cart", TRACE, b"rootroot", b"", AT, AT + 45_300_000, resource=SHOP)
CHILD = Span(
    "SELECT", TRACE, b"kid1kid1", b"rootroot", AT + 1_000_000, AT + 3_500_000, resource=SHOP,
    attributes={"db.system": "sqlite"},
)  # fmt: skip
FAILED = Span(
    "pay", TRACE, b"kid2kid2", b"rootroot", AT + 4_000_000, AT + 5_000_000, resource=SHOP,
    status_code=StatusCode.ERROR, status_message="no money",
)  # fmt: skip
LOG = LogRecord(
    "sold out", AT, severity_number=17, severity_text="ERROR", attributes={"item": "tea"},
    trace_id=TRACE,
)  # fmt: skip
SUM = Metric("orders", "sum", "{order}", points=[NumberPoint(3, AT, attributes={"paid": True})])
HISTOGRAM = Metric(
    "wait", "histogram", "s", points=[HistogramPoint(2, 0.5, min=0.1, max=0.4, time_unix_nano=AT)]
)


def shown(batch: list[Any], form: Any = "lines", **options: Any) -> str:
    stream = io.StringIO()
    exporter = ConsoleExporter(form, stream=stream, **options)
    assert exporter.export(batch, deadline=0.0) == Accepted()
    exporter.shutdown()
    assert not stream.closed
    return stream.getvalue()


def test_one_line_for_each_record() -> None:
    """Spans, log records and data points, also in one batch."""
    ids = "trace=000102030405060708090a0b0c0d0e0f"
    assert shown([CHILD, FAILED, LOG, SUM, HISTOGRAM]).splitlines() == [
        "2026-01-01T00:00:00.001Z  span  shop  SELECT  2.5 ms  db.system=sqlite  "
        f"{ids} span=6b6964316b696431",
        f"2026-01-01T00:00:00.004Z  span  shop  pay  1 ms  error no money  {ids} span=6b6964326b696432",
        f"2026-01-01T00:00:00.000Z  log  ERROR  sold out  item=tea  {ids}",
        "2026-01-01T00:00:00.000Z  metric  orders  sum  3 {order}  paid=True",
        "2026-01-01T00:00:00.000Z  metric  wait  histogram  count 2 sum 0.5 s min 0.1 s max 0.4 s",
    ]


def test_a_tree_for_each_trace() -> None:
    """Children below their parents by start time, whatever order they came in; then the rest."""
    orphan = Span("late", TRACE, b"orphan12", b"unknown1", AT + 2_000_000, AT + 2_000_000)
    other = Span("alone", b"t" * 16, b"s" * 8, start_unix_nano=AT, end_unix_nano=AT + 90)
    assert shown([FAILED, CHILD, orphan, ROOT, other, LOG], "tree").splitlines() == [
        "trace 000102030405060708090a0b0c0d0e0f",
        "  shop  GET /cart  45.3 ms  +0 ns",
        "    shop  SELECT  2.5 ms  db.system=sqlite  +1 ms",
        "    shop  pay  1 ms  error no money  +4 ms",
        "  .. late  0 ns  +2 ms",
        "trace 74747474747474747474747474747474",
        "  alone  90 ns  +0 ns",
        *shown([LOG]).splitlines(),
    ]


def test_a_loop_of_parents_is_shown_once() -> None:
    """Ids from strangers may contradict each other; no span is lost, none is shown twice."""
    spans = [
        Span("a", TRACE, b"a" * 8, b"b" * 8),
        Span("b", TRACE, b"b" * 8, b"a" * 8),
        Span("self", TRACE, b"c" * 8, b"c" * 8),
        Span("twin", TRACE, b"c" * 8, b""),
        Span("no id", TRACE, b"", b"\0" * 8),
    ]
    lines = shown(spans, "tree").splitlines()
    assert sorted(line.split("  ")[-3].strip() for line in lines[1:]) == [
        "a", "b", "no id", "self", "twin",
    ]  # fmt: skip


def test_json_is_otlp_indented() -> None:
    """One request for each signal in the batch."""
    text = shown([ROOT, LOG, CHILD], "json")
    first, end = json.JSONDecoder().raw_decode(text)
    second = json.loads(text[end:])
    assert decode_json(TRACES, json.dumps(first).encode()) == [ROOT, CHILD]
    assert decode_json(LOGS, json.dumps(second).encode()) == [LOG]
    assert text.splitlines()[:2] == ["{", '  "resourceSpans": [']


def test_any_function_may_draw() -> None:
    """The drawing of another module comes in through the constructor."""
    assert shown([1, 2], lambda batch: f"{len(batch)} records\n") == "2 records\n"
    assert shown([], lambda batch: "") == ""


def test_colours_only_when_asked() -> None:
    """Errors are red, warnings yellow; without `colour` there is no escape code."""
    warning = LogRecord("careful", AT, severity_number=13, severity_text="WARN")
    assert "\x1b" not in shown([FAILED, LOG, warning], "tree")
    failed, log, careful = shown([FAILED, LOG, warning], colour=True).splitlines()
    assert "\x1b[31merror no money\x1b[0m" in failed
    assert "\x1b[31mERROR\x1b[0m" in log
    assert "\x1b[33mWARN\x1b[0m" in careful


def test_text_from_strangers_cannot_do_harm() -> None:
    """No cursor moves, no line breaks, no reversed text, whatever a name or a value holds."""
    nasty = "a\x1b[2J\r\nb\u202e\ud800"
    record = LogRecord(nasty, AT, severity_text=nasty, attributes={nasty: [nasty], "raw": b"\x1b"})
    [line] = shown([record]).splitlines()
    assert "a\\x1b[2J\\r\\nb\\u202e\\ud800" in line
    assert line.isprintable()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["lines", "tree", "json"])
@settings(max_examples=40)
@given(data=st.data())
def test_every_record_can_be_shown(form: Any, data: st.DataObject) -> None:
    """Whatever the wire can carry; times of any year, and points without a value."""
    batch = data.draw(span_batches()) + data.draw(log_batches()) + data.draw(metric_batches())
    text = shown(batch, form)
    assert all(line.isprintable() for line in text.splitlines())


def test_odd_points() -> None:
    """A gap in a stream, a summary, a time that no calendar has."""
    points: list[Any] = [NumberPoint(None, 2**64 - 1), SummaryPoint(1, 2.0)]
    lines = shown([Metric("m", "summary", points=points)]).splitlines()
    assert lines == [
        "2554-07-21T23:34:33.709Z  metric  m  summary  no value",
        "1970-01-01T00:00:00.000Z  metric  m  summary  count 1 sum 2.0",
    ]
    assert shown([LogRecord("x", 2**80)]).startswith(f"{2**80} ns  log  x")


def test_a_stream_of_another_encoding_gets_what_it_can_take() -> None:
    """The rest is escaped, and the line is not lost."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    exporter = ConsoleExporter(stream=stream)
    assert exporter.export([LogRecord("tea ☕", AT)], 0.0) == Accepted()
    assert raw.getvalue() == b"2026-01-01T00:00:00.000Z  log  tea \\u2615\n"


def test_it_never_raises() -> None:
    """What was not shown is rejected, with the reason: a record, a data point at a time."""
    closed = io.StringIO()
    closed.close()
    two_points = Metric("m", points=[NumberPoint(1), NumberPoint(2)])
    answer = ConsoleExporter(stream=closed).export([LOG, two_points], 0.0)
    assert (answer.rejected, answer.message.startswith("cannot print: ")) == (3, True)

    class Rude:
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert ConsoleExporter().export([Rude()], 0.0) == Accepted(1, "cannot print: no")
    assert ConsoleExporter(lambda batch: 1 / 0).export([LOG], 0.0).rejected == 1  # type: ignore[arg-type, return-value]


def test_it_prints_where_standard_output_is_now(capsys: pytest.CaptureFixture[str]) -> None:
    """In a notebook or a test that is not where it was when the exporter was made."""
    exporter = ConsoleExporter()
    exporter.export([LogRecord("here", AT)], 0.0)
    assert capsys.readouterr().out == "2026-01-01T00:00:00.000Z  log  here\n"


def test_an_unknown_form_is_named() -> None:
    """At construction."""
    with pytest.raises(ValueError, match="form must be lines, tree, json or a function"):
        ConsoleExporter("xml")  # type: ignore[arg-type]
