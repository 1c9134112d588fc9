"""The checker of the page *concepts/metrics-model*: which instrument for which task?

    TASKS                       what is to be measured, by a short name
    pick_instrument(answers)    {"request duration": "Histogram", ...}

Instruments differ in four things, in the order in which one should ask. The checker looks for the
first of them in which an answer is wrong, and never prints the right name.

Specification:
https://opentelemetry.io/docs/specs/otel/metrics/supplementary-guidelines/#instrument-selection
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from otlp_kit.lab.exercises import Verdict


class Traits(NamedTuple):
    """What an instrument is for."""

    spread: bool
    """Somebody wants to know how the values are distributed."""
    additive: bool
    """Adding the values of two sources gives a value that means something."""
    monotonic: bool
    """The total never falls."""
    observed: bool
    """Somebody else keeps the value; a callback reads it when points are collected."""


INSTRUMENTS = {
    "Counter": Traits(spread=False, additive=True, monotonic=True, observed=False),
    "UpDownCounter": Traits(spread=False, additive=True, monotonic=False, observed=False),
    "Histogram": Traits(spread=True, additive=True, monotonic=False, observed=False),
    "Gauge": Traits(spread=False, additive=False, monotonic=False, observed=False),
    "ObservableCounter": Traits(spread=False, additive=True, monotonic=True, observed=True),
    "ObservableUpDownCounter": Traits(spread=False, additive=True, monotonic=False, observed=True),
    "ObservableGauge": Traits(spread=False, additive=False, monotonic=False, observed=True),
}

TASKS = {
    "request duration": "How long does a request take? Some day somebody will ask for the slowest"
    " one in a hundred.",
    "bytes sent": "Your code sends a response and knows its size. How many bytes did the fleet send?",
    "orders in work": "Your code begins an order and ends it. How many are being worked on, in all"
    " replicas together?",
    "cpu time": "The operating system counts the seconds of CPU that the process has used since it"
    " began.",
    "memory in use": "The operating system knows how much memory the process has. What do all"
    " replicas need together?",
    "temperature": "A sensor can be read at any time. How warm is it in the rack?",
    "fan speed": "The driver calls your code whenever the speed of a fan changes. How fast does it"
    " turn?",
}
"""What is to be measured, by a short name."""

_RIGHT = {
    "request duration": "Histogram",
    "bytes sent": "Counter",
    "orders in work": "UpDownCounter",
    "cpu time": "ObservableCounter",
    "memory in use": "ObservableUpDownCounter",
    "temperature": "ObservableGauge",
    "fan speed": "Gauge",
}

_REASONS = {
    # trait, whether the answer has it: what is wrong, and what to ask
    ("spread", False): (
        "only a total or a last value would be left, and no quantile can be computed from it.",
        "How the values are spread survives only in buckets.",
    ),
    ("spread", True): (
        "its buckets tell how values are spread, which nobody asked here.",
        "Is the question about each single value, or about one number at a time?",
    ),
    ("additive", False): (
        "what it reports is never added up, but here a sum over sources is wanted.",
        "Take two sources and add their values: does the result mean something?",
    ),
    ("additive", True): (
        "it is added up, and the sum of two such values means nothing.",
        "Take two sources and add their values: does the result mean something?",
    ),
    ("monotonic", False): (
        "it may fall, so a reader cannot take a fall for a restart, nor compute a rate.",
        "Can the total ever become smaller, but by a restart?",
    ),
    ("monotonic", True): (
        "it can only grow, but this value falls too.",
        "Can the total ever become smaller, but by a restart?",
    ),
    ("observed", False): (
        "your code would have to be told of each change, but somebody else keeps this value.",
        "Who knows the value: your code as it happens, or someone whom it can ask?",
    ),
    ("observed", True): (
        "it is read by a callback, but here your code is there when it happens.",
        "Who knows the value: your code as it happens, or someone whom it can ask?",
    ),
}


def pick_instrument(answers: Mapping[str, str]) -> Verdict:
    """`answers` names the right one of `INSTRUMENTS` for each of `TASKS`."""
    if unknown := [task for task in answers if task not in TASKS]:
        return _not_yet(f"there is no task {unknown[0]!r}.", f"They are: {', '.join(TASKS)}.")
    for task in TASKS:
        given = answers.get(task)
        if given is None:
            return _not_yet(f"{task}: no answer.", TASKS[task])
        if given not in INSTRUMENTS:
            names = ", ".join(INSTRUMENTS)
            return _not_yet(f"{task}: there is no instrument {given!r}.", f"They are: {names}.")
        traits, wanted = INSTRUMENTS[given], INSTRUMENTS[_RIGHT[task]]
        for trait, has, should in zip(Traits._fields, traits, wanted, strict=True):
            if has != should:
                difference, hint = _REASONS[trait, has]
                return _not_yet(f"{task}, {given}: {difference}", hint)
    return Verdict(passed=True)


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
