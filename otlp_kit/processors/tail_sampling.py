"""Tail sampling: hold a trace's spans for a while, then keep all of them or none.

    ledger = Ledger()
    batch = BatchProcessor(exporter, ledger=ledger)
    processor = TailSampling(batch, [Error(), Latency(2.0)], baseline=0.01, ledger=ledger)
    processor.emit(span)                # waits for the rest of its trace
    processor.stats()                   # why traces were kept, what came late, what waits

Deciding late is what lets errors and slow traces be kept: a head sampler cannot know. What it costs is
memory, `decision_wait` of delay, and that all spans of a trace have to come to one and the same
process. Whatever the policies say, a share `baseline` of the rest is kept, so that there is something
to compare with and totals can be estimated: see `tail_policies` for why, and for when not.

Which traces wait and what was decided is `TailBuffer`'s, what is worth keeping the policies'. This
module owns the thread, the locks and the accounts.

Policies and the decision wait as in
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/processor/tailsamplingprocessor
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from otlp_kit.ledger import (
    ALREADY_SHUTDOWN,
    DUPLICATE,
    FORK,
    QUEUE_FULL,
    SAMPLED_OUT,
    TIMEOUT,
    Ledger,
    Totals,
)
from otlp_kit.model import Span
from otlp_kit.processors.delivery import Clock, SystemClock
from otlp_kit.processors.forking import begin_anew_in_child
from otlp_kit.processors.outcome import Outcome
from otlp_kit.processors.passing import Processor
from otlp_kit.processors.span_size import span_bytes
from otlp_kit.processors.tail_buffer import Fate, TailBuffer, TailStats, Waiting
from otlp_kit.processors.tail_policies import Policy, Probability, in_order, judge
from otlp_kit.processors.tail_threshold import ALWAYS, Decision, with_threshold

log = logging.getLogger(__name__)

GRAIN = 0.01
"""The share of the decision wait by which a trace may wait longer, so that the thread wakes up for
many traces at once."""
PATIENCE = 1.0
"""Real seconds for which `totals` waits for spans that are being handed to the next processor."""


class TailSampling:
    """Hands on to `next` the spans of traces that one of `policies`, or the baseline, keeps.

    `decision_wait` is how many seconds a trace waits from its first span. `max_spans` and `max_bytes`
    (of memory, as `span_size` estimates it) bound what waits: where a span finds no room, the oldest
    traces are judged at once, on what is there, by the thread that brought it. `remember` is how many
    ids of decided traces, and of kept spans, are known afterwards: a span that comes late follows its
    trace's decision, one that is known already is dropped as a duplicate. A span whose trace is
    forgotten begins it anew. `baseline` is a probability, more than 0.

    For how many a kept span stands is written into its trace state (`ot=th:`), on a copy; a threshold
    that a head sampler wrote there is heeded. A span without one counts as one, so totals are those of
    what came here. With `head_sampled=True` it stays without: say so where a head sampler that writes
    none has dropped some before, since then nobody knows.

    `ledger` is that of the path: give the same one to the processor at its end, which should be one
    that queues. One that lets `emit` wait keeps the thread waiting that judges, and `totals` for
    `PATIENCE`.

    A flush judges everything that waits, on what is there, since it promises that all is exported
    that came before; so does shutdown. With `thread=False` nobody wakes up by himself: traces are
    judged when the next span comes, or by `tick`. In the child of a fork it begins with nothing. Raises
    `ValueError` for settings that cannot be.
    """

    def __init__(
        self,
        next: Processor[Span],
        policies: Sequence[Policy],
        *,
        ledger: Ledger,
        baseline: float = 0.01,
        decision_wait: float = 10.0,
        max_spans: int = 50_000,
        max_bytes: int = 64 * 1024 * 1024,
        remember: int = 50_000,
        head_sampled: bool = False,
        thread: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self._next = next
        self._policies = in_order([*policies, Probability(baseline, "baseline")])
        self._unknown = None if head_sampled else ALWAYS
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._monotonic = self._clock.monotonic
        self._new_buffer = partial(
            TailBuffer,
            wait=decision_wait,
            max_spans=max_spans,
            max_bytes=max_bytes,
            remember=remember,
        )
        self._threaded = thread
        self._inherited = 0
        self._reported = False
        self._start(self._new_buffer())
        begin_anew_in_child(self)

    def _start(self, buffer: TailBuffer) -> None:
        self._buffer = buffer
        # Guards the buffer and the counters. Held for a few steps; nobody else's code runs under it.
        self._lock = threading.Lock()
        # Whoever judges and hands on has it, so that `totals` sees each span in one place only. A
        # policy or an exporter that emits comes back to it on the same thread.
        self._moving = threading.RLock()
        self._judging = False
        self._wake = threading.Event()
        self._look_at = self._monotonic() + buffer.wait
        self._worker: threading.Thread | None = None
        if self._threaded and not buffer.closed:
            self._worker = threading.Thread(target=self._run, name="otlp-kit-tail", daemon=True)
            self._worker.start()

    def emit(self, record: Span) -> None:
        """Let `record` wait for its trace. Safe from any thread, never raises.

        What has no ids, or is no span at all, cannot be judged, and goes on.
        """
        if self._inherited:
            self._account_for_inheritance()
        try:
            judgeable = isinstance(record, Span) and record.trace_id and record.span_id
            size = span_bytes(record) if judgeable else 0
        except Exception:
            size = 0
            if not self._reported:
                self._reported = True
                log.exception("a span could not be looked at, such spans go on")
        if not size:
            self._next.emit(record)
            return
        now = self._monotonic()
        with self._lock:
            fate = self._buffer.offer(record, size, now)
        if fate is not Fate.WAITS:
            self._received(fate, record, size)
        elif now >= self._look_at and not self._threaded:
            self._tick_if_nobody_does()

    def _received(self, fate: Fate | Decision, span: Span, size: int) -> None:
        """A span that does not wait: where it goes instead."""
        if fate is Fate.FULL:
            fate = self._make_room(span, size)
        if isinstance(fate, Decision):
            self._pass_or_drop(fate, span)
        elif fate is Fate.DUPLICATE:
            self._ledger.turned_away(DUPLICATE)
        elif fate is Fate.CLOSED:
            self._ledger.turned_away(ALREADY_SHUTDOWN)
        elif fate is Fate.FULL:
            self._ledger.turned_away(QUEUE_FULL)

    def _pass_or_drop(self, decision: Decision, span: Span) -> None:
        if decision.kept:
            self._next.emit(self._scaled(span, decision))
        else:
            self._ledger.turned_away(SAMPLED_OUT)

    def _make_room(self, span: Span, size: int) -> Fate | Decision:
        """Judge the oldest traces until `span` has room; its fate then."""
        with self._moving:
            while True:
                with self._lock:
                    fate = self._buffer.offer(span, size, self._monotonic())
                    oldest = self._buffer.oldest()
                if fate is not Fate.FULL or self._judging:
                    # Still full while judging: it is a policy that emits, and would be asked again.
                    return fate
                if oldest is None:
                    self._judge_alone(span)
                    return Fate.WAITS
                self._judge(oldest, early=True)

    def _judge_alone(self, span: Span) -> None:
        """A span that exceeds the bounds by itself does not wait at all."""
        decision = self._ask([span])
        with self._lock:
            self._buffer.decided(span.trace_id, [span.span_id], decision, early=True)
        self._pass_or_drop(decision, span)

    def _judge(self, trace: Waiting, *, early: bool = False) -> None:
        """Decide about `trace`, and let its spans go. `_moving` is held."""
        buffer = self._buffer
        with self._lock:
            spans = list(trace.spans.values())
        decision = self._ask(spans)
        with self._lock:
            if not buffer.settle(trace, decision, early=early):
                return  # shutdown ran out of time, and gave it up
            if not decision.kept:
                self._ledger.turned_away(SAMPLED_OUT, len(trace.spans))
                buffer.release(trace)
                return
        handed = 0
        for span in trace.spans.values():  # those too that came while the policies were asked
            self._next.emit(self._scaled(span, decision))
            if self._buffer is not buffer:
                return  # it forked: this is the child, and the spans are the parent's
            handed += 1
            buffer.handed += 1
        with self._lock:
            buffer.release(trace)
            buffer.handed -= handed

    def _scaled(self, span: Span, decision: Decision) -> Span:
        """`span` as it goes on: how likely it was to be kept stands in its trace state."""
        before = span.trace_state
        state = with_threshold(before, decision.threshold, unknown=self._unknown)
        return span if state == before else replace(span, trace_state=state)

    def _ask(self, spans: Sequence[Span]) -> Decision:
        self._judging = True
        try:
            return judge(self._policies, spans, self._monotonic())
        finally:
            self._judging = False

    def tick(self) -> int:
        """Judge the traces that are due, and return how many there were. The thread does nothing else."""
        judged = 0
        with self._moving:
            if self._judging:
                return 0
            now = self._monotonic()
            while True:
                with self._lock:
                    trace = self._buffer.due(now)
                    if trace is None:
                        self._look_at = now + self._buffer.next_due(now)
                        return judged
                self._judge(trace)
                judged += 1

    def _tick_if_nobody_does(self) -> None:
        moving = self._moving  # a fork replaces it
        if moving.acquire(blocking=False):
            try:
                self.tick()
            finally:
                moving.release()

    def force_flush(self, timeout: float = 30.0) -> Outcome:
        """Judge all that waits, pass on what is kept, and flush the next. Returns within `timeout` seconds.

        The traces are judged on what is there: spans that come later follow that decision.
        """
        until = self._monotonic() + timeout
        if self._judging_here():
            return Outcome.FAILED  # a policy that flushes would wait for itself
        if not self._judge_all(until):
            return Outcome.TIMED_OUT
        return self._next.force_flush(max(0.0, until - self._monotonic()))

    def shutdown(self, timeout: float = 30.0) -> Outcome:
        """Take no more spans, judge what waits, and shut the next down. Returns within `timeout` seconds.

        What could not be judged by then is dropped and counted.
        """
        until = self._monotonic() + timeout
        with self._lock:
            self._buffer.close()
        self._wake.set()
        judged = not self._judging_here() and self._judge_all(until)
        if not judged:
            with self._lock:
                self._ledger.turned_away(TIMEOUT, self._buffer.clear())
        outcome = self._next.shutdown(max(0.0, until - self._monotonic()))
        return outcome if judged else Outcome.TIMED_OUT

    def _judging_here(self) -> bool:
        """Whether this very thread is asking a policy."""
        if not self._moving.acquire(blocking=False):
            return False
        self._moving.release()
        return self._judging

    def _judge_all(self, until: float) -> bool:
        """Judge every trace that waits now; False if the time is over before."""
        moving, left = self._moving, max(0.0, until - self._monotonic())
        if not moving.acquire(timeout=min(left, threading.TIMEOUT_MAX)):
            return False
        try:
            with self._lock:
                waiting = len(self._buffer)
            for _ in range(waiting):
                with self._lock:
                    oldest = self._buffer.oldest()
                if oldest is None:
                    break
                if self._monotonic() > until:
                    return False
                self._judge(oldest)
            return True
        finally:
            moving.release()

    def totals(self) -> Totals:
        """Where every record of the path went so far; what waits here is inside.

        Exact, unless the next processor has let its caller wait for `PATIENCE`: then the one span that
        it is being given may be counted twice.
        """
        if self._inherited:
            self._account_for_inheritance()
        moving = self._moving
        alone = moving.acquire(timeout=PATIENCE)
        try:
            with self._lock:
                totals = self._next.totals()
                here = self._buffer.spans - self._buffer.handed
            return replace(totals, created=totals.created + here)
        finally:
            if alone:
                moving.release()

    def stats(self) -> TailStats:
        """Why traces were kept, what came late, what waits."""
        with self._lock:
            return self._buffer.stats()

    @property
    def most_bytes(self) -> int:
        """What it may take in memory: the spans that wait, and the decisions that it remembers."""
        return self._buffer.most_bytes

    def begin_anew(self) -> None:
        """In the child of a fork: nothing waits, what did is the parent's to judge."""
        # The ledger begins anew with whoever ends the path, perhaps after this call: see `emit`.
        self._inherited += self._buffer.spans - self._buffer.handed
        buffer = self._new_buffer()
        buffer.closed = self._buffer.closed
        self._start(buffer)

    def _account_for_inheritance(self) -> None:
        with self._lock:
            inherited, self._inherited = self._inherited, 0
            self._ledger.turned_away(FORK, inherited)

    def _run(self) -> None:
        worker, clock = self._worker, self._clock
        while not self._buffer.closed:
            with self._lock:
                pause = self._buffer.next_due(clock.monotonic())
            clock.wait(self._wake, max(pause, self._buffer.wait * GRAIN))
            self.tick()
            if self._worker is not worker:
                return  # the next processor forked: this is the child, and has a thread of its own

    def __repr__(self) -> str:
        stats = self.stats()
        kept = ", ".join(f"{name} {count:,}" for name, count in stats.kept.items()) or "none"
        waiting = f"{stats.traces:,} traces wait, {stats.spans:,}/{self._buffer.max_spans:,} spans"
        return f"<TailSampling [{waiting} | kept {kept}] -> {self._next!r}>"
