"""When do records leave? A bounded queue that decides, and does nothing else.

`BatchBuffer` is the batch processor without its thread: it knows no clock (time is an argument), no
lock and no exporter. A driver calls it: a worker thread, an event loop, or a test.

    buffer.offer(record)                   a producer brings a record; 0: there is no room
    buffer.overflow(record)                then who gives way? returns those that did
    buffer.next_due(now)                   how long the driver may sleep
    buffer.take(now)                       the next batch, empty while nothing has to leave
    buffer.restart(now)                    the driver is done exporting: the delay begins anew
    buffer.adjust(delay=1.0)               other limits from now on; nothing queued is given up

Any number of threads may `offer`, since appending to a deque is atomic; all else belongs to the one
driver, which guards it if it has several threads itself. As many threads as offer in the same
instant may exceed the capacity by one record each.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Generic, Literal, TypeAlias, TypeVar, get_args

T = TypeVar("T")

WhenFull: TypeAlias = Literal["drop_newest", "drop_oldest", "block", "sample"]
"""Who gives way when there is no room: the record that comes; the one that waited longest; nobody
for a while, then the one that comes (the driver waits); or a random one, so that of all that came
since the queue was full each has the same chance to stay."""

TRANSITIONS: tuple[tuple[str, str, str], ...] = (
    ("filling", "offer", "filling"),
    ("filling", "offer fills a batch", "ready"),
    ("filling", "the delay passes", "ready"),
    ("filling", "flush", "ready"),
    ("filling", "adjust lets go", "ready"),
    ("filling", "close", "draining"),
    ("filling", "close while empty", "closed"),
    ("ready", "offer", "ready"),
    ("ready", "take leaves more to go", "ready"),
    ("ready", "take", "filling"),
    ("ready", "adjust holds back", "filling"),
    ("ready", "close", "draining"),
    ("draining", "take leaves more to go", "draining"),
    ("draining", "take", "closed"),
)
"""State, event, next state. An `offer` that is refused changes nothing, in any state."""


class BatchBuffer(Generic[T]):
    """Queues up to `capacity` records and lets them go in batches of at most `batch_size`.

    Records leave when a batch is full, when `delay` seconds have passed since `restart`, after
    `flush`, and after `close`. `chance` returns a random number from 0 to 1, for `sample`. Raises
    `ValueError` for settings that contradict each other.
    """

    def __init__(
        self,
        *,
        capacity: int,
        batch_size: int,
        delay: float,
        when_full: WhenFull = "drop_newest",
        now: float = 0.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        _check(capacity, batch_size, delay)
        if when_full not in get_args(WhenFull):
            policies = ", ".join(get_args(WhenFull))
            raise ValueError(f"when_full must be one of {policies}, not {when_full!r}")
        # `offer` for a driver that cannot afford the call: both are read there, and written here.
        self.queue: deque[T] = deque()
        self._capacity = capacity
        self.room = capacity  # 0 once closed, so that one comparison serves both
        self._batch_size = batch_size
        self._delay = delay
        self._when_full = when_full
        self._chance = chance
        self._came_while_full = 0
        self._departed = 0
        self._began_at, self._due_at = now, now + delay
        self._owed = 0  # how many of the oldest records leave even if they fill no batch

    def __len__(self) -> int:
        return len(self.queue)

    def offer(self, record: T) -> int:
        """Queue `record`; how many are queued now, or 0 when the queue is full or closed."""
        queue = self.queue
        depth = len(queue) + 1
        if depth > self.room:
            return 0
        queue.append(record)
        return depth

    def overflow(self, record: T) -> list[T]:
        """The queue had no room for `record`: the records that give way, this one among them or not.

        It is queued if room has come meanwhile; then the list is empty.
        """
        if self._when_full != "drop_oldest":
            if self.offer(record):
                return []
            return [self._sampled(record) if self._when_full == "sample" else record]
        # One for one, even if `adjust` has left more in the queue than there is room for.
        given_up = [self.queue.popleft()] if len(self.queue) >= self._capacity else []
        self._departed += len(given_up)
        self.queue.append(record)
        return given_up

    def _sampled(self, record: T) -> T:
        """Which record gives way: of all that came since the queue was full, as many stay as it holds."""
        self._came_while_full += 1
        place = int(self._chance() * (len(self.queue) + self._came_while_full))
        if place >= len(self.queue):
            return record
        given_up, self.queue[place] = self.queue[place], record
        return given_up

    @property
    def has_full_batch(self) -> bool:
        return len(self.queue) >= self._batch_size

    def state(self, now: float) -> str:
        """One of the states in `TRANSITIONS`."""
        if self.closed:
            return "draining" if self.queue else "closed"
        return "ready" if self.queue and self.next_due(now) == 0 else "filling"

    def next_due(self, now: float) -> float:
        """Seconds until `take` has something to do, unless a producer fills a batch before."""
        if self.closed or self._owed or self.has_full_batch:
            return 0.0
        return max(0.0, self._due_at - now)

    def take(self, now: float) -> list[T]:
        """The records that leave now, oldest first: a batch, or an empty list."""
        queue = self.queue
        if self.closed or now >= self._due_at:
            self._owed = len(queue)
            if not queue:
                self.restart(now)
        if not self._owed and len(queue) < self._batch_size:
            return []
        batch: list[T] = []
        while queue and len(batch) < self._batch_size:
            batch.append(queue.popleft())
        self._departed += len(batch)
        self._came_while_full = 0
        self._owed = max(0, self._owed - len(batch)) if queue else 0
        return batch

    def adjust(
        self, *, capacity: int | None = None, batch_size: int | None = None,
        delay: float | None = None,
    ) -> None:  # fmt: skip
        """Change the limits that are given; the delay counts from when it last began.

        What is queued stays: if it is more than a smaller capacity, there is no room until enough has
        left. Raises `ValueError` for limits that contradict each other, or one that stays; then
        nothing is changed.
        """
        new_capacity = self._capacity if capacity is None else capacity
        new_batch_size = self._batch_size if batch_size is None else batch_size
        new_delay = self._delay if delay is None else delay
        _check(new_capacity, new_batch_size, new_delay)
        self._due_at = self._began_at + new_delay
        self._capacity, self._batch_size, self._delay = new_capacity, new_batch_size, new_delay
        self._came_while_full = 0
        if not self.closed:
            self.room = new_capacity

    def restart(self, now: float) -> None:
        """Begin the delay anew."""
        self._began_at, self._due_at = now, now + self._delay

    def flush(self) -> None:
        """Everything that is queued now leaves without further delay."""
        self._owed = len(self.queue)

    def close(self) -> None:
        """Take no more records; what is queued leaves without further delay."""
        self.room = 0

    @property
    def closed(self) -> bool:
        return self.room == 0

    @property
    def capacity(self) -> int:
        return self._capacity

    @property
    def departed(self) -> int:
        """How many records have left the queue so far. What is queued now has left when this has
        grown by `len(buffer)`, whoever takes it and whatever comes behind it."""
        return self._departed

    def clear(self) -> list[T]:
        """Give up what is queued, and return it to be accounted for."""
        given_up: list[T] = []
        while self.queue:
            given_up.append(self.queue.popleft())
        self._departed += len(given_up)
        self._owed = 0
        return given_up


def _check(capacity: int, batch_size: int, delay: float) -> None:
    """Raises `ValueError` that names the rule which is broken."""
    if batch_size < 1:
        raise ValueError(f"batch size must be at least 1, not {batch_size}")
    if capacity < batch_size:
        raise ValueError(
            f"queue size must be at least the batch size, not {capacity} < {batch_size}"
        )
    if not delay > 0:
        raise ValueError(f"delay must be more than 0 seconds, not {delay}")
