"""What PyYAML finds wrong with a text, in words for those who wrote it.

    rule, place = explained(": mapping values are not allowed here", "a: b: c", 4, 4)
    rule        # 'is not YAML: a text with a colon and a blank in it needs quotes'

PyYAML says what it was doing and what it then found, each with a place, in terms of its own grammar.
Nothing of the text is repeated here: it may be a part of a secret.
"""

from __future__ import annotations

import re

TAG = "must have no tags: a text that begins with ! needs quotes"
ALIAS = (
    "must have no anchors or aliases: write the value out; a text with & or * first needs quotes"
)
DIRECTIVE = "must have no directives: leave out the line that begins with %"

_QUOTES = "is not YAML: a text that begins so needs quotes"
# Of the first that begins like it: what PyYAML was doing and what it found; what we say of it.
_WORDS = {
    "while scanning for the next token: found character '\\t'": (
        "is not YAML: a tab where only blanks may be"
    ),
    "while scanning for the next token": _QUOTES,
    "while scanning a quoted scalar": "is not YAML: the quote that begins here is not closed",
    "while scanning a double-quoted scalar": "is not YAML: in double quotes a \\ is written \\\\",
    "while scanning a simple key": "is not YAML: a key needs a colon, and a blank after it",
    "while scanning a block scalar": "is not YAML: no text may follow the | or > on its line",
    "while scanning an alias": ALIAS,
    "while scanning an anchor": ALIAS,
    "while scanning a tag": TAG,
    "while parsing a tag": TAG,
    "while parsing a node: found undefined tag": TAG,
    "while scanning a directive": DIRECTIVE,
    ": found duplicate YAML directive": DIRECTIVE,
    ": found incompatible YAML": DIRECTIVE,
    ": duplicate tag handle": DIRECTIVE,
    "while parsing a flow node": "is not YAML: a value is missing before this",
    "while parsing a block node": _QUOTES,
    ": sequence entries": "is not YAML: a list begins on the line below its key",
    ": mapping keys": _QUOTES,
    ": expected '<document start>'": (
        "is not YAML: nothing may follow the bracket, or the deeper lines, above"
    ),
    "while parsing a block mapping: expected <block end>, but found '<scalar>'": (
        "is not YAML: nothing may follow the quote that closes a text"
    ),
}
_WHERE_IT_BEGAN = ("while scanning a quoted scalar", "while scanning a simple key")
_COLON = re.compile(r":\s")


def explained(said: str, text: str, began: int, at: int) -> tuple[str, int]:
    """The rule that `text` breaks, and the place in it to show.

    `said` is what PyYAML was doing, a colon, and what it found; `began` is the place of the former,
    `at` that of the latter.
    """
    for begin, rule in _WORDS.items():
        if said.startswith(begin):
            return rule, began if begin in _WHERE_IT_BEGAN else at
    if "mapping values" in said:
        if _COLON.search(text, text.rfind("\n", 0, at) + 1, at):
            return "is not YAML: a text with a colon and a blank in it needs quotes", at
        return "is not YAML: indented wrongly, or the line above needs a blank after its colon", at
    if "expected ',' or" in said:
        if text[at - 1 : at + 1] == "${":
            return "is not YAML: a reference within brackets needs quotes", at - 1
        if not text[at:].strip():
            return "is not YAML: the bracket that begins here is not closed", began
        line = text.count("\n", 0, began) + 1
        return f"is not YAML: a comma is missing, or the bracket of line {line} is not closed", at
    return "is not YAML: indented neither as the lines above nor deeper below a key", at
