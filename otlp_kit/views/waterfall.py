"""A trace as a waterfall: when each span ran, below the span that caused it.

`Waterfall` holds the order and the data; the drawing is done by `waterfall_text` (terminal),
`waterfall_svg` (notebook, page without scripts) and `js/waterfall.js` (everything that clicks).
It reads finished spans, changes none and fetches none.

    Waterfall(spans)                     the last line of a notebook cell draws it
    print(Waterfall(spans).text())       in a terminal
    Waterfall(spans).data()              JSON for js/waterfall.js
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otlp_kit.encoding.js_values import js_value
from otlp_kit.model import Event, Link, Span
from otlp_kit.views.plain_text import counted, duration_text, plain_text
from otlp_kit.views.span_tree import NO_PARENT, Row, origin_unix_nano, tree_rows
from otlp_kit.views.waterfall_svg import draw_svg
from otlp_kit.views.waterfall_text import draw_text

__all__ = ["MIME", "Waterfall", "duration_text", "plain_text"]

MIME = "application/vnd.otlp.trace+json"


class Waterfall:
    """The spans of one trace, ready to be drawn.

    Spans of several traces are drawn below each other, on one time axis.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self.rows = tree_rows(spans)

    def text(self, width: int = 100, color: bool = False, limit: int = 500) -> str:
        """Lines for a terminal of `width` columns, of at most `limit` spans; `color` adds ANSI."""
        return draw_text(self.rows, width=width, color=color, limit=limit)

    def svg(self, limit: int = 500) -> str:
        """One self-contained `<svg>` element of at most `limit` spans."""
        return draw_svg(self.rows, limit=limit)

    def data(self) -> dict[str, Any]:
        """Everything, as JSON that JavaScript reads without loss (see `js_value`).

        Times are nanoseconds: `start_unix_nano` of the earliest span as a string, and from there
        the `offset_ns` of each span and event.
        """
        spans = [row.span for row in self.rows]
        origin = origin_unix_nano(spans)
        return {
            "trace_id": spans[0].trace_id.hex() if spans else "",
            "start_unix_nano": str(origin),
            "duration_ns": js_value(max((row.end_ns for row in self.rows), default=0)),
            "spans": [_span(row, origin) for row in self.rows],
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": self.text(), "image/svg+xml": self.svg(), MIME: self.data()}

    def __repr__(self) -> str:
        trace_id = self.rows[0].span.trace_id.hex() if self.rows else "none"
        errors = sum(row.failed for row in self.rows)
        length = duration_text(max((row.end_ns for row in self.rows), default=0))
        return (
            f"<Waterfall [trace {trace_id} | {counted(len(self.rows), 'span')},"
            f" {counted(errors, 'error')} | {length}]>"
        )


def _span(row: Row, origin: int) -> dict[str, Any]:
    span = row.span
    parent = "" if span.parent_span_id in NO_PARENT else span.parent_span_id.hex()
    return {
        "span_id": span.span_id.hex(),
        "parent_span_id": parent,
        "name": span.name,
        "service": row.service,
        "scope": " ".join(filter(None, (span.scope.name, span.scope.version))),
        "kind": span.kind,
        "depth": row.depth,
        "offset_ns": js_value(row.offset_ns),
        "duration_ns": js_value(row.duration_ns),
        "status_code": span.status_code,
        "status_message": span.status_message,
        "attributes": js_value(span.attributes),
        "events": [_event(event, origin) for event in span.events],
        "links": [_link(link) for link in span.links],
        "orphan": row.orphan,
    }


def _event(event: Event, origin: int) -> dict[str, Any]:
    return {
        "name": event.name,
        "offset_ns": js_value(event.time_unix_nano - origin),
        "attributes": js_value(event.attributes),
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "trace_id": link.trace_id.hex(),
        "span_id": link.span_id.hex(),
        "attributes": js_value(link.attributes),
    }
