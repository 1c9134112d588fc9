"""A pool in the child of a fork starts empty: what it held belongs to the parent.

A connection that parent and child both use mixes up their bytes, a lock may be held by a thread that
does not exist here, and whoever waited is gone.

    empty_in_child(self)        # calls self.begin_anew() there; keeps no reference
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class BeginsAnew(Protocol):
    def begin_anew(self) -> None:
        """Forget what is held and who waits; runs in the child, in its only thread."""
        ...


_pools: WeakSet[BeginsAnew] = WeakSet()


def empty_in_child(pool: BeginsAnew) -> None:
    """Have `pool.begin_anew()` called in every child of a fork, for as long as it lives."""
    _pools.add(pool)


def _in_child() -> None:
    for pool in list(_pools):
        pool.begin_anew()


if hasattr(os, "register_at_fork"):  # neither Windows nor a browser forks
    os.register_at_fork(after_in_child=_in_child)
