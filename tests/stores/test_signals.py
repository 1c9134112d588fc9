"""Logs, metrics and the search for traces, asked as the page and SQL ask."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from otlp_kit.model import (
    Exemplar,
    HistogramPoint,
    LogRecord,
    Metric,
    NumberPoint,
    Resource,
    Span,
    StatusCode,
    Temporality,
)
from otlp_kit.stores.sqlite_store import FILE, SqliteStore
from otlp_kit.stores.trace_search import BadFilter
from otlp_kit.wire import LOGS, METRICS, TRACES
from tests.encoding.strategies import log_batches, metric_batches

TRACE, SPAN = b"t" * 16, b"s" * 8
WEB = Resource({"service.name": "web"})
MS = 1_000_000
BATCHES = itertools.count()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path)
    yield store
    store.close()


def ask(directory: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(directory / FILE)) as database:
        return database.execute(query).fetchall()


def test_the_view_of_logs_is_plain(store: SqliteStore, tmp_path: Path) -> None:
    """A text body is the text; another is JSON; a record without a time has that of its arrival."""
    records = [
        LogRecord("hello", 5, 6, 9, "INFO", attributes={"k": 1}, trace_id=TRACE, span_id=SPAN, resource=WEB),
        LogRecord({"a": [1]}, 0, 7, resource=WEB),
        LogRecord(None),
    ]  # fmt: skip
    assert store.put(LOGS, records, "batch") == 3
    assert store.put(LOGS, records, "batch") == 0
    rows = ask(
        tmp_path,
        "select time_unix_nano, severity_number, severity_text, body, trace_id, span_id, service,"
        " attributes, resource from logs order by time_unix_nano desc",
    )
    resource = '{"service.name":"web"}'
    assert rows == [
        (7, 0, "", '{"a":[1]}', "", "", "web", "{}", resource),
        (5, 9, "INFO", "hello", TRACE.hex(), SPAN.hex(), "web", '{"k":1}', resource),
        (0, 0, "", None, "", "", "", "{}", "{}"),
    ]
    [shown] = store.logs(TRACE.hex())
    assert (shown["body"], shown["time_unix_nano"], shown["attributes"]) == ("hello", "5", {"k": 1})


def test_the_view_of_metrics_has_a_row_for_each_point(store: SqliteStore, tmp_path: Path) -> None:
    """Numbers are numbers, histograms are objects with the names of the model."""
    exemplar = Exemplar(0.5, 3, TRACE, SPAN)
    metrics = [
        Metric("count", "sum", "1", points=[NumberPoint(3, 10), NumberPoint(4, 20)], resource=WEB,
               temporality=Temporality.CUMULATIVE, is_monotonic=True),
        Metric("size", "histogram", "By", points=[HistogramPoint(2, 9.0, [1, 1], [5.0], time_unix_nano=30,
               attributes={"k": "v"}, exemplars=[exemplar])], resource=WEB),
    ]  # fmt: skip
    assert store.put(METRICS, metrics, "batch") == 3
    rows = ask(
        tmp_path, "select name, type, unit, time_unix_nano, service, attributes, value from metrics"
    )
    assert [row[:6] for row in rows] == [
        ("count", "sum", "1", 10, "web", "{}"),
        ("count", "sum", "1", 20, "web", "{}"),
        ("size", "histogram", "By", 30, "web", '{"k":"v"}'),
    ]
    assert [json.loads(row[6]) for row in rows] == [
        3,
        4,
        {"count": 2, "sum": 9.0, "bucket_counts": [1, 1], "explicit_bounds": [5.0], "min": None, "max": None},
    ]  # fmt: skip
    assert store.metrics() == [
        {"name": "count", "kind": "sum", "unit": "1", "service": "web", "attributes": {}, "points": 2, "latest": 4},
        {"name": "size", "kind": "histogram", "unit": "By", "service": "web", "attributes": {"k": "v"},
         "points": 1, "latest": None},
    ]  # fmt: skip
    assert [point["value"] for point in store.points("count", "web")] == [3, 4]
    [point] = store.points("size", "web")
    assert point["exemplars"] == [
        {"value": 0.5, "time_unix_nano": "3", "trace_id": TRACE.hex(), "span_id": SPAN.hex(), "attributes": {}}
    ]  # fmt: skip


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None
)
@given(logs=log_batches(), metrics=metric_batches())
def test_whatever_the_wire_can_carry_is_stored(
    store: SqliteStore, logs: list[LogRecord], metrics: list[Metric]
) -> None:
    """No value of any field stops a batch."""
    number = next(BATCHES)
    assert store.put(LOGS, logs, f"logs {number}") == len(logs)
    points = sum(len(metric.points) for metric in metrics)
    assert store.put(METRICS, metrics, f"metrics {number}") == points
    store.metrics()


@pytest.fixture
def shop(store: SqliteStore) -> SqliteStore:
    """Three traces that differ in everything one can search for."""

    def span(number: int, name: str, service: str, ms: int, **more: Any) -> Span:
        start = number * 1000 * MS
        return Span(name, bytes([number]) * 16, bytes([number]) * 8, b"", start, start + ms * MS,
                    resource=Resource({"service.name": service}), **more)  # fmt: skip

    store.put(
        TRACES,
        [
            span(1, "GET /tea", "web", 10, attributes={"http.status": 200, "cached": True}),
            span(2, "POST /Tea", "web", 300, status_code=StatusCode.ERROR, attributes={"http.status": 502}),
            span(3, "nightly", "cron", 5000, attributes={'odd"key': "it's", "ratio": 0.5}),
        ],
        "shop",
    )  # fmt: skip
    return store


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [3, 2, 1]),
        ({"service": "web"}, [2, 1]),
        ({"name": "tea"}, [2, 1]),
        ({"name": "100%"}, []),
        ({"status": "error"}, [2]),
        ({"status": "ok"}, [3, 1]),
        ({"min_ms": "300"}, [3, 2]),
        ({"max_ms": "10.5"}, [1]),
        ({"attribute": "http.status=502"}, [2]),
        ({"attribute": "http.status"}, [2, 1]),
        ({"attribute": "cached=true"}, [1]),
        ({"attribute": "ratio=0.5"}, [3]),
        ({"attribute": "it's=' or 1=1 --"}, []),
        ({"service": "web", "status": "ok", "name": ""}, [1]),
    ],
)
def test_traces_are_found(shop: SqliteStore, filters: dict[str, str], found: list[int]) -> None:
    """All filters have to hold; what is typed is data, never SQL."""
    rows = shop.search(filters, 10)
    assert [row["trace_id"] for row in rows] == [bytes([number] * 16).hex() for number in found]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"status": "bad"}, "status must be error or ok, not 'bad'"),
        ({"min_ms": "soon"}, "min_ms must be a number of milliseconds"),
        ({"max_ms": "inf"}, "max_ms must be a number of milliseconds"),
        ({"colour": "red"}, "no such filter: 'colour'"),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(
    shop: SqliteStore, filters: dict[str, str], message: str
) -> None:
    """One line that says what it should be."""
    with pytest.raises(BadFilter) as error:
        shop.search(filters, 10)
    assert message in str(error.value)
