"""The pieces of a request, as a person sees them: text with offsets, or a table in a notebook.

Microscope(body)                    the last line of a notebook cell shows it
print(Microscope(body).text())      in a terminal
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from otlp_kit.encoding.microscope import CANNOT_BE_READ, Piece, examine

ROW = 8
"""Bytes on a line."""


def render(pieces: Iterable[Piece], width: int = 100, limit: int = 1000) -> str:
    """Lines of at most `width` columns: offset, bytes, and beside them what they are.

    After `limit` lines it stops, and says so.
    """
    lines: list[str] = []
    for piece in pieces:
        if len(lines) >= limit:
            return "\n".join([*lines[:limit], "..."])
        says = f"{'  ' * piece.depth}{_label(piece)}"
        for at in range(0, max(1, min(piece.length, limit * ROW)), ROW):
            row = piece.raw[at : at + ROW].hex(" ")
            line = f"{piece.offset + at:4}  {row:{3 * ROW - 1}}  {says}".rstrip()
            lines.append(line if len(line) <= width else line[: width - 1] + "…")
            says = ""
    return "\n".join(lines)


def _label(piece: Piece) -> str:
    if piece.role == "tag":
        return f"{piece.path.rpartition('.')[2]}: {piece.meaning}"
    reason = f"{CANNOT_BE_READ}: " if piece.role == CANNOT_BE_READ else ""
    return f"  {reason}{piece.meaning}"


class Microscope:
    """A request and its pieces, ready to be looked at."""

    def __init__(self, body: bytes, signal: str = "traces") -> None:
        self.signal = signal
        self.pieces = examine(body, signal)

    @property
    def problem(self) -> str:
        """Why the request cannot be read, and from which byte on; empty if it can."""
        last = self.pieces[-1] if self.pieces else None
        if last is None or last.role != CANNOT_BE_READ:
            return ""
        return f"byte {last.offset}: {last.meaning}"

    def text(self, width: int = 100, limit: int = 1000) -> str:
        return render(self.pieces, width, limit)

    def html(self, limit: int = 1000) -> str:
        """A table without scripts, of at most `limit` pieces; each links to its declaration."""
        rows = "".join(map(_html_row, self.pieces[:limit]))
        more = f"<p>{len(self.pieces) - limit} more pieces</p>" if self.pieces[limit:] else ""
        return f'<table style="font-size:90%">{HEAD}<tbody>{rows}</tbody></table>{more}'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}

    def __repr__(self) -> str:
        size = sum(piece.length for piece in self.pieces)
        state = self.problem or "readable"
        return f"<Microscope [{self.signal} | {size} bytes, {len(self.pieces)} pieces | {state}]>"


HEAD = "<thead><tr><th>byte<th>hex<th>what it is<th>declared in</tr></thead>"
STYLES = {"tag": "font-weight:bold", "length": "opacity:.75", "value": "",
          CANNOT_BE_READ: "text-decoration:underline wavy"}  # fmt: skip
"""Weight and line, no colours: they have to be seen on light and on dark."""


def _html_row(piece: Piece) -> str:
    path, hexadecimal = html.escape(piece.path), piece.raw[: 8 * ROW].hex(" ")
    hexadecimal += " ..." if piece.length > 8 * ROW else ""
    return (
        f'<tr title="{path}"><td>{piece.offset}<td style="text-align:left"><code>{hexadecimal}</code>'
        f'<td style="text-align:left;padding-left:{piece.depth + 0.5}em;{STYLES[piece.role]}">'
        f"{html.escape(_label(piece)[:200])}<td style='text-align:left'>"
        f'<a href="{piece.url}">{html.escape(piece.specification)}</a></tr>'
    )
