"""Say more about each record: attributes from a mapping, or from a function of the record.

    processor = EnrichProcessor(
        batch,
        record=lambda span: {"app.tier": tier_of(span)},
        resource={"deployment.environment.name": "production"},
    )

What the program said itself stays: an attribute is added where there is none, and replaced only
with `overwrite=True`. Enriching is optional by nature, so a record whose function fails goes on
without. Records are copied, never changed, since others may hold them too.

Specification: https://opentelemetry.io/docs/specs/otel/common/#attribute
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from otlp_kit.model import Resource, Value
from otlp_kit.processors.passing import PassingProcessor, Processor

T = TypeVar("T")
log = logging.getLogger(__name__)

Source: TypeAlias = Mapping[str, Value] | Callable[[T], Mapping[str, Value]]


class EnrichProcessor(PassingProcessor[T]):
    """Hands each record to `next` with more attributes: `record`'s on itself, `resource`'s on its
    resource.

    Each is a mapping, read once here, or a function that is called with every record, on the thread
    that emits it. A metric has no attributes of its own: it takes those of the resource only.
    """

    def __init__(
        self,
        next: Processor[T],
        *,
        record: Source[T] | None = None,
        resource: Source[T] | None = None,
        overwrite: bool = False,
    ) -> None:
        super().__init__(next)
        self._record = _taken(record)
        self._resource = _taken(resource)
        self._overwrite = overwrite
        self._last: tuple[Resource, Resource] | None = None
        self._reported = False

    def emit(self, record: T) -> None:
        """Enrich `record` and hand it on. Safe from any thread; does not raise for any record."""
        try:
            enriched = self._enriched(record)
        except Exception:
            enriched = record
            if not self._reported:
                self._reported = True
                log.exception("enriching failed, such records go on as they are")
        self._next.emit(enriched)

    def _enriched(self, record: Any) -> Any:
        changes: dict[str, Any] = {}
        if self._record:
            changes["attributes"] = self._merged(record.attributes, self._record, record)
        if self._resource:
            changes["resource"] = self._with_resource(record)
        return replace(record, **changes) if changes else record

    def _with_resource(self, record: Any) -> Resource:
        """Records that share a resource go on sharing one, or each would be encoded with its own."""
        before: Resource = record.resource
        last = self._last
        if last and last[0] is before and not callable(self._resource):
            return last[1]
        after = replace(before, attributes=self._merged(before.attributes, self._resource, record))
        self._last = (before, after)
        return after

    def _merged(self, own: Mapping[str, Value], source: Any, record: Any) -> dict[str, Value]:
        more = source(record) if callable(source) else source
        return {**own, **more} if self._overwrite else {**more, **own}

    def __repr__(self) -> str:
        return f"<EnrichProcessor -> {self._next!r}>"


def _taken(source: Source[T] | None) -> Source[T] | None:
    """A mapping as it is now, so that nobody changes it between two records."""
    return source if source is None or callable(source) else dict(source)
