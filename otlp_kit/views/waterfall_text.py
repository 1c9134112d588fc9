"""A waterfall for a terminal: one line a span, drawn with block characters.

    trace 0af7651916cd43dd8448eb211c80319c  3 spans  12.4 ms  1 error
                           0          6.2 ms       12.4 ms
      POST /orders    shop ██████████████████████████████   12.4 ms
      ├╴reserve stock shop   ███▌                           2.04 ms
    ✗ └╴charge card   shop         ▐██████████████████       8.1 ms
    ✗ charge card: card declined

No line is wider than it was asked to be. Colours are the terminal's own sixteen, so that they
follow its theme.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otlp_kit.views.plain_text import clip, columns, counted, duration_text, pad, plain_text
from otlp_kit.views.span_tree import Row

NARROWEST = 40
FIXED = 13  # the mark, the duration, and the spaces between
SERVICE_FROM = 72  # a narrower terminal has no room for the service
LEFT_EIGHTHS = " ▏▎▍▌▋▊▉█"
SERVICE_COLORS = (36, 33, 35, 34, 32, 96, 95, 94)  # no red: that is for errors
RED, DIM = 31, 2
MESSAGES = 5
DEEPEST = 8  # levels drawn as lines; below, the depth is a number


def draw_text(rows: Sequence[Row], *, width: int, color: bool, limit: int) -> str:
    """The lines of `rows`, joined. `width` counts columns; `limit` is the number of spans drawn."""
    if not rows:
        return "no spans"
    width = max(width, NARROWEST)
    shown = rows[:limit]
    total = max(row.end_ns for row in rows)
    names = [g + plain_text(row.span.name) for row, g in zip(shown, _guides(shown), strict=True)]
    services = [plain_text(row.service) for row in shown]
    name_width = min(max(map(columns, names)), width * 2 // 5)
    service_width = min(max(map(columns, services)), 18) if width >= SERVICE_FROM else -1
    bar_width = width - FIXED - name_width - (service_width + 1)

    def paint(text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if color else text

    indent = " " * (width - bar_width - 10)
    lines = [clip(headline(rows), width), paint(indent + _axis(total, bar_width), DIM)]
    palette = {name: SERVICE_COLORS[i % 8] for i, name in enumerate(dict.fromkeys(services))}
    for row, name, service in zip(shown, names, services, strict=True):
        name_cell = pad(name, name_width)
        line = [paint("✗ " + name_cell, RED) if row.failed else f"{' ?'[row.orphan]} {name_cell}"]
        if service_width >= 0:
            line.append(paint(pad(service, service_width), DIM))
        bar = bar_text(row.offset_ns, row.end_ns, total, bar_width)
        line.append(paint(bar, RED if row.failed else palette[service]))
        line.append(f"{clip(duration_text(row.duration_ns), 9):>9}")
        lines.append(" ".join(line))
    if len(rows) > len(shown):
        lines.append(f"… {counted(len(rows) - len(shown), 'more span')}")
    lines += [clip(note, width) for note in _notes(shown)]
    return "\n".join(lines)


def headline(rows: Sequence[Row]) -> str:
    """What a trace is, in one line: id, number of spans, duration, errors."""
    errors = sum(row.failed for row in rows)
    parts = [
        f"trace {rows[0].span.trace_id.hex()}",
        counted(len(rows), "span"),
        duration_text(max(row.end_ns for row in rows)),
    ]
    if errors:
        parts.append(counted(errors, "error"))
    return "  ".join(parts)


def bar_text(begin: int, end: int, total: int, width: int) -> str:
    """`width` columns of `total`, filled from `begin` to `end`; at least an eighth is seen."""
    scale = 8 * width / (total or 1)
    low = min(int(begin * scale), 8 * width - 1)
    high = min(max(round(end * scale), low + 1), 8 * width)
    cells = [" "] * width
    for i in range(low // 8, (high + 7) // 8):
        left, right = max(low - 8 * i, 0), min(high - 8 * i, 8)
        if left == 0:
            cells[i] = LEFT_EIGHTHS[right]
        elif right < 8:  # begins and ends inside one column
            cells[i] = LEFT_EIGHTHS[right - left] if left < 4 else "▐▕"[right - left < 3]
        else:
            cells[i] = "█▐▐▕"[left // 2]
    return "".join(cells)


def _axis(total: int, width: int) -> str:
    middle, end = duration_text(total // 2), duration_text(total)
    if width < len(middle) + 2 * len(end) + 8:
        return clip("0" + end.rjust(width - 1), width)
    return "0" + middle.center(width - 1 - len(end)) + end


def _guides(rows: Sequence[Row]) -> list[str]:
    """The lines that lead from a parent to its children, one string a row, by looking ahead."""
    guides: list[str] = []
    open_below: set[int] = set()  # depths at which a later sibling follows
    for row in reversed(rows):
        open_below = {depth for depth in open_below if depth <= row.depth}
        elbow = "├╴" if row.depth in open_below else "└╴"
        if row.depth == 0:
            guides.append("")
        elif row.depth > DEEPEST:
            guides.append(f"…{row.depth}{elbow}")
        else:
            lines = ("│ " if depth in open_below else "  " for depth in range(1, row.depth))
            guides.append("".join(lines) + elbow)
        open_below.add(row.depth)
    return guides[::-1]


def _notes(rows: Sequence[Row]) -> Iterator[str]:
    """What the marks mean: the first messages of errors, and whose parent is missing."""
    told = [row.span for row in rows if row.failed and row.span.status_message]
    for span in told[:MESSAGES]:
        yield f"✗ {plain_text(span.name)}: {plain_text(span.status_message)}"
    if len(told) > MESSAGES:
        yield f"✗ … {counted(len(told) - MESSAGES, 'more message')}"
    if any(row.orphan for row in rows):
        yield "? its parent is not here (not sent, not yet arrived, or in a loop)"
