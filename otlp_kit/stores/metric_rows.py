"""How metrics lie in the database: one row a data point, read as the view `metrics`.

`value` is JSON: a number for gauges and sums, an object for the other kinds, with the names of
`model.metric`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from otlp_kit.model import Exemplar, Metric, NumberPoint
from otlp_kit.stores.json_values import LARGEST, service_name, to_json

SCHEMA = """
create table if not exists point_rows (
    batch_id text not null references batches,
    position integer not null,
    name text not null,
    type text not null,
    unit text not null,
    time_unix_nano integer not null,
    start_time_unix_nano integer not null,
    value text not null,
    temporality integer not null,
    is_monotonic integer not null,
    service text not null,
    attributes text not null,
    exemplars text not null,
    resource text not null,
    primary key (batch_id, position)
);
create index if not exists point_rows_by_name on point_rows (name, service, time_unix_nano);
create view if not exists metrics as select
    name, type, unit, time_unix_nano, value, service, attributes, start_time_unix_nano, temporality,
    is_monotonic, exemplars, resource
    from point_rows;
"""

INSERT = f"insert into point_rows values ({', '.join('?' * 14)})"
SELECT_STREAMS = """
select name, type as kind, unit, service, attributes, count(*) as points, value,
    max(time_unix_nano) as time_unix_nano
    from point_rows group by name, service, attributes order by name, service, attributes limit 2000
"""  # SQLite takes `value` from the row that has the maximum
SELECT_POINTS = """
select type as kind, time_unix_nano, value, attributes, is_monotonic, temporality, exemplars
    from point_rows where name = ? and service = ? order by time_unix_nano desc limit 2000
"""
BESIDE_VALUE = ("attributes", "exemplars", "time_unix_nano", "start_time_unix_nano", "flags")


def point_rows(metrics: Sequence[Metric], batch_id: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a batch, in the order of the table's columns."""
    position = 0
    for metric in metrics:
        for point in metric.points:
            yield (
                batch_id,
                position,
                metric.name,
                metric.kind,
                metric.unit,
                min(point.time_unix_nano, LARGEST),
                min(point.start_time_unix_nano, LARGEST),
                to_json(_value(point)),
                metric.temporality,
                metric.is_monotonic,
                service_name(metric.resource),
                to_json(point.attributes),
                to_json([_exemplar(e) for e in getattr(point, "exemplars", ())]),
                to_json(metric.resource.attributes),
            )
            position += 1


def _value(point: Any) -> Any:
    if isinstance(point, NumberPoint):
        return point.value
    return {name: value for name, value in asdict(point).items() if name not in BESIDE_VALUE}


def _exemplar(exemplar: Exemplar) -> dict[str, Any]:
    return {
        "value": exemplar.value,
        "time_unix_nano": str(exemplar.time_unix_nano),
        "trace_id": exemplar.trace_id.hex(),
        "span_id": exemplar.span_id.hex(),
        "attributes": exemplar.filtered_attributes,
    }


def shown_stream(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `SELECT_STREAMS` as the page lists it."""
    value = json.loads(row.pop("value"))
    row.pop("time_unix_nano")
    latest = value if isinstance(value, int | float) else None
    return {**row, "attributes": json.loads(row["attributes"]), "latest": latest}


def shown_point(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `SELECT_POINTS` as the page draws it."""
    return {
        **row,
        "time_unix_nano": str(row["time_unix_nano"]),
        "value": json.loads(row["value"]),
        "attributes": json.loads(row["attributes"]),
        "exemplars": json.loads(row["exemplars"]),
        "is_monotonic": bool(row["is_monotonic"]),
    }
