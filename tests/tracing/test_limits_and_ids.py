"""How much a span holds, what is said and exported about the rest; and where ids come from."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    set_span_in_context,
)

from otlp_kit.encoding.protobuf_common import MAX_DEPTH
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.tracing import SpanLimits
from tests.tracing.sides import Counting, Side, kit, official

TARGET = SpanContext(1, 2, is_remote=False)
SMALL = {
    "attributes": 2,
    "events": 1,
    "links": 1,
    "attributes_per_event": 1,
    "attributes_per_link": 1,
}


def run(source: str) -> tuple[str, str]:
    """What a program printed, and what it logged: in a process where nothing was logged before."""
    ended = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=20, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr


def tracer_of(side: Side) -> trace.Tracer:
    return side.provider.get_tracer("limits")


# --- limits


@pytest.mark.spec("SDK-P18")
def test_what_was_dropped_is_exported() -> None:
    """Each of the five counts arrives, by the official protobuf and by the kit's own decoder."""
    side = kit(limits=SMALL)
    three = {"a": 1, "b": 2, "c": 3}
    links = [Link(TARGET, three)] * 3
    with tracer_of(side).start_as_current_span("s", attributes=three, links=links) as span:
        span.set_attribute("d", 4)
        span.set_attribute("a", "again")  # no new attribute: there is room for it
        for name in ("first", "second", "third", "last"):
            span.add_event(name, three)
    body = encode_spans(side.records())
    request = ExportTraceServiceRequest.FromString(body)
    [message] = request.resource_spans[0].scope_spans[0].spans
    assert [pair.key for pair in message.attributes] == ["a", "b"]
    assert message.attributes[0].value.string_value == "again"
    assert message.dropped_attributes_count == 2
    assert message.dropped_events_count == 3
    assert message.dropped_links_count == 2
    [event], [link] = message.events, message.links
    assert (event.name, event.dropped_attributes_count) == ("last", 2)
    assert link.dropped_attributes_count == 2
    [decoded] = decode_spans(body)
    assert decoded.dropped_attributes_count == 2
    assert decoded.dropped_events_count == 3
    assert decoded.dropped_links_count == 2


LOUD = """
from otlp_kit.tracing import SpanLimits
from otlp_kit.tracing import TracerProvider
from tests.tracing.sides import Kept
tracer = TracerProvider(Kept(), limits=SpanLimits(1, 1, 1, 1, 1)).get_tracer("t")
for name in NAMES:
    span = tracer.start_span(name, attributes={"a": 1, "b": 2})
    for number in range(100):
        span.set_attribute(str(number), number)
        span.add_event("e", {"a": 1, "b": 2})
    span.end()
"""


@pytest.mark.spec("SDK-P18")
def test_one_message_for_a_span() -> None:
    """The log tells of a span beyond its limits, once, however much was dropped of it."""

    def said(*names: str) -> list[str]:
        return run(LOUD.replace("NAMES", repr(names)))[1].splitlines()

    [line] = said("checkout")
    assert "'checkout'" in line
    lines = said(*["checkout"] * 20)
    assert 1 <= len(lines) <= 20


def test_a_message_for_no_span() -> None:
    """Within its limits, a span is not worth one; neither are limits that are not there."""
    source = LOUD.replace("NAMES", "['quiet']").replace("(1, 1, 1, 1, 1)", "(*[None] * 5)")
    assert run(source) == ("", "")


REENTRANT = """
import logging
from opentelemetry import trace
from tests.tracing.sides import kit

class AsEvents(logging.Handler):
    def emit(self, record):
        trace.get_current_span().add_event("log", {"message": record.getMessage()})

logging.getLogger().addHandler(AsEvents())
side = kit(limits={"attributes": 1, "events": 3, "links": 1})
with side.provider.get_tracer("t").start_as_current_span("s") as span:
    HOW
[record] = side.records()
print(len(record.events))
"""


@pytest.mark.parametrize(
    "how",
    [
        "span.set_attributes({'a': 1, 'b': 2})",
        "for n in range(5): span.add_event('e')",
        "for n in range(5): span.add_link(span.get_span_context())",
    ],
)
def test_a_log_handler_may_use_the_span(how: str) -> None:
    """Programs turn log lines into events, and the line about the limits is one of them."""
    printed, _ = run(REENTRANT.replace("HOW", how))
    assert 1 <= int(printed) <= 3


@pytest.mark.spec("SDK-P18")
def test_the_limits_that_hold_by_default() -> None:
    """128 of each, and no limit for the length of a value."""
    side = kit()
    many = {str(number): number for number in range(130)}
    span = tracer_of(side).start_span("s", attributes=many)
    span.set_attribute("0", "x" * 100_000)
    for _ in range(130):
        span.add_event("e", many)
        span.add_link(TARGET, many)
    span.end()
    [record] = side.records()
    assert len(record.attributes) == len(record.events) == len(record.links) == 128
    assert len(record.events[0].attributes) == len(record.links[0].attributes) == 128
    assert record.dropped_attributes_count == record.dropped_events_count == 2
    assert record.dropped_links_count == record.links[0].dropped_attributes_count == 2
    assert len(str(record.attributes["0"])) == 100_000


@pytest.mark.parametrize("name", [*SMALL, "value_length"])
def test_a_limit_below_nothing_is_refused(name: str) -> None:
    """0 is a limit, and says that there shall be none."""
    assert getattr(SpanLimits(**{name: 0}), name) == 0
    with pytest.raises(ValueError, match=name):
        SpanLimits(**{name: -1})


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def depth(value: Any) -> int:
    return 1 + depth(value[0]) if value and value[0] is not None else 1


def test_a_value_without_end() -> None:
    """A list that holds itself, or is nested too deeply, is cut there: the rest is empty.

    How deep says the encoder, since decoders refuse the whole request for one value that is deeper;
    https://opentelemetry.io/docs/specs/otel/common/#attribute-limits would have 64.
    """
    side = kit()
    span = tracer_of(side).start_span("s")
    endless: list[Any] = []
    endless.append(endless)
    values = {"most": nested(MAX_DEPTH), "more": nested(MAX_DEPTH + 1), "endless": endless}
    span.set_attributes(values)
    span.end()
    [record] = side.records()
    found: Any = record.attributes
    for value in found.values():
        assert depth(value) == MAX_DEPTH
    request = ExportTraceServiceRequest.FromString(encode_spans([record]))
    assert len(request.resource_spans[0].scope_spans[0].spans[0].attributes) == 3


THREADS, EACH = 8, 400


def at_once(work: Callable[[int], object]) -> None:
    """Run `work(number)` on several threads that start together; what one raises is raised."""
    start = threading.Barrier(THREADS)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert failures == []


def test_threads_share_a_span() -> None:
    """What is kept is within the limits, and with what was dropped it is all that there was."""
    side = kit(limits={"attributes": 50, "events": 20, "links": 10})
    span = tracer_of(side).start_span("s")

    def work(number: int) -> None:
        for turn in range(EACH):
            span.set_attribute(f"{number}.{turn}", turn)
            span.add_event("e", {"turn": turn})
            span.add_link(TARGET)

    at_once(work)
    span.end()
    [record] = side.records()
    counts = len(record.attributes), len(record.events), len(record.links)
    assert counts == (50, 20, 10)
    dropped = (
        record.dropped_attributes_count,
        record.dropped_events_count,
        record.dropped_links_count,
    )
    assert dropped == tuple(THREADS * EACH - count for count in counts)


def test_threads_end_a_span() -> None:
    """Whoever comes first hands it over; it is handed over once."""
    side = kit()
    tracer = tracer_of(side)
    spans = [tracer.start_span(str(number)) for number in range(EACH)]
    at_once(lambda _: [span.end() for span in spans])
    assert sorted(int(record.name) for record in side.records()) == list(range(EACH))


class EndsMeanwhile(Mapping[str, Any]):
    """Attributes that are being read when another thread ends the span: here, the same one."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def __getitem__(self, key: str) -> Any:
        return 1

    def __iter__(self) -> Iterator[str]:
        self._span.end()
        return iter(["a"])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("make", [official, kit])
def test_what_comes_in_during_the_end_is_too_late(make: Callable[[], Side]) -> None:
    """Once a span is handed over, nothing that began before changes it any more."""
    side = make()
    tracer = tracer_of(side)
    first, second, third = (tracer.start_span(name) for name in "abc")
    first.add_event("late", EndsMeanwhile(first))
    second.add_link(TARGET, EndsMeanwhile(second))
    if make is kit:  # the official SDK holds the span's lock here, and would wait for itself
        third.set_attributes(EndsMeanwhile(third))
    third.end()
    for record in side.records():
        assert (record.attributes, [*record.events], [*record.links]) == ({}, [], [])


# --- ids


def identities(count: int) -> list[tuple[bytes, bytes]]:
    """The ids of so many roots."""
    side = kit()
    tracer = tracer_of(side)
    for _ in range(count):
        tracer.start_span("s", Context()).end()
    return [(record.trace_id, record.span_id) for record in side.records()]


@pytest.mark.spec("SDK-P19")
def test_ids_are_random() -> None:
    """16 and 8 bytes, each its own, each bit as often set as not."""
    count = 4000
    found = identities(count)
    assert {(len(trace_id), len(span_id)) for trace_id, span_id in found} == {(16, 8)}
    assert len({trace_id for trace_id, _ in found}) == len({it for _, it in found}) == count
    six_sigma = 6 * (count / 4) ** 0.5
    for which, bits in ((0, 128), (1, 64)):
        numbers = [int.from_bytes(pair[which]) for pair in found]
        for bit in range(bits):
            assert abs(sum(n >> bit & 1 for n in numbers) - count / 2) < six_sigma


@pytest.mark.spec("SDK-P19")
def test_a_seed_of_the_program_says_nothing_about_ids() -> None:
    """Programs seed `random`; neither do their ids repeat then, nor are their numbers used up."""
    random.seed(7)
    expected = random.random()
    random.seed(7)
    first = identities(10)
    assert random.random() == expected
    random.seed(7)
    assert not {*first} & {*identities(10)}


@pytest.mark.spec("SDK-P19")
def test_threads_get_different_ids() -> None:
    """The generator is one for all threads."""
    side = kit()
    tracer = tracer_of(side)
    at_once(lambda _: [tracer.start_span("s", Context()).end() for _ in range(EACH)])
    records = side.records()
    assert len({record.trace_id for record in records}) == THREADS * EACH
    assert len({record.span_id for record in records}) == THREADS * EACH


FORKED = """
import os, sys
from tests.tracing.sides import kit
side = kit()
tracer = side.provider.get_tracer("t")
reading, writing = os.pipe()
child = os.fork()
for _ in range(500):
    tracer.start_span("s").end()
ids = [half.hex() for record in side.records() for half in (record.trace_id, record.span_id)]
if not child:
    os.write(writing, " ".join(ids).encode())
    os._exit(0)
os.close(writing)
with open(reading) as pipe:
    theirs = pipe.read().split()
assert os.waitpid(child, 0)[1] == 0
print(len({*ids}), len({*theirs}), len({*ids} & {*theirs}))
"""


@pytest.mark.spec("SDK-P19")
@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_a_child_does_not_repeat_its_parent() -> None:
    """After a fork both go on with ids of their own."""
    assert run(FORKED)[0].split() == ["1000", "1000", "0"]


class Plain:
    """The least that a generator is: it says nothing about randomness."""

    def generate_trace_id(self) -> int:
        return 0xABC

    def generate_span_id(self) -> int:
        return 0xDEF


@pytest.mark.spec("SDK-P19")
def test_a_generator_of_the_programs_own() -> None:
    """The official shape, an official instance among them; it is asked for a trace id by roots only."""
    side = kit(ids=Plain())
    with tracer_of(side).start_as_current_span("root") as root:
        context = root.get_span_context()
        assert (context.trace_id, context.span_id, context.trace_flags) == (0xABC, 0xDEF, 1)
    counting = Counting()
    side = kit(ids=counting)
    with tracer_of(side).start_as_current_span("root"):
        tracer_of(side).start_span("child").end()
    assert counting.generate_span_id() & 0xFF == 4, "one trace id and two span ids before"
    side = kit(ids=RandomIdGenerator())
    tracer_of(side).start_span("s").end()
    assert side.records()[0].flags == 0x103


class Broken(IdGenerator):
    def __init__(self, made: Any) -> None:
        self._made = made

    def generate_trace_id(self) -> int:
        if isinstance(self._made, Exception):
            raise self._made
        return self._made  # type: ignore[no-any-return]

    generate_span_id = generate_trace_id

    def is_trace_id_random(self) -> bool:
        return False


@pytest.mark.parametrize("made", [0, -1, 2**128, "text", None, RuntimeError("no entropy")])
def test_a_generator_that_fails(made: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A span has ids whatever the generator made, and the log tells of it."""
    side = kit(ids=Broken(made))
    tracer_of(side).start_span("s").end()
    [record] = side.records()
    assert record.problem() is None
    assert any("Broken" in message for message in caplog.messages)


@pytest.mark.spec("SDK-P19")
@pytest.mark.parametrize("parent", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("ids", [None, Plain, Counting, lambda: Counting(random=True)])
def test_the_random_flag(parent: int | None, remote: bool, ids: Any) -> None:
    """A root has what its generator says, any other span what its parent has: as the official SDK."""
    context = Context()
    if parent is not None:
        outside = SpanContext(5, 6, remote, TraceFlags(parent))
        context = set_span_in_context(NonRecordingSpan(outside), context)

    def flags(side: Side) -> list[int]:
        span = tracer_of(side).start_span("s", context)
        child = tracer_of(side).start_span("child", set_span_in_context(span))
        child.end()
        span.end()
        found = [int(it.get_span_context().trace_flags) for it in (span, child)]
        return found + [record.flags for record in side.records()]

    found = flags(kit(ids=ids and ids()))
    if ids is not Plain:  # the official SDK insists on the method
        assert found == flags(official(ids=ids and ids()))
    generated = ids is None or bool(getattr(ids(), "is_trace_id_random", bool)())
    expected = generated if parent is None else bool(parent & 2)
    assert {bool(flag & 2) for flag in found} == {expected}
