"""What the messages of OTLP consist of: the protocol's definitions as one table.

Nothing here encodes or decodes; the microscope names bytes with it. A test holds it equal to the
official descriptors.

Specification: https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto
"""

from __future__ import annotations

import re
from typing import NamedTuple

PROTO = "https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/"

TABLE = {
    "collector/trace/v1/trace_service.proto": """
        ExportTraceServiceRequest: 1 resource_spans ResourceSpans*""",
    "collector/logs/v1/logs_service.proto": """
        ExportLogsServiceRequest: 1 resource_logs ResourceLogs*""",
    "collector/metrics/v1/metrics_service.proto": """
        ExportMetricsServiceRequest: 1 resource_metrics ResourceMetrics*""",
    "resource/v1/resource.proto": """
        Resource: 1 attributes KeyValue*, 2 dropped_attributes_count uint32,
            3 entity_refs EntityRef*""",
    "common/v1/common.proto": """
        KeyValue: 1 key string, 2 value AnyValue, 3 key_strindex int32
        AnyValue: 1 string_value string, 2 bool_value bool, 3 int_value int64,
            4 double_value double, 5 array_value ArrayValue, 6 kvlist_value KeyValueList,
            7 bytes_value bytes, 8 string_value_strindex int32
        ArrayValue: 1 values AnyValue*
        KeyValueList: 1 values KeyValue*
        EntityRef: 1 schema_url string, 2 type string, 3 id_keys string*,
            4 description_keys string*
        InstrumentationScope: 1 name string, 2 version string, 3 attributes KeyValue*,
            4 dropped_attributes_count uint32""",
    "trace/v1/trace.proto": """
        ResourceSpans: 1 resource Resource, 2 scope_spans ScopeSpans*, 3 schema_url string
        ScopeSpans: 1 scope InstrumentationScope, 2 spans Span*, 3 schema_url string
        Span: 1 trace_id bytes, 2 span_id bytes, 3 trace_state string, 4 parent_span_id bytes,
            5 name string, 6 kind Span.SpanKind, 7 start_time_unix_nano fixed64,
            8 end_time_unix_nano fixed64, 9 attributes KeyValue*,
            10 dropped_attributes_count uint32, 11 events Span.Event*,
            12 dropped_events_count uint32, 13 links Span.Link*, 14 dropped_links_count uint32,
            15 status Status, 16 flags fixed32
        Span.Event: 1 time_unix_nano fixed64, 2 name string, 3 attributes KeyValue*,
            4 dropped_attributes_count uint32
        Span.Link: 1 trace_id bytes, 2 span_id bytes, 3 trace_state string,
            4 attributes KeyValue*, 5 dropped_attributes_count uint32, 6 flags fixed32
        Status: 2 message string, 3 code Status.StatusCode""",
    "logs/v1/logs.proto": """
        ResourceLogs: 1 resource Resource, 2 scope_logs ScopeLogs*, 3 schema_url string
        ScopeLogs: 1 scope InstrumentationScope, 2 log_records LogRecord*, 3 schema_url string
        LogRecord: 1 time_unix_nano fixed64, 2 severity_number SeverityNumber,
            3 severity_text string, 5 body AnyValue, 6 attributes KeyValue*,
            7 dropped_attributes_count uint32, 8 flags fixed32, 9 trace_id bytes,
            10 span_id bytes, 11 observed_time_unix_nano fixed64, 12 event_name string""",
    "metrics/v1/metrics.proto": """
        ResourceMetrics: 1 resource Resource, 2 scope_metrics ScopeMetrics*, 3 schema_url string
        ScopeMetrics: 1 scope InstrumentationScope, 2 metrics Metric*, 3 schema_url string
        Metric: 1 name string, 2 description string, 3 unit string, 5 gauge Gauge, 7 sum Sum,
            9 histogram Histogram, 10 exponential_histogram ExponentialHistogram,
            11 summary Summary, 12 metadata KeyValue*
        Gauge: 1 data_points NumberDataPoint*
        Sum: 1 data_points NumberDataPoint*, 2 aggregation_temporality AggregationTemporality,
            3 is_monotonic bool
        Histogram: 1 data_points HistogramDataPoint*,
            2 aggregation_temporality AggregationTemporality
        ExponentialHistogram: 1 data_points ExponentialHistogramDataPoint*,
            2 aggregation_temporality AggregationTemporality
        Summary: 1 data_points SummaryDataPoint*
        NumberDataPoint: 2 start_time_unix_nano fixed64, 3 time_unix_nano fixed64,
            4 as_double double, 5 exemplars Exemplar*, 6 as_int sfixed64, 7 attributes KeyValue*,
            8 flags uint32
        HistogramDataPoint: 2 start_time_unix_nano fixed64, 3 time_unix_nano fixed64,
            4 count fixed64, 5 sum double, 6 bucket_counts fixed64*, 7 explicit_bounds double*,
            8 exemplars Exemplar*, 9 attributes KeyValue*, 10 flags uint32, 11 min double,
            12 max double
        ExponentialHistogramDataPoint: 1 attributes KeyValue*, 2 start_time_unix_nano fixed64,
            3 time_unix_nano fixed64, 4 count fixed64, 5 sum double, 6 scale sint32,
            7 zero_count fixed64, 8 positive ExponentialHistogramDataPoint.Buckets,
            9 negative ExponentialHistogramDataPoint.Buckets, 10 flags uint32,
            11 exemplars Exemplar*, 12 min double, 13 max double, 14 zero_threshold double
        ExponentialHistogramDataPoint.Buckets: 1 offset sint32, 2 bucket_counts uint64*
        SummaryDataPoint: 2 start_time_unix_nano fixed64, 3 time_unix_nano fixed64,
            4 count fixed64, 5 sum double, 6 quantile_values SummaryDataPoint.ValueAtQuantile*,
            7 attributes KeyValue*, 8 flags uint32
        SummaryDataPoint.ValueAtQuantile: 1 quantile double, 2 value double
        Exemplar: 2 time_unix_nano fixed64, 3 as_double double, 4 span_id bytes,
            5 trace_id bytes, 6 as_int sfixed64, 7 filtered_attributes KeyValue*""",
}
"""The messages by proto file: number, name and type of each field; `*` marks a repeated one."""

ENUMS = {
    "Span.SpanKind": ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"],
    "Status.StatusCode": ["UNSET", "OK", "ERROR"],
    "AggregationTemporality": ["UNSPECIFIED", "DELTA", "CUMULATIVE"],
    "SeverityNumber": ["UNSPECIFIED"]
    + [f"{level}{step}" for level in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
       for step in ("", 2, 3, 4)],
}  # fmt: skip
"""The names of an enum's values, from 0 up, without the prefix that all of them share."""

REQUESTS = {
    "traces": "ExportTraceServiceRequest",
    "logs": "ExportLogsServiceRequest",
    "metrics": "ExportMetricsServiceRequest",
}
WIRE_TYPES = {0: "VARINT", 1: "I64", 2: "LEN", 3: "SGROUP", 4: "EGROUP", 5: "I32"}
"""How a value is laid out, as https://protobuf.dev/programming-guides/encoding/#structure has it."""

WIRE_TYPE_OF = {
    **dict.fromkeys(("bool", "int32", "int64", "uint32", "uint64", "sint32", *ENUMS), 0),
    **dict.fromkeys(("fixed64", "sfixed64", "double"), 1),
    "fixed32": 5,
}
"""The wire type of each type that is a number; all others are LEN."""


class Field(NamedTuple):
    """A row of the table."""

    name: str
    type: str
    repeated: bool


UNKNOWN = Field("", "", repeated=False)

MESSAGES: dict[str, dict[int, Field]] = {}
"""By message and field number; `FILES` has the proto file of each message. Both from `TABLE`."""
FILES: dict[str, str] = {}
for _file, _text in TABLE.items():
    for _message, _fields in re.findall(r"([\w.]+): ([^:]+?)(?=\s+[\w.]+:|$)", _text):
        FILES[_message] = _file
        MESSAGES[_message] = {
            int(number): Field(name, type_, bool(star))
            for number, name, type_, star in re.findall(r"(\d+) (\w+) ([\w.]+)(\*?)", _fields)
        }
