r"""The rule of numbers: prose has no measured number that nobody can trace.

A number with a measured unit (a time, an amount of memory, a ratio, a rate) is a fact,
`[[fact:NAME]]`. The exception is a number that a specification sets: then the same sentence links
to opentelemetry.io/docs/specs, the specification's or the protocol's repository, w3.org or
rfc-editor.org. Code, fences and front matter are not prose; plain counts are free.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

ADDRESS = re.compile(r"(?<=\]\()[^)\s]+|https?://[^\s)>]+")
PARAGRAPH = re.compile(r"\S.*?(?=\n[ \t]*\n|\n[ \t]*(?:[-*+]|\d+\.|\|)[ \t]|\Z)", re.S)
SENTENCE = re.compile(r".+?(?:[.!?](?=\s)|\Z)", re.S)
TIME = r"ns|[u\u00b5\u03bc]s|ms|s|sec|h|(?:nano|micro|milli)?seconds?|minutes?|hours?"
SIZE = r"[kKMGT]i?B|(?:kilo|mega|giga)bytes?"
RATIO = r"%|percent|[x\u00d7]|times|fold"
RATE = r"[\w ]{0,24}?(?:/|per )(?:s|ms|sec|second|minute|hour)"
GAP = r"[ \u00a0\u202f\n]"
NUMBER = re.compile(
    rf"(?<![\w.\-/])\d[\d,.]*(?:-\d[\d,.]*)?(?:(?:{GAP}|-)?(?:{TIME}|{SIZE}|{RATIO})(?!\w)|{GAP}{RATE}(?!\w))"
)
SPECIFICATION = re.compile(
    r"\]\(https?://(?:opentelemetry\.io/docs/specs|(?:www\.)?w3\.org|www\.rfc-editor\.org"
    r"|github\.com/open-telemetry/opentelemetry-(?:specification|proto))"
)


def problems(text: str, prose: str) -> Iterator[tuple[int, str]]:
    """(position, message) for each bare number. `prose` is `text` with all code blanked."""
    for paragraph in PARAGRAPH.finditer(prose):
        for sentence in SENTENCE.finditer(prose, *paragraph.span()):
            if SPECIFICATION.search(text, *sentence.span()):
                continue
            words = ADDRESS.sub(lambda match: " " * len(match[0]), sentence[0])
            for number in NUMBER.finditer(words):
                yield (
                    sentence.start() + number.start(),
                    f"bare number {number[0]!r}: make it a fact, or link its sentence to the "
                    "specification that sets it",
                )
