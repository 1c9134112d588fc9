"""A sender whose inner sender can be exchanged while it sends: another endpoint, another certificate.

    way = Exchange(HttpSender("http://old:4318"))
    exporter = OtlpExporter(encode_spans, Retrying(way), TRACES)
    ...
    way.exchange(HttpSender("http://new:4318"))

What is sent from then on goes the new way. What is on its way goes on to its end, and the last such
send closes the old sender, so nothing is cut off. Inside of `Retrying`, as here, the next attempt
already goes the new way; around it, a payload is tried the old way until its deadline.

It makes no sender: that is for whoever knows the settings, and a sender that cannot be made leaves
the one before in its place.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from weakref import WeakMethod

from otlp_kit.wire import Accepted, Payload, Refused, Sender

log = logging.getLogger(__name__)


class _Way:
    """One inner sender, and how many sends are under way through it."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.sends = 0
        self.closing = False
        """Whether somebody has closed the sender, or is about to."""
        self.closed = threading.Event()

    def close(self) -> None:
        close = getattr(self.sender, "close", None)
        try:
            if close:
                close()
        except Exception:
            log.exception("the sender failed to close")
        finally:
            self.closed.set()


class Exchange:
    """Sends through `sender` until `exchange` gives it another one. Thread-safe.

    It owns the senders that it was given: it closes each of them, once. In the child of a fork it
    goes on with the current one; the others are the parent's to close.
    """

    def __init__(self, sender: Sender) -> None:
        self._way = _Way(sender)
        self._exchanged = 0
        self._closed = False
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_call, WeakMethod(self.begin_anew)))

    def _begin(self) -> None:
        # Held while ways are counted and exchanged, never while something is sent or closed.
        self._lock = threading.Lock()
        self._old: list[_Way] = []  # not closed yet

    @property
    def sender(self) -> Sender:
        """The one through which the next payload goes."""
        return self._way.sender

    def send(self, payload: Payload, deadline: float) -> Accepted:
        """Send `payload` through the sender of this moment; see `wire.Sender`.

        Raises what that raises, and `Refused` after `close`.
        """
        with self._lock:
            if self._closed:
                raise Refused("the sender is closed")
            way = self._way
            way.sends += 1
        try:
            return way.sender.send(payload, deadline)
        finally:
            with self._lock:
                way.sends -= 1
            self._close_unused()

    def exchange(self, sender: Sender) -> None:
        """Send everything from now on through `sender`, a new one; the one before is closed.

        That happens in a thread as soon as its last send has returned. The current sender is no
        change. After `close`, `sender` is closed at once. Raises `ValueError` for one that was
        exchanged before and is not closed yet.
        """
        with self._lock:
            if sender is self._way.sender:
                return
            if any(sender is old.sender for old in self._old):
                raise ValueError(
                    "the sender was exchanged and is about to be closed; make a new one"
                )
            old = self._way
            if self._closed:
                old = _Way(sender)
            else:
                self._way = _Way(sender)
                self._exchanged += 1
            self._old.append(old)
        self._close_unused()

    def _close_unused(self) -> None:
        """Close the old senders through which nothing is under way any more."""
        if not self._old:
            return
        with self._lock:
            unused = [way for way in self._old if not way.sends and not way.closing]
            for way in unused:
                way.closing = True
        for way in unused:
            # A sender may take its time (a fan-out sends what it has), and a payload waits here. The
            # context says, among others, that this is a part of an export.
            thread = threading.Thread(
                target=copy_context().run,
                args=(self._close, way),
                name="otlp-kit-exchange",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError:  # the interpreter ends
                self._close(way)

    def _close(self, way: _Way) -> None:
        way.close()
        with self._lock:
            if way in self._old:
                self._old.remove(way)

    def close(self, timeout: float = 30.0) -> None:
        """Close the current sender, and the old ones through which something is still under way.

        Then wait, for at most `timeout` seconds, for old ones that are being closed. A second call
        does nothing.
        """
        last = time.monotonic() + timeout
        with self._lock:
            if self._closed:
                return
            self._closed = True
            ways = [*self._old, self._way]
            mine = [way for way in ways if not way.closing]
            for way in mine:
                way.closing = True
        for way in mine:
            self._close(way)
        for way in ways:
            way.closed.wait(max(0.0, last - time.monotonic()))

    def begin_anew(self) -> None:
        """In the child of a fork: whoever was sending is the parent's, and so are the old senders."""
        self._way = _Way(self._way.sender)
        self._begin()

    def __repr__(self) -> str:
        with self._lock:
            state = "closed" if self._closed else f"exchanged {self._exchanged}"
            sends, old = self._way.sends, sum(way.sends for way in self._old)
        return f"<Exchange [{state} | under way {sends}, through old senders {old}]>"


def _call(method: WeakMethod[Callable[[], None]]) -> None:
    """Call a method of what may be gone by now."""
    if alive := method():
        alive()
