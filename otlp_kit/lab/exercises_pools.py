"""The checker for the exercise on pools: the page *concepts/pools*, notebook 06.

    pool_or_not(span="new", scratch="pool", ...)        "pool" or "new" for each of `CASES`

Each answer is held against the arithmetic of the page: what making costs, what a pool costs instead,
and how long a thing is away. As in `exercises`, a checker says what is wrong and never prints the
answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from otlp_kit.lab.exercises import Verdict

POOL = 3e-6
"""Seconds to lend from a bounded pool and to return to it: two locks, and the entry of who holds it."""
ROOM = 64
"""How many things the pool of each case may own."""


@dataclass(frozen=True, slots=True)
class _Case:
    text: str
    make: float
    """Seconds to make one."""
    reset: float
    """Seconds to make a used one as if new."""
    rate: float
    """How many are wanted each second."""
    held: float
    """Seconds that each is held."""

    @property
    def reused(self) -> float:
        return POOL + self.reset

    @property
    def out(self) -> float:
        """How many are out on average, by Little's law."""
        return self.rate * self.held


_CASES = {
    "span": _Case(
        "2,000 spans a second, made in 1 us each; a batch processor holds each for 0.02 s until it is"
        " encoded; to reset one takes 1 us",
        make=1e-6, reset=1e-6, rate=2000, held=0.02,
    ),
    "scratch": _Case(
        "200 bytes of scratch for each of 50,000 messages a second, made in 0.1 us, needed for 5 us, and"
        " never read before they are written",
        make=1e-7, reset=0.0, rate=50_000, held=5e-6,
    ),
    "tls": _Case(
        "an HTTPS request each second, of 0.01 s; to connect takes 5,000 us of CPU, and the server lets"
        " connections open for minutes",
        make=5e-3, reset=0.0, rate=1, held=0.01,
    ),
    "handle": _Case(
        "a database file that 300 requests a second each read for 0.001 s; to open it takes 60 us, to"
        " roll back 2 us",
        make=6e-5, reset=2e-6, rate=300, held=0.001,
    ),
    "body": _Case(
        "bodies of 4 MiB, 20 a second, read from sockets into memory and decoded in 0.05 s; the allocator"
        " returns such memory to the system, so to make a buffer takes 1,000 us",
        make=1e-3, reset=0.0, rate=20, held=0.05,
    ),
    "payload": _Case(
        "10 encoded payloads of 100 KiB a second, each in memory of its own, made in 10 us; while the"
        " collector is away each of them is kept for 60 s, and resent",
        make=1e-5, reset=0.0, rate=10, held=60.0,
    ),
}  # fmt: skip
CASES = {name: case.text for name, case in _CASES.items()}
"""What is wanted, how often, and what it costs."""


def pool_or_not(
    *, span: str, scratch: str, tls: str, handle: str, body: str, payload: str
) -> Verdict:
    """`"pool"` or `"new"` for each of `CASES`.

    A pool is bounded, owns at most 64 things, and takes 3 us to lend one and take it back, besides the
    reset. Who finds none has to wait. Take it where it takes less than making does, and where what it
    owns is enough.
    """
    answers = {
        "span": span, "scratch": scratch, "tls": tls, "handle": handle, "body": body,
        "payload": payload,
    }  # fmt: skip
    for name, answer in answers.items():
        if answer not in ("pool", "new"):
            return _not_yet(f"{name}: {answer!r} is no answer.", 'They are "pool" and "new".')
        if fault := _fault(name, _CASES[name], answer):
            return fault
    return Verdict(passed=True)


def _fault(name: str, case: _Case, answer: str) -> Verdict | None:
    fits, pays = case.out <= ROOM, case.reused < case.make
    if answer == "pool" and not fits:
        return _not_yet(
            f"{name}: {case.out:,.0f} are out at once, and the pool owns {ROOM}.",
            "How many come while one is away? A pool is for what comes back soon.",
        )
    if answer == "pool" and not pays:
        return _not_yet(
            f"{name}: to reuse one takes {case.reused * 1e6:g} us, to make one {case.make * 1e6:g}.",
            "A lock is not free, and neither is the reset. Compare both with what Python takes.",
        )
    if answer == "new" and pays and fits:
        wasted = (case.make - case.reused) * case.rate
        return _not_yet(
            f"{name}: {wasted * 1e6:,.0f} us of each second make what was there already.",
            "Something other than Python does the making here. What is it that takes so long?",
        )
    return None


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
