"""Random programs over the API give the same spans under the kit's provider as under the official one.

Where the official SDK does otherwise than the specification says, the docstring of the test says so,
and the specification is what is asserted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span
from tests.tracing.sides import Counting, Side, exact, kit, official, plain

ENDLESS = dict.fromkeys(
    ["attributes", "events", "links", "attributes_per_event", "attributes_per_link", "value_length"]
)
EARLY = 10**15
"""Nanoseconds: times that a program sets are before, times that a clock tells are after."""

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
keys = st.sampled_from(["a", "b", "c", "d", "key", "Key"])
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | text
    | st.binary(max_size=6)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(text.filter(bool), inner, max_size=3)
    ),
    max_leaves=6,
)
attributes = st.none() | st.dictionaries(keys, values, max_size=4)
times = st.none() | st.integers(1, EARLY)
names = st.sampled_from(["get", "put", "ünï"])
contexts = st.builds(
    SpanContext,
    st.sampled_from([0, 1, 2**128 - 1]),
    st.sampled_from([0, 7, 2**64 - 1]),
    st.booleans(),
    st.sampled_from([TraceFlags(n) for n in (0, 1, 2, 3)]),
    st.sampled_from([None, TraceState([("vendor", "x"), ("ot", "th:8")])]),
)
links = st.builds(Link, contexts, attributes)
statuses = st.sampled_from(
    [
        (StatusCode.UNSET,),
        (StatusCode.OK,),
        (StatusCode.ERROR,),
        (StatusCode.ERROR, "it broke"),
        (StatusCode.ERROR, ""),
        (StatusCode.OK, "why say more"),
        (StatusCode.UNSET, "nothing"),
        (Status(StatusCode.OK),),
        (Status(StatusCode.UNSET),),
        (Status(StatusCode.ERROR, "broken"),),
        (Status(StatusCode.ERROR), "in the wrong place"),
        (Status(StatusCode.OK, "fine"),),
    ]
)


class CustomError(Exception):
    """Its name has a module."""


exceptions = st.sampled_from(
    [ValueError("bad"), CustomError("worse"), KeyError("k"), Exception(), GeneratorExit()]
)


@dataclass(frozen=True)
class Start:
    """Start a span: below another one of the program, below a context from outside, or as a root."""

    name: str
    parent: int | SpanContext | None
    kind: SpanKind
    attributes: Any
    links: list[Link] | None
    start_time: int | None


@dataclass(frozen=True)
class Call:
    """Call a method of one of the spans, whether it has ended or not."""

    span: int
    method: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Block:
    """Use a span in a `with` block that may raise, and look what is current in there."""

    span: int
    how: str
    raised: BaseException | None
    record: bool


def call(method: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    return st.builds(Call, st.integers(0, 9), st.just(method), st.tuples(*arguments))


starts = st.builds(
    Start,
    names,
    st.none() | st.integers(0, 9) | contexts,
    st.sampled_from(SpanKind),
    attributes,
    st.none() | st.lists(links, max_size=3),
    times,
)
blocks = st.builds(
    Block,
    st.integers(0, 9),
    st.sampled_from(["use", "span"]),
    st.none() | exceptions,
    st.booleans(),
)
steps = st.one_of(
    starts,
    call("set_attribute", keys, values),
    call("set_attributes", attributes.filter(lambda it: it is not None)),
    call("add_event", names, attributes, times),
    call("add_link", contexts, attributes),
    call("record_exception", exceptions, attributes, times, st.booleans()),
    statuses.flatmap(lambda status: call("set_status", *map(st.just, status))),
    call("update_name", names),
    call("end", times),
    call("is_recording"),
    blocks,
)
programs = st.tuples(starts, st.lists(steps, max_size=15)).map(lambda it: [it[0], *it[1]])


def run(program: list[Any], side: Side) -> list[Any]:
    """What the program could see while it ran; afterwards every span has ended."""
    tracer = side.provider.get_tracer("lib", "1", "https://example.org/s", {"scope": True})
    spans: list[trace.Span] = []
    seen: list[Any] = []
    for step in program:
        if isinstance(step, Start):
            spans.append(_start(tracer, step, spans))
            seen.append(spans[-1].get_span_context())
        elif isinstance(step, Call):
            span = spans[step.span % len(spans)]
            seen.append(getattr(span, step.method)(*step.arguments))
        else:
            seen.append(_block(spans[step.span % len(spans)], step))
    for number, span in enumerate(spans):
        span.end(EARLY + number)
        seen.append(span.is_recording())
    assert context_api.get_current() == {}
    return seen


def _start(tracer: trace.Tracer, step: Start, spans: list[trace.Span]) -> trace.Span:
    context = context_api.Context()
    if isinstance(step.parent, SpanContext):
        context = set_span_in_context(NonRecordingSpan(step.parent), context)
    elif step.parent is not None and spans:
        context = set_span_in_context(spans[step.parent % len(spans)], context)
    # The official provider writes into the links that it is given: each run needs its own.
    links = step.links and [Link(link.context, link.attributes) for link in step.links]
    return tracer.start_span(
        step.name, context, step.kind, step.attributes, links, start_time=step.start_time
    )


def _block(span: trace.Span, step: Block) -> Any:
    try:
        if step.how == "use":
            with trace.use_span(span, False, step.record, step.record) as inside:
                assert inside is span
                assert trace.get_current_span() is span
                if step.raised:
                    raise step.raised
        else:
            with span:
                assert trace.get_current_span() is trace.INVALID_SPAN
                if step.raised:
                    raise step.raised
    except BaseException as error:
        if error is not step.raised:
            raise
    return span.is_recording()


def comparable(record: Span) -> dict[str, Any]:
    """A record whose clock times and tracebacks are told apart from what the program set."""
    shown = plain(record)
    for name in ("start_unix_nano", "end_unix_nano"):
        shown[name] = _time(shown[name])
    for event in shown["events"]:
        event["time_unix_nano"] = _time(event["time_unix_nano"])
        stack = event["attributes"].get("exception.stacktrace", "")
        event["attributes"]["exception.stacktrace"] = stack.rstrip().splitlines()[-1:]
    return shown


def _time(nanoseconds: int) -> int | str:
    return nanoseconds if nanoseconds < EARLY + 100 else "now"


class ByName(Sampler):
    """Decides by the name of the span: one is recorded only, one is dropped, the others are sampled."""

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        decision = {"put": Decision.RECORD_ONLY, "ünï": Decision.DROP}.get(name)
        parent = trace.get_current_span(parent_context).get_span_context()
        inherited = parent.trace_state if parent.is_valid else TraceState()
        state = TraceState([("ot", "th:c")]) if links else inherited
        return SamplingResult(
            decision or Decision.RECORD_AND_SAMPLE, {**(attributes or {}), "d": name}, state
        )

    def get_description(self) -> str:
        return "ByName"


@given(programs, st.sampled_from([None, ByName()]), st.booleans())
def test_a_program_gives_the_same_spans(
    program: list[Any], sampler: Sampler | None, random: bool
) -> None:
    """Every field of every span, in the order in which they ended, and what the program could see."""
    sides = [
        make(ids=Counting(random=random), sampler=sampler, limits=ENDLESS)
        for make in (official, kit)
    ]
    seen = [run(program, side) for side in sides]
    assert seen[1] == seen[0]
    expected, found = ([comparable(record) for record in side.records()] for side in sides)
    assert found == expected


# What follows the specification instead.


def latest(items: list[Any], count: int | None) -> list[Any]:
    return items if count is None else items[len(items) - min(count, len(items)) :]


def truncated(value: Any, length: int | None) -> Any:
    """The rule of common/README.md#attribute-limits, written down once more."""
    if length is None:
        return value
    if isinstance(value, str | bytes):
        return value[:length]
    if isinstance(value, list | tuple):
        return [truncated(item, length) for item in value]
    if isinstance(value, Mapping):
        return {key: truncated(item, length) for key, item in value.items()}
    return value


def within(pairs: list[tuple[str, Any]], count: int | None, length: int | None) -> tuple[Any, int]:
    """What is kept of attributes that are set one after the other, and how many are discarded."""
    kept: dict[str, Any] = {}
    dropped = 0
    for key, value in pairs:
        if key in kept or count is None or len(kept) < count:
            kept[key] = truncated(value, length)
        else:
            dropped += 1
    return exact(kept), dropped


few = st.none() | st.integers(0, 3)


@given(
    st.fixed_dictionaries(dict.fromkeys(ENDLESS, few)),
    st.lists(st.dictionaries(keys, values, max_size=4), min_size=1, max_size=4),
    st.lists(st.tuples(names, st.dictionaries(keys, values, max_size=4)), max_size=4),
    st.lists(st.dictionaries(keys, values, max_size=4), max_size=4),
)
@pytest.mark.spec("SDK-P18")
def test_limits_of_a_span(
    limits: dict[str, int | None],
    pieces: list[dict[str, Any]],
    events: list[tuple[str, dict[str, Any]]],
    linked: list[dict[str, Any]],
) -> None:
    """Of attributes the first stay, of events and links the latest; byte strings are cut too.

    For attributes the specification says so; the official SDK keeps the latest there as well, and
    leaves byte strings as they are: https://opentelemetry.io/docs/specs/otel/common/#attribute-limits
    Which events and links to discard is left to the SDK.
    """
    side = kit(limits=limits)
    target = SpanContext(1, 2, is_remote=False)
    half = len(linked) // 2
    span = side.provider.get_tracer("t").start_span(
        "s", attributes=pieces[0], links=[Link(target, it) for it in linked[:half]]
    )
    for piece in pieces[1:]:
        span.set_attributes(piece)
    for name, given_attributes in events:
        span.add_event(name, given_attributes)
    for given_attributes in linked[half:]:
        span.add_link(target, given_attributes)
    span.end()
    [found] = side.records()
    length = limits["value_length"]
    pairs = [pair for piece in pieces for pair in piece.items()]
    expected = within(pairs, limits["attributes"], length)
    assert (exact(found.attributes), found.dropped_attributes_count) == expected
    assert [
        (event.name, exact(event.attributes), event.dropped_attributes_count)
        for event in found.events
    ] == [
        (name, *within([*it.items()], limits["attributes_per_event"], length))
        for name, it in latest(events, limits["events"])
    ]
    assert found.dropped_events_count == len(events) - len(found.events)
    assert [(exact(link.attributes), link.dropped_attributes_count) for link in found.links] == [
        within([*it.items()], limits["attributes_per_link"], length)
        for it in latest(linked, limits["links"])
    ]
    assert found.dropped_links_count == len(linked) - len(found.links)


@pytest.fixture(scope="module", autouse=True)
def _unheard() -> Iterator[None]:
    """Thousands of programs do what is logged; what is logged is the business of other tests."""
    loggers = [logging.getLogger("opentelemetry"), logging.getLogger("otlp_kit")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


class Unprintable:
    """A badly written class of the program's."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        return "Unprintable()"


class Named:
    def __str__(self) -> str:
        return "a name"


odd_keys: st.SearchStrategy[Any] = st.sampled_from(["", None, 3, 2.5, b"k", ("a",), Named()])
odd_values: st.SearchStrategy[Any] = st.sampled_from(
    [Unprintable(), Named(), object(), {1, 2}, 1 + 2j, 2**64, [[], [Unprintable()]], {"": 1, 2: 3}]
)


def as_attribute(span: trace.Span, key: Any, value: Any) -> None:
    span.set_attribute(key, value)


def as_attributes(span: trace.Span, key: Any, value: Any) -> None:
    span.set_attributes({key: value})


def as_event(span: trace.Span, key: Any, value: Any) -> None:
    span.add_event("e", {key: value})


def as_link(span: trace.Span, key: Any, value: Any) -> None:
    span.add_link(SpanContext(1, 2, is_remote=False), {key: value})


def as_exception(span: trace.Span, key: Any, value: Any) -> None:
    span.record_exception(ValueError("x"), {key: value})


WAYS = [as_attribute, as_attributes, as_event, as_link, as_exception]


@given(st.sampled_from(WAYS), odd_keys | keys, odd_values | values)
@example(as_attribute, "k", Unprintable())
@example(as_attributes, Unprintable(), 1)
def test_what_is_no_attribute_never_raises(
    way: Callable[[trace.Span, Any, Any], None], key: Any, value: Any
) -> None:
    """Whatever a program hands over, the call returns, and what is kept has non-empty text keys.

    The official SDK raises what the `__str__` of a value raises:
    https://opentelemetry.io/docs/specs/otel/error-handling/
    """
    side = kit()
    span = side.provider.get_tracer("t").start_span("s")
    way(span, key, value)
    span.set_attribute("after", True)
    span.end()
    [record] = side.records()
    assert record.attributes["after"] is True
    parts: list[Any] = [record, *record.events, *record.links]
    for part in parts:
        assert all(isinstance(key, str) and key for key in part.attributes)
    assert encode_spans([record])
    if isinstance(key, str) and key:
        count = len(record.attributes) - 1
        count += sum(len(part.attributes) for part in parts[1:])
        assert count == (4 if way is as_exception else 0) + 1, "a good key keeps its value"


told: st.SearchStrategy[Any] = st.sampled_from(
    [
        Named(),
        [Named(), 1],
        {"k": Named()},
        {1},
        1 + 2j,
        2**64,
        HTTPStatus.OK,
        Decimal("1.5"),
        range(2),
    ]
)


@given(st.sampled_from(WAYS), keys, told)
def test_values_of_other_types_are_told_as_text(
    way: Callable[[trace.Span, Any, Any], None], key: str, value: Any
) -> None:
    """As the official SDK has it, wherever they stand; subclasses of plain types stay what they are."""
    found = []
    for make in (official, kit):
        side = make(ids=Counting())
        span = side.provider.get_tracer("t").start_span("s")
        way(span, key, value)
        span.end(1)
        [record] = side.records()
        found.append(comparable(record))
    for shown in found:
        del shown["start_unix_nano"]
    assert found[1] == found[0]


def test_attributes_are_copied() -> None:
    """What the program does to a list or a mapping after it handed it over changes nothing."""
    side = kit()
    inner: dict[str, Any] = {"list": [1]}
    sequence = [1, 2]
    given_attributes: dict[str, Any] = {"map": inner, "list": sequence}
    link = Link(SpanContext(1, 2, is_remote=False), given_attributes)
    span = side.provider.get_tracer("t").start_span("s", attributes=given_attributes, links=[link])
    span.set_attribute("later", sequence)
    span.add_event("e", given_attributes)
    inner["list"].append(2)
    inner["new"] = 1
    sequence.append(3)
    given_attributes["more"] = 1
    span.end()
    [record] = side.records()
    before = exact({"map": {"list": [1]}, "list": [1, 2]})
    assert exact(record.attributes) == before | {"later": exact([1, 2])}
    assert exact(record.events[0].attributes) == before
    assert exact(record.links[0].attributes) == before


def test_an_ended_span_is_still_a_parent() -> None:
    """Ending does not touch the context, nor the children, which may end later."""
    side = kit()
    tracer = side.provider.get_tracer("t")
    with tracer.start_as_current_span("parent") as parent:
        child = tracer.start_span("child")
        parent.end()
        assert trace.get_current_span() is parent
        late = tracer.start_span("late")
        assert child.is_recording()
    child.end()
    late.end()
    names = {record.span_id: record.name for record in side.records()}
    parents = {record.name: names.get(record.parent_span_id) for record in side.records()}
    assert parents == {"parent": None, "child": "parent", "late": "parent"}


WRONG: dict[str, Callable[[Any, Any], Any]] = {
    "a key that cannot be one": lambda _, span: span.set_attribute([], 1),
    "no context": lambda _, span: span.add_link(None),
    "a status by its name": lambda _, span: span.set_status("ERROR"),
    "a status by its number": lambda _, span: span.set_status(2),
    "no status": lambda _, span: span.set_status(None, "what"),
    "a description that is no text": lambda _, span: span.set_status(StatusCode.ERROR, 3),
    "no exception": lambda _, span: span.record_exception(None),
    "no name": lambda tracer, _: tracer.start_span(None).end(),
    "no kind": lambda tracer, _: tracer.start_span("s", kind=None).end(),
    "no link": lambda tracer, _: tracer.start_span("s", links=[None]).end(),
    "a generator of links": lambda tracer, span: tracer.start_span(
        "s", links=(Link(span.get_span_context()) for _ in "ab")
    ).end(),
    "a time that is none": lambda _, span: span.end("now"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_call_does_no_harm(what: str) -> None:
    """A mistake in instrumentation is not the end of the program, nor of the pipeline.

    The official SDK lets all of these pass, too.
    """
    side = kit()
    tracer = side.provider.get_tracer("t")
    span = tracer.start_span("s")
    WRONG[what](tracer, span)
    span.end()
    assert side.records()
    assert encode_spans(side.records())


@pytest.mark.parametrize("make", [official, kit])
def test_zero_is_a_time(make: Callable[[], Side]) -> None:
    """What a program sets is taken, also if it is the beginning of the epoch."""
    side = make()
    span = side.provider.get_tracer("t").start_span("s", start_time=0)
    span.add_event("e", timestamp=0)
    span.end(5)
    [record] = side.records()
    assert (record.start_unix_nano, record.events[0].time_unix_nano) == (0, 0)
