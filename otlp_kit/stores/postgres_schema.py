"""How telemetry lies in PostgreSQL: the tables and views of the SQLite store, with its columns.

People and programs read the views `spans`, `logs` and `metrics`: ids in hexadecimal, times in
nanoseconds as bigint, attributes as jsonb.

    select name, attributes->>'http.route' from spans where attributes @> '{"error": true}'

The names are taken in the first schema of the connection's search path. This is SQL and the shape
of rows; it talks to no server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from otlp_kit.stores.log_rows import log_rows
from otlp_kit.stores.metric_rows import point_rows
from otlp_kit.stores.span_rows import span_rows
from otlp_kit.wire import LOGS, METRICS, TRACES


@dataclass(frozen=True, slots=True)
class Table:
    """A table of one signal's rows, and the view in which they are read."""

    name: str
    columns: dict[str, str]
    """From name to type, in the order in which `rows` gives the values."""
    rows: Callable[[Sequence[Any], str], Iterable[tuple[Any, ...]]]
    """The rows of (records, batch_id)."""
    view: str
    shown: str
    """The columns of the view."""

    @property
    def copy_in(self) -> str:
        return f"copy {self.name} ({', '.join(self.columns)}) from stdin"

    @property
    def schema(self) -> str:
        optional = {"body"}
        columns = [
            f"{name} {kind}{'' if name in optional else ' not null'}"
            for name, kind in self.columns.items()
        ]
        return f"""
            create table {self.name} ({", ".join(columns)}, primary key (batch_id, position));
            create view {self.view} as select {self.shown} from {self.name};
        """


def _columns(description: str) -> dict[str, str]:
    """Names and types from lines such as `text: name, unit`, in the order of the words."""
    return {
        name.strip(): kind.strip()
        for line in description.strip().splitlines()
        for kind, _, names in [line.partition(":")]
        for name in names.split(",")
    }


TABLES = {
    TRACES.name: Table(
        "span_rows",
        _columns("""
            text: batch_id
            bigint: position
            text: trace_id, span_id, parent_span_id, name
            bigint: kind
            text: service, scope
            bigint: start_unix_nano, end_unix_nano, status_code
            text: status_message
            jsonb: attributes, events, links, resource, rest
        """),
        span_rows,
        "spans",
        """trace_id, span_id, parent_span_id, name, kind, service, scope, start_unix_nano,
        end_unix_nano, status_code, status_message, attributes, events, links, resource""",
    ),
    LOGS.name: Table(
        "log_rows",
        _columns("""
            text: batch_id
            bigint: position, time_unix_nano, severity_number
            text: severity_text, body, trace_id, span_id, service, scope, event_name
            jsonb: attributes, resource
        """),
        log_rows,
        "logs",
        """time_unix_nano, severity_number, severity_text, body, trace_id, span_id, service,
        attributes, resource, scope, event_name""",
    ),
    METRICS.name: Table(
        "point_rows",
        _columns("""
            text: batch_id
            bigint: position
            text: name, type, unit
            bigint: time_unix_nano, start_time_unix_nano
            jsonb: value
            bigint: temporality
            boolean: is_monotonic
            text: service
            jsonb: attributes, exemplars, resource
        """),
        point_rows,
        "metrics",
        """name, type, unit, time_unix_nano, value, service, attributes, start_time_unix_nano,
        temporality, is_monotonic, exemplars, resource""",
    ),
}
"""For each signal: where its rows lie."""

TRACE_COLUMNS = _columns("""
    text: trace_id, name, service
    boolean: has_root
    bigint: start_unix_nano, end_unix_nano, spans, errors
""")

# Texts of any length may come, an entry of an index has room for 2700 bytes: so `left`.
SCHEMA = f"""
create table batches (
    batch_id text primary key,
    items bigint not null,
    received double precision not null
);
create index batches_by_time on batches (received);
{"".join(table.schema for table in TABLES.values())}
create index span_rows_by_trace on span_rows (trace_id);
create index span_rows_by_time on span_rows (start_unix_nano);
create index log_rows_by_trace on log_rows (trace_id);
create index log_rows_by_time on log_rows (time_unix_nano);
create index point_rows_by_name
    on point_rows (left(name, 200), left(service, 200), time_unix_nano);
create table traces ({", ".join(f"{name} {kind} not null" for name, kind in TRACE_COLUMNS.items())},
    primary key (trace_id));
create index traces_by_time on traces (start_unix_nano);
create index traces_to_remove on traces (trace_id) where spans <= 0;
"""

# Not `to_regclass`: a session remembers its "no" while it waits for its turn to create the tables.
IS_THERE = """
select current_setting('server_encoding'), exists (
    select from pg_class where relname = 'point_rows' and pg_table_is_visible(oid))
"""
CREATE_ALONE = f"select pg_advisory_xact_lock({0x6F746C705F6B6974})"
"""Two processes that create the schema at once would fail at one another: they take turns."""

# The acknowledgement means that the disk has it, whatever this database says is usual.
BEGIN = """
select set_config('statement_timeout', %s, true), set_config('synchronous_commit',
    case current_setting('synchronous_commit')
        when 'off' then 'on' else current_setting('synchronous_commit') end, true)
"""
INSERT_BATCH = "insert into batches values (%s, %s, %s) on conflict do nothing"

EARLIER = (
    "(excluded.has_root, traces.start_unix_nano) > (traces.has_root, excluded.start_unix_nano)"
)
UPSERT_TRACE = f"""
insert into traces values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict (trace_id) do update set
    name = case when {EARLIER} then excluded.name else traces.name end,
    service = case when {EARLIER} then excluded.service else traces.service end,
    has_root = traces.has_root or excluded.has_root,
    start_unix_nano = least(traces.start_unix_nano, excluded.start_unix_nano),
    end_unix_nano = greatest(traces.end_unix_nano, excluded.end_unix_nano),
    spans = traces.spans + excluded.spans,
    errors = traces.errors + excluded.errors
"""
SELECT_SPANS = """
select trace_id, span_id, parent_span_id, name, kind, start_unix_nano, end_unix_nano, status_code,
    status_message, attributes::text, events::text, links::text, resource::text, rest::text
    from span_rows where trace_id = %s order by start_unix_nano, batch_id, position
"""
SELECT_LATEST = """
select trace_id, name, service, start_unix_nano, end_unix_nano - start_unix_nano as duration_ns,
    spans, errors
    from traces order by start_unix_nano desc limit %s
"""

# Counts are subtracted, not counted anew: another process may be adding to the same trace.
REMOVE_SOME = """
with old as (
    delete from batches where batch_id in (
        select batch_id from batches where received < %s order by received limit 16
        for update skip locked)
    returning batch_id),
gone as (
    delete from span_rows using old where span_rows.batch_id = old.batch_id
    returning trace_id, status_code),
gone_logs as (delete from log_rows using old where log_rows.batch_id = old.batch_id),
gone_points as (delete from point_rows using old where point_rows.batch_id = old.batch_id),
fewer as (
    update traces set spans = traces.spans - gone_of.spans, errors = traces.errors - gone_of.errors
    from (select trace_id, count(*) as spans, count(*) filter (where status_code = 2) as errors
        from gone group by trace_id order by trace_id) as gone_of
    where traces.trace_id = gone_of.trace_id)
select count(*) from old
"""
REMOVE_TRACES = "delete from traces where spans <= 0"
