"""The provider: what its processors get, what its samplers decide, and how it ends."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace.sampling import Decision, SamplingResult
from opentelemetry.sdk.trace.sampling import Sampler as OfficialSampler

from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.ledger import Ledger
from otlp_kit.model import Resource, Span
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.outcome import Outcome
from otlp_kit.processors.simple import SimpleProcessor
from otlp_kit.processors.tail_policies import Error
from otlp_kit.processors.tail_sampling import TailSampling
from otlp_kit.tracing import TracerProvider
from otlp_kit.tracing.samplers import AlwaysOff, AlwaysRecord, ParentBased, TraceIdRatio
from otlp_kit.wire import Accepted


class Kept:
    """An exporter that keeps what it gets; `meanwhile` is called in each export."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.spans: list[Span] = []
        self._meanwhile = meanwhile

    def export(self, batch: Sequence[Span], deadline: float) -> Accepted:
        self._meanwhile()
        self.spans += batch
        return Accepted()

    def shutdown(self) -> None:
        pass


def names(exporter: Kept) -> list[str]:
    return [span.name for span in exporter.spans]


def test_every_processor_gets_every_span() -> None:
    """Each has a path of its own, and one that fails does not keep the span from the others."""

    class Failing(SimpleProcessor[Span]):
        def emit(self, record: Span) -> None:
            raise RuntimeError("broken")

    first, second = Kept(), Kept()
    provider = TracerProvider(
        SimpleProcessor(first), Failing(Kept()), SimpleProcessor(second), resource={"a": 1}
    )
    provider.get_tracer("shop").start_span("GET /").end()
    assert names(first) == names(second) == ["GET /"]


def test_a_resource_is_taken_as_it_is_and_attributes_get_company() -> None:
    """Attributes alone are completed by what names the SDK, and by a service name."""
    own = Resource({"service.name": "shop"}, "https://example.org/schema")
    assert TracerProvider(resource=own).resource is own
    completed = TracerProvider(resource={"service.name": "shop"}).resource.attributes
    assert completed["service.name"] == "shop"
    assert completed["telemetry.sdk.name"] == "otlp_kit"
    assert TracerProvider().resource.attributes["service.name"] == "unknown_service"


@pytest.mark.spec("SDK-P2")
def test_what_is_only_recorded_reaches_processors_and_is_not_exported() -> None:
    """RECORD_ONLY: a processor in the middle sees the span, the exporter does not."""

    class Seeing(SimpleProcessor[Span]):
        seen: list[str] = []  # noqa: RUF012

        def emit(self, record: Span) -> None:
            self.seen.append(record.name)
            super().emit(record)

    one, many = Kept(), Kept()
    simple, batch = Seeing(one), BatchProcessor(many, delay=60)
    provider = TracerProvider(simple, batch, sampler=AlwaysRecord(AlwaysOff()))
    span = provider.get_tracer("shop").start_span("GET /")
    assert span.is_recording()
    span.end()
    assert provider.force_flush()
    assert (Seeing.seen, names(one), names(many)) == (["GET /"], [], [])
    assert simple.totals().dropped == batch.totals().dropped == {"sampled_out": 1}
    provider.shutdown()


@pytest.mark.spec("SDK-P2")
def test_what_is_not_recorded_reaches_nobody_and_is_counted() -> None:
    """DROP: the span has an identity, for its children and for propagation, and nothing else."""
    kept = Kept()
    provider = TracerProvider(SimpleProcessor(kept), sampler=ParentBased(AlwaysOff()))
    tracer = provider.get_tracer("shop")
    with tracer.start_as_current_span("GET /") as parent:
        child = tracer.start_span("SELECT")
    assert not parent.is_recording()
    assert not child.is_recording()
    assert child.get_span_context().trace_id == parent.get_span_context().trace_id
    assert child.get_span_context().is_valid
    assert not child.get_span_context().trace_flags.sampled
    assert (names(kept), provider.sampled_out) == ([], 2)


def test_what_runs_inside_an_export_is_not_traced() -> None:
    """An instrumented HTTP library would feed the pipeline with its own exports, without end."""
    holder: list[trace.Tracer] = []

    def instrumented() -> None:
        with holder[0].start_as_current_span("POST /v1/traces") as span:
            assert not span.is_recording()

    for processor in (
        SimpleProcessor(Kept(instrumented)),
        BatchProcessor(Kept(instrumented), delay=0.01),
    ):
        provider = TracerProvider(processor)
        holder[:] = [provider.get_tracer("urllib3")]
        for _ in range(3):
            provider.get_tracer("shop").start_span("GET /").end()
            assert provider.force_flush()
        assert processor.totals().created == processor.totals().delivered == 3
        provider.shutdown()


def test_a_processor_may_see_the_start(caplog: pytest.LogCaptureFixture) -> None:
    """It is told of recorded spans, in the context in which they start; what it raises is logged."""

    class Baggage(SimpleProcessor[Span]):
        def on_start(self, span: trace.Span, parent_context: Context) -> None:
            span.set_attribute("tenant", str(baggage.get_baggage("tenant", parent_context)))

    class Broken(SimpleProcessor[Span]):
        def on_start(self, span: trace.Span, parent_context: Context) -> None:
            raise RuntimeError("broken")

    kept = Kept()
    provider = TracerProvider(Broken(Kept()), Baggage(kept))
    context = baggage.set_baggage("tenant", "acme")
    with caplog.at_level(logging.ERROR):
        provider.get_tracer("shop").start_span("GET /", context=context).end()
    assert kept.spans[0].attributes == {"tenant": "acme"}
    assert "failed at the start" in caplog.text


class ByTenant(OfficialSampler):
    """An official sampler, of the kind that people write: it looks at the baggage."""

    def should_sample(
        self, parent_context: Any, trace_id: int, name: str, kind: Any = None,
        attributes: Any = None, links: Any = None, trace_state: Any = None,
    ) -> SamplingResult:  # fmt: skip
        if baggage.get_baggage("tenant", parent_context) == "free":
            return SamplingResult(Decision.DROP)
        if name == "broken":
            raise RuntimeError(name)
        above = trace.get_current_span(parent_context).get_span_context()
        return SamplingResult(
            Decision.RECORD_AND_SAMPLE,
            {"kind": kind.name, "root": not above.is_valid},
            trace.TraceState([("acme", "1")]),
        )

    def get_description(self) -> str:
        return "ByTenant"


def test_an_official_sampler_decides(caplog: pytest.LogCaptureFixture) -> None:
    """It is asked in its own terms; where it raises, the span is recorded."""
    kept = Kept()
    provider = TracerProvider(SimpleProcessor(kept), sampler=ByTenant())
    tracer = provider.get_tracer("shop")
    with tracer.start_as_current_span("GET /", kind=trace.SpanKind.SERVER, attributes={"a": 1}):
        tracer.start_span("SELECT").end()
    token = attach(baggage.set_baggage("tenant", "free"))
    tracer.start_span("not this").end()
    detach(token)
    with caplog.at_level(logging.ERROR):
        tracer.start_span("broken").end()
    child, parent, broken = kept.spans
    assert (child.name, parent.name, broken.name) == ("SELECT", "GET /", "broken")
    assert parent.attributes == {"a": 1, "kind": "SERVER", "root": True}
    assert child.attributes == {"kind": "INTERNAL", "root": False}
    assert parent.trace_state == child.trace_state == "acme=1"
    assert "ByTenant" in repr(provider)
    assert "the sampler failed" in caplog.text


def test_a_sampler_that_is_none_is_refused() -> None:
    """The error names the argument."""
    with pytest.raises(TypeError, match="sampler must be"):
        TracerProvider(sampler="always_on")


def test_spans_go_through_tail_sampling() -> None:
    """A live span is a record as any other: held, judged, encoded."""
    kept = Kept()
    ledger = Ledger()  # of the whole path
    held = TailSampling(SimpleProcessor(kept, ledger=ledger), [Error()], ledger=ledger)
    provider = TracerProvider(held)
    tracer = provider.get_tracer("shop")
    for status in (trace.StatusCode.OK, trace.StatusCode.ERROR):
        with tracer.start_as_current_span("GET /") as span:
            tracer.start_span("SELECT").end()
            span.set_status(status)
    assert provider.shutdown()
    assert sorted(names(kept)) == ["GET /", "SELECT"]
    assert str(held.totals()) == "created 4 = delivered 2 + dropped 2 (sampled_out 2)"
    [root] = [span for span in decode_spans(encode_spans(kept.spans)) if not span.parent_span_id]
    assert root.status_code == 2


def test_after_shutdown_spans_are_turned_away_and_tracers_do_nothing() -> None:
    """A tracer that is in use counts what comes too late; a new one makes no spans."""
    kept = Kept()
    processor = BatchProcessor(kept, delay=60)
    provider = TracerProvider(processor)
    tracer = provider.get_tracer("shop")
    tracer.start_span("in time").end()
    assert provider.shutdown()
    tracer.start_span("too late").end()
    assert isinstance(provider.get_tracer("shop"), trace.NoOpTracer)
    assert names(kept) == ["in time"]
    assert processor.totals().dropped == {"already_shutdown": 1}


def test_a_processor_that_does_not_flush_is_told_of() -> None:
    """False is the API's word for it; the time given is for all of them together."""

    class Stuck(SimpleProcessor[Span]):
        def force_flush(self, timeout: float = 30.0) -> Outcome:
            assert timeout <= 0.05
            return Outcome.TIMED_OUT

    provider = TracerProvider(SimpleProcessor(Kept()), Stuck(Kept()))
    assert provider.force_flush(timeout_millis=50) is False


def test_the_same_scope_has_the_same_tracer() -> None:
    """Instrumentation asks for its tracer again and again."""
    provider = TracerProvider()
    asked = [provider.get_tracer("shop", "1.0", "https://example.org", {"a": 1}) for _ in range(2)]
    assert asked[0] is asked[1]
    assert provider.get_tracer("shop", "1.1") is not asked[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_counts_anew_and_does_not_wait_for_its_parents_locks() -> None:
    """What another thread held at the fork is free in the child."""
    provider = TracerProvider(SimpleProcessor(Kept()), sampler=ParentBased(TraceIdRatio(0.0)))
    provider.get_tracer("shop").start_span("dropped")
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with provider._lock:
            held.set()
            go_on.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(20)
    child = os.fork()
    if not child:
        provider.get_tracer("shop").start_span("dropped")
        os._exit(provider.sampled_out)
    go_on.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
