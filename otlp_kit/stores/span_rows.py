"""How a span lies in the database: columns that people ask for, and the rest as JSON.

The table is `span_rows`; people and programs read the view `spans`. A time beyond what SQLite's
integers hold (the year 2262) is cut there and kept whole in `rest`, so that every span comes back
as it went in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from otlp_kit.model import Event, Link, Resource, Scope, Span, StatusCode
from otlp_kit.stores.json_values import LARGEST, from_json, service_name, to_json

SCHEMA = """
create table if not exists batches (
    batch_id text primary key,
    items integer not null,
    received real not null
);
create table if not exists span_rows (
    batch_id text not null references batches,
    position integer not null,
    trace_id text not null,
    span_id text not null,
    parent_span_id text not null,
    name text not null,
    kind integer not null,
    service text not null,
    scope text not null,
    start_unix_nano integer not null,
    end_unix_nano integer not null,
    status_code integer not null,
    status_message text not null,
    attributes text not null,
    events text not null,
    links text not null,
    resource text not null,
    rest text not null,
    primary key (batch_id, position)
);
create index if not exists span_rows_by_trace on span_rows (trace_id);
create index if not exists span_rows_by_time on span_rows (start_unix_nano);
create table if not exists traces (
    trace_id text primary key,
    name text not null,
    service text not null,
    has_root integer not null,
    start_unix_nano integer not null,
    end_unix_nano integer not null,
    spans integer not null,
    errors integer not null
);
create index if not exists traces_by_time on traces (start_unix_nano);
create view if not exists spans as select
    trace_id, span_id, parent_span_id, name, kind, service, scope, start_unix_nano, end_unix_nano,
    status_code, status_message, attributes, events, links, resource
    from span_rows;
"""

INSERT_SPAN = f"insert into span_rows values ({', '.join('?' * 18)})"
SELECT_SPANS = """
select trace_id, span_id, parent_span_id, name, kind, start_unix_nano, end_unix_nano, status_code,
    status_message, attributes, events, links, resource, rest
    from span_rows where trace_id = ? order by start_unix_nano, batch_id, position
"""
# The root span names the trace, whenever it arrives; until then its earliest known span does.
UPSERT_TRACE = """
insert into traces values (?, ?, ?, ?, ?, ?, ?, ?)
on conflict (trace_id) do update set
    name = case when (excluded.has_root, start_unix_nano) > (has_root, excluded.start_unix_nano)
        then excluded.name else name end,
    service = case when (excluded.has_root, start_unix_nano) > (has_root, excluded.start_unix_nano)
        then excluded.service else service end,
    has_root = max(has_root, excluded.has_root),
    start_unix_nano = min(start_unix_nano, excluded.start_unix_nano),
    end_unix_nano = max(end_unix_nano, excluded.end_unix_nano),
    spans = spans + excluded.spans,
    errors = errors + excluded.errors
"""
SELECT_LATEST = """
select trace_id, name, service, start_unix_nano, end_unix_nano - start_unix_nano as duration_ns,
    spans, errors
    from traces order by start_unix_nano desc limit ?
"""

# Fields that need no column: kept only where they differ from a span without them.
REST = {
    "trace_state": "",
    "flags": 0,
    "dropped_attributes_count": 0,
    "dropped_events_count": 0,
    "dropped_links_count": 0,
}


def span_rows(spans: Sequence[Span], batch_id: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a batch."""
    return (span_row(span, batch_id, position) for position, span in enumerate(spans))


def span_row(span: Span, batch_id: str, position: int) -> tuple[Any, ...]:
    """The values of one row, in the order of the table."""
    rest = {
        name: getattr(span, name) for name, usual in REST.items() if getattr(span, name) != usual
    }
    if span.start_unix_nano > LARGEST or span.end_unix_nano > LARGEST:
        rest["times"] = [str(span.start_unix_nano), str(span.end_unix_nano)]
    return (
        batch_id,
        position,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.kind,
        service_name(span.resource),
        span.scope.name,
        min(span.start_unix_nano, LARGEST),
        min(span.end_unix_nano, LARGEST),
        span.status_code,
        span.status_message,
        to_json(span.attributes),
        to_json([_plain_event(event) for event in span.events]) if span.events else "[]",
        to_json([_plain_link(link) for link in span.links]) if span.links else "[]",
        to_json(span.resource.attributes),
        to_json({**rest, "resource": _about(span.resource), "scope": asdict(span.scope)}),
    )


def _plain_event(event: Event) -> dict[str, Any]:
    return {**asdict(event), "time_unix_nano": event.time_unix_nano}


def _plain_link(link: Link) -> dict[str, Any]:
    return {**asdict(link), "trace_id": link.trace_id.hex(), "span_id": link.span_id.hex()}


def _about(resource: Resource) -> dict[str, Any]:
    return {
        "schema_url": resource.schema_url,
        "dropped_attributes_count": resource.dropped_attributes_count,
    }


def span_of(row: Sequence[Any]) -> Span:
    """The span of a row of `SELECT_SPANS`."""
    trace_id, span_id, parent, name, kind, start, end, code, message, *texts = row
    attributes, events, links, resource, rest = map(from_json, texts)
    if "times" in rest:
        start, end = map(int, rest.pop("times"))
    about, scope = rest.pop("resource"), rest.pop("scope")
    for link in links:
        link["trace_id"] = bytes.fromhex(link["trace_id"])
        link["span_id"] = bytes.fromhex(link["span_id"])
    return Span(
        name=name,
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(span_id),
        parent_span_id=bytes.fromhex(parent),
        start_unix_nano=start,
        end_unix_nano=end,
        kind=kind,
        status_code=code,
        status_message=message,
        attributes=attributes,
        events=[Event(**event) for event in events],
        links=[Link(**link) for link in links],
        resource=Resource(resource, **about),
        scope=Scope(**scope),
        **rest,
    )


def trace_rows(spans: Sequence[Span]) -> list[tuple[Any, ...]]:
    """One row of `traces` for each trace that has a span here."""
    by_trace: dict[bytes, list[Span]] = {}
    for span in spans:
        by_trace.setdefault(span.trace_id, []).append(span)
    rows = []
    for trace_id, members in by_trace.items():
        # The root, or else the earliest, speaks for the trace.
        first = min(
            members, key=lambda span: (bool(span.parent_span_id.strip(b"\0")), span.start_unix_nano)
        )
        rows.append(
            (
                trace_id.hex(),
                first.name,
                service_name(first.resource),
                not first.parent_span_id.strip(b"\0"),
                min(LARGEST, *(span.start_unix_nano for span in members)),
                min(LARGEST, max(span.end_unix_nano for span in members)),
                len(members),
                sum(span.status_code == StatusCode.ERROR for span in members),
            )
        )
    return rows
