"""What became of a flush or a shutdown: done, failed, or not known in time.

"Later" and "never" are different answers, so there are three; a processor that asks several others
answers with the `worst` of theirs.

    >>> worst([Outcome.FLUSHED, Outcome.TIMED_OUT])
    <Outcome.TIMED_OUT: 'timed out'>

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#forceflush-1
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Outcome(Enum):
    """What became of a flush or a shutdown."""

    FLUSHED = "flushed"
    """Everything was exported."""
    FAILED = "failed"
    """At least one batch was not; the ledger says how many records, and why."""
    TIMED_OUT = "timed out"
    """The time was over before it was known."""


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of `outcomes`; `FLUSHED` if there are none. All of them are asked for first."""
    got = set(outcomes)
    for outcome in (Outcome.TIMED_OUT, Outcome.FAILED):
        if outcome in got:
            return outcome
    return Outcome.FLUSHED
