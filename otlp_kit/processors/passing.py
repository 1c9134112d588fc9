"""What every processor is, and one that passes records on to the next.

`Processor` is the shape that all of them have. `PassingProcessor` is the half that those in the middle
of a path share: nothing waits in them, so a flush, a shutdown and the accounts are the next one's. What
happens to a record on its way is the subclass's `emit`.

    class Loud(PassingProcessor[Span]):
        def emit(self, record):
            self._next.emit(replace(record, name=record.name.upper()))
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from otlp_kit.ledger import Totals
from otlp_kit.processors.outcome import Outcome

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Processor(Protocol[T_contra]):
    """Takes records over, and accounts for them."""

    def emit(self, record: T_contra) -> None: ...
    def force_flush(self, timeout: float) -> Outcome: ...
    def shutdown(self, timeout: float) -> Outcome: ...
    def totals(self) -> Totals: ...


class PassingProcessor(Generic[T]):
    """Stands before `next` in a path."""

    def __init__(self, next: Processor[T]) -> None:
        self._next = next

    def force_flush(self, timeout: float = 30.0) -> Outcome:
        """Nothing waits here: the answer is that of the next processor."""
        return self._next.force_flush(timeout)

    def shutdown(self, timeout: float = 30.0) -> Outcome:
        """Shut the next processor down, and so on to the end of the path."""
        return self._next.shutdown(timeout)

    def totals(self) -> Totals:
        """Where every record of the path went so far."""
        return self._next.totals()
