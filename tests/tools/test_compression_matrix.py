"""The page of the compression methods shows facts, citations and verdicts, and says what they say."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec

import pytest

from benchmarks import compression
from otlp_kit.receiver.limits import STREAMS
from tests.tools.matrix_pages import LINK, VERDICT, cells, changed, text
from tools import facts
from tools.compression_matrix import (
    BATCHES,
    COLUMNS,
    METHODS,
    MUST,
    SINCE,
    Method,
    answer,
    in_library,
    page,
    reads,
    told,
)

KNOWN = facts.load()
ROWS = {method.name: name for name, method in METHODS.items()} | {"none": "none"}
NUMBERS = COLUMNS | {"bytes": "bytes"}
CITED = re.compile(r"\[[^]]+\]\((?P<link>https://[^)]+)\)")


def facts_named(measure: str, batch: int) -> dict[str, float]:
    return {name: KNOWN[f"compression.{measure}.{name}.{batch}"].value for name in METHODS}


def said(known: dict[str, facts.Fact]) -> str:
    return text("\n".join(answer(known)))


def test_every_number_is_the_fact_of_its_row_column_and_size() -> None:
    """No cell shows another's fact, and none of the benchmark's is left out but the ratios of CPU."""
    seen = set()
    for heading, row, head, cell in cells(page(KNOWN)):
        if head in NUMBERS:
            batch = 1 if heading == "One span" else int(heading.split()[0].replace(",", ""))
            fact = LINK.fullmatch(cell)
            assert fact, (heading, row, head, cell)
            name = ROWS[row.partition(" [")[0]]
            assert fact["name"] == f"compression.{NUMBERS[head]}.{name}.{batch}"
            seen.add(fact["name"])
    measured = {name for name in KNOWN if name.startswith("compression.")}
    assert measured - seen == {name for name in measured if name.startswith("compression.cpu.")}


def test_the_rest_is_cited_or_was_tried() -> None:
    """What is no number leads to the specification or to Python's documentation, or says what was seen."""
    links = {MUST, *(link for _, link in SINCE.values())}
    rest = [cell for _, _, head, cell in cells(page(KNOWN)) if head not in NUMBERS]
    assert len(rest) >= 12
    for cell in rest:
        cited = CITED.fullmatch(cell)
        assert (cited and cited["link"] in links) or VERDICT.fullmatch(cell), cell


def test_the_rows_are_those_that_are_measured() -> None:
    """A method added to the benchmark has to be added to the page."""
    assert set(METHODS) == set(compression.METHODS)
    assert BATCHES == compression.BATCHES


def test_only_what_servers_must_accept_is_marked_so() -> None:
    """`none` and `gzip`, whoever makes it; zstd and deflate carry the mark."""
    required = {name for name, method in METHODS.items() if method.required}
    assert required == {"gzip-1", "gzip-6", "gzip-9", "isal-1"}
    marked = {row.partition(" ")[0] for _, row, _, _ in cells(page(KNOWN)) if "†" in row}
    assert marked == {"zstd", "deflate"}


def test_the_first_lines_agree_with_the_facts() -> None:
    """Each winner that is named has the best value of its size, or cannot be told from it."""
    shown = said(KNOWN)
    for batch in BATCHES[1:]:
        sizes, prices = facts_named("ratio", batch), facts_named("price", batch)
        smallest, cheapest = max(sizes, key=sizes.__getitem__), min(prices, key=prices.__getitem__)
        assert METHODS[smallest].name in shown.partition("If the server reads everything")[2]
        assert METHODS[cheapest].name in shown.partition("If the server reads everything")[2]


def test_other_numbers_are_another_answer() -> None:
    """Let gzip 9 cost nothing and zstd 1 be the smallest: the sentences say so."""
    values = {f"compression.price.gzip-9.{batch}": 0.001 for batch in BATCHES}
    values |= {f"compression.ratio.zstd-1.{batch}": 99.0 for batch in BATCHES}
    shown = said(changed(KNOWN, values))
    assert (
        "of what every server must read: gzip 9 at every size. With zlib alone: gzip 9 at every size."
        in shown
    )
    assert "least CPU by gzip 9 at every size. Fewest bytes by zstd 1 at every size." in shown
    assert shown != said(KNOWN)


def test_batches_come_first_only_while_the_numbers_say_so() -> None:
    """If one span became as small as many, the advice would go."""
    assert said(KNOWN).startswith("Batch first: ")
    turned = changed(KNOWN, {"compression.ratio.gzip-1.1": 50.0})
    assert said(turned).startswith("The best method makes one span 50x smaller")


def test_what_pays_on_gigabit_follows_the_line() -> None:
    """Faster lines than 125 megabytes per second, and no other."""
    values = {f"compression.line.{name}.512": 10.0 for name in METHODS}
    assert "earlier by none of them." in text("\n".join(told(changed(KNOWN, values), 512)))
    values["compression.line.zstd-3.512"] = 126.0
    assert "earlier by zstd 3." in text("\n".join(told(changed(KNOWN, values), 512)))
    values = dict.fromkeys(values, 126.0)
    assert "earlier by all of them." in text("\n".join(told(changed(KNOWN, values), 512)))


def test_price_and_line_follow_from_size_and_time() -> None:
    """The formulas of the page, by hand: megabytes saved a second, and milliseconds for one."""
    for name in METHODS:
        for batch in BATCHES:
            raw, size, pack, unpack, line, price = (
                KNOWN[f"compression.{one}.{batch}"].value
                for one in ("bytes.none", f"bytes.{name}", f"pack.{name}", f"unpack.{name}",
                            f"line.{name}", f"price.{name}")
            )  # fmt: skip
            saved = raw - size
            assert line == pytest.approx(saved / pack, rel=0.02)
            assert price == pytest.approx((pack + unpack) / saved * 1000, rel=0.1)


def test_what_the_receiver_reads_is_tried() -> None:
    """A body of an unknown encoding is a no; what it has a reader for is a yes."""
    for method in METHODS.values():
        assert VERDICT.fullmatch(reads(method))["word"] == (
            "yes" if method.encoding in STREAMS else "no"
        )  # type: ignore[index]
    assert ">no<" in reads(Method("odd", "br", "", bytes))
    assert ">no<" in reads(Method("lies", "none", "", lambda body: body[:-1]))


def test_what_python_has_is_what_it_can_import() -> None:
    """`compression.zstd` from 3.14 on; zlib in each; isal in none."""
    assert (find_spec("compression") is not None) == (sys.version_info >= (3, 14))
    assert in_library(METHODS["zstd-1"]).startswith("[from 3.14](")
    assert ">yes<" in in_library(METHODS["gzip-1"])
    assert ">no, package isal<" in in_library(METHODS["isal-1"])
