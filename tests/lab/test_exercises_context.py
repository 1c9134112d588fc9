"""Rules and programs that are right pass; each that is wrong is refused for its own reason."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import copy_context
from itertools import product
from typing import Any

import pytest
from opentelemetry import trace as api
from opentelemetry.context import attach, detach, get_current
from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import TracerProvider as OfficialProvider
from opentelemetry.trace import SpanKind, set_span_in_context

from otlp_kit.lab.exercises_context import CALLS, Rule, Serve, _held, repair_tree, status_rules
from otlp_kit.model import StatusCode
from otlp_kit.tracing import TracerProvider

UNSET, OK, ERROR = StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR
Status = tuple[int, str]


def right_rule(now: Status, asked: Status) -> Status:
    if now[0] == OK or asked[0] == UNSET:
        return now
    return asked if asked[0] == ERROR else (OK, "")


def test_the_right_rule_passes() -> None:
    """As a function of pairs, with plain numbers too."""
    assert status_rules(right_rule).passed
    assert status_rules(
        lambda now, asked: (int(right_rule(now, asked)[0]), right_rule(now, asked)[1])
    )


@pytest.mark.parametrize("provider", [OfficialProvider, TracerProvider])
def test_the_rule_is_that_of_official_and_own_spans(provider: Callable[[], Any]) -> None:
    """Every sequence of up to three calls ends a real span with the status that the checker asks for."""
    tracer = provider().get_tracer("t")
    for length in range(4):
        for calls in product(CALLS, repeat=length):
            span, held = tracer.start_span("x"), (UNSET, "")
            for code, message in calls:
                span.set_status(api.StatusCode(int(code)), message or None)
                held = _held(held, (code, message))
            if isinstance(span, api.Span) and hasattr(span, "status_code"):
                found = (span.status_code, span.status_message)
            else:
                found = (span.status.status_code.value, span.status.description or "")
            assert found == held, calls


@pytest.mark.parametrize(
    ("rule", "difference", "hint"),
    [
        (lambda now, asked: now, "after ERROR 'declined', the rule says UNSET", "is told"),
        (
            lambda now, asked: asked,
            "after OK, then ERROR 'timed out', the rule says ERROR",
            "leave",
        ),
        (
            lambda now, asked: asked if asked[0] >= now[0] else now,
            "after ERROR 'declined', then OK, the rule says ERROR",
            "knows better",
        ),
        (
            lambda now, asked: now if now[0] == OK else asked,
            "after ERROR 'declined', then UNSET, the rule says UNSET",
            "take something back",
        ),
        (
            lambda now, asked: asked if now[0] == UNSET or asked[0] == OK else now,
            "after ERROR 'declined', then ERROR 'timed out', the rule says ERROR 'declined'",
            "end with",
        ),
        (
            lambda now, asked: (
                right_rule(now, asked)[0],
                right_rule(now, asked)[1] or (now[1] if asked[0] == ERROR else ""),
            ),
            "after ERROR 'declined', then ERROR, the rule says ERROR 'declined'",
            "outlive",
        ),
        (
            lambda now, asked: now if now[0] == OK or asked[0] == UNSET else asked,
            "after OK 'paid', the rule says OK 'paid'",
            "has a message",
        ),
        (
            lambda now, asked: (right_rule(now, asked)[0], right_rule(now, asked)[1] or now[1]),
            "after ERROR 'declined', then OK, the rule says OK 'declined'",
            "knows better",
        ),
        (lambda now: now, "failed: TypeError", "two pairs"),
        (lambda now, asked: None, "failed: TypeError", "two pairs"),
        (lambda now, asked: (asked[0], None), "no text", "two pairs"),
        (lambda now, asked: (7, ""), "failed: ValueError", "two pairs"),
    ],
)
def test_a_wrong_rule_is_refused_for_its_own_reason(rule: Rule, difference: str, hint: str) -> None:
    """The calls after which it errs, what it says then, and a question."""
    verdict = status_rules(rule)
    assert not verdict.passed
    assert difference in verdict.difference
    assert hint in verdict.hint


def test_a_rule_that_errs_only_in_a_longer_sequence_is_found() -> None:
    """The last net: every sequence of three calls."""

    def rule(now: Status, asked: Status) -> Status:
        if now == (ERROR, "timed out") and asked == (UNSET, "so far"):
            return asked
        return right_rule(now, asked)

    verdict = status_rules(rule)
    assert verdict.difference == (
        "after ERROR 'timed out', then UNSET 'so far', the rule says UNSET 'so far'."
    )


def right(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    with tracer.start_as_current_span("GET /price", extract(headers), SpanKind.SERVER):
        pool.submit(copy_context().run, work).result()


def by_hand(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    span = tracer.start_span("GET /price", extract(headers), SpanKind.SERVER)
    here = set_span_in_context(span, extract(headers))

    def on_the_pool() -> object:
        token = attach(here)
        try:
            return work()
        finally:
            detach(token)

    try:
        pool.submit(on_the_pool).result()
    finally:
        span.end()


@pytest.mark.parametrize("serve", [right, by_hand])
def test_a_program_that_hands_its_context_on_passes(serve: Serve) -> None:
    """By `with` and `copy_context`, or by hand with tokens; the caller's context is untouched."""
    before = get_current()
    assert repair_tree(serve).passed
    assert get_current() is before


def leaks(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    span = tracer.start_span("GET /price", extract(headers), SpanKind.SERVER)
    attach(set_span_in_context(span))
    try:
        pool.submit(copy_context().run, work).result()
    finally:
        span.end()


def leaks_on_error(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    span = tracer.start_span("GET /price", extract(headers), SpanKind.SERVER)
    token = attach(set_span_in_context(span))
    try:
        pool.submit(copy_context().run, work).result()
    finally:
        span.end()
    detach(token)


def leaks_what_came(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    attach(extract(headers))
    with tracer.start_as_current_span("GET /price", kind=SpanKind.SERVER):
        pool.submit(copy_context().run, work).result()


def ignores_headers(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    with tracer.start_as_current_span("GET /price", kind=SpanKind.SERVER):
        pool.submit(copy_context().run, work).result()


def remembers() -> Serve:
    """Keeps the context of the first request in a variable, for all that name no parent."""
    kept: list[Any] = []

    def serve(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
        here = extract(headers) or kept[0]
        with tracer.start_as_current_span("GET /price", here, SpanKind.SERVER):
            kept.append(get_current())
            pool.submit(copy_context().run, work).result()

    return serve


def forgets_the_pool(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    with tracer.start_as_current_span("GET /price", extract(headers), SpanKind.SERVER):
        pool.submit(work).result()


def copies_too_early(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    token = attach(extract(headers))
    here = copy_context()
    try:
        with tracer.start_as_current_span("GET /price", kind=SpanKind.SERVER):
            pool.submit(here.run, work).result()
    finally:
        detach(token)


def attaches_on_the_pool_once(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    with tracer.start_as_current_span("GET /price", extract(headers), SpanKind.SERVER):
        here = get_current()

        def on_the_pool() -> None:
            if not get_current():
                attach(here)
            work()

        pool.submit(on_the_pool).result()


def swallows(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    with tracer.start_as_current_span("GET /price", extract(headers), SpanKind.SERVER):
        pool.submit(copy_context().run, work).exception()


def does_not_end(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    with api.use_span(tracer.start_span("GET /price", extract(headers), SpanKind.SERVER)):
        pool.submit(copy_context().run, work).result()


def serves_by_itself(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    with tracer.start_as_current_span("GET /price", extract(headers), SpanKind.SERVER):
        work()


def no_kind(tracer: Any, headers: Any, work: Any, pool: Executor) -> None:
    with tracer.start_as_current_span("GET /price", extract(headers)):
        pool.submit(copy_context().run, work).result()


@pytest.mark.parametrize(
    ("serve", "difference"),
    [
        (leaks, "request 1: after it, its context is still the current one"),
        (leaks_on_error, "request 3: after it, its context is still the current one"),
        (leaks_what_came, "request 1: after it, its context is still the current one"),
        (ignores_headers, "request 1: the header names a parent, and its span begins a new trace"),
        (remembers(), "request 2: the parent of its span is the span of an earlier request"),
        (forgets_the_pool, "request 1: its work is the root of another trace"),
        (copies_too_early, "request 1: its work stands beside its span"),
        (attaches_on_the_pool_once, "request 2: the parent of its work is the span of an earlier"),
        (swallows, "request 3: work raised LookupError, and whoever called serve never learns"),
        (does_not_end, "request 1: 0 spans 'GET /price' ended"),
        (serves_by_itself, "request 1: work ran on the thread that serves"),
        (no_kind, "request 1: its span is not of kind SERVER"),
        (lambda *_: None, "request 1: work ran 0 times"),
        (lambda: None, "request 1: serve raised TypeError"),
    ],
)
def test_a_program_with_a_wrong_tree_is_refused_for_its_own_reason(
    serve: Serve, difference: str
) -> None:
    """Which request, and what is wrong with its spans; nothing stays behind in the context."""
    before = get_current()
    verdict = repair_tree(serve)
    assert not verdict.passed
    assert verdict.difference.startswith(difference)
    assert verdict.hint
    assert get_current() is before
