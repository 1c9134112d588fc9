"""Real processes end in every way: what the kit does not deliver, it says."""

from __future__ import annotations

import pytest

from benchmarks.exit_matrix import Row, rows, run, said_to_be_lost

SPANS = 10


@pytest.mark.slow
@pytest.mark.spec("PEER-15")
@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_nothing_is_lost_without_a_word_where_a_line_of_code_can_run(row: Row) -> None:
    """What arrives is known beforehand, and the last line of the log has all of the rest."""
    result = run(row, "kit", SPANS)
    assert (result.emitted, result.delivered) == (row.bursts * SPANS, row.kept * SPANS)
    assert (result.unexplained == 0) is row.runs


@pytest.mark.slow
@pytest.mark.spec("PEER-1")
@pytest.mark.parametrize("name", ["sigterm", "full_queue", "dead_collector"])
def test_the_official_processor_says_nothing(name: str) -> None:
    """The same programs lose spans there, and no number says how many: the matrix can see a loss."""
    [row] = [row for row in rows() if row.name == name]
    result = run(row, "official", SPANS)
    assert (result.dropped, result.unexplained > 0) == (0, True)


def test_the_totals_of_every_process_are_read() -> None:
    """Thousands, several reasons and unknown fates count; copies that a fork made do not."""
    log = """
INFO:otlp_kit.processors.batch:shut down: created 100 = delivered 100
WARNING:otlp_kit.processors.batch:shut down: created 5,000 = delivered 3,788 + rejected 2 + unknown 3 + dropped 1,207 (queue_full 1,200, timeout 7)
WARNING:otlp_kit.processors.batch:shut down: created 90 = delivered 40 + dropped 50 (fork 50)
"""
    assert said_to_be_lost(log) == 1_212
