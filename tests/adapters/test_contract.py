"""Each line of the contract, as the official classes and the kit's keep it."""

from __future__ import annotations

import pytest

from tests.adapters.contract_cases import CASES, KIT, OFFICIAL, Case, silence

ROWS = [
    pytest.param(case, id=case.observe.__name__, marks=[pytest.mark.spec(s) for s in case.specs])
    for case in CASES
]


@pytest.mark.parametrize("case", ROWS)
def test_the_kit_keeps_the_line(case: Case) -> None:
    """What the page says about the kit is what it does."""
    with silence():
        assert case.observe(KIT) == case.kit


# A worker that ends in SystemExit is one of the lines.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("case", ROWS)
def test_the_official_class_does_what_the_page_says(case: Case) -> None:
    """If a release changes it, the page has to."""
    with silence():
        assert case.observe(OFFICIAL) == case.official
