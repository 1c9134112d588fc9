"""A pool without a reset is found, one with a reset passes, and what cannot be seen is not called fine."""

from __future__ import annotations

import sqlite3

from otlp_kit.model import Span
from tools.pool_checks import POOLS, judged, nothing, trials

FOUND = dict(trials())


def test_a_pool_without_reset_is_the_fixture_that_fails() -> None:
    """In each pool, and nowhere where nothing is reused; the message names what is left."""
    for title in ("span, no reset", "buffer, no reset", "HTTP connection, no reset"):
        stale = {way: one.stale for way, one in FOUND[title].items()}
        assert stale == {"plain": False, "list": True, "local": True, "locked": True}
    assert "expected name to be ''" in FOUND["span, no reset"]["locked"].seen


def test_with_a_reset_nothing_is_left() -> None:
    """By the same check, over every field."""
    for title in ("span, made new by `__init__`", "buffer, zeroed"):
        assert {one.stale for one in FOUND[title].values()} == {False}
        assert "as good as new" in FOUND[title]["locked"].seen


def test_a_reset_that_forgets_one_field_is_found() -> None:
    """Not only one that does nothing."""

    def forgets(span: Span) -> None:
        flags = span.flags
        span.__init__()  # type: ignore[misc]
        span.flags = flags

    verdict = judged(Span, forgets, POOLS["locked"])
    assert verdict.stale
    assert "expected flags to be 0" in verdict.seen


def test_what_has_no_fields_is_not_called_fine() -> None:
    """A handle of SQLite keeps its row factory, which no field shows; so the check says nothing."""
    handle = sqlite3.connect(":memory:")
    handle.row_factory = sqlite3.Row
    handle.rollback()
    assert handle.row_factory is sqlite3.Row
    assert FOUND["SQLite handle, rolled back"]["locked"].stale is None
    assert judged(object, nothing, POOLS["list"]).stale is None
