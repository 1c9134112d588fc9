"""Editing: what each rule does, who sees it, and that no planted secret leaves."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from otlp_kit.encoding.protobuf_logs import encode_logs
from otlp_kit.encoding.protobuf_metrics import encode_metrics
from otlp_kit.encoding.protobuf_read_logs import decode_logs
from otlp_kit.encoding.protobuf_read_metrics import decode_metrics
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.ledger import Ledger
from otlp_kit.model import (
    Event,
    Exemplar,
    Link,
    LogRecord,
    Metric,
    NumberPoint,
    Resource,
    Scope,
    Span,
)
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.edit import (
    EDIT_FAILED,
    Add,
    Delete,
    EditProcessor,
    Hash,
    Redact,
    Rename,
    Rule,
    edit,
)
from otlp_kit.processors.outcome import Outcome
from otlp_kit.wire import Accepted
from tests.encoding.strategies import log_batches, metric_batches, span_batches
from tests.processors.end import End

SECRET = "4000123412341234"
MASK = "[redacted]"


def attributes_after(rule: Rule, **attributes: Any) -> dict[str, Any]:
    return edit(Span(attributes=attributes), [rule]).attributes


def plant(message: Message) -> None:
    """The secret in every text, key, byte string and number of a request that holds any value."""
    for field in message.DESCRIPTOR.fields:
        name = field.name
        repeated = field.is_repeated
        if field.message_type:
            if repeated:
                inner = list(getattr(message, name))
            else:
                inner = [getattr(message, name)] if message.HasField(name) else []
            for one in inner:
                plant(one)
        elif repeated or (field.containing_oneof and not message.HasField(name)):
            continue
        elif field.type == FieldDescriptor.TYPE_STRING:
            setattr(message, name, getattr(message, name) + SECRET)
        elif field.type == FieldDescriptor.TYPE_BYTES and not name.endswith("_id"):
            setattr(message, name, getattr(message, name) + b"\xff" + SECRET.encode())
        elif isinstance(message, AnyValue) and name in ("int_value", "double_value"):
            setattr(message, name, int(SECRET))


def numbers(message: Message) -> Iterator[str]:
    """The numbers among the values of a request, as text."""
    if isinstance(message, AnyValue) and message.WhichOneof("value") in (
        "int_value",
        "double_value",
    ):
        yield str(getattr(message, message.WhichOneof("value") or ""))
    for field, value in message.ListFields():
        if field.message_type:
            for one in value if field.is_repeated else [value]:
                yield from numbers(one)


Codec = tuple[Callable[..., bytes], Callable[[bytes], list[Any]], type[Message]]
SPANS: Codec = (encode_spans, decode_spans, ExportTraceServiceRequest)
LOGS: Codec = (encode_logs, decode_logs, ExportLogsServiceRequest)
METRICS: Codec = (encode_metrics, decode_metrics, ExportMetricsServiceRequest)


@given(
    st.tuples(st.just(SPANS), span_batches())
    | st.tuples(st.just(LOGS), log_batches())
    | st.tuples(st.just(METRICS), metric_batches())
)
def test_no_planted_secret_passes_redact(drawn: tuple[Codec, list[Any]]) -> None:
    """Planted by the official library in every field that can hold it; gone from every byte."""
    (encode, decode, official), batch = drawn
    request = official.FromString(encode(batch))
    plant(request)
    records = decode(request.SerializeToString())
    assert not records or SECRET.encode() in encode(records)
    kept = deepcopy(records)

    end = End()
    processor = EditProcessor[Any](end, [Redact(SECRET)], ledger=end.ledger)
    for record in records:
        processor.emit(record)

    body = encode(end.records)
    assert SECRET.encode() not in body
    assert not any(SECRET in text for text in numbers(official.FromString(body)))
    assert len(end.records) == len(records)
    assert records == kept


@settings(max_examples=30)
@given(span_batches())
def test_a_record_without_a_match_stays_the_same_object(spans: list[Span]) -> None:
    """Nothing is copied for a rule that finds nothing."""
    rules = [Redact("no such text"), Redact("no such key", where="keys"), Delete("no such key")]
    assert all(edit(span, rules, resource=True) is span for span in spans)


@pytest.mark.spec("SDK-P14")
def test_an_edit_does_not_reach_another_processor_of_the_same_record() -> None:
    """Two processors share the record: only the one behind the rules sees the edits."""
    span = Span(
        name="pay",
        attributes={"card": SECRET, "list": [SECRET]},
        events=[Event(attributes={"card": SECRET})],
        links=[Link(attributes={"card": SECRET})],
        resource=Resource({"card": SECRET}),
        scope=Scope(attributes={"card": SECRET}),
    )
    before = deepcopy(span)
    end, other = End(), End()
    rules = [Redact(SECRET), Add("a", 1), Rename("card", "payment.card"), Delete("list")]
    edited = EditProcessor[Span](end, rules, ledger=Ledger(), resource=True)
    for processor in (edited, other):
        processor.emit(span)
    assert other.records == [before]
    assert end.records[0].attributes == {"payment.card": MASK, "a": 1}
    assert end.records[0].resource.attributes == {"payment.card": MASK}


def test_rules_run_in_their_order() -> None:
    """Renamed first, an attribute is hashed under its new name."""
    rules = [Rename("user", "enduser.id"), Hash("enduser.id")]
    span = edit(Span(attributes={"user": "abc"}), rules)
    assert span.attributes == {"enduser.id": hashlib.sha256(b"abc").hexdigest()}


def test_add_keeps_what_is_there() -> None:
    """Unless it is told to overwrite."""
    assert attributes_after(Add("a", 2), a=1) == {"a": 1}
    assert attributes_after(Add("a", 2, overwrite=True), a=1) == {"a": 2}
    assert attributes_after(Add("b", [2]), a=1) == {"a": 1, "b": [2]}


def test_add_adds_to_records_and_points_only() -> None:
    """Not to events, links and exemplars inside them."""
    span = edit(Span(events=[Event()], links=[Link()]), [Add("a", 1)], resource=True)
    assert (span.attributes, span.events, span.links) == ({"a": 1}, [Event()], [Link()])
    assert span.resource == Resource()
    point = NumberPoint(1, exemplars=[Exemplar(1)])
    metric = edit(Metric(points=[point]), [Add("a", 1)])
    assert metric.points == [NumberPoint(1, attributes={"a": 1}, exemplars=[Exemplar(1)])]


def test_rename_loses_neither_attribute() -> None:
    """With the new name taken, both stay; else the place among the others stays."""
    assert list(attributes_after(Rename("b", "x"), a=1, b=2, c=3).items())[1] == ("x", 2)
    assert attributes_after(Rename("b", "a"), a=1, b=2) == {"a": 1, "b": 2}


def test_rules_on_keys_reach_events_links_and_points() -> None:
    """An attribute is an attribute, wherever it hangs; in resource and scope if it is asked for."""
    span = Span(
        attributes={"k": 1},
        events=[Event(attributes={"k": 1})],
        links=[Link(attributes={"k": 1})],
        resource=Resource({"k": 1}),
        scope=Scope(attributes={"k": 1}),
    )
    edited = edit(span, [Delete("k")])
    assert edited == Span(
        events=[Event()], links=[Link()], resource=span.resource, scope=span.scope
    )
    assert edit(span, [Delete("k")], resource=True) == Span(events=[Event()], links=[Link()])
    point = NumberPoint(attributes={"k": 1}, exemplars=[Exemplar(filtered_attributes={"k": 1})])
    metric = edit(Metric(points=(point,)), [Delete("k")])
    assert metric.points == [NumberPoint(exemplars=[Exemplar()])]
    assert edit(LogRecord(attributes={"k": 1}, body={"k": 1}), [Delete("k")]).body == {"k": 1}


@pytest.mark.parametrize(
    ("rule", "value", "digest"),
    [
        (Hash("k"), "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (Hash("k"), b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            Hash("k", b"Jefe"),
            "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (Hash("k"), 1, hashlib.sha256(b"1").hexdigest()),
        (Hash("k"), None, None),
    ],
)
def test_hash_gives_the_digests_that_the_standards_print(
    rule: Hash, value: Any, digest: str | None
) -> None:
    """FIPS 180-4's example for SHA-256, and RFC 4231's second one for HMAC."""
    assert attributes_after(rule, k=value) == {"k": digest}


def test_the_secret_of_a_hash_is_not_shown() -> None:
    """Nor is an empty one taken."""
    assert "Jefe" not in repr(Hash("k", b"Jefe"))
    with pytest.raises(ValueError, match=r"Hash\(key='k'\): an empty secret"):
        Hash("k", b"")


@pytest.mark.parametrize(
    ("rule", "value", "left"),
    [
        (Redact("hunter2"), "password: hunter2!", f"password: {MASK}!"),
        (Redact("hunter2", mask=""), "hunter2", ""),
        (Redact("ab", mask=""), "aabb", ""),
        (Redact(r"(?<=password=)\S+", mask="***"), "u=x password=a b", "u=x password=*** b"),
        (Redact(r"(\d)\d", mask=r"\1"), "x42", r"x\1"),
        (Redact("hunter2"), b"\xff\xfehunter2", b"\xff\xfe[redacted]"),
        (Redact("hunter2"), bytearray(b"x"), bytearray(b"x")),
        (Redact("^42$"), 42, MASK),
        (Redact("^42$"), 43, 43),
        (Redact(r"4\.2"), 4.2, MASK),
        (Redact("True"), True, True),
        (Redact("x"), ["b", ["x"], {"c": "x"}], ["b", [MASK], {"c": MASK}]),
        (Redact("a", mask="*"), {"xa": 1, "xaa": 2}, {"x*": 1, "x**": 2}),
        (Redact("a+", mask="*"), {"xa": 1, "xaa": 2, "x*": 3}, {"x*": 1, "x*_": 2, "x*__": 3}),
        (Redact("(?i)pass", where="keys"), {"PASSWORD": [1], "user": "pass"},
         {"PASSWORD": MASK, "user": "pass"}),
        (Redact("pass", where="keys"), [{"u": {"pass": 1}}], [{"u": {"pass": MASK}}]),
    ],
)  # fmt: skip
def test_redact_masks_what_the_pattern_finds(rule: Redact, value: Any, left: Any) -> None:
    """In text, bytes, numbers, lists, maps and keys; the rest stays."""
    found = attributes_after(rule, v=value)["v"]
    assert found == left
    assert type(found) is type(left)
    body = edit(LogRecord(body=value), [rule]).body
    assert body == left


def test_redact_looks_at_objects_as_the_encoder_will() -> None:
    """An object of another type travels as its text, so its text is what is searched."""

    class Card:
        def __str__(self) -> str:
            return f"Card({SECRET})"

    assert attributes_after(Redact(SECRET), v=Card()) == {"v": f"Card({MASK})"}


def test_redact_leaves_ids_times_and_kinds_alone() -> None:
    """A time has the digits of a card, and a metric needs its kind."""
    span = Span(trace_id=b"a" * 16, span_id=b"a" * 8, start_unix_nano=int(SECRET))
    assert edit(span, [Redact("a|" + SECRET, mask="*")]) == span
    metric = Metric(kind="gauge", points=[NumberPoint(int(SECRET), int(SECRET))])
    assert edit(metric, [Redact("gauge|" + SECRET, mask="*")]) == metric


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pattern": "("}, r"Redact\(pattern='\(', .*the pattern is not valid: missing \)"),
        ({"pattern": 7}, r"Redact\(pattern=7, .*the pattern is not valid"),
        ({"pattern": b"x"}, r"Redact\(pattern=b'x', .*the pattern is not valid"),
        ({"pattern": r"\d*"}, "finds the empty text"),
        ({"pattern": "red"}, "finds something in the mask"),
        ({"pattern": "x", "where": "body"}, "where must be text or keys"),
    ],
)
def test_a_bad_pattern_is_refused_when_the_rule_is_made(
    arguments: dict[str, Any], message: str
) -> None:
    """The error names the rule."""
    with pytest.raises(ValueError, match=message):
        Redact(**arguments)


def test_what_is_no_rule_is_refused() -> None:
    """At construction, not with the first record."""
    rules: list[Any] = ["card"]
    with pytest.raises(ValueError, match="'card' is no rule"):
        EditProcessor[Span](End(), rules, ledger=Ledger())


def test_a_record_whose_rule_raises_is_dropped_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It does not leave unread, and the one line in the log does not quote it."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError(SECRET)

    loop: list[Any] = []
    loop.append(loop)
    end = End()
    processor = EditProcessor[Any](end, [Redact(SECRET)], ledger=end.ledger)
    with caplog.at_level(logging.WARNING):
        for value in (Broken(), loop, "fine"):
            processor.emit(Span(attributes={"v": value}))
        processor.emit(object())
    assert [span.attributes for span in end.records] == [{"v": "fine"}]
    assert processor.totals().dropped == {EDIT_FAILED: 3}
    assert len(caplog.records) == 1
    assert SECRET not in caplog.text


@pytest.mark.parametrize("outcome", Outcome)
def test_flush_and_shutdown_are_passed_on(outcome: Outcome) -> None:
    """With their timeouts; the answer is the next processor's."""
    end = End(outcome=outcome)
    processor = EditProcessor[Span](end, [], ledger=end.ledger)
    assert (processor.force_flush(1.5), processor.shutdown(2.5)) == (outcome, outcome)
    assert end.asked == [("force_flush", 1.5), ("shutdown", 2.5)]


def test_the_path_adds_up() -> None:
    """In front of a batch processor, one ledger tells about both."""

    class Exporter:
        def export(self, batch: Any, deadline: float) -> Accepted:
            return Accepted()

        def shutdown(self) -> None: ...

    ledger = Ledger()
    batch = BatchProcessor[Any](Exporter(), ledger=ledger)
    processor = EditProcessor(batch, [Redact(SECRET)], ledger=ledger)
    for record in (Span(), object(), Span()):
        processor.emit(record)
    assert processor.shutdown() is Outcome.FLUSHED
    processor.emit(Span())
    assert str(processor.totals()) == (
        "created 4 = delivered 2 + dropped 2 (edit_failed 1, already_shutdown 1)"
    )
    assert repr(processor).startswith("<EditProcessor [1 rules] -> <BatchProcessor")
