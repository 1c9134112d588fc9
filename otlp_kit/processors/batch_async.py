"""The batch processor for an event loop: tasks around a `BatchBuffer` and an exporter that awaits.

    async with AsyncBatchProcessor(exporter) as processor:
        processor.emit(record)                  # returns at once; never raises, never blocks the loop
        await processor.emit_or_wait(record)    # waits for room, if the queue is full
        await processor.force_flush(timeout=5)
                                                # leaving: shutdown

It decides as `batch` does, by the same buffer, and keeps the same accounts. It belongs to the loop in
which it was made, and is called from there only. A caller that is cancelled loses nothing: what is
queued belongs to the processor's own tasks. If those are cancelled too, because the loop ends without
`shutdown`, what was on its way is counted as unknown, and what is queued as dropped.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from otlp_kit.ledger import (
    ALREADY_SHUTDOWN,
    QUEUE_FULL,
    SAMPLED_OUT,
    TIMEOUT,
    Ledger,
    Totals,
)
from otlp_kit.processors.buffer import BatchBuffer, WhenFull
from otlp_kit.processors.delivery import Accounts, BatchExporter, wanted
from otlp_kit.processors.exporting import exporting
from otlp_kit.processors.outcome import Outcome
from otlp_kit.wire import Accepted, Unavailable

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
log = logging.getLogger(__name__)


class AsyncBatchExporter(Protocol[T_contra]):
    """Where batches go; by the loop's clock. As `delivery.BatchExporter`, but awaiting."""

    async def export(self, batch: Sequence[T_contra], deadline: float) -> Accepted: ...
    async def shutdown(self) -> None: ...


class InThread(Generic[T]):
    """A synchronous exporter for an event loop: each call runs in a thread.

    The monotonic clock of threads is that of asyncio's loops, so deadlines mean the same.
    """

    def __init__(self, exporter: BatchExporter[T]) -> None:
        self._exporter = exporter
        self.concurrent = getattr(exporter, "concurrent", False)

    async def export(self, batch: Sequence[T], deadline: float) -> Accepted:
        return await asyncio.to_thread(self._exporter.export, batch, deadline)

    async def shutdown(self) -> None:
        await asyncio.to_thread(self._exporter.shutdown)


class AsyncBatchProcessor(Generic[T]):
    """Queues records and exports them in batches from tasks of its own.

    The settings are those of `batch.BatchProcessor`; `emit_or_wait` waits as long as its caller
    does, so there is no policy `block`. An export that takes longer than `export_timeout` is
    cancelled, and its batch counted as unknown: it may have been on the wire. Make it inside the
    loop; raises `RuntimeError` outside of one, and `ValueError` for settings that contradict each
    other.
    """

    def __init__(
        self,
        exporter: AsyncBatchExporter[T],
        *,
        max_queue_size: int = 2048,
        max_batch_size: int = 512,
        delay: float = 5.0,
        export_timeout: float = 30.0,
        when_full: WhenFull = "drop_newest",
        in_flight: int = 1,
        ledger: Ledger | None = None,
    ) -> None:
        if when_full == "block":
            raise ValueError("when_full must not be block in an event loop; await emit_or_wait")
        if in_flight < 1:
            raise ValueError(f"in_flight must be at least 1, not {in_flight}")
        if in_flight > 1 and not getattr(exporter, "concurrent", False):
            raise ValueError("in_flight must be 1: the exporter does not say `concurrent = True`")
        Accounts.checked_timeout(export_timeout)
        self._loop = asyncio.get_running_loop()
        self._buffer: BatchBuffer[T] = BatchBuffer(
            capacity=max_queue_size,
            batch_size=max_batch_size,
            delay=delay,
            when_full=when_full,
            now=self._loop.time(),
        )
        self._exporter = exporter
        self._ledger = ledger or Ledger()
        self._accounts = Accounts(self._ledger, self._loop.time)
        self._export_timeout = export_timeout
        self._changed = asyncio.Condition()
        self._wake = asyncio.Event()
        self._exporting: dict[int, int] = {}
        self._workers = [self._loop.create_task(self._run()) for _ in range(in_flight)]
        self._ending: asyncio.Task[None] | None = None

    def emit(self, record: T) -> None:
        """Take over `record`, or account for it if there is no room."""
        if self._buffer.closed:
            self._ledger.turned_away(ALREADY_SHUTDOWN)
        elif not self._buffer.offer(record):
            self._ledger.turned_away(QUEUE_FULL, len(self._buffer.overflow(record)))
        if self._buffer.has_full_batch:
            self._wake.set()

    async def emit_or_wait(self, record: T) -> None:
        """Take over `record` as soon as there is room. Cancelled before that, it was not emitted."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._buffer.closed or self._has_room())
            self.emit(record)

    async def adjust(
        self, *, max_queue_size: int | None = None, max_batch_size: int | None = None,
        delay: float | None = None, export_timeout: float | None = None,
    ) -> None:  # fmt: skip
        """Change the settings that are given, at once, as `batch.BatchProcessor.adjust` does."""
        timeout = Accounts.checked_timeout(
            self._export_timeout if export_timeout is None else export_timeout
        )
        self._buffer.adjust(capacity=max_queue_size, batch_size=max_batch_size, delay=delay)
        self._export_timeout = timeout
        self._wake.set()
        await self._notify()

    def _has_room(self) -> bool:
        return len(self._buffer) < self._buffer.capacity

    async def force_flush(self, timeout: float = 30.0) -> Outcome:
        """Export everything emitted before this call, within `timeout` seconds."""
        failures = self._accounts.failures
        target = self._buffer.departed + len(self._buffer)
        self._buffer.flush()
        self._wake.set()
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: self._settled() >= target)
        except TimeoutError:
            return Outcome.TIMED_OUT
        return self._outcome(failures)

    async def shutdown(self, timeout: float = 30.0) -> Outcome:
        """Take no more records, export what is queued, release the exporter.

        Returns within `timeout` seconds; what is still queued then is dropped and counted. A second
        call waits for the first.
        """
        failures = self._accounts.failures
        self._buffer.close()
        self._wake.set()
        await self._notify()
        if self._ending is None:
            self._ending = self._loop.create_task(self._end())
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(self._ending)
        except TimeoutError:
            self._give_up(TIMEOUT)
            await self._notify()
            return Outcome.TIMED_OUT
        return self._outcome(failures)

    def _outcome(self, failures_before: int) -> Outcome:
        return Outcome.FAILED if self._accounts.failures > failures_before else Outcome.FLUSHED

    def totals(self) -> Totals:
        """Where every record went so far."""
        return self._ledger.totals(queued=len(self._buffer))

    async def __aenter__(self) -> AsyncBatchProcessor[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shutdown()

    def __repr__(self) -> str:
        state = self._buffer.state(self._loop.time())
        depth = f"{len(self._buffer)}/{self._buffer.capacity}"
        return f"<AsyncBatchProcessor [{state} | queued {depth} | {self.totals()}]>"

    async def _run(self) -> None:
        buffer, loop = self._buffer, self._loop
        exporting.set(True)  # in this task alone, which does nothing else
        try:
            while not (buffer.closed and not buffer):
                if due := buffer.next_due(loop.time()):
                    waiting = loop.call_later(due, self._wake.set)
                    await self._wake.wait()
                    waiting.cancel()
                self._wake.clear()
                while await self._export_one():
                    pass
        except asyncio.CancelledError:
            # The loop ends and nobody called shutdown: nobody will come for what is queued.
            buffer.close()
            self._give_up(ALREADY_SHUTDOWN)
            raise
        finally:
            self._wake.set()  # for another worker, which waits for its time

    async def _export_one(self) -> bool:
        """Export a batch if one has to leave. The records are settled however this ends."""
        before = self._buffer.departed
        batch = self._buffer.take(self._loop.time())
        if not batch:
            return False
        self._ledger.created(len(batch))
        self._exporting[id(batch)] = before
        records = [record for record in batch if wanted(record)]
        count = len(records)
        self._ledger.dropped(SAMPLED_OUT, len(batch) - count)
        if len(self._workers) > 1 and self._buffer.has_full_batch:
            self._wake.set()
        deadline = self._loop.time() + self._export_timeout
        try:
            await self._notify()
            async with asyncio.timeout_at(deadline):
                answer = await self._exporter.export(records, deadline) if records else Accepted()
        except TimeoutError:
            self._accounts.failed(count, _unanswered("no answer in time"))
        except (Exception, SystemExit) as error:
            self._accounts.failed(count, error, deadline)
        except asyncio.CancelledError:
            self._accounts.failed(count, _unanswered("the export was cancelled"))
            raise
        else:
            self._accounts.answered(count, answer)
        finally:
            del self._exporting[id(batch)]
            self._buffer.restart(self._loop.time())
        await self._notify()
        return True

    async def _notify(self) -> None:
        """Let those look again who wait for room, or for records to be settled."""
        async with self._changed:
            self._changed.notify_all()

    def _settled(self) -> int:
        return min(self._exporting.values(), default=self._buffer.departed)

    async def _end(self) -> None:
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._give_up(ALREADY_SHUTDOWN)
        await self._notify()
        try:
            await self._exporter.shutdown()
        except Exception:
            log.exception("the exporter failed to shut down")

    def _give_up(self, reason: str) -> None:
        given_up = len(self._buffer.clear())
        self._ledger.turned_away(reason, given_up)
        self._accounts.failures += bool(given_up)


def _unanswered(reason: str) -> Unavailable:
    return Unavailable(reason, maybe_delivered=True)
