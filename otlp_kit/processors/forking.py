"""What must begin anew in the child of a fork.

A fork copies memory, but only the thread that calls it: in the child there is no worker, a lock may
be held by a thread that does not exist, and what is queued belongs to the parent, which will send
it. Whoever owns such things registers, and is called in the child before anything else runs there.

    begin_anew_in_child(self)        # calls self.begin_anew() there; keeps no reference
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class BeginsAnew(Protocol):
    def begin_anew(self) -> None:
        """Replace threads, locks and queues; runs in the child, in its only thread."""
        ...


_owners: WeakSet[BeginsAnew] = WeakSet()


def begin_anew_in_child(owner: BeginsAnew) -> None:
    """Have `owner.begin_anew()` called in every child of a fork, for as long as it lives."""
    _owners.add(owner)


def _in_child() -> None:
    for owner in list(_owners):
        owner.begin_anew()


if hasattr(os, "register_at_fork"):  # neither Windows nor a browser forks
    os.register_at_fork(after_in_child=_in_child)
