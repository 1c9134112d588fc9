"""The bundle `http-pipeline`, copied into an empty project, delivers to the receiver from there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import Running, otlp_kit

PROGRAM = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "otlp_kit":
            raise ImportError(f"{name} is the original")

sys.meta_path.insert(0, Blocked())

from acme.telemetry.encoding.protobuf_spans import encode_spans
from acme.telemetry.exporters.otlp import OtlpExporter
from acme.telemetry.exporters.otlp_http import HttpSender
from acme.telemetry.model import Resource, Span
from acme.telemetry.processors.batch import BatchProcessor
from acme.telemetry.reliability.retry import Retrying
from acme.telemetry.wire import TRACES

shop = Resource({"service.name": "acme"})
exporter = OtlpExporter(encode_spans, Retrying(HttpSender(sys.argv[1])), TRACES)
processor = BatchProcessor(exporter)
for number in range(1, 1001):
    processor.emit(Span(f"span {number}", bytes(15) + b"t", number.to_bytes(8, "big"), resource=shop))
processor.shutdown(20)
print(processor.totals())
"""


@pytest.mark.slow
def test_the_bundle_delivers_from_another_project(receiver: Running, tmp_path: Path) -> None:
    """The original package is out of reach; every span is in the receiver's database."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme/__init__.py").touch()
    copied = subprocess.run(
        [sys.executable, "-m", "otlp_kit.cli", "copy", "http-pipeline", "--into", "acme/telemetry"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert copied.returncode == 0, copied.stderr
    (tmp_path / "send.py").write_text(PROGRAM)
    sent = subprocess.run(
        [sys.executable, "send.py", receiver.http],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (sent.stdout, sent.stderr) == ("created 1,000 = delivered 1,000\n", "")
    [row] = receiver.sql("select service, count(distinct span_id) as spans from spans group by 1")
    assert row == {"service": "acme", "spans": 1000}
    assert "acme" in otlp_kit("traces", "--data", receiver.data).stdout
