"""Drop records that nobody wants: health checks, debug logs, a noisy tenant.

    ledger = Ledger()
    batch = BatchProcessor(exporter, ledger=ledger)
    drop = [Match("http.route", "/health.*"), lambda span: span.name == "poll"]
    processor = FilterProcessor(batch, drop, ledger=ledger)

A filter saves money; it is no guard against leaks (`edit` is), because a record that it fails to
judge goes on. What it drops is counted (`filtered`), so that the path still adds up. It looks at
one record: a dropped span leaves its children without a parent. To drop whole traces, sample.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from otlp_kit.ledger import FILTERED, Ledger
from otlp_kit.processors.passing import PassingProcessor, Processor

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Match:
    """A condition as data: the attribute `key` is there, and `pattern` matches all of its text.

    `of` says whose attribute: the record's own or its resource's. Raises `ValueError` for a pattern
    that is none.
    """

    key: str
    pattern: str
    of: Literal["record", "resource"] = "record"
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.of not in ("record", "resource"):
            raise ValueError(f"{self}: of must be record or resource")
        try:
            object.__setattr__(self, "_regex", re.compile(self.pattern))
        except (re.error, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"{self}: the pattern is not valid: {error}") from error

    def __call__(self, record: Any) -> bool:
        owner = record.resource if self.of == "resource" else record
        attributes: Mapping[str, Any] = owner.attributes
        value = attributes.get(self.key)
        return value is not None and self._regex.fullmatch(str(value)) is not None


class FilterProcessor(PassingProcessor[T]):
    """Hands on to `next` what none of the conditions `drop` is true of.

    A condition is a `Match` or any function from record to bool; it must not change the record.
    One that raises counts as false, and is logged once. `ledger` is that of the path: give the same
    one to the batch processor at its end.
    """

    def __init__(
        self, next: Processor[T], drop: Sequence[Callable[[T], bool]], *, ledger: Ledger
    ) -> None:
        super().__init__(next)
        self._drop = tuple(drop)
        self._ledger = ledger
        self._reported = False

    def emit(self, record: T) -> None:
        """Hand `record` on, or count it. Safe from any thread; does not raise for any record."""
        if any(self._is_true(condition, record) for condition in self._drop):
            self._ledger.turned_away(FILTERED)
        else:
            self._next.emit(record)

    def _is_true(self, condition: Callable[[T], bool], record: T) -> bool:
        try:
            return bool(condition(record))
        except Exception:
            if not self._reported:
                self._reported = True
                log.exception("a condition failed, such records go on: %r", condition)
            return False

    def __repr__(self) -> str:
        return f"<FilterProcessor [{len(self._drop)} conditions] -> {self._next!r}>"
