"""The check of the reset contract passes what is right, and names the field that is not."""

from __future__ import annotations

import os
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from otlp_kit.model import Resource, Span
from otlp_kit.pools.object_pool import ObjectPool
from otlp_kit.pools.thread_local_pool import ThreadLocalPool
from otlp_kit.testing.check_pool import check_pool
from tests.testing import wrong_pools
from tests.testing.wrong_pools import Loose, Reused, reset


def test_the_fixture_without_a_fault_passes() -> None:
    """So that each of the others fails for its planted fault and nothing else."""
    report = check_pool(Reused, reset)
    assert report.places >= 13
    assert (
        str(report) == f"{report.places} places, {report.trials} trials: as good as new after each"
    )


@pytest.mark.parametrize(
    "pool",
    [
        lambda factory, reset: ObjectPool(factory, reset, capacity=2, debug=True),
        lambda factory, reset: ThreadLocalPool(factory, reset),
        lambda factory, reset: ThreadLocalPool(factory, reset, debug=True),
    ],
)
def test_it_passes_in_every_pool(pool: Callable[..., Any]) -> None:
    """Poison is gone again when a thing is lent."""
    check_pool(Reused, reset, pool=pool)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("forgets_attributes", r"expected attributes\['left.behind'\] to be nothing, as in a fresh one; found what was left there"),
        ("adds_defaults_to_what_is_there", r"expected attributes\['left.behind'\] to be nothing, as in a fresh one; found what was left there\ndone: (replaced|changed in place) attributes; released, acquired"),
        ("forgets_the_trace_id", r"expected trace_id to be b'', as in a fresh one; found b'\\x07'\ndone: replaced trace_id; released, acquired"),
        ("forgets_a_timestamp", r"expected end_unix_nano to be 0, as in a fresh one; found 7"),
        ("forgets_the_parent", r"expected parent_span_id to be None, as in a fresh one; found what was left there"),
        ("keeps_the_object_inside", r"expected status.message to be '', as in a fresh one; found ' left behind'|expected status to be a Status"),
        ("resets_to_another_default", r"expected kind to be 1, as in a fresh one; found 0"),
        ("leaves_the_lazy_slot", r"expected token to be nothing, as in a fresh one; found what was left there\ndone: set token"),
        ("shares_one_list", r"expected events\[0\] to be nothing, as in a fresh one; found what was left there\ndone: released two, acquired two, changed in place events of the other one"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_and_named(wrong: str, expected: str) -> None:
    """The message tells which field, what is left in it, and what had been done."""
    with pytest.raises(AssertionError, match=expected):
        check_pool(Reused, getattr(wrong_pools, wrong))


@pytest.mark.parametrize(
    ("factory", "how", "expected"),
    [
        (wrong_pools.ReusedInBilling, reset, "expected invoice to be ''"),
        (Loose, wrong_pools.reset_loose, "expected left_behind to be nothing"),
        (wrong_pools.BornShared, lambda thing: None, "expected a dict of its own at attributes of each"),
        (list, lambda thing: None, r"expected \[0\] to be nothing"),
        (lambda: bytearray(4), lambda thing: None, r"expected the thing to be bytearray"),
        (set, lambda thing: None, r"expected the thing to be set\(\)"),
    ],
)  # fmt: skip
def test_other_kinds_of_things_are_looked_through(
    factory: Callable[[], Any], how: Callable[[Any], object], expected: str
) -> None:
    """A subclass's field, an attribute that somebody hung on it, a factory's fault, containers."""
    with pytest.raises(AssertionError, match=expected):
        check_pool(factory, how)


def test_those_kinds_pass_with_a_right_reset() -> None:
    """A whole `__dict__`, a list, a set, the bytes of a buffer, a deque inside."""

    @dataclass(slots=True)
    class Holder:
        waiting: deque[int] = field(default_factory=lambda: deque([1, 2]))
        nested: dict[str, list[int]] = field(default_factory=lambda: {"a": [1], "b": []})

    check_pool(Loose, wrong_pools.reset_loose_whole)
    check_pool(list, list.clear)
    check_pool(set, set.clear)
    check_pool(lambda: bytearray(4), lambda buffer: buffer.__init__(4))  # type: ignore[misc]
    check_pool(Holder, lambda holder: holder.__init__())  # type: ignore[misc]


def test_a_container_two_levels_down_is_reached() -> None:
    """What is cleared above is not always cleared below."""

    @dataclass(slots=True)
    class Holder:
        nested: dict[str, list[int]] = field(default_factory=lambda: {"a": [], "b": []})

    def shallow(holder: Holder) -> None:
        inner = holder.nested.get("a")
        holder.nested = {"a": inner if isinstance(inner, list) else [], "b": []}

    with pytest.raises(AssertionError, match=r"expected nested\['a'\]\[0\] to be nothing"):
        check_pool(Holder, shallow)


def test_a_pool_that_gives_nothing_back_is_not_called_right() -> None:
    """Otherwise the check would pass without having looked at anything."""
    with pytest.raises(AssertionError, match="give back what was released; found a new one"):
        check_pool(Reused, reset, pool=wrong_pools.NeverGivesBack)


def test_the_records_of_this_kit_can_be_reset_and_a_new_field_would_be_noticed() -> None:
    """`__init__` resets all that a dataclass has; a list of fields made today is found incomplete."""
    check_pool(Span, lambda span: span.__init__())  # type: ignore[misc]

    def by_hand(span: Span) -> None:
        keep = span.dropped_links_count
        span.__init__()  # type: ignore[misc]
        span.dropped_links_count = keep

    with pytest.raises(AssertionError, match="expected dropped_links_count to be 0"):
        check_pool(Span, by_hand)


RESOURCE = Resource({"service.name": "shop"})


def test_what_all_fresh_ones_share_is_replaced_and_not_changed_inside() -> None:
    """All spans of a program have one resource. Nothing may be written into that, not even here."""

    def again(span: Span) -> None:
        span.__init__(resource=RESOURCE)  # type: ignore[misc]

    check_pool(lambda: Span(resource=RESOURCE), again)
    assert RESOURCE.attributes == {"service.name": "shop"}

    def forgets(span: Span) -> None:
        span.__init__(resource=span.resource)  # type: ignore[misc]

    with pytest.raises(AssertionError, match=r"expected resource to be Resource.*; found what was"):
        check_pool(lambda: Span(resource=RESOURCE), forgets)


def test_a_factory_that_makes_one_for_all_is_refused() -> None:
    """Then all of its fields are shared, and nothing could be compared."""
    one = Span()
    with pytest.raises(AssertionError, match="expected the factory to make one each time"):
        check_pool(lambda: one, lambda span: None)


@dataclass(slots=True)
class WithId:
    ident: bytes = field(default_factory=lambda: os.urandom(8))
    uses: int = 0


def test_what_differs_between_fresh_ones_has_to_differ_from_what_was_left() -> None:
    """A random id has to be a new one: two requests with one id are one trace."""

    def again(thing: WithId) -> None:
        thing.ident, thing.uses = random.randbytes(8), 0

    check_pool(WithId, again)

    def keeps_the_id(thing: WithId) -> None:
        thing.uses = 0

    with pytest.raises(AssertionError, match="expected ident to be another one, as in each fresh"):
        check_pool(WithId, keeps_the_id)


def test_a_field_can_be_left_out_by_name() -> None:
    """A count of uses is meant to survive."""
    check_pool(WithId, lambda thing: setattr(thing, "ident", random.randbytes(8)), ignore=["uses"])


def test_a_seed_changes_the_same() -> None:
    """What many changes at once find can be found again."""

    def only_together(span: Reused) -> None:
        dirty = bool(span.name) and bool(span.end_unix_nano)
        kept = span.name
        reset(span)
        if dirty:
            span.name = kept

    def message(seed: int) -> str:
        with pytest.raises(AssertionError) as caught:
            check_pool(Reused, only_together, seed=seed)
        return str(caught.value)

    assert message(1) == message(1)
    assert message(1) != message(2)
