"""References to the environment in a text: `${NAME}`, `${env:NAME:-default}`, and `$$` for a `$`.

    >>> substitute("${HOST:-localhost}:${env:PORT}", {"PORT": "4318"})
    'localhost:4318'

It takes one scalar and gives one text: what a variable holds is never looked at again, neither for
references nor for structure, and whoever asked decides afterwards what type the text is. It does not
look at `os.environ` by itself.

Specification: https://opentelemetry.io/docs/specs/otel/configuration/data-model/
"""

from __future__ import annotations

import re
from collections.abc import Mapping

RULE = "must refer to a variable as ${NAME}, ${env:NAME} or ${NAME:-default}; $$ is a plain $"

_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_INSIDE = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?")


class BadReference(ValueError):
    """Something in `${}` that is no reference; `reference` is the text of it."""

    def __init__(self, reference: str) -> None:
        super().__init__(RULE)
        self.reference = reference


def refers(text: str) -> bool:
    """Whether there is anything in `text` to substitute."""
    return "${" in text or "$$" in text


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """`text` with each reference replaced by the variable's value, or by nothing without one.

    The default holds for a variable that is empty, too. Raises `BadReference`.
    """

    def value(found: re.Match[str]) -> str:
        inside = _INSIDE.fullmatch(found[1])
        if not inside:
            raise BadReference(found[0])
        return environ.get(inside[1]) or inside[2] or ""

    def piece(between: str) -> str:
        # What follows the last brace opens no reference. Not to search there keeps this linear.
        end = between.rfind("}") + 1
        return _REFERENCE.sub(value, between[:end]) + between[end:]

    # An escape ends what may match, and no reference spans lines.
    return "\n".join("$".join(map(piece, line.split("$$"))) for line in text.split("\n"))
