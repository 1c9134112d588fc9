"""Several destinations behind one `Sender`: a queue, a worker and a ledger for each.

    fan_out = FanOut({"near": Retrying(HttpSender(a)), "far": Retrying(HttpSender(b))})
    fan_out.send(payload, deadline)     # returns at once: one encode, one Payload, shared by all
    fan_out.flush(timeout=5)            # True if all has arrived since the last flush
    fan_out.totals()["far"]             # where every record went, there
    fan_out.close(timeout=5)

A destination that is slow or dead delays neither the others nor the caller. It does not retry: a
destination that should is wrapped before it comes here. It does not keep anything over an exit.

**What `Accepted` means here: handed over, not arrived.** The ledger before the fan-out counts as
delivered what at least one queue took; each destination's ledger begins with exactly that number as
its `created`. What one destination has no room for while another has is dropped there (queue_full)
and told in the answer's message. When no queue has room nothing is counted here: `send` raises
`Unavailable`, and the payload is still the caller's to try again or to count.

Specification: https://opentelemetry.io/docs/specs/otlp/#multi-destination-exporting
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import Protocol
from weakref import WeakMethod

from otlp_kit.exporters.destination import Destination
from otlp_kit.ledger import TIMEOUT, Totals
from otlp_kit.wire import Accepted, Payload, Refused, Sender, Unavailable


class Clock(Protocol):
    """How time passes: the system's clock, or one that a test turns by hand."""

    def monotonic(self) -> float: ...

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set (True) or `timeout` seconds have passed (False)."""
        ...


class SystemClock:
    monotonic = staticmethod(time.monotonic)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.wait(min(timeout, threading.TIMEOUT_MAX))


class _Flush:
    """One caller, waiting until each destination has settled its first so many payloads."""

    def __init__(self, destinations: Sequence[Destination]) -> None:
        self._targets = [(each, each.settled + each.inside) for each in destinations]
        self.done = threading.Event()
        self.look()

    def look(self) -> bool:
        """Whether the caller may go; if so, it is woken."""
        if all(each.settled >= target for each, target in self._targets):
            self.done.set()
        return self.done.is_set()


class _Worker(threading.Thread):
    """The thread of one destination, and how to wake it."""

    def __init__(
        self, destination: Destination, run: Callable[[_Worker], None], lock: threading.Lock
    ):
        name = f"otlp-kit-fan-out-{destination.name}"
        super().__init__(target=run, args=(self,), name=name, daemon=True)
        self.destination = destination
        self.called = threading.Condition(lock)
        self.finished = threading.Event()
        self.closes = False
        """Whether somebody has closed the sender, or is about to."""


class FanOut:
    """Hands each payload to every sender of `destinations`, by name; each gets a thread of its own.

    `max_payloads` and `max_bytes` bound what waits for one destination; one more is on its way. The
    payload that finds no room is the one that is dropped. `send_timeout` is how many seconds a
    destination has for one payload, its retries included, from when its turn comes.

    In the child of a fork every destination has a worker of its own, an empty queue and accounts of
    its own: what was inside is the parent's to send and is counted in the child as dropped (fork).
    Raises `ValueError` for no destination, or a bound that lets nothing through.
    """

    def __init__(
        self,
        destinations: Mapping[str, Sender],
        *,
        max_payloads: int = 64,
        max_bytes: int = 64 * 1024 * 1024,
        send_timeout: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        if not destinations:
            raise ValueError("destinations must name at least one sender")
        if max_payloads < 1:
            raise ValueError(f"max_payloads must be at least 1, not {max_payloads}")
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
        if not send_timeout > 0:
            raise ValueError(f"send_timeout must be more than 0 seconds, not {send_timeout}")
        self._destinations = [
            Destination(name, sender, max_payloads, max_bytes)
            for name, sender in destinations.items()
        ]
        self._max_payloads, self._max_bytes = max_payloads, max_bytes
        self._send_timeout = send_timeout
        self._clock = clock or SystemClock()
        self._closed = False
        self._start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_call, WeakMethod(self.begin_anew)))

    def _start(self) -> None:
        # Held while anything of a destination is read or changed, never while something is sent.
        self._lock = threading.Lock()
        self._flushes: list[_Flush] = []
        self._told = 0  # failures of which the caller of a flush knows
        self._workers = [_Worker(each, self._run, self._lock) for each in self._destinations]
        for worker in self._workers:
            worker.start()

    def send(self, payload: Payload, deadline: float) -> Accepted:
        """Queue `payload` for each destination; waits for none, so `deadline` is not needed.

        Raises `Unavailable` when no destination has room, and `Refused` after `close` or for a
        payload that is larger than a whole queue.
        """
        size = len(payload.body)
        if size > self._max_bytes:
            raise Refused(
                f"{size} bytes are more than a queue of the fan-out holds", too_large=True
            )
        full = []
        with self._lock:
            if self._closed:
                raise Refused("the fan-out is closed")
            for worker in self._workers:
                if not worker.destination.has_room(size):
                    full.append(worker)
            if len(full) == len(self._workers):
                raise Unavailable("the queue of every destination is full")
            for worker in self._workers:
                if worker in full:
                    worker.destination.turn_away(payload)
                else:
                    # The caller's context says, among others, that this is an export: what is
                    # recorded while the worker sends must not be exported in its turn.
                    worker.destination.offer(payload, copy_context())
                    worker.called.notify()
        if full:
            names = ", ".join(worker.destination.name for worker in full)
            return Accepted(0, f"no room in the queue of {names}")
        return Accepted()

    def flush(self, timeout: float = 30.0) -> bool:
        """Wait until all that was handed over before has met its fate, everywhere.

        Returns within `timeout` seconds; True if that was enough and, since the flush before this
        one, all has arrived at every destination.
        """
        if threading.current_thread() in self._workers:
            return False  # a sender that flushes its own fan-out would wait for itself
        with self._lock:
            flush = _Flush(self._destinations)
            self._flushes.append(flush)
            told = self._told
        settled = self._clock.wait(flush.done, timeout)
        with self._lock:
            self._flushes = [each for each in self._flushes if each is not flush]
        return self._tell(told) and settled

    def _tell(self, told: int) -> bool:
        """Whether there were no failures but the `told` ones, of which a flush has told before."""
        with self._lock:
            self._told = sum(each.failures for each in self._destinations)
            return self._told == told

    def close(self, timeout: float = 30.0) -> bool:
        """Take no more, send what is queued, close the senders.

        Returns within `timeout` seconds, and True as `flush` does. What is still queued then is
        dropped and counted (timeout); what is on its way is inside until its sender, which is told
        to close, returns. A second call waits for the first.
        """
        with self._lock:
            self._closed = True
            told = self._told
            for worker in self._workers:
                worker.called.notify()
        if threading.current_thread() in self._workers:
            return False
        last = self._clock.monotonic() + timeout
        for worker in self._workers:
            self._clock.wait(worker.finished, max(0.0, last - self._clock.monotonic()))
        stuck = [worker for worker in self._workers if not worker.finished.is_set()]
        with self._lock:
            for worker in stuck:
                worker.destination.give_up(TIMEOUT)
            self._answer()
        for worker in stuck:
            # In a thread, since what hangs in `send` may hang in `close` too.
            threading.Thread(target=self._close_sender, args=(worker,), daemon=True).start()
        return self._tell(told) and not stuck

    def totals(self) -> dict[str, Totals]:
        """Where every record went so far, for each destination."""
        with self._lock:
            return {each.name: each.ledger.totals() for each in self._destinations}

    def begin_anew(self) -> None:
        """In the child of a fork: own workers, empty queues, accounts of its own."""
        for each in self._destinations:
            each.begin_anew()
        self._start()

    def __repr__(self) -> str:
        with self._lock:
            ways = [
                f"{each.name}: queued {len(each.queue)}/{self._max_payloads}, {each.ledger.totals()}"
                for each in self._destinations
            ]
        return f"<FanOut [{' | '.join(ways)}]>"

    def _run(self, worker: _Worker) -> None:
        workers, destination = self._workers, worker.destination
        while True:
            with self._lock:
                while not destination.queue and not self._closed:
                    worker.called.wait()
                if not destination.queue:
                    break
                payload, context = destination.take()
            deadline = self._clock.monotonic() + self._send_timeout
            outcome: object
            try:
                outcome = context.run(destination.sender.send, payload, deadline)
            except BaseException as raised:
                # The sender may be anybody's. Whatever it does, the worker and the accounts go on.
                outcome = raised
            if self._workers is not workers:
                return  # the sender forked: this is the child, and has workers of its own
            with self._lock:
                destination.settle(outcome, deadline, self._clock.monotonic())
                self._answer()
            del payload, context, outcome  # not to be kept while nothing comes
        self._close_sender(worker)
        worker.finished.set()

    def _close_sender(self, worker: _Worker) -> None:
        with self._lock:
            closes, worker.closes = worker.closes, True
        if not closes:
            worker.destination.close_sender()

    def _answer(self) -> None:
        """Let those flushes return whose payloads are settled. The lock is held."""
        self._flushes = [flush for flush in self._flushes if not flush.look()]


def _call(method: WeakMethod[Callable[[], None]]) -> None:
    """Call a method of what may be gone by now."""
    if alive := method():
        alive()
