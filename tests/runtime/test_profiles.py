"""A profile is a set of values with reasons: complete, free of contradictions, and honoured."""

from __future__ import annotations

import asyncio
import dataclasses
import pickle
from typing import Any, get_args

import pytest

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.processors import buffer
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.processors.batch_async import AsyncBatchProcessor, InThread
from otlp_kit.processors.outcome import Outcome
from otlp_kit.runtime import profiles
from otlp_kit.runtime.lifecycle import EXIT_TIMEOUT
from otlp_kit.runtime.profiles import DEVELOPMENT, PRODUCTION, PROFILES, THROUGHPUT, Profile
from otlp_kit.settings.otel_env import TABLE
from otlp_kit.tracing.samplers import sampler_named
from otlp_kit.wire import TRACES

SIGKILL_AFTER = 30.0
"""https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination"""

VARIABLES = {
    "max_queue_size": "OTEL_BSP_MAX_QUEUE_SIZE",
    "max_batch_size": "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "delay": "OTEL_BSP_SCHEDULE_DELAY",
    "export_timeout": "OTEL_BSP_EXPORT_TIMEOUT",
    "request_timeout": "OTEL_EXPORTER_OTLP_TIMEOUT",
    "compression": "OTEL_EXPORTER_OTLP_COMPRESSION",
    "sampler": "OTEL_TRACES_SAMPLER",
}

each_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())


def exporter(profile: Profile) -> OtlpExporter[Any]:
    return OtlpExporter(encode_spans, HttpSender(**profile.sender()), TRACES)


@each_profile
def test_every_setting_has_a_value_a_unit_and_a_reason(profile: Profile) -> None:
    """A number without a unit, or a choice without a reason, cannot be read."""
    names = [one.name for one in dataclasses.fields(Profile)]
    assert [setting.name for setting in profile.settings()] == names[1:-1]
    for setting in profile.settings():
        assert setting.value == getattr(profile, setting.name)
        assert bool(setting.unit) == isinstance(setting.value, int | float)
        assert len(setting.reason.split()) >= 4


@each_profile
def test_what_is_called_the_default_is_the_specifications(profile: Profile) -> None:
    """And what is the specification's default is called so."""
    said = {one.name for one in profile.settings() if one.reason.startswith("the default")}
    values = {one.name: one.value for one in profile.settings()}
    assert said == {name for name, row in VARIABLES.items() if values[name] == TABLE[row].default}


@each_profile
def test_the_batch_processor_and_the_sender_take_the_values(profile: Profile) -> None:
    """The processor shows what it was given."""
    processor = BatchProcessor(exporter(profile), **profile.batch())
    assert f"queued 0/{profile.max_queue_size}" in repr(processor)
    assert processor.shutdown(profile.shutdown_timeout) is Outcome.FLUSHED


async def in_a_loop(profile: Profile) -> Outcome:
    async with AsyncBatchProcessor(InThread(exporter(profile)), **profile.batch()) as processor:
        assert f"queued 0/{profile.max_queue_size}" in repr(processor)
        return await processor.shutdown(profile.shutdown_timeout)


@each_profile
def test_so_does_the_processor_for_an_event_loop(profile: Profile) -> None:
    """None of the profiles blocks, so one set of arguments serves both."""
    assert asyncio.run(in_a_loop(profile)) is Outcome.FLUSHED


@pytest.mark.parametrize(
    ("profile", "sampler"),
    [
        (DEVELOPMENT, "AlwaysOnSampler"),
        (PRODUCTION, "ParentBased{root:AlwaysOnSampler"),
        (THROUGHPUT, "ParentBased{root:TraceIdRatioBased{0.100000}"),
    ],
    ids=PROFILES.keys(),
)
def test_the_sampler_is_made_as_from_the_environment(
    profile: Profile, sampler: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Name and argument are the text of the two variables, and nobody has to warn."""
    assert str(sampler_named(*profile.head_sampler())).startswith(sampler)
    assert not caplog.records


def test_the_names_of_samplers_are_those_of_the_environment() -> None:
    """The table of the environment takes all of them."""
    parse = TABLE["OTEL_TRACES_SAMPLER"].parse
    assert [parse(name) for name in profiles.SAMPLERS] == list(profiles.SAMPLERS)


def test_the_policies_are_those_of_the_buffer() -> None:
    """Neighbours may not import each other; this test may."""
    assert get_args(profiles.WhenFull) == get_args(buffer.WhenFull)


@each_profile
def test_a_process_ends_before_it_is_killed(profile: Profile) -> None:
    """The supervisor's patience is not all telemetry's."""
    assert profile.shutdown_timeout < SIGKILL_AFTER
    assert PRODUCTION.shutdown_timeout == EXIT_TIMEOUT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_batch_size": 4096}, "at most max_queue_size, not 4096 of 2048"),
        ({"max_batch_size": 0}, "max_batch_size must be at least 1"),
        ({"in_flight": 0}, "in_flight must be at least 1, not 0"),
        ({"when_full": "explode"}, "drop_newest, drop_oldest, block, sample, not 'explode'"),
        ({"delay": 0.0}, "delay must be more than 0 seconds"),
        ({"delay": float("nan")}, "delay must be more than 0 seconds"),
        (
            {"shutdown_timeout": float("inf")},
            "shutdown_timeout must be more than 0 seconds and fin",
        ),
        ({"request_timeout": 6.0}, "at most export_timeout, which ends the request, not 6 > 5"),
        ({"compression": "zstd"}, "compression must be one of none, gzip, not 'zstd'"),
        ({"sampler": "half"}, "sampler must be one of always_on, always_off, parentbased_"),
        ({"sampler": "traceidratio"}, "sampler_argument must be from 0 to 1, not None"),
        ({"sampler": "traceidratio", "sampler_argument": 1.5}, "from 0 to 1, not 1.5"),
        ({"sampler_argument": 0.5}, "sampler_argument must be None: always_on takes none"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    """When the profile is made, with the name of the setting and of the profile."""
    with pytest.raises(ValueError, match=r"^profile mine: ") as refused:
        DEVELOPMENT.but("mine", **{name: (value, "to see") for name, value in changes.items()})
    assert message in str(refused.value)


def test_no_setting_without_a_reason() -> None:
    """Neither left out, nor empty, nor for a setting that does not exist."""
    reasons = dict(DEVELOPMENT.reasons)
    del reasons["delay"]
    with pytest.raises(ValueError, match="delay has no reason"):
        dataclasses.replace(DEVELOPMENT, reasons=reasons)
    with pytest.raises(ValueError, match="the reason for delay is empty"):
        DEVELOPMENT.but("mine", delay=(1.0, " "))
    with pytest.raises(ValueError, match="there is no setting dealy"):
        dataclasses.replace(DEVELOPMENT, reasons={**DEVELOPMENT.reasons, "dealy": "a slip"})
    with pytest.raises(TypeError, match="dealy"):
        DEVELOPMENT.but("mine", dealy=(1.0, "a slip"))


def test_a_profile_of_ones_own_says_what_is_different_and_why() -> None:
    """The rest keeps its value and its reason; the original keeps all."""
    mine = PRODUCTION.but("far away", in_flight=(4, "the collector is 80 ms away"))
    changed = set(mine.settings()) - set(PRODUCTION.settings())
    assert [(one.name, one.value, one.reason) for one in changed] == [
        ("in_flight", 4, "the collector is 80 ms away")
    ]
    assert (mine.name, PRODUCTION.in_flight) == ("far away", 2)


def test_a_profile_is_a_value() -> None:
    """Frozen, hashable, and the same after a journey to another process."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRODUCTION.delay = 5.0  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(PRODUCTION)) == PRODUCTION
    assert len({PRODUCTION, DEVELOPMENT}) == 2
