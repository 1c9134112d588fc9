"""Virtual time: what is to happen, in the order in which it does.

    timeline = Timeline()
    timeline.at(2.0, ring)          call `ring` at 2 s
    timeline.after(0.5, knock)      half a second from now
    timeline.run()                  until nothing is left to happen

Nothing waits: `now` jumps from one event to the next, so an hour takes as long as its events do, and
every run is the same. It knows no thread and no clock, and nothing of what the events are about.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import TypeAlias

Action: TypeAlias = Callable[[], object]

WORK, ARRIVE = 0, 1
"""Ranks: in one instant, what is being done is done before something new comes."""


class Event:
    """An appointment. `cancel` it, and it does not happen."""

    __slots__ = ("action", "order")

    def __init__(self, order: tuple[float, int, int], action: Action) -> None:
        self.order = order
        self.action: Action | None = action

    @property
    def time(self) -> float:
        return self.order[0]

    def cancel(self) -> None:
        self.action = None

    def __lt__(self, other: Event) -> bool:
        return self.order < other.order


class Timeline:
    """Calls actions at their times; those of one instant by rank, then as they were appointed.

    >>> timeline, heard = Timeline(), []
    >>> _ = timeline.after(2.0, lambda: heard.append(("two", timeline.now)))
    >>> _ = timeline.after(1.0, lambda: heard.append(("one", timeline.now)))
    >>> timeline.after(0.5, lambda: heard.append("never")).cancel()
    >>> timeline.run()
    >>> heard
    [('one', 1.0), ('two', 2.0)]
    """

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds since the beginning."""
        self._heap: list[Event] = []
        self._number = count()

    def at(self, time: float, action: Action, rank: int = WORK) -> Event:
        """Appoint `action` for `time`, or for now if that is past."""
        event = Event((max(time, self.now), rank, next(self._number)), action)
        heappush(self._heap, event)
        return event

    def after(self, seconds: float, action: Action, rank: int = WORK) -> Event:
        """Appoint `action` for `seconds` from now."""
        return self.at(self.now + seconds, action, rank)

    def run(self, until: float = math.inf) -> None:
        """Let happen what is appointed for `until` or before; the rest stays appointed."""
        heap = self._heap
        while heap and heap[0].time <= until:
            event = heappop(heap)
            if event.action is not None:
                self.now = event.time
                event.action()
        if until < math.inf:
            self.now = max(self.now, until)
