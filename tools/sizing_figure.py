"""The figure of howto/size: what is lost over the size of the queue and the length of the outage.

    <!-- figure: tools.sizing_figure:losses -->      in a page; the site's hook draws it

Each cell is a simulation with its worst luck; the line is what `size` advises. Colours are the page's, light or dark.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate import Retry
from otlp_kit.simulate.sizing import size
from otlp_kit.simulate.sizing_check import unlucky
from otlp_kit.simulate.sizing_terms import Scenario

LOAD = Scenario(
    rate=200, latency=1.0, record_bytes=1, recovery=1.0, retry=Retry(Backoff(base=1.0, cap=2.0))
)
QUEUES = tuple(range(200, 2201, 200))
OUTAGES = tuple(range(9))
WIDE, HIGH, LEFT, TOP, BELOW = 52, 26, 56, 26, 42


@cache
def losses() -> str:
    """An SVG that stands in the page, with a sentence for who cannot see it."""
    width, height = LEFT + WIDE * len(QUEUES) + 8, TOP + HIGH * len(OUTAGES) + BELOW
    parts = [
        f'<figure class="losses"><svg viewBox="0 0 {width} {height}" role="img"'
        ' aria-label="The share that is lost: none where the queue is as large as advised,'
        ' more the shorter it is and the longer the outage.">',
        f'<text x="{LEFT - 8}" y="{TOP - 10}" text-anchor="end">outage</text>',
        f'<text x="{LEFT + WIDE * len(QUEUES) / 2}" y="{height - 6}" text-anchor="middle">'
        "room in the queue, records</text>",
    ]
    border = []
    for row, outage in enumerate(OUTAGES):
        load = replace(LOAD, outage=float(outage))
        advice = size(load)
        y = TOP + row * HIGH
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + HIGH * 0.68:g}" text-anchor="end">{outage} s</text>'
        )
        for column, queue in enumerate(QUEUES):
            small = replace(advice, max_queue_size=queue, max_batch_size=min(100, queue))
            loss = unlucky(small, load).loss
            x = LEFT + column * WIDE
            shown = f"{loss:.0%}" if loss >= 0.005 else ("&lt;1%" if loss else "")
            parts.append(
                f'<rect x="{x + 1}" y="{y + 1}" width="{WIDE - 2}" height="{HIGH - 2}" rx="2"'
                f' style="fill-opacity:{0.06 + 0.7 * loss:.2f}" class="{"lost" if loss else "kept"}"/>'
                f'<text x="{x + WIDE / 2:g}" y="{y + HIGH * 0.68:g}" text-anchor="middle">{shown}</text>'
            )
        enough = sum(queue < advice.max_queue_size for queue in QUEUES) if outage else 0
        border += [f"{LEFT + enough * WIDE},{y}", f"{LEFT + enough * WIDE},{y + HIGH}"]
    parts += [
        f'<text x="{LEFT + (column + 0.5) * WIDE:g}" y="{height - 26}" text-anchor="middle">'
        f"{queue:,}</text>"
        for column, queue in enumerate(QUEUES)
    ]
    parts.append(f'<polyline points="{" ".join(border)}"/>')
    return "".join(parts) + "</svg></figure>"
