"""OTLP as JSON: requests of the three signals, in both directions.

Each message is a table: the key in JSON, the field of the record, its kind. One writer and one
reader walk the tables, so both directions and all signals agree by construction.

    encode_json(TRACES, spans)            -> bytes
    decode_json(TRACES, body)             -> list[Span]; raises DecodeError

Fields that are not in a table are ignored, whatever they hold; so are keys in snake_case, which the
specification does not allow.

Specification: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

from otlp_kit.encoding.json_kinds import (
    ATTRIBUTES,
    BOOL,
    DOUBLE,
    ENUM,
    HEX,
    INT32,
    INT64,
    OPTIONAL_DOUBLE,
    TEXT,
    UINT32,
    UINT64,
    VALUE,
    Kind,
    clean,
    listed,
    object_of,
)
from otlp_kit.encoding.protobuf_read import MAX_PARTS, DecodeError, TooManyParts, warn_of_references
from otlp_kit.encoding.repair import fitting
from otlp_kit.model import (
    Buckets,
    Event,
    Exemplar,
    ExponentialHistogramPoint,
    HistogramPoint,
    Link,
    LogRecord,
    Metric,
    NumberPoint,
    Resource,
    Scope,
    Span,
    SummaryPoint,
)
from otlp_kit.wire import LOGS, METRICS, TRACES, Accepted, Signal

MAX_PARTS_JSON = 2 * MAX_PARTS
"""Objects, lists and commas in a request: an attribute takes four, two messages in protobuf."""

Table: TypeAlias = tuple[tuple[str, str, Kind], ...]

DROPPED_ATTRIBUTES = ("droppedAttributesCount", "dropped_attributes_count", UINT32)
ATTRIBUTE_LIST = ("attributes", "attributes", ATTRIBUTES)
TIME = ("timeUnixNano", "time_unix_nano", UINT64)


def write_fields(table: Table, record: Any) -> dict[str, Any]:
    """The JSON object of one record; fields at their default are left out, as proto3 does."""
    out = {}
    for key, name, kind in table:
        value = getattr(record, name)
        if kind.is_set(value):
            out[key] = kind.write(value)
    return out


def read_fields(table: Table, plain: Any, record: Any) -> Any:
    """Set the fields of `record` that the JSON object has, and return it."""
    plain = object_of(plain)
    for key, name, kind in table:
        held = plain.get(key)
        if held is not None:
            try:
                setattr(record, name, kind.read(held))
            except DecodeError as error:
                inner = str(error)
                joint = ": " if inner.startswith("must") else "."
                raise DecodeError(f"{key}{joint}{inner}") from None
    return record


def message(table: Table, make: type) -> Kind:
    """A nested message."""
    return Kind(
        lambda record: write_fields(table, record),
        lambda plain: read_fields(table, plain, make()),
    )


SCHEMA_URL: Table = (("schemaUrl", "schema_url", TEXT),)
RESOURCE: Table = (ATTRIBUTE_LIST, DROPPED_ATTRIBUTES)
SCOPE: Table = (
    ("name", "name", TEXT),
    ("version", "version", TEXT),
    ATTRIBUTE_LIST,
    DROPPED_ATTRIBUTES,
)
EVENT: Table = (TIME, ("name", "name", TEXT), ATTRIBUTE_LIST, DROPPED_ATTRIBUTES)
LINK: Table = (
    ("traceId", "trace_id", HEX),
    ("spanId", "span_id", HEX),
    ("traceState", "trace_state", TEXT),
    ATTRIBUTE_LIST,
    DROPPED_ATTRIBUTES,
    ("flags", "flags", UINT32),
)
STATUS: Table = (("message", "status_message", TEXT), ("code", "status_code", ENUM))
SPAN: Table = (
    ("traceId", "trace_id", HEX),
    ("spanId", "span_id", HEX),
    ("traceState", "trace_state", TEXT),
    ("parentSpanId", "parent_span_id", HEX),
    ("flags", "flags", UINT32),
    ("name", "name", TEXT),
    ("kind", "kind", ENUM),
    ("startTimeUnixNano", "start_unix_nano", UINT64),
    ("endTimeUnixNano", "end_unix_nano", UINT64),
    ATTRIBUTE_LIST,
    DROPPED_ATTRIBUTES,
    ("events", "events", listed(message(EVENT, Event))),
    ("droppedEventsCount", "dropped_events_count", UINT32),
    ("links", "links", listed(message(LINK, Link))),
    ("droppedLinksCount", "dropped_links_count", UINT32),
)
LOG: Table = (
    TIME,
    ("observedTimeUnixNano", "observed_time_unix_nano", UINT64),
    ("severityNumber", "severity_number", ENUM),
    ("severityText", "severity_text", TEXT),
    ("body", "body", VALUE),
    ATTRIBUTE_LIST,
    DROPPED_ATTRIBUTES,
    ("flags", "flags", UINT32),
    ("traceId", "trace_id", HEX),
    ("spanId", "span_id", HEX),
    ("eventName", "event_name", TEXT),
)
EXEMPLAR: Table = (
    ("filteredAttributes", "filtered_attributes", ATTRIBUTES),
    TIME,
    ("spanId", "span_id", HEX),
    ("traceId", "trace_id", HEX),
)
POINT: Table = (
    ATTRIBUTE_LIST,
    ("startTimeUnixNano", "start_time_unix_nano", UINT64),
    TIME,
    ("flags", "flags", UINT32),
)


def _write_value(table: Table, record: Any) -> dict[str, Any]:
    """A record with a number that is an integer or a double: the key says which."""
    out = write_fields(table, record)
    if isinstance(record.value, int):
        out["asInt"] = INT64.write(record.value)
    elif isinstance(record.value, float):
        out["asDouble"] = DOUBLE.write(record.value)
    return out


def _read_value(table: Table, plain: Any, record: Any) -> Any:
    read_fields((("asDouble", "value", DOUBLE), ("asInt", "value", INT64)), plain, record)
    return read_fields(table, plain, record)


EXEMPLARS = listed(
    Kind(
        lambda e: _write_value(EXEMPLAR, e), lambda plain: _read_value(EXEMPLAR, plain, Exemplar())
    )
)
NUMBER: Table = (*POINT, ("exemplars", "exemplars", EXEMPLARS))
COUNTED: Table = (
    *NUMBER,
    ("count", "count", UINT64),
    ("sum", "sum", OPTIONAL_DOUBLE),
    ("min", "min", OPTIONAL_DOUBLE),
    ("max", "max", OPTIONAL_DOUBLE),
)
HISTOGRAM: Table = (
    *COUNTED,
    ("bucketCounts", "bucket_counts", listed(UINT64)),
    ("explicitBounds", "explicit_bounds", listed(DOUBLE)),
)
BUCKETS: Table = (("offset", "offset", INT32), ("bucketCounts", "bucket_counts", listed(UINT64)))
EXPONENTIAL: Table = (
    *COUNTED,
    ("scale", "scale", INT32),
    ("zeroCount", "zero_count", UINT64),
    ("positive", "positive", message(BUCKETS, Buckets)),
    ("negative", "negative", message(BUCKETS, Buckets)),
    ("zeroThreshold", "zero_threshold", DOUBLE),
)


class _Quantile:
    """A pair of a summary while it is read or written."""

    def __init__(self, quantile: float = 0.0, value: float = 0.0) -> None:
        self.quantile, self.value = quantile, value


QUANTILE: Table = (("quantile", "quantile", DOUBLE), ("value", "value", DOUBLE))


def _read_quantile(plain: Any) -> tuple[float, float]:
    pair = read_fields(QUANTILE, plain, _Quantile())
    return pair.quantile, pair.value


QUANTILES = listed(Kind(lambda pair: write_fields(QUANTILE, _Quantile(*pair)), _read_quantile))
SUMMARY: Table = (
    *POINT,
    ("count", "count", UINT64),
    ("sum", "sum", DOUBLE),
    ("quantileValues", "quantiles", QUANTILES),
)
METRIC: Table = (
    ("name", "name", TEXT),
    ("description", "description", TEXT),
    ("unit", "unit", TEXT),
    ("metadata", "metadata", ATTRIBUTES),
)
TEMPORALITY = ("aggregationTemporality", "temporality", ENUM)
MONOTONIC = ("isMonotonic", "is_monotonic", BOOL)
NUMBERS = Kind(
    lambda point: _write_value(NUMBER, point),
    lambda plain: _read_value(NUMBER, plain, NumberPoint()),
)
DATA: dict[str, tuple[str, Table, Kind]] = {
    "gauge": ("gauge", (), NUMBERS),
    "sum": ("sum", (TEMPORALITY, MONOTONIC), NUMBERS),
    "histogram": ("histogram", (TEMPORALITY,), message(HISTOGRAM, HistogramPoint)),
    "exponential_histogram": (
        "exponentialHistogram",
        (TEMPORALITY,),
        message(EXPONENTIAL, ExponentialHistogramPoint),
    ),
    "summary": ("summary", (), message(SUMMARY, SummaryPoint)),
}
"""For each kind of metric: its key, the fields beside its points, and its points."""


def _write_span(span: Span) -> dict[str, Any]:
    status = write_fields(STATUS, span)
    return {**write_fields(SPAN, span), **({"status": status} if status else {})}


def _read_span(plain: Any) -> Span:
    span = read_fields(SPAN, plain, Span(kind=0, status_code=0))
    if plain.get("status") is not None:
        read_fields(STATUS, plain["status"], span)
    return span  # type: ignore[no-any-return]


def _write_metric(metric: Metric) -> dict[str, Any]:
    out = write_fields(METRIC, metric)
    if metric.kind:
        key, beside, point = DATA[metric.kind]
        points = {"dataPoints": [point.write(p) for p in metric.points]} if metric.points else {}
        out[key] = {**points, **write_fields(beside, metric)}
    return out


def _read_metric(plain: Any) -> Metric:
    metric = read_fields(METRIC, plain, Metric(kind="", temporality=0))
    for kind, (key, beside, point) in DATA.items():
        data = plain.get(key)
        if data is not None:
            points = read_fields(beside, data, metric) and data.get("dataPoints")
            metric.kind = kind
            metric.points = [] if points is None else listed(point).read(points)
    return metric  # type: ignore[no-any-return]


RECORDS: dict[str, tuple[str, str, str, Kind]] = {
    TRACES.name: ("resourceSpans", "scopeSpans", "spans", Kind(_write_span, _read_span)),
    LOGS.name: ("resourceLogs", "scopeLogs", "logRecords", message(LOG, LogRecord)),
    METRICS.name: ("resourceMetrics", "scopeMetrics", "metrics", Kind(_write_metric, _read_metric)),
}
"""For each signal: the keys of its three levels, and its records."""


def encode_json(signal: Signal, records: Iterable[Any]) -> bytes:
    """The request that carries `records`, grouped by resource and scope, as compact JSON."""
    outer, inner, items, kind = RECORDS[signal.name]
    resources: dict[str, dict[str, Any]] = {}
    for record in records:
        resource, scope = record.resource, record.scope
        group = {"resource": write_fields(RESOURCE, resource), inner: {}}
        group |= write_fields(SCHEMA_URL, resource)
        group = resources.setdefault(json.dumps(group), group)
        subgroup: dict[str, Any] = {"scope": write_fields(SCOPE, scope), items: []}
        subgroup |= write_fields(SCHEMA_URL, scope)
        subgroup = group[inner].setdefault(json.dumps(subgroup), subgroup)
        subgroup[items].append(fitting(kind.write, record))
    groups = [{**group, inner: list(group[inner].values())} for group in resources.values()]
    request = {outer: groups} if groups else {}
    return json.dumps(request, separators=(",", ":"), allow_nan=False).encode()


def decode_json(signal: Signal, body: bytes) -> list[Any]:
    """All records of the request, in order. Raises `DecodeError` that names what is wrong."""
    # Counted before anything is made of them; what stands inside of strings is counted too.
    if sum(map(body.count, (b"{", b"[", b","))) > MAX_PARTS_JSON:
        raise TooManyParts("the request has too many parts; send it as several")
    try:
        request = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"not JSON: {error}") from None
    if b'trindex"' in body:  # stringValueStrindex, keyStrindex: unknown fields, and worth a word
        warn_of_references()
    outer, inner, items, kind = RECORDS[signal.name]
    records = []
    try:
        for group in _list(request, outer):
            resource = read_fields(RESOURCE, group.get("resource") or {}, Resource())
            read_fields(SCHEMA_URL, group, resource)
            for subgroup in _list(group, inner):
                scope = read_fields(SCOPE, subgroup.get("scope") or {}, Scope())
                read_fields(SCHEMA_URL, subgroup, scope)
                for plain in _list(subgroup, items):
                    record = kind.read(plain)
                    record.resource, record.scope = resource, scope
                    records.append(record)
    except RecursionError:
        raise DecodeError("values are nested too deeply") from None
    return records


def _list(plain: Any, key: str) -> list[Any]:
    found = object_of(plain).get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise DecodeError(f"{key}: must be a list")
    return [object_of(item) for item in found]


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


REJECTED = {TRACES: "rejectedSpans", LOGS: "rejectedLogRecords", METRICS: "rejectedDataPoints"}


def encode_json_success(signal: Signal, accepted: Accepted) -> bytes:
    """The response to an accepted request: `{}` on full success."""
    partial: dict[str, Any] = {}
    if accepted.rejected:
        partial[REJECTED[signal]] = str(accepted.rejected)
    if accepted.message:
        partial["errorMessage"] = clean(accepted.message)
    return json.dumps({"partialSuccess": partial} if partial else {}).encode()


def encode_json_status(message: str, *, bad_request: bool = False) -> bytes:
    """A `google.rpc.Status`; `bad_request` adds the detail that says: it would fail again."""
    status: dict[str, Any] = {"message": clean(message)}
    if bad_request:
        kind = "type.googleapis.com/google.rpc.BadRequest"
        violations = [{"description": clean(message)}]
        status["details"] = [{"@type": kind, "fieldViolations": violations}]
    return json.dumps(status).encode()
