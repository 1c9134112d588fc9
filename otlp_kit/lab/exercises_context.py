"""Checkers for the exercises on spans and their parents: *concepts/span*, *concepts/context*.

    status_rules(rule)      what holds after one more `set_status`?
    repair_tree(serve)      four requests, a pool of threads: does every span find its parent?

Both play what the reader wrote: `rule` against calls, `serve` with a tracer of this kit. As in
`exercises`, a checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from itertools import product
from threading import get_ident
from typing import Any, TypeAlias

from opentelemetry.trace import SpanKind, Tracer, get_current_span

from otlp_kit.lab.exercises import Verdict
from otlp_kit.ledger import Totals
from otlp_kit.model import Span, StatusCode
from otlp_kit.processors.outcome import Outcome
from otlp_kit.tracing import TracerProvider

Status: TypeAlias = tuple[int, str]
"""A status code and its message."""
Rule: TypeAlias = Callable[[Status, Status], Status]
Serve: TypeAlias = Callable[[Tracer, Mapping[str, str], Callable[[], object], Executor], object]

UNSET, OK, ERROR = StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR
CALLS: tuple[Status, ...] = (
    (UNSET, ""),
    (UNSET, "so far"),
    (OK, ""),
    (OK, "paid"),
    (ERROR, ""),
    (ERROR, "declined"),
    (ERROR, "timed out"),
)
TELLING: tuple[tuple[Sequence[Status], str], ...] = (
    ([(ERROR, "declined")], "A new span takes what it is told."),
    ([(OK, "")], "A new span takes what it is told."),
    ([(ERROR, "declined"), (OK, "")], "Who says OK has seen the error, and knows better."),
    ([(OK, ""), (ERROR, "timed out")], "What does OK leave to be said?"),
    ([(ERROR, "declined"), (UNSET, "")], "Can UNSET take something back?"),
    ([(OK, ""), (UNSET, "")], "Can UNSET take something back?"),
    ([(ERROR, "declined"), (ERROR, "timed out")], "Of two errors, which does the span end with?"),
    ([(ERROR, "declined"), (ERROR, "")], "Does a message outlive the error that it came with?"),
    ([(OK, "paid")], "Which of the codes has a message?"),
    ([(UNSET, "so far")], "Which of the codes has a message?"),
    ([(ERROR, "declined"), (OK, "paid")], "Which of the codes has a message?"),
)


def status_rules(rule: Rule) -> Verdict:
    """A function that says what status holds after one more `set_status`.

    `rule(now, asked)` is given two pairs, a status code and a message: the one that holds, and the one
    that is asked for. It returns the pair that holds from now on. A new span holds `(UNSET, "")`.
    """
    others = (calls for length in (1, 2, 3) for calls in product(CALLS, repeat=length))
    for calls, hint in (*TELLING, *((calls, "Play these calls one by one.") for calls in others)):
        now: Status = (UNSET, "")
        right = now
        for asked in calls:
            try:
                now = _pair(rule(now, asked))
            except Exception as error:
                return _not_yet(
                    f"rule({_told(now)}; {_told(asked)}) failed: {type(error).__name__}: {error}.",
                    "It gets two pairs and returns one: a status code, and a message.",
                )
            right = _held(right, asked)
        if now != right:
            asked_for = ", then ".join(map(_told, calls))
            return _not_yet(f"after {asked_for}, the rule says {_told(now)}.", hint)
    return Verdict(passed=True)


def _held(now: Status, asked: Status) -> Status:
    """https://opentelemetry.io/docs/specs/otel/trace/api/#set-status"""
    code, message = asked
    if now[0] == OK or code == UNSET:
        return now
    return code, message if code == ERROR else ""


def _pair(answer: Any) -> Status:
    code, message = answer
    if not isinstance(message, str):
        raise TypeError(f"the message is {message!r}, no text")
    return StatusCode(code), message


def _told(status: Status) -> str:
    code, message = status
    return StatusCode(code).name + (f" {message!r}" if message else "")


# repair_tree: a header that names a parent, none, one whose work fails, none.
CALLER = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
FAILING = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01"
REQUESTS: tuple[Mapping[str, str], ...] = (
    {"traceparent": CALLER},
    {},
    {"traceparent": FAILING},
    {},
)
REQUEST, WORK = "GET /price", "look up"


class _Kept:
    """A processor that keeps what ended."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def emit(self, record: Span) -> None:
        self.spans.append(record)

    def force_flush(self, timeout: float = 30.0) -> Outcome:
        return Outcome.FLUSHED

    def shutdown(self, timeout: float = 30.0) -> Outcome:
        return Outcome.FLUSHED

    def totals(self) -> Totals:
        return Totals(created=len(self.spans), delivered=len(self.spans))


def repair_tree(serve: Serve) -> Verdict:
    """A function that serves a request so that each of its spans has the right parent.

    `serve(tracer, headers, work, pool)` is called four times, on one thread. It is to make a span
    `GET /price` of kind SERVER, whose parent the headers name, if they do; to run `work` on a thread
    of `pool`, where `work` makes a span of its own, a child of the first; and to leave the context as
    it found it. For the third request `work` raises `LookupError`, and so should `serve`.
    """
    return copy_context().run(_repair_tree, serve)


def _repair_tree(serve: Serve) -> Verdict:
    kept = _Kept()
    provider = TracerProvider(kept)
    tracer = provider.get_tracer("exercise")
    with ThreadPoolExecutor(1) as pool:
        try:
            for number, headers in enumerate(REQUESTS, 1):
                seen = len(kept.spans)
                threads: list[int] = []
                outside = get_current_span()
                error = _call(serve, tracer, headers, _work(tracer, threads, number == 3), pool)
                after = get_current_span()
                pool.submit(int).result()  # whoever did not wait for the work is not ahead of it
                spans = kept.spans[seen:]
                verdict = (
                    _of_call(number, error, threads)
                    or _of_request(number, headers, spans, kept.spans[:seen])
                    or _of_work(number, spans, kept.spans[:seen])
                )
                if verdict is None and after is not outside:
                    verdict = _leaked(number)
                if verdict:
                    return verdict
        finally:
            provider.shutdown()
    return Verdict(passed=True)


def _work(tracer: Tracer, threads: list[int], fails: bool) -> Callable[[], object]:
    def work() -> object:
        threads.append(get_ident())
        with tracer.start_as_current_span(WORK):
            if fails:
                raise LookupError("no such price")
        return 4.5

    return work


def _call(
    serve: Serve,
    tracer: Tracer,
    headers: Mapping[str, str],
    work: Callable[[], object],
    pool: Executor,
) -> Exception | None:
    try:
        serve(tracer, headers, work, pool)
    except Exception as error:
        return error
    return None


def _of_call(number: int, error: Exception | None, threads: list[int]) -> Verdict | None:
    if error is not None and not (number == 3 and isinstance(error, LookupError)):
        return _not_yet(
            f"request {number}: serve raised {type(error).__name__}: {error}.",
            "It is called as serve(tracer, headers, work, pool).",
        )
    if len(threads) != 1:
        return _not_yet(f"request {number}: work ran {len(threads)} times.", "Once is enough.")
    if threads[0] == get_ident():
        return _not_yet(
            f"request {number}: work ran on the thread that serves.",
            "It belongs on the pool: pool.submit(...).result() waits for it there.",
        )
    if number == 3 and error is None:
        return _not_yet(
            "request 3: work raised LookupError, and whoever called serve never learns of it.",
            "Clean up in `finally` or by `with`, and let the error pass.",
        )
    return None


def _of_request(
    number: int, headers: Mapping[str, str], spans: list[Span], earlier: list[Span]
) -> Verdict | None:
    served = [span for span in spans if span.name == REQUEST]
    if len(served) != 1:
        return _not_yet(
            f"request {number}: {len(served)} spans {REQUEST!r} ended.",
            "One for each request, and it ends even if the work raises.",
        )
    [span] = served
    if span.kind != SpanKind.SERVER.value + 1:
        return _not_yet(f"request {number}: its span is not of kind SERVER.", "Give `kind`.")
    if any(span.parent_span_id == other.span_id for other in earlier):
        return _not_yet(
            f"request {number}: the parent of its span is the span of an earlier request.",
            "What is current when a request comes is no business of it: the headers name the parent.",
        )
    trace_id, parent = "", ""
    if header := headers.get("traceparent"):
        _, trace_id, parent, _ = header.split("-")
    if header and span.trace_id.hex() != trace_id:
        return _not_yet(
            f"request {number}: the header names a parent, and its span begins a new trace.",
            "opentelemetry.propagate.extract(headers) makes a context of it: give that on.",
        )
    if span.parent_span_id.hex() != parent:
        return _not_yet(
            f"request {number}: the parent of its span is not the one that the headers name.",
            "The context of the headers is to be the parent of the span, and of this one only.",
        )
    return None


def _of_work(number: int, spans: list[Span], earlier: list[Span]) -> Verdict | None:
    worked = [span for span in spans if span.name == WORK]
    [served] = [span for span in spans if span.name == REQUEST]
    if len(worked) == 1 and worked[0].parent_span_id == served.span_id:
        return None
    if worked and any(worked[0].parent_span_id == other.span_id for other in earlier):
        return _not_yet(
            f"request {number}: the parent of its work is the span of an earlier request.",
            "The thread of the pool remembers: what is attached there has to be detached there.",
        )
    if worked and not worked[0].parent_span_id:
        return _not_yet(
            f"request {number}: its work is the root of another trace.",
            "A thread of a pool has a context of its own, which holds no span. Take yours along.",
        )
    return _not_yet(
        f"request {number}: its work stands beside its span, not below it.",
        "What is the current span at the moment in which the context is copied?",
    )


def _leaked(number: int) -> Verdict:
    return _not_yet(
        f"request {number}: after it, its context is still the current one.",
        "attach() returns a token. Who gives it back, and when?"
        if number == 1
        else "attach() returns a token. Is it given back on every way out, an error among them?",
    )


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
