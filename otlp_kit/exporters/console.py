"""Telemetry on the terminal, for people: an exporter that prints.

    BatchProcessor(ConsoleExporter("lines"), delay=0.1)     # one line for each record
    ConsoleExporter("tree", colour=True)                    # spans below their parents
    ConsoleExporter("json", stream=sys.stderr)              # OTLP/JSON, indented
    ConsoleExporter(lambda batch: render(batch))            # any text of yours

It takes spans, log records and metrics, also in one batch. A tree knows no more than its batch: a
span whose parent comes later is a root, marked `..`. It is nothing for programs to read (that is
`otlp_file`), and it never raises: what cannot be shown is rejected, with the reason.

Text of strangers cannot move the cursor or colour the terminal: what is not printable is escaped,
and so is what the stream's encoding does not have.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias

from otlp_kit.encoding.otlp_json import encode_json
from otlp_kit.model import LogRecord, Metric, Span, StatusCode
from otlp_kit.wire import LOGS, METRICS, TRACES, Accepted

Form: TypeAlias = Literal["lines", "tree", "json"]

RED, YELLOW, GREY, PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[90m", "\x1b[0m"
WARN, ERROR = 13, 17  # where these ranges of severity numbers begin
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SIGNAL_OF = {Span: TRACES, LogRecord: LOGS, Metric: METRICS}


class TextStream(Protocol):
    """What is asked of a stream; one without `encoding` takes any text."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class ConsoleExporter:
    """Prints batches in one `form`: `lines`, `tree`, `json`, or a function from batch to text.

    `stream` is any text stream; left out, it is `sys.stdout` at the time of each batch. `colour`
    marks errors and warnings with the codes of terminals. Raises `ValueError` for an unknown form.
    """

    def __init__(
        self,
        form: Form | Callable[[Sequence[Any]], str] = "lines",
        *,
        stream: TextStream | None = None,
        colour: bool = False,
    ) -> None:
        if callable(form):
            self._render = form
        elif form == "json":
            self._render = _json
        elif form in ("lines", "tree"):
            paint = _painted if colour else _unpainted
            self._render = _Lines(paint).lines if form == "lines" else _Lines(paint).tree
        else:
            raise ValueError(f"form must be lines, tree, json or a function, not {form!r}")
        self._stream = stream

    def export(self, batch: Sequence[Any], deadline: float) -> Accepted:
        """Print `batch` in one piece. `deadline` is not needed. Never raises."""
        try:
            text = self._render(batch).rstrip("\n")
            stream = self._stream or sys.stdout
            if text:
                _print(stream, text + "\n")
        except Exception as error:
            # The stream, the function and what a record holds may be anybody's.
            count = sum(len(r.points) if isinstance(r, Metric) else 1 for r in batch)
            return Accepted(count, f"cannot print: {str(error) or type(error).__name__}")
        return Accepted()

    def shutdown(self) -> None:
        """Nothing to release: the stream is its owner's."""


def _print(stream: TextStream, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError as error:
        stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
    stream.flush()


Paint: TypeAlias = Callable[[str, str], str]


def _painted(text: str, colour: str) -> str:
    return f"{colour}{text}{PLAIN}" if text else ""


def _unpainted(text: str, colour: str) -> str:
    return text


class _Lines:
    """Records as lines, with or without colours."""

    def __init__(self, paint: Paint) -> None:
        self._paint = paint

    def lines(self, batch: Sequence[Any]) -> str:
        return "\n".join(line for record in batch for line in self._of(record))

    def tree(self, batch: Sequence[Any]) -> str:
        """Traces as trees, in the order in which they appear; then what is no span, as lines."""
        traces: dict[bytes, list[Span]] = {}
        for record in batch:
            if isinstance(record, Span):
                traces.setdefault(record.trace_id, []).append(record)
        lines = [line for spans in traces.values() for line in self._trace(spans)]
        others = [record for record in batch if not isinstance(record, Span)]
        return "\n".join([*lines, *(line for each in others for line in self._of(each))])

    def _trace(self, spans: list[Span]) -> Iterator[str]:
        yield self._paint(f"trace {spans[0].trace_id.hex()}", GREY)
        ids = {span.span_id for span in spans}
        children: dict[bytes, list[Span]] = {}
        for span in sorted(spans, key=lambda span: span.start_unix_nano):
            parent = span.parent_span_id if span.parent_span_id in ids else b""
            children.setdefault(parent, []).append(span)
        # What hangs in a loop of parents is reached from nowhere, and is shown last, as roots.
        begin = min(span.start_unix_nano for span in spans)
        shown: set[int] = set()
        for root in [*children.get(b"", ()), *spans]:
            stack = [(root, 1)]
            while stack:
                span, depth = stack.pop()
                if id(span) in shown:
                    continue
                shown.add(id(span))
                yield self._node(span, depth, begin, span.parent_span_id not in ids)
                below = children.get(span.span_id, ()) if span.span_id else ()
                stack.extend((child, depth + 1) for child in reversed(below))

    def _node(self, span: Span, depth: int, begin: int, is_root: bool) -> str:
        orphan = ".. " if is_root and span.parent_span_id.strip(b"\0") else ""
        offset = self._paint(f"+{_duration(span.start_unix_nano - begin)}", GREY)
        return f"{'  ' * depth}{orphan}{self._span(span)}  {offset}"

    def _of(self, record: Any) -> Iterator[str]:
        if isinstance(record, Span):
            ids = self._paint(f"trace={record.trace_id.hex()} span={record.span_id.hex()}", GREY)
            yield f"{_time(record.start_unix_nano)}  span  {self._span(record)}  {ids}"
        elif isinstance(record, LogRecord):
            yield self._log(record)
        elif isinstance(record, Metric):
            for point in record.points:
                yield _joined(_time(point.time_unix_nano), "metric", _plain(record.name),
                              record.kind, _value(point, record.unit), self._attributes(point))  # fmt: skip
        else:
            yield _plain(str(record))

    def _span(self, span: Span) -> str:
        service = _plain(span.resource.attributes.get("service.name", ""))
        failed = span.status_code == StatusCode.ERROR
        status = self._paint(f"error {_plain(span.status_message)}".strip(), RED) if failed else ""
        duration = _duration(span.end_unix_nano - span.start_unix_nano)
        return _joined(service, _plain(span.name), duration, status, self._attributes(span))

    def _log(self, record: LogRecord) -> str:
        when = record.time_unix_nano or record.observed_time_unix_nano
        severity = _plain(record.severity_text) or str(record.severity_number or "")
        if record.severity_number >= WARN:
            severity = self._paint(severity, RED if record.severity_number >= ERROR else YELLOW)
        body = "" if record.body is None else _plain(record.body)
        ids = self._paint(f"trace={record.trace_id.hex()}" if record.trace_id else "", GREY)
        return _joined(_time(when), "log", severity, _plain(record.event_name), body,
                       self._attributes(record), ids)  # fmt: skip

    def _attributes(self, record: Any) -> str:
        pairs = record.attributes.items()
        return self._paint(" ".join(f"{_plain(key)}={_plain(value)}" for key, value in pairs), GREY)


def _json(batch: Sequence[Any]) -> str:
    """One indented request for each signal in the batch."""
    requests = []
    for kind, signal in SIGNAL_OF.items():
        if records := [record for record in batch if isinstance(record, kind)]:
            requests.append(json.dumps(json.loads(encode_json(signal, records)), indent=2))
    return "\n".join(requests)


def _joined(*parts: str) -> str:
    return "  ".join(filter(None, parts))


def _plain(value: object) -> str:
    """A value on one line, with nothing in it that a terminal would obey."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping | list | tuple):
        value = repr(value)
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _time(unix_nano: int) -> str:
    """UTC to the millisecond."""
    try:
        moment = EPOCH + timedelta(microseconds=unix_nano // 1000)
    except OverflowError:
        return f"{unix_nano} ns"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _duration(nanoseconds: int) -> str:
    """Three digits or more, in the unit that fits.

    >>> [_duration(n) for n in (-5, 0, 999, 1_500, 12_345_678, 90_000_000_000)]
    ['0 ns', '0 ns', '999 ns', '1.5 µs', '12.3 ms', '90 s']
    """
    nanoseconds = max(nanoseconds, 0)
    for unit, scale in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= scale:
            value = nanoseconds / scale
            return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"
    return f"{nanoseconds} ns"


def _value(point: Any, unit: str) -> str:
    """A number, or what a distribution comes to."""
    unit = f" {_plain(unit)}" if unit else ""
    if hasattr(point, "value"):
        return "no value" if point.value is None else f"{point.value}{unit}"
    parts = [f"count {point.count}"]
    for name in ("sum", "min", "max"):
        if (number := getattr(point, name, None)) is not None:
            parts.append(f"{name} {number}{unit}")
    return " ".join(parts)
