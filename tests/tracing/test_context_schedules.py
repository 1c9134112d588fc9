"""A hundred thousand random schedules of what makes a span current: no token leaks, no parent is wrong.

A *worker* is a random program of nested blocks that raise, return early or are never left by
themselves. Many workers run at once: interleaved step by step, each in a context of its own as a
thread would be; as tasks of an event loop; and on real threads. A model that knows only "what was
current when this was attached" says at every step what must be current, and whose child a new span is.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

from otlp_kit.model import Span
from otlp_kit.testing.virtual_loop import run_virtual
from tests.tracing.sides import Side, kit

SCHEDULES, TASKS, THREADS = 84_000, 12_000, 4_000
BATCHES = 4


class PlannedError(Exception):
    """What a worker raises, for a block further out to catch."""


@dataclass
class Model:
    """What one worker must find: the current span, and how each of its spans will have ended."""

    tracer: trace.Tracer
    random: random.Random
    current: Any = INVALID_SPAN
    expected: dict[Any, tuple[Any, int]] = field(default_factory=dict)
    """Of each span that was started: its parent, and the status that it ends with."""

    def check(self) -> None:
        assert trace.get_current_span() is self.current

    def started(self, span: Any, status: int = 0) -> None:
        self.expected[span] = self.current, status

    def inside(self, span: Any) -> Inside:
        """`span` is current in this block of the worker's."""
        return Inside(self, span)

    def marked(self, span: Any) -> None:
        """An exception leaves the block of `span`."""
        self.expected[span] = self.expected[span][0], 2


class Inside:
    def __init__(self, model: Model, span: Any) -> None:
        self._model = model
        self._before = model.current
        model.current = span
        model.check()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        self._model.current = self._before


Steps = Generator[None, None, None]


def worker(model: Model, depth: int = 0) -> Steps:
    """Between any two steps another worker may run. It ends with the context that it began with."""
    chance = model.random.random
    for _ in range(2 if chance() < 0.3 else 1):
        model.check()
        yield
        model.check()
        if depth < 3 and chance() < 0.7:
            yield from BLOCKS[int(chance() * len(BLOCKS))](model, depth)
            model.check()
        if depth and chance() < 0.15:
            raise PlannedError


def block(model: Model, depth: int) -> Steps:
    """`start_as_current_span` as a context manager."""
    span: Any = None
    try:
        with model.tracer.start_as_current_span("block") as span:
            model.started(span)
            with model.inside(span):
                yield from worker(model, depth + 1)
    except PlannedError:
        model.marked(span)
    assert not span.is_recording()


def used(model: Model, depth: int) -> Steps:
    """A span that is started, becomes current later, and ends later still."""
    span = model.tracer.start_span("used")
    model.started(span)
    yield
    model.check()
    try:
        with trace.use_span(span), model.inside(span):
            yield from worker(model, depth + 1)
    except PlannedError:
        model.marked(span)
    assert span.is_recording()
    span.end()


def attached(model: Model, depth: int) -> Steps:
    """The context by hand, as instrumentation does; what is raised in between is not its matter."""
    span = model.tracer.start_span("attached")
    model.started(span)
    token = context_api.attach(set_span_in_context(span))
    try:
        with model.inside(span):
            yield from worker(model, depth + 1)
    except PlannedError:
        pass
    finally:
        context_api.detach(token)
        span.end()


def elsewhere(model: Model, depth: int) -> Steps:
    """A span with a given parent, or none, instead of the current one."""
    before = model.current
    model.current = model.random.choice([INVALID_SPAN, *model.expected])
    context = set_span_in_context(model.current, context_api.Context())
    with model.tracer.start_as_current_span("elsewhere", context) as span:
        model.started(span)
        model.current = before
        with model.inside(span):
            yield from _to_its_end(worker(model, depth + 1))


def _to_its_end(steps: Steps) -> Steps:
    with suppress(PlannedError):
        yield from steps


def decorated(model: Model, depth: int) -> Steps:
    """A function that is decorated, and calls itself."""
    entered: list[Any] = []

    @model.tracer.start_as_current_span("function")
    def function(again: int) -> int:
        span = trace.get_current_span()
        entered.append(span)
        model.started(span)
        with model.inside(span):
            if again:
                return function(again - 1) + 1
            if model.random.random() < 0.3:
                raise PlannedError
        return 0

    again = model.random.randint(0, 2)
    try:
        assert function(again) == again
    except PlannedError:
        for span in entered:
            model.marked(span)
    model.check()
    yield


def closed_early(model: Model, depth: int) -> Steps:
    """A generator that holds a span and is closed before its end: no error, and the span ends."""
    before = model.current

    def generator() -> Generator[Any, None, None]:
        with model.tracer.start_as_current_span("generator") as span:
            model.started(span)
            yield span

    holding = generator()
    span = next(holding)
    # It has not left its block, so for whoever runs it its span is the current one.
    with model.inside(span):
        yield from _to_its_end(worker(model, depth + 1))
    holding.close()
    assert not span.is_recording()
    assert model.current is before


def kept_open(model: Model, depth: int) -> Steps:
    """A block that does not end its span."""
    with model.tracer.start_as_current_span("open", end_on_exit=False) as span:
        model.started(span)
        with model.inside(span):
            yield from _to_its_end(worker(model, depth + 1))
    assert span.is_recording()
    span.end()


BLOCKS: list[Callable[[Model, int], Steps]] = [
    block, used, attached, elsewhere, decorated, closed_early, kept_open
]  # fmt: skip


class Judge:
    """Holds what was recorded to what the models expected."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._side: Side = kit()
        self.tracer = self._side.provider.get_tracer("schedules")
        self._models: list[Model] = []

    def model(self, seed: int, current: Any = INVALID_SPAN) -> Model:
        made = Model(self.tracer, random.Random(seed), current)
        with self._lock:
            self._models.append(made)
        return made

    def judge(self) -> None:
        """Every span that was started has ended once, with its parent and its status. Begin anew."""
        records = self._side.records()
        expected: dict[int, tuple[Any, int]] = {}
        for model in self._models:
            expected |= {id(span): fate for span, fate in model.expected.items()}
        assert sorted(map(id, records)) == sorted(expected)
        for record in records:
            parent, status = expected[id(record)]
            _hold(record, parent, status)
        self._begin()


def _hold(record: Span, parent: Any, status: int) -> None:
    if parent is INVALID_SPAN:
        assert record.parent_span_id == b""
    else:
        assert (record.parent_span_id, record.trace_id) == (parent.span_id, parent.trace_id)
    assert (record.status_code, bool(record.events)) == (status, status == 2)


@pytest.fixture
def judge(caplog: pytest.LogCaptureFixture) -> Iterator[Judge]:
    """Whatever runs in between leaves the context as it was, and nothing was logged about it."""
    caplog.set_level(logging.WARNING)
    yield Judge()
    assert context_api.get_current() == {}
    assert caplog.messages == []


def interleave(judge: Judge, seed: int) -> None:
    """One schedule: two or three workers, each in a context of its own, one step at a time."""
    order = random.Random(-seed)
    running = []
    for number in range(2 if seed % 4 else 3):
        model = judge.model(seed * 10 + number)
        running.append((contextvars.Context(), model, worker(model)))
    while running:
        chosen = int(order.random() * len(running))
        context, model, steps = running[chosen]
        try:
            context.run(next, steps)
        except StopIteration:
            assert context.run(context_api.get_current) == {}
            assert model.current is INVALID_SPAN
            del running[chosen]


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
def test_interleaved_threads(judge: Judge, batch: int) -> None:
    """Workers that take turns at any step never see one another's spans."""
    each = SCHEDULES // BATCHES
    for seed in range(batch * each, (batch + 1) * each):
        interleave(judge, seed)
        if seed % 500 == 0:
            judge.judge()
    judge.judge()


async def task(judge: Judge, seed: int, current: Any) -> None:
    """A worker as a task. It begins with the context in which it was created."""
    model = judge.model(seed, current)
    for _ in worker(model):  # where it yields, the task awaits: both run in the task's context
        await asyncio.sleep(model.random.choice([0, 0, 0.01, 3]))
        model.check()
        if model.random.random() < 0.2:
            await call_coroutine(model)
    model.check()
    assert model.current is current


async def call_coroutine(model: Model) -> None:
    """A coroutine function that is decorated: its span lasts as long as it is awaited."""
    entered: list[Any] = []

    @model.tracer.start_as_current_span("coroutine")
    async def coroutine() -> str:
        span = trace.get_current_span()
        entered.append(span)
        model.started(span)
        with model.inside(span):
            await asyncio.sleep(model.random.choice([0, 1]))
            model.check()
            assert span.is_recording()
            if model.random.random() < 0.2:
                raise PlannedError
        return "done"

    try:
        assert await coroutine() == "done"
    except PlannedError:
        model.marked(entered[0])
    model.check()


async def family(judge: Judge, seed: int) -> None:
    """A parent, tasks below it, and one that is cancelled in the middle of its block."""
    model = judge.model(seed)
    with model.tracer.start_as_current_span("family") as span:
        model.started(span)
        with model.inside(span):
            children = [task(judge, seed * 10 + number, span) for number in range(2)]
            endless = asyncio.ensure_future(forever(judge, seed, span))
            await asyncio.gather(*children)
            endless.cancel()
            assert await asyncio.gather(endless, return_exceptions=True)
            model.check()
    model.check()


async def forever(judge: Judge, seed: int, current: Any) -> None:
    model = judge.model(seed, current)
    with model.tracer.start_as_current_span("forever") as span:
        model.started(span)
        with model.inside(span):
            await asyncio.sleep(10**9)


@pytest.mark.slow
def test_tasks(judge: Judge) -> None:
    """A task's spans are below what was current where it was created, whoever runs in between."""
    at_once = 20

    async def main(first: int) -> None:
        families: list[Coroutine[Any, Any, None]] = [
            family(judge, seed) for seed in range(first, first + at_once)
        ]
        await asyncio.gather(*families)
        assert trace.get_current_span() is INVALID_SPAN

    for first in range(0, TASKS // 3, at_once):
        run_virtual(main(first))
        judge.judge()


@pytest.mark.slow
def test_threads(judge: Judge) -> None:
    """The same on real threads, which the system interleaves as it likes."""
    failures: list[BaseException] = []

    def run(first: int) -> None:
        try:
            for seed in range(first, first + THREADS // 8):
                for _ in worker(judge.model(seed)):
                    pass
                assert context_api.get_current() == {}
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(n * THREADS,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    judge.judge()


def test_a_few_of_each(judge: Judge) -> None:
    """The same schedules, few enough for a quick check."""
    for seed in range(10**6, 10**6 + 300):
        interleave(judge, seed)
    judge.judge()
    run_virtual(family(judge, 1))
    judge.judge()
