"""Each wrong instrument is refused for what it is not; what instruments are, the official SDK says."""

from __future__ import annotations

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Gauge, Histogram, InMemoryMetricReader, Sum

from otlp_kit.lab.exercises_metrics import INSTRUMENTS, TASKS, Traits, pick_instrument

RIGHT = {
    "request duration": "Histogram",
    "bytes sent": "Counter",
    "orders in work": "UpDownCounter",
    "cpu time": "ObservableCounter",
    "memory in use": "ObservableUpDownCounter",
    "temperature": "ObservableGauge",
    "fan speed": "Gauge",
}


def test_the_right_instruments_pass() -> None:
    """Each instrument is the right one for one task."""
    assert pick_instrument(RIGHT).passed
    assert set(RIGHT) == set(TASKS)
    assert set(RIGHT.values()) == set(INSTRUMENTS)


@pytest.mark.parametrize(
    ("task", "answer", "difference"),
    [
        ("request duration", "Gauge", "no quantile can be computed"),
        ("request duration", "Counter", "no quantile can be computed"),
        ("bytes sent", "Histogram", "nobody asked here"),
        ("bytes sent", "Gauge", "is never added up"),
        ("bytes sent", "UpDownCounter", "nor compute a rate"),
        ("bytes sent", "ObservableCounter", "your code is there when it happens"),
        ("orders in work", "Counter", "this value falls too"),
        ("orders in work", "ObservableUpDownCounter", "your code is there when it happens"),
        ("cpu time", "Counter", "somebody else keeps this value"),
        ("cpu time", "ObservableGauge", "is never added up"),
        ("memory in use", "ObservableCounter", "this value falls too"),
        ("memory in use", "ObservableGauge", "is never added up"),
        ("temperature", "ObservableUpDownCounter", "means nothing"),
        ("temperature", "Gauge", "somebody else keeps this value"),
        ("fan speed", "ObservableGauge", "your code is there when it happens"),
        ("fan speed", "Histogram", "nobody asked here"),
    ],
)
def test_a_wrong_instrument_is_refused_for_its_own_reason(
    task: str, answer: str, difference: str
) -> None:
    """The first trait that does not fit is named, and the right instrument is not."""
    verdict = pick_instrument({**RIGHT, task: answer})
    assert not verdict.passed
    assert verdict.difference.startswith(f"{task}, {answer}: ")
    assert difference in verdict.difference
    assert verdict.hint
    assert RIGHT[task] not in repr(verdict).replace(answer, "")


@pytest.mark.parametrize(
    ("answers", "difference"),
    [
        ({}, "request duration: no answer"),
        ({**RIGHT, "fan speed": "Summary"}, "fan speed: there is no instrument 'Summary'"),
        ({**RIGHT, "fan": "Gauge"}, "there is no task 'fan'"),
    ],
)
def test_an_answer_that_answers_nothing_is_refused(
    answers: dict[str, str], difference: str
) -> None:
    """A task left out, an instrument that does not exist, a task that does not."""
    assert difference in pick_instrument(answers).difference


@pytest.mark.parametrize(("name", "traits"), INSTRUMENTS.items())
def test_the_official_sdk_agrees_about_the_instruments(name: str, traits: Traits) -> None:
    """What an instrument's points are by default, and whether a callback feeds it."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader]).get_meter("test")

    def read(_: CallbackOptions) -> list[Observation]:
        return [Observation(1)]

    if traits.observed:
        kind = name.removeprefix("Observable").replace("UpDown", "up_down_").lower()
        getattr(meter, f"create_observable_{kind}")("m", callbacks=[read])
    else:
        kind = name.replace("UpDown", "up_down_").lower()
        instrument = getattr(meter, f"create_{kind}")("m")
        one = {"Gauge": "set", "Histogram": "record"}.get(name, "add")
        getattr(instrument, one)(1)

    collected = reader.get_metrics_data()
    assert collected
    data = collected.resource_metrics[0].scope_metrics[0].metrics[0].data
    assert isinstance(data, Histogram) == traits.spread
    assert isinstance(data, Gauge) != traits.additive
    assert (isinstance(data, Sum) and data.is_monotonic) == traits.monotonic
