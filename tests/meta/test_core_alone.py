"""What holds for the kit as a whole, and for no module alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import otlp_kit
from otlp_kit.exporters.otlp_http import USER_AGENT


def test_the_standard_library_is_all_it_needs() -> None:
    """The core imports with nothing installed: an interpreter without site-packages runs it."""
    code = (
        "import otlp_kit.stores.sqlite_store, otlp_kit.stores.memory_store, otlp_kit.views.waterfall,"
        "otlp_kit.encoding.protobuf_spans, otlp_kit.encoding.protobuf_read_spans,"
        "otlp_kit.processors.batch, otlp_kit.receiver.service, otlp_kit.testing.loopback,"
        "otlp_kit.testing.fake_clock, otlp_kit.settings.otel_env, otlp_kit.lab.exercises,"
        "otlp_kit.simulate, otlp_kit.reliability.backoff, otlp_kit.processors.tail_sampling,"
        "otlp_kit.tracing.samplers, otlp_kit.tracing.composite, otlp_kit.runtime.profiles"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {code}"],
                   check=True)  # fmt: skip


def test_the_user_agent_names_the_version() -> None:
    """A server's log tells which release sent a request."""
    assert USER_AGENT.endswith(f"OTel-OTLP-Exporter-Python/{otlp_kit.__version__}")


def test_the_official_sdk_stays_at_its_edge() -> None:
    """Only the adapters and the demo import the SDK; the tracer keeps to the API."""
    package = Path(otlp_kit.__file__).parent
    knows = {
        file.relative_to(package).parts[0]
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("opentelemetry.sdk")
    }
    assert knows == {"adapters", "demo"}
