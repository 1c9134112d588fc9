"""How a log record lies in the database: the table `log_rows`, read as the view `logs`.

`body` is the text itself where it is a text, else JSON. A record that says no time of its own has the
time at which it was first seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from otlp_kit.model import LogRecord
from otlp_kit.stores.json_values import LARGEST, service_name, to_json

SCHEMA = """
create table if not exists log_rows (
    batch_id text not null references batches,
    position integer not null,
    time_unix_nano integer not null,
    severity_number integer not null,
    severity_text text not null,
    body text,
    trace_id text not null,
    span_id text not null,
    service text not null,
    scope text not null,
    event_name text not null,
    attributes text not null,
    resource text not null,
    primary key (batch_id, position)
);
create index if not exists log_rows_by_trace on log_rows (trace_id);
create index if not exists log_rows_by_time on log_rows (time_unix_nano);
create view if not exists logs as select
    time_unix_nano, severity_number, severity_text, body, trace_id, span_id, service, attributes,
    resource, scope, event_name
    from log_rows;
"""

INSERT = f"insert into log_rows values ({', '.join('?' * 13)})"
SELECT_OF_TRACE = """
select time_unix_nano, severity_number, severity_text, body, trace_id, span_id, service, attributes
    from log_rows where trace_id = ? order by time_unix_nano, batch_id, position limit 10000
"""


def log_rows(records: Sequence[LogRecord], batch_id: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a batch, in the order of the table's columns."""
    for position, record in enumerate(records):
        body = record.body
        yield (
            batch_id,
            position,
            min(record.time_unix_nano or record.observed_time_unix_nano, LARGEST),
            record.severity_number,
            record.severity_text,
            body if isinstance(body, str | None) else to_json(body),
            record.trace_id.hex(),
            record.span_id.hex(),
            service_name(record.resource),
            record.scope.name,
            record.event_name,
            to_json(record.attributes),
            to_json(record.resource.attributes),
        )


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `SELECT_OF_TRACE` as the page shows it."""
    return {
        **row,
        "time_unix_nano": str(row["time_unix_nano"]),
        "attributes": json.loads(row["attributes"]),
    }
