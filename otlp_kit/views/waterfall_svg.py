"""A waterfall as one `<svg>` element: for a notebook's output, a page, a file.

It is self-contained and still: no script, no font, nothing to fetch. It brings its own surface,
so that it is readable wherever it is put, and follows `prefers-color-scheme`; a host that knows
better sets the variables `--otlp-surface`, `--otlp-ink`, `--otlp-muted`, `--otlp-line` and
`--otlp-error`. Every foreign string goes through `plain_text` and is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from otlp_kit.views.plain_text import clip, columns, counted, duration_text, plain_text
from otlp_kit.views.span_tree import Row

WIDTH, MARGIN, HEAD, ROW = 960, 16, 62, 22
BARS_FROM, BARS_TO = 336, WIDTH - 84  # the rest is for durations
INDENT, DEEPEST = 14, 10
COLUMN = 6.7  # pixels that one column of text takes, about
TICKS = 4
PALETTE = ("#2f9e8f", "#c58a1c", "#7d6ed8", "#3d8fd1", "#7f9b3c", "#c267a3", "#b0765a", "#6b8896")
LEGEND = 6

# The attributes come first: a renderer that knows no variables keeps them.
STYLE = """
.otlp-wf{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;
--surface:var(--otlp-surface,#fdfcf9);--ink:var(--otlp-ink,#20252e);--muted:var(--otlp-muted,#69707c);
--line:var(--otlp-line,#e2dfd7);--error:var(--otlp-error,#c2361f)}
@media (prefers-color-scheme:dark){.otlp-wf{--surface:var(--otlp-surface,#171a20);
--ink:var(--otlp-ink,#e4e1d9);--muted:var(--otlp-muted,#9299a6);--line:var(--otlp-line,#2d323b);
--error:var(--otlp-error,#ff7f6b)}}
.otlp-wf .card{fill:var(--surface);stroke:var(--line)}.otlp-wf text{fill:var(--ink)}
.otlp-wf .muted{fill:var(--muted)}.otlp-wf .num{font-variant-numeric:tabular-nums}
.otlp-wf .line{stroke:var(--line);fill:none}.otlp-wf .failed{fill:var(--error)}
""".replace("\n", "")


def draw_svg(rows: Sequence[Row], *, limit: int) -> str:
    """The element as text. `limit` is the number of spans drawn; a last line counts the others."""
    shown = rows[:limit]
    total = max((row.end_ns for row in rows), default=0)
    services = {
        name: PALETTE[i % len(PALETTE)]
        for i, name in enumerate(dict.fromkeys(row.service for row in rows))
    }
    hidden = len(rows) - len(shown)
    height = HEAD + ROW * (len(shown) + bool(hidden)) + 12
    trace_id = rows[0].span.trace_id.hex() if rows else "without spans"
    errors = sum(row.failed for row in rows)
    facts = f"{counted(len(rows), 'span')}, {duration_text(total)}, {counted(errors, 'error')}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="otlp-wf" role="img" viewBox="0 0 {WIDTH}'
        f' {height}" width="{WIDTH}" style="max-width:100%;height:auto" aria-label={quoteattr(f"Waterfall of trace {trace_id}: {facts}")}>',
        f"<title>Trace {trace_id}</title><desc>{escape(_description(shown, facts))}</desc>",
        f"<style>{STYLE}</style>",
        f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="6"'
        ' fill="#fdfcf9" stroke="#e2dfd7"/>',
        _text(MARGIN, 24, f"trace {trace_id}", "num"),
        _text(MARGIN, 44, facts, "muted num"),
        *_legend(services),
        *_axis(total, height - 10),
    ]
    parents: dict[int, float] = {}
    for i, row in enumerate(shown):
        top = HEAD + ROW * i
        parts += _row(row, top, total, services[row.service])
        depth = min(row.depth, DEEPEST)
        if row.depth and depth - 1 in parents:
            x = MARGIN + INDENT * (depth - 1) + 4
            parts.append(
                f'<path class="line" stroke="#e2dfd7" fill="none" d="M{x} {parents[depth - 1]}V{top + 11}h6"/>'
            )
        parents[depth] = top + 17
    if hidden:
        parts.append(
            _text(
                MARGIN, HEAD + ROW * len(shown) + 15, f"… {counted(hidden, 'more span')}", "muted"
            )
        )
    return "".join([*parts, "</svg>"])


def _row(row: Row, top: int, total: int, color: str) -> Iterator[str]:
    span = row.span
    x = MARGIN + INDENT * min(row.depth, DEEPEST)
    mark = "✗ " if row.failed else "? " if row.orphan else ""
    name = clip(mark + plain_text(span.name), int((BARS_FROM - 12 - x) / COLUMN))
    yield _text(x, top + 15, name, "failed" if row.failed else "")
    left, right = _at(row.offset_ns, total), _at(row.end_ns, total)
    left = min(left, BARS_TO - 1.5)
    fill = 'class="bar failed" fill="#c2361f"' if row.failed else f'class="bar" fill="{color}"'
    yield (
        f'<rect {fill} x="{left:.1f}" y="{top + 5}" width="{max(right - left, 1.5):.1f}"'
        f' height="12" rx="2"><title>{escape(_tooltip(row))}</title></rect>'
    )
    for event in span.events[:20]:
        at = _at(row.offset_ns + event.time_unix_nano - span.start_unix_nano, total)
        yield (
            f'<circle cx="{min(max(at, BARS_FROM), BARS_TO):.1f}" cy="{top + 11}" r="2.2"'
            f' fill="#fff" stroke="#20252e" stroke-width=".8">'
            f"<title>{escape(plain_text(event.name))}</title></circle>"
        )
    yield _text(WIDTH - MARGIN, top + 15, duration_text(row.duration_ns), "muted num", "end")


def _axis(total: int, bottom: int) -> Iterator[str]:
    for i in range(TICKS + 1):
        x = BARS_FROM + (BARS_TO - BARS_FROM) * i / TICKS
        anchor = "start" if i == 0 else "end" if i == TICKS else "middle"
        yield f'<path class="line" stroke="#e2dfd7" d="M{x} {HEAD - 4}V{bottom}"/>'
        yield _text(
            x, HEAD - 10, duration_text(total * i // TICKS) if i else "0", "muted num", anchor
        )


def _legend(services: dict[str, str]) -> Iterator[str]:
    x: float = BARS_FROM
    for name, color in list(services.items())[:LEGEND]:
        label = clip(plain_text(name) or "no service name", 20)
        yield f'<circle cx="{x + 4:.1f}" cy="20" r="4" fill="{color}"/>'
        yield _text(x + 13, 24, label, "muted")
        x += 13 + COLUMN * columns(label) + 14
        if x > WIDTH - 120:
            return


def _description(rows: Sequence[Row], facts: str) -> str:
    first = "; ".join(_tooltip(row) for row in rows[:20])
    return f"{facts}. {first}"


def _tooltip(row: Row) -> str:
    words = f"{plain_text(row.span.name)}, {plain_text(row.service) or 'no service name'}, "
    words += f"{duration_text(row.duration_ns)} from {duration_text(row.offset_ns)}"
    if row.failed:
        words += f", error {plain_text(row.span.status_message)}".rstrip()
    return words + ", parent missing" * row.orphan


def _at(offset: int, total: int) -> float:
    return BARS_FROM + (BARS_TO - BARS_FROM) * offset / (total or 1)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    placed = f'<text x="{x:.1f}" y="{y:.1f}"' + (f' class="{kind}"' if kind else "")
    return (
        placed
        + (f' text-anchor="{anchor}"' if anchor != "start" else "")
        + f">{escape(text)}</text>"
    )
