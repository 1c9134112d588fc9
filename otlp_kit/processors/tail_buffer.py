"""Traces that wait for their judgement: who waits, who is due, what was decided, and what fits.

`TailBuffer` is tail sampling without its policies: it knows no clock (time is an argument), no lock,
and no ledger. A driver calls it, and guards it if it has several threads.

    buffer.offer(span, size, now)       a span comes: it waits, is late, a duplicate, or does not fit
    buffer.due(now)                     a trace whose time has come
    buffer.oldest()                     the trace to judge early, to make room
    buffer.settle(trace, decision)      it is judged: it waits no more, the decision is remembered
    buffer.release(trace)               its spans have left: there is room again

A trace waits from its first span, so that the oldest is always the next. Spans count from `offer` to
`release`, in number and in bytes, and neither exceeds its bound at any time. Decisions are remembered
by number: of ids, so that one with the ids of its spans counts for more than one without.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from otlp_kit.model import Resource, Scope, Span
from otlp_kit.processors.span_size import owner_bytes
from otlp_kit.processors.tail_threshold import Decision

TRACE_BYTES = 700
"""What a waiting trace takes besides its spans: its entry, its tables, its key."""
SPAN_BYTES = 140
"""What a waiting span takes besides itself: its place in the tables of its trace."""
REMEMBERED_BYTES = 300
"""What remembering one id of a decision takes, at most on average."""


class Fate(Enum):
    """What became of a span that was offered. `offer` returns a `Decision` for one that is late."""

    WAITS = "waits"
    DUPLICATE = "duplicate"
    FULL = "full"
    CLOSED = "closed"


class Waiting:
    """A trace that is not yet judged."""

    __slots__ = ("bytes", "due_at", "owners", "resource", "scope", "spans", "trace_id")

    def __init__(self, trace_id: bytes, due_at: float) -> None:
        self.trace_id = trace_id
        self.due_at = due_at
        self.spans: dict[bytes, Span] = {}
        """By span id, in the order in which they came."""
        self.resource: Resource | None = None
        self.scope: Scope | None = None
        """Of the span that came last."""
        self.owners: list[Resource | Scope] = []
        """All of them."""
        self.bytes = 0


@dataclass(frozen=True, slots=True)
class TailStats:
    """A frozen reading."""

    traces: int
    """Traces that wait."""
    spans: int
    """Spans that wait, or are being handed on."""
    bytes: int
    """What they take, estimated."""
    kept: Mapping[str, int]
    """Traces that were kept, by the policy that was the first to keep them."""
    not_kept: int
    """Traces that were not."""
    early: int
    """Traces of either kind that were judged before their time, to make room."""
    late_kept: int
    """Spans that came after the decision, and were passed on."""
    late_dropped: int
    """Spans that came after the decision, and were not."""


class TailBuffer:
    """Holds up to `max_spans` spans of about `max_bytes` bytes, for `wait` seconds each trace.

    `remember` bounds the decisions: it is how many ids, of traces and of spans that were kept, are
    known afterwards. Raises `ValueError` for bounds that hold nothing.
    """

    def __init__(self, *, wait: float, max_spans: int, max_bytes: int, remember: int) -> None:
        if not 0 < wait < float("inf"):
            raise ValueError(f"decision wait must be more than 0 seconds, not {wait}")
        for name, bound in (("spans", max_spans), ("bytes", max_bytes), ("decisions", remember)):
            if bound < 1:
                raise ValueError(f"the bound of {name} must be at least 1, not {bound}")
        self.wait = wait
        self.max_spans, self.max_bytes, self.remember = max_spans, max_bytes, remember
        self.spans = self.bytes = 0
        """What is here: waiting, or judged and not yet released."""
        self.handed = 0
        """How many of `spans` the driver has handed on already, of traces that it is to release."""
        self.closed = False
        self._waiting: OrderedDict[bytes, Waiting] = OrderedDict()
        self._decisions: OrderedDict[bytes, tuple[Decision, set[bytes]]] = OrderedDict()
        self._remembered = 0
        # The resource and the scope that were measured last: in most programs there is one of each.
        self._measured: dict[type, tuple[Resource | Scope, int]] = {}
        self._kept: Counter[str] = Counter()
        self._not_kept = self._early = self._late_kept = self._late_dropped = 0

    def __len__(self) -> int:
        """How many traces wait."""
        return len(self._waiting)

    @property
    def most_bytes(self) -> int:
        """What all of this may take: the spans that wait, and the decisions that are remembered."""
        return self.max_bytes + self.remember * REMEMBERED_BYTES

    @property
    def remembered(self) -> int:
        """How many ids are remembered."""
        return self._remembered

    def offer(self, span: Span, size: int, now: float) -> Fate | Decision:
        """Take over `span` of about `size` bytes, or say why not.

        A `Decision` says that the span came late, and what became of its trace. A late span that is
        kept is known from now on, so that it has duplicates too.
        """
        trace_id, span_id = span.trace_id, span.span_id
        if self.closed:
            return Fate.CLOSED
        trace = self._waiting.get(trace_id)
        if trace is None:
            if (late := self._late(trace_id, span_id)) is not None:
                return late
            size += TRACE_BYTES
        elif span_id in trace.spans:
            return Fate.DUPLICATE
        size += SPAN_BYTES
        if trace is None or span.resource is not trace.resource or span.scope is not trace.scope:
            strangers = self._strangers(span, trace)
            size += sum(map(self._owner_bytes, strangers))
        else:
            strangers = []
        if self.spans >= self.max_spans or self.bytes + size > self.max_bytes:
            return Fate.FULL
        if trace is None:
            trace = self._waiting[trace_id] = Waiting(trace_id, now + self.wait)
        trace.resource, trace.scope = span.resource, span.scope
        trace.owners += strangers
        trace.spans[span_id] = span
        trace.bytes += size
        self.spans += 1
        self.bytes += size
        return Fate.WAITS

    def _strangers(self, span: Span, trace: Waiting | None) -> list[Resource | Scope]:
        """What the spans of a trace share, where this one is the first to hold it."""
        known = [] if trace is None else trace.owners
        return [
            owner
            for owner in (span.resource, span.scope)
            if not any(owner is other for other in known)
        ]

    def _owner_bytes(self, owner: Resource | Scope) -> int:
        measured, size = self._measured.get(type(owner), (None, 0))
        if owner is not measured:
            size = owner_bytes(owner)
            self._measured[type(owner)] = owner, size
        return size

    def _late(self, trace_id: bytes, span_id: bytes) -> Fate | Decision | None:
        found = self._decisions.get(trace_id)
        if found is None:
            return None
        decision, known = found
        self._decisions.move_to_end(trace_id)
        if not decision.kept:
            self._late_dropped += 1
            return decision
        if span_id in known:
            return Fate.DUPLICATE
        self._late_kept += 1
        known.add(span_id)
        self._remembered += 1
        self._forget()
        return decision

    def next_due(self, now: float) -> float:
        """Seconds until a trace can be due, whatever comes meanwhile."""
        oldest = self.oldest()
        return self.wait if oldest is None else max(0.0, oldest.due_at - now)

    def oldest(self) -> Waiting | None:
        """The trace that has waited longest."""
        return next(iter(self._waiting.values()), None)

    def due(self, now: float) -> Waiting | None:
        """A trace that is to be judged now."""
        oldest = self.oldest()
        return oldest if oldest is not None and now >= oldest.due_at else None

    def settle(self, trace: Waiting, decision: Decision, *, early: bool = False) -> bool:
        """`trace` waits no more, and its `decision` is remembered; False: it has been cleared.

        `early` counts it as judged to make room.
        """
        if self._waiting.get(trace.trace_id) is not trace:
            return False
        del self._waiting[trace.trace_id]
        self.decided(trace.trace_id, trace.spans, decision, early=early)
        return True

    def decided(
        self, trace_id: bytes, span_ids: Iterable[bytes], decision: Decision, *, early: bool
    ) -> None:
        """Count and remember `decision`: what comes late follows it."""
        self._early += early
        if decision.policy is None:
            self._not_kept += 1
        else:
            self._kept[decision.policy] += 1
        if trace_id in self._decisions:
            self._remembered -= 1 + len(self._decisions.pop(trace_id)[1])
        known = set(span_ids) if decision.kept else _NONE
        self._decisions[trace_id] = (decision, known)
        self._remembered += 1 + len(known)
        self._forget()

    def _forget(self) -> None:
        while self._remembered > self.remember:
            _, (_, known) = self._decisions.popitem(last=False)
            self._remembered -= 1 + len(known)

    def release(self, trace: Waiting) -> None:
        """The spans of `trace`, which is settled, have left."""
        self.spans -= len(trace.spans)
        self.bytes -= trace.bytes

    def stats(self) -> TailStats:
        """Why traces were kept, what came late, what waits."""
        return TailStats(
            traces=len(self._waiting),
            spans=self.spans,
            bytes=self.bytes,
            kept=MappingProxyType(dict(self._kept)),
            not_kept=self._not_kept,
            early=self._early,
            late_kept=self._late_kept,
            late_dropped=self._late_dropped,
        )

    def close(self) -> None:
        """Take no more spans."""
        self.closed = True

    def clear(self) -> int:
        """Give up what waits; returns how many spans, to be accounted for."""
        given_up = sum(len(trace.spans) for trace in self._waiting.values())
        self.spans -= given_up
        self.bytes -= sum(trace.bytes for trace in self._waiting.values())
        self._waiting.clear()
        return given_up


_NONE: set[bytes] = set()
"""Of a trace that was not kept no span is remembered."""
