"""Zero code: the kit's exporters under the official configuration by environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from otlp_kit.adapters import otlp_grpc, otlp_http, otlp_protocol
from otlp_kit.adapters.otlp_protocol import CLASSES, exporter_class
from otlp_kit.wire import LOGS, METRICS, SIGNALS, TRACES, Signal
from tests.receiver.test_official_exporters import Receiver

BASES = {TRACES: SpanExporter, LOGS: LogRecordExporter, METRICS: MetricExporter}


def entry_point(signal: Signal) -> EntryPoint:
    """As the package has to declare it."""
    value = f"{otlp_protocol.__name__}:{CLASSES[signal]}"
    return EntryPoint("otlp_kit", value, f"opentelemetry_{signal.name}_exporter")


@pytest.mark.spec("OTLP-100")
@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
@pytest.mark.parametrize(
    ("protocol", "module"),
    [("", otlp_http), ("http/protobuf", otlp_http), ("http/json", otlp_http), ("grpc", otlp_grpc)],
)
def test_the_class_is_chosen_by_protocol(
    signal: Signal, protocol: str, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By argument, by the variable of the signal, and as the entry point is loaded."""
    expected = getattr(module, CLASSES[signal])
    if protocol:
        assert exporter_class(signal, protocol) is expected
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc" if protocol else "")
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal.name.upper()}_PROTOCOL", protocol)
    assert exporter_class(signal) is expected
    assert entry_point(signal).load() is expected
    assert issubclass(expected, BASES[signal])


def test_a_protocol_that_there_is_not_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """In an argument; in the environment it is a warning and the default."""
    with pytest.raises(ValueError, match="protocol must be one of grpc, http/protobuf, http/json"):
        exporter_class(TRACES, "thrift")
    with pytest.raises(AttributeError, match="no attribute 'OTLPProfileExporter'"):
        getattr(otlp_protocol, "OTLPProfileExporter")  # noqa: B009
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "thrift")
        assert exporter_class(LOGS) is otlp_http.OTLPLogExporter
    assert "OTEL_EXPORTER_OTLP_PROTOCOL" in caplog.text


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


SHOP = """
import logging
from opentelemetry import metrics, trace
with trace.get_tracer("shop").start_as_current_span("sell"):
    logging.getLogger("shop").warning("sold")
    metrics.get_meter("shop").create_counter("sales").add(1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["", "http/json", "grpc"])
def test_a_program_sends_all_three_signals_with_zero_code(
    receiver: Receiver, protocol: str, tmp_path: Path
) -> None:
    """`opentelemetry-instrument`, the variables of the SDK, and nothing of the kit in the program."""
    receiver.store._batches.clear()
    # A distribution beside the kit declares what the kit's own does once it is installed anew, and
    # what the package opentelemetry-distro does: that the SDK configures itself.
    declared = tmp_path / "declares-1.0.dist-info"
    declared.mkdir()
    (declared / "METADATA").write_text("Metadata-Version: 2.1\nName: declares\nVersion: 1.0\n")
    points = [entry_point(signal) for signal in SIGNALS]
    configurator = "opentelemetry.sdk._configuration:_OTelSDKConfigurator"
    points.append(EntryPoint("configurator", configurator, "opentelemetry_configurator"))
    text = "".join(f"[{point.group}]\n{point.name} = {point.value}\n" for point in points)
    (declared / "entry_points.txt").write_text(text)
    (tmp_path / "shop.py").write_text(SHOP)

    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environ |= {f"OTEL_{signal.name.upper()}_EXPORTER": "otlp_kit" for signal in SIGNALS}
    environ |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": (
            f"http://{receiver.grpc}" if protocol == "grpc" else receiver.http
        ),
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}",
    }
    program = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
    run = subprocess.run(
        [sys.executable, "-c", program, sys.executable, str(tmp_path / "shop.py")],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    kinds = sorted({type(record).__name__ for record in receiver.store.records()})
    assert kinds == ["LogRecord", "Metric", "Span"], run.stderr
