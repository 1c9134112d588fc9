"""What checks of exporters have in common: judging one export by what arrived and what it said.

Each function raises `Failed` with what was seen, or returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from otlp_kit.testing.exporter_bench import Bench, Failed, Seen, expect, not_applicable
from otlp_kit.testing.exporter_subject import GRACE
from otlp_kit.testing.hostile_record import Arrival

SHORT = 2.0
"""Seconds that an export gets when it is to fail for want of time."""
EARLY = 0.05
"""Seconds that a retry may seem to come too early: two clocks of one machine are compared."""


def retried(seen: Seen, after: str) -> None:
    """The second request came, carried the same, and its answer counted."""
    outcome = seen.outcome
    none = f"no retry within {outcome.patience:g} s after {after}; export said {outcome.said}"
    expect(seen.count > 1, none)
    first, second = (readable(one) for one in seen.arrivals[:2])
    expect(first == second, f"the retry after {after} carried something else")
    expect(outcome.success, f"a retry succeeded, yet export said {outcome.said}")


def not_retried(seen: Seen, after: str) -> None:
    """There was one request, and export did not call it a success."""
    expect(seen.count == 1, f"{seen.count} requests after {after}")
    failed(seen, after)


def failed(seen: Seen, after: str) -> None:
    """Export ended and said that it failed, in the way that its interface has for it."""
    expect(seen.outcome.returned, f"after {after}: {seen.outcome.said}")
    expect(not seen.outcome.success, f"export said {seen.outcome.said} after {after}")
    expect(not seen.outcome.crashed, f"export raised {seen.outcome.said} after {after}")


def succeeded(seen: Seen, after: str) -> None:
    """There was one request, and export called it a success."""
    expect(seen.count == 1, f"{seen.count} requests after {after}")
    expect(seen.outcome.success, f"export said {seen.outcome.said} after {after}")


def waited(seen: Seen, seconds: float, after: str) -> None:
    """The retry did not come before the server wanted it."""
    retried(seen, after)
    early = f"retried {seen.gaps[0]:.2f} s after {after}"
    expect(seen.gaps[0] > seconds - EARLY, early)


def readable(arrival: Arrival) -> list[Any]:
    """The records of a request, as far as they are what its headers say."""
    try:
        return arrival.records()
    except ValueError as error:
        raise Failed(f"the body cannot be read: {error}") from error


def judge_backoff(times: Sequence[Sequence[float]]) -> None:
    """`times` of the requests of each exporter, in seconds since its export began.

    Chance is in every wait, so growth is judged by all of them together: of requests at growing
    distances most come in the first half of the time.
    """
    first = [one[1] - one[0] for one in times]
    if max(first) > 0.5:  # waits so short that the machine's pace hides them say nothing
        spread = max(first) - min(first)
        expect(
            spread > 0.005,
            f"{len(times)} exporters waited {first[0]:.2f} s, all within {spread:.3f} s",
        )
    everything = [moment for one in times for moment in one]
    half = max(everything) / 2
    before = sum(moment <= half for moment in everything)
    after = len(everything) - before
    if len(everything) < 3 * len(times):
        not_applicable(f"{len(everything)} requests of {len(times)} exporters are too few to judge")
    expect(
        before > 1.5 * after, f"{before} requests in the first {half:.1f} s, {after} in the next"
    )


def ends_in_time(bench: Bench, scripts: dict[str, Any]) -> None:
    """An export to each of `scripts` ends by its deadline, though the server took the request."""

    def play(name: str) -> str:
        with (
            bench.server([scripts[name]]) as (server, endpoint),
            bench.subject(endpoint, patience=SHORT) as subject,
        ):
            # An exporter that was not told has the specification's default of 10 seconds.
            limit = (SHORT if subject.obeys else 10.0) + GRACE
            ended = subject.begin().ended(limit)
            expect(server.count > 0, f"no request to {name}")
            return "" if ended else f"export still waits after {limit:g} s for {name}"

    with ThreadPoolExecutor(len(scripts)) as threads:
        late = [one for one in threads.map(play, scripts) if one]
    expect(not late, "; ".join(late))
