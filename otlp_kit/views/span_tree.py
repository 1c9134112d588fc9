"""Spans in the order of a waterfall: each below its parent, siblings by start time.

Nothing is lost and nothing is trusted. A span whose parent never came is a root, marked as an
orphan; so is the earliest span of a loop of parents; of several spans with one id the first one
gets the children. It draws nothing.

    >>> from otlp_kit.model import Span
    >>> root = Span("root", b"t" * 16, b"1" * 8, start_unix_nano=1_000, end_unix_nano=9_000)
    >>> child = Span("child", b"t" * 16, b"2" * 8, b"1" * 8, 2_000, 3_000)
    >>> [(row.span.name, row.depth, row.offset_ns) for row in tree_rows([child, root])]
    [('root', 0, 0), ('child', 1, 1000)]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from otlp_kit.model import Span, StatusCode

NO_PARENT = (b"", bytes(8))  # some senders write the invalid id instead of nothing


@dataclass(slots=True)
class Row:
    """One line of a waterfall."""

    span: Span
    depth: int
    orphan: bool
    """It names a parent, and that parent is not above it."""
    offset_ns: int
    """From the earliest start of all rows."""
    duration_ns: int
    """Never negative: a clock that was set back while the span ran makes 0."""

    @property
    def end_ns(self) -> int:
        return self.offset_ns + self.duration_ns

    @property
    def failed(self) -> bool:
        return self.span.status_code == StatusCode.ERROR

    @property
    def service(self) -> str:
        """As the resource states it; empty if it does not."""
        return str(self.span.resource.attributes.get("service.name", ""))


def tree_rows(spans: Sequence[Span]) -> list[Row]:
    """One row per span. Takes linear time but for sorting, however deep the tree is."""
    order = sorted(range(len(spans)), key=lambda i: _begin(spans[i]))
    parents = _parents(spans)
    children: dict[int, list[int]] = {}
    for i in order:
        if (parent := parents[i]) is not None:
            children.setdefault(parent, []).append(i)
    origin = origin_unix_nano(spans)
    rows: list[Row] = []
    seen: set[int] = set()
    for root in _roots(order, parents, seen):
        stack = [(root, 0)]
        while stack:
            i, depth = stack.pop()
            if i in seen:  # only the root of a loop is met again
                continue
            seen.add(i)
            span = spans[i]
            begin = max(_begin(span), origin)
            orphan = depth == 0 and span.parent_span_id not in NO_PARENT
            duration = max(span.end_unix_nano - begin, 0)
            rows.append(Row(span, depth, orphan, begin - origin, duration))
            stack.extend((child, depth + 1) for child in reversed(children.get(i, ())))
    return rows


def origin_unix_nano(spans: Sequence[Span]) -> int:
    """The earliest start. A span that states no time at all has no say: 1970 is not meant."""
    return min((begin for span in spans if (begin := _begin(span))), default=0)


def _begin(span: Span) -> int:
    return span.start_unix_nano or span.end_unix_nano


def _parents(spans: Sequence[Span]) -> list[int | None]:
    """For each span the index of its parent, or None."""
    by_id: dict[tuple[bytes, bytes], int] = {}
    for i, span in enumerate(spans):
        by_id.setdefault((span.trace_id, span.span_id), i)
    return [
        None
        if span.parent_span_id in NO_PARENT
        else by_id.get((span.trace_id, span.parent_span_id))
        for span in spans
    ]


def _roots(order: list[int], parents: list[int | None], seen: set[int]) -> Iterator[int]:
    """Spans without a parent here, then one span of each loop that these did not reach."""
    yield from (i for i in order if parents[i] is None)
    rank = {i: position for position, i in enumerate(order)}
    for i in order:
        if i in seen:
            continue
        path: dict[int, None] = {}
        at: int | None = i
        while at is not None and at not in path:
            path[at] = None
            at = parents[at]
        assert at is not None, "a chain that ends has been seen"
        walked = list(path)
        yield min(walked[walked.index(at) :], key=rank.__getitem__)
