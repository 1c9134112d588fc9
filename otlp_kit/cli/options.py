"""What several commands share: how one stops that cannot go on."""

from __future__ import annotations


class Stop(Exception):
    """The command cannot go on; the text is one line that says what the user can do."""
