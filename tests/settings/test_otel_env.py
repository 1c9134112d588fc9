"""The variables OTEL_*, read by the specification's rules."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import environment_variables as api_variables
from opentelemetry.sdk import environment_variables as sdk_variables

from otlp_kit.settings.otel_env import TABLE, read, read_otlp


@pytest.mark.spec("SDK-P25")
@pytest.mark.parametrize("name", TABLE)
def test_empty_is_unset(name: str) -> None:
    """The default holds for an empty variable as for none, and for blanks."""
    assert (
        read(name, {name: ""}) == read(name, {name: "  "}) == read(name, {}) == TABLE[name].default
    )


@pytest.mark.parametrize("name", TABLE)
def test_every_name_is_known_to_the_official_sdk(name: str) -> None:
    """No variable is made up."""
    assert name in {**vars(api_variables), **vars(sdk_variables)}


@pytest.mark.spec("PEER-7")
@pytest.mark.spec("SDK-P25")
@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("OTEL_SDK_DISABLED", "TRUE", True),
        ("OTEL_SDK_DISABLED", "false", False),
        ("OTEL_BSP_SCHEDULE_DELAY", "250", 0.25),
        ("OTEL_BSP_SCHEDULE_DELAY", "0", 0.0),
        ("OTEL_BSP_MAX_QUEUE_SIZE", " 7 ", 7),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "GRPC", "grpc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "GZip", "gzip"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000", 10.0),
        ("OTEL_PROPAGATORS", "b3, tracecontext,b3,", ("b3", "tracecontext")),
        ("OTEL_EXPORTER_OTLP_HEADERS", "k=v, k2=a%20b=c ,", {"k": "v", "k2": "a b=c"}),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=caf%C3%A9", {"service.name": "café"}),
    ],
)
def test_good_values_are_read(name: str, text: str, value: Any, caplog: Any) -> None:
    """Durations are milliseconds there and seconds here; names of choices have no case."""
    assert read(name, {name: text}) == value
    assert caplog.records == []


@pytest.mark.spec("SDK-P25")
@pytest.mark.spec("PEER-26")
@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("OTEL_SDK_DISABLED", "1", "must be true or false"),
        ("OTEL_SDK_DISABLED", "yes", "must be true or false"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "at least 1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "at least 1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "must be an integer"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1_000", "must be an integer"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1e3", "must be an integer"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "٣", "must be an integer"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "9" * 5000, "must be an integer"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-5", "at least 0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1.5", "must be an integer"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http", "one of grpc, http/protobuf, http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", "one of none, gzip"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "one of always_on"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b", "key=value"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%FF", "percent-encoded UTF-8"),
    ],
)
def test_a_bad_value_is_one_warning_and_the_default(
    name: str, text: str, rule: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It names the variable and the rule, and the program starts."""
    assert read(name, {name: text}) == TABLE[name].default
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert name in record.message
    assert rule in record.message


def test_a_secret_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    """Headers carry credentials: the warning does not."""
    name = "OTEL_EXPORTER_OTLP_HEADERS"
    assert read(name, {name: "authorization: Bearer hunter2"}) == {}
    assert "hunter2" not in caplog.text
    assert name in caplog.text


def test_a_signal_has_its_own_or_the_common_setting() -> None:
    """The variable of the signal wins; where it is unset or bad, that of all signals holds."""
    common = {"OTEL_EXPORTER_OTLP_TIMEOUT": "3000"}
    assert read_otlp("TIMEOUT", "traces", {}) == 10.0
    assert read_otlp("TIMEOUT", "traces", common) == 3.0
    own = {**common, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "500"}
    assert read_otlp("TIMEOUT", "traces", own) == 0.5
    assert read_otlp("TIMEOUT", "logs", own) == 3.0


@given(st.sampled_from(sorted(TABLE)), st.text(max_size=30))
def test_no_text_stops_a_program(name: str, text: str) -> None:
    """Whatever stands in a variable, reading it returns."""
    read(name, {name: text})


def test_a_name_that_is_not_in_the_table_is_a_mistake_of_the_caller() -> None:
    """Nothing is read that the table does not list."""
    with pytest.raises(KeyError):
        read("OTEL_MADE_UP", {})
