"""Which traces are worth keeping? Policies that look at all spans of one that are there.

    policies = [Error(), Latency(2.0), Attribute("tenant", "gold"), Rate(20)]
    judge([*policies, Probability(0.01)], spans, now)      # -> Decision("error", threshold=0)

A policy answers with a threshold (`tail_threshold`) or None. 0 keeps the trace for certain; a higher
one keeps it if its randomness reaches that; None leaves it to the others. The first that keeps a
trace names itself. How likely a trace was to be kept is another question: as likely as its *lowest*
threshold says, whoever came first.

That is why totals can be estimated from what is kept. An error is kept for certain and counts as one;
what only the baseline wanted counts as 1/p. A rate keeps as many as it has room for, nobody knows
with what probability; but what it kept counts as one, the rest goes on to the baseline, and the sum is
right on average, because a rate does not look at the bits that the baseline looks at. Where it
would, or where a rate would come after a probability, no count were right: such policies are refused.

Rates have a state, so a policy belongs to one processor. No clock is read: time is an argument.

Policies as in
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/processor/tailsamplingprocessor
"""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

from otlp_kit.model import Span, StatusCode
from otlp_kit.processors.tail_threshold import ALWAYS, NEVER, Decision, randomness_of, threshold_of

log = logging.getLogger(__name__)

Unit: TypeAlias = Literal["traces", "spans"]


class Policy(ABC):
    """One reason to keep a trace. `str(policy)` is its name in the accounts."""

    spends = False
    """It keeps so many a second: its answer depends on what it answered before."""
    random = False
    """It may answer with a threshold other than 0."""

    @abstractmethod
    def threshold(self, spans: Sequence[Span], now: float) -> int | None:
        """The threshold for the trace of `spans`, at least one; `now` in monotonic seconds."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self}]>"


class When(Policy):
    """Keeps a trace of whose spans `condition` is true."""

    def __init__(self, name: str, condition: Callable[[Sequence[Span]], bool]) -> None:
        self._name = name
        self._condition = condition

    def threshold(self, spans: Sequence[Span], now: float) -> int | None:
        return ALWAYS if self._condition(spans) else None

    def __str__(self) -> str:
        return self._name


class Error(When):
    """Keeps a trace in which any span ended in an error."""

    def __init__(self) -> None:
        super().__init__(
            "error", lambda spans: any(span.status_code == StatusCode.ERROR for span in spans)
        )


class Latency(When):
    """Keeps a trace that took at least `seconds`, from its earliest start to its latest end."""

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            raise ValueError(f"latency must be more than 0 seconds, not {seconds}")
        super().__init__(f"latency {seconds:g} s", lambda spans: _seconds(spans) >= seconds)


class Attribute(When):
    """Keeps a trace in which the attribute `key` of any span matches: `pattern` is all of its text.

    `of` says whose attribute: the span's own or its resource's. Raises `ValueError` for a pattern
    that is none.
    """

    def __init__(
        self, key: str, pattern: str = ".*", of: Literal["record", "resource"] = "record"
    ) -> None:
        if of not in ("record", "resource"):
            raise ValueError(f"of must be record or resource, not {of!r}")
        try:
            matches = re.compile(pattern).fullmatch
        except re.error as error:
            raise ValueError(f"the pattern {pattern!r} is not valid: {error}") from error

        def any_matches(spans: Sequence[Span]) -> bool:
            owners = (span.resource if of == "resource" else span for span in spans)
            values = (owner.attributes.get(key) for owner in owners)
            return any(value is not None and matches(str(value)) for value in values)

        super().__init__(f"{key}={pattern}", any_matches)


class Probability(Policy):
    """Keeps a share of all traces, and always the same ones: those whose randomness is high."""

    def __init__(self, probability: float, name: str = "") -> None:
        self._threshold = threshold_of(probability)
        self.random = self._threshold != ALWAYS
        self._name = name or f"probability {probability:g}"

    def threshold(self, spans: Sequence[Span], now: float) -> int | None:
        return self._threshold

    def __str__(self) -> str:
        return self._name


class Rate(Policy):
    """Keeps so many traces, or spans, a second.

    What is not used is saved up for one second. A trace with more spans than that is kept when
    everything is saved, and those after it wait until it is paid for.
    """

    spends = True

    def __init__(self, per_second: float, of: Unit = "traces") -> None:
        if not 0 < per_second < float("inf"):
            raise ValueError(f"rate must be more than 0 a second, not {per_second}")
        if of not in ("traces", "spans"):
            raise ValueError(f"of must be traces or spans, not {of!r}")
        self._per_second = per_second
        self._of = of
        self._most = max(1.0, per_second)
        self._saved = self._most
        self._at: float | None = None

    def threshold(self, spans: Sequence[Span], now: float) -> int | None:
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._saved = min(self._most, self._saved + passed * self._per_second)
        cost = float(len(spans)) if self._of == "spans" else 1.0
        if self._saved < min(cost, self._most):
            return None
        self._saved -= cost
        return ALWAYS

    def __str__(self) -> str:
        return f"rate {self._per_second:g} {self._of}/s"


class And(Policy):
    """Keeps a trace that all `policies` keep. Rates are asked last: they pay for nothing in vain."""

    def __init__(self, *policies: Policy) -> None:
        self._policies = sorted(_at_least_one(policies), key=lambda policy: policy.spends)
        self.spends = any(policy.spends for policy in policies)
        self.random = any(policy.random for policy in policies)
        self._name = " and ".join(map(str, policies))
        if self.spends and self.random:
            raise ValueError(f"{self._name}: nobody could tell for how many such a trace stands")

    def threshold(self, spans: Sequence[Span], now: float) -> int | None:
        highest = ALWAYS
        for policy in self._policies:
            threshold = policy.threshold(spans, now)
            if threshold is None:
                return None
            highest = max(highest, threshold)
        return highest

    def __str__(self) -> str:
        return self._name


class Or(Policy):
    """Keeps a trace that any of `policies` keeps; they share one name."""

    def __init__(self, *policies: Policy) -> None:
        self._policies = in_order(_at_least_one(policies))
        self.spends = any(policy.spends for policy in policies)
        self.random = any(policy.random for policy in policies)
        self._name = " or ".join(map(str, policies))

    def threshold(self, spans: Sequence[Span], now: float) -> int | None:
        decision = judge(self._policies, spans, now)
        return decision.threshold if decision.threshold < NEVER else None

    def __str__(self) -> str:
        return self._name


class Not(Policy):
    """Keeps a trace that `policy` does not keep. Refuses what is not certain either way."""

    def __init__(self, policy: Policy) -> None:
        if policy.spends or policy.random:
            raise ValueError(f"not {policy}: only what depends on the spans alone has an opposite")
        self._policy = policy

    def threshold(self, spans: Sequence[Span], now: float) -> int | None:
        return ALWAYS if self._policy.threshold(spans, now) is None else None

    def __str__(self) -> str:
        return f"not {self._policy}"


class Shares(Policy):
    """Divides a rate: of `per_second` spans (or traces), each policy has a share of its own.

    The first policy that wants a trace decides: it is kept if that policy's share has room. So a
    flood of slow traces uses up the slow ones' share, and none of the errors'. As the Collector's
    `composite` policy; what a share does not use is not lent to another.
    """

    spends = True

    def __init__(
        self, per_second: float, shares: Sequence[tuple[Policy, float]], of: Unit = "spans"
    ) -> None:
        total = sum(share for _, share in shares)
        if not shares or any(not share > 0 for _, share in shares) or total > 1 + 1e-9:
            raise ValueError(f"shares must be more than 0 and at most 1 in all, not {total:g}")
        for policy, _ in shares:
            if policy.spends or policy.random:
                raise ValueError(f"{policy}: a share is for what depends on the spans alone")
        self._shares = [(policy, Rate(per_second * share, of)) for policy, share in shares]
        wanted = ", ".join(f"{policy} {share:.0%}" for policy, share in shares)
        self._name = f"{per_second:g} {of}/s: {wanted}"

    def threshold(self, spans: Sequence[Span], now: float) -> int | None:
        for policy, rate in self._shares:
            if policy.threshold(spans, now) is not None:
                return rate.threshold(spans, now)
        return None

    def __str__(self) -> str:
        return self._name


def judge(policies: Iterable[Policy], spans: Sequence[Span], now: float) -> Decision:
    """Ask `policies` (in order, see `in_order`) about a trace of at least one span.

    A policy that raises keeps the trace, and is logged: what cannot be judged goes on.
    """
    randomness = randomness_of(spans[0])
    kept_by: str | None = None
    lowest = NEVER
    for policy in policies:
        try:
            threshold = policy.threshold(spans, now)
        except Exception:
            log.exception("a policy failed, the trace is kept: %r", policy)
            threshold = ALWAYS
        if threshold is None:
            continue
        lowest = min(lowest, threshold)
        if kept_by is None and randomness >= threshold:
            kept_by = str(policy)
        if lowest == ALWAYS:
            break  # nobody can lower it, and no rate is to pay for what is kept anyhow
    return Decision(kept_by, lowest)


def in_order(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """`policies` as they are. Raises `ValueError` if a rate comes after a probability."""
    checked = tuple(policies)
    drawn: Policy | None = None
    for policy in checked:
        if policy.spends and drawn is not None:
            raise ValueError(
                f"{policy} must stand before {drawn}: what a rate keeps of the rest of a draw"
                " cannot be scaled to a total"
            )
        if policy.random:
            drawn = policy
    return checked


def _at_least_one(policies: Sequence[Policy]) -> Sequence[Policy]:
    if not policies:
        raise ValueError("at least one policy is needed")
    return policies


def _seconds(spans: Sequence[Span]) -> float:
    began = min(span.start_unix_nano for span in spans)
    return (max(span.end_unix_nano for span in spans) - began) / 1e9
