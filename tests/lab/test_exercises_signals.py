"""Each wrong way from a histogram to a request is refused for its own reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otlp_kit.encoding.protobuf_metrics import encode_metrics
from otlp_kit.encoding.protobuf_read_metrics import decode_metrics
from otlp_kit.lab.exercises_signals import BOUNDS, WAIT, Evening, evening, find_exemplar
from otlp_kit.model import Exemplar, Span
from otlp_kit.receiver.validation import sift
from otlp_kit.wire import LOGS, METRICS, TRACES


def exemplars(at: Evening, name: str = WAIT) -> list[Exemplar]:
    """By value, the largest last."""
    [metric] = [metric for metric in at.metrics if metric.name == name]
    return sorted(metric.points[0].exemplars, key=lambda exemplar: exemplar.value or 0)


def duration(span: Span) -> int:
    return span.end_unix_nano - span.start_unix_nano


def right(at: Evening) -> bytes:
    return [one for one in exemplars(at) if one.trace_id][-1].trace_id


def test_the_largest_exemplar_with_a_trace_passes() -> None:
    """As bytes and as text; the trace is there, and its log says why it waited."""
    at = evening()
    trace_id = right(at)
    assert find_exemplar(trace_id).passed
    assert find_exemplar(trace_id.hex().upper()).passed
    assert [log.body for log in at.logs if log.trace_id == trace_id] == ["waited for a connection"]


@pytest.mark.parametrize(
    ("answer", "difference"),
    [
        (lambda at: max(at.spans, key=duration).trace_id, "hardly waited for a connection"),
        (lambda at: exemplars(at)[-1].trace_id, "outside any span"),
        (lambda at: exemplars(at)[-2].span_id, "the id of a span"),
        (lambda at: exemplars(at)[-3].trace_id, "another one waited longer"),
        (lambda at: exemplars(at)[-4].trace_id, "a lower bucket"),
        (lambda at: at.logs[-1].trace_id, "in no exemplar"),
        (lambda at: at.spans[0].trace_id, "in no exemplar"),
        (lambda at: right(at)[::-1], "no span has that trace id"),
        (lambda at: "the fifteenth", "that is no id"),
        (lambda at: None, "that is no id"),
        (lambda at: 14, "that is no id"),
    ],
)
def test_a_wrong_request_is_refused_for_its_own_reason(
    answer: Callable[[Evening], bytes], difference: str
) -> None:
    """The first difference names what is wrong; the right id is in neither text."""
    at = evening()
    verdict = find_exemplar(answer(at))
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint
    assert right(at).hex() not in repr(verdict)


def test_the_evening_is_what_a_receiver_would_take() -> None:
    """Nothing of it is invalid, and a histogram survives the wire with its exemplars."""
    at = evening()
    for signal, records in ((METRICS, at.metrics), (TRACES, at.spans), (LOGS, at.logs)):
        assert sift(signal, records).rejected == 0
    assert decode_metrics(encode_metrics(at.metrics)) == at.metrics
    assert all(sum(point.bucket_counts) == point.count for m in at.metrics for point in m.points)
    assert [one.value for one in exemplars(at) if (one.value or 0) > BOUNDS[-1]] == [1.7, 2.9, 3.4]
