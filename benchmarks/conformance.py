"""Which lines of OTLP's client side hold for the official exporters, and for the kit's.

Each exporter is put through `check_exporter`. The table, with what was seen where a line does not
hold, is kept beside the facts in `results/conformance.json` under `exporters`. Nothing is measured
but whether: a run on another machine says the same, and another release may not.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, cast

from benchmarks.harness import RESULTS, Fact, judge, record
from otlp_kit.cli.cmd_conform import as_json
from otlp_kit.cli.conform_exporters import NAMED
from otlp_kit.testing.check_exporter import Report, Transport, check_exporter

SOURCES = [
    "benchmarks/conformance.py",
    "otlp_kit/adapters/sdk_conformance.py",
    "otlp_kit/cli/conform_exporters.py",
    "otlp_kit/exporters/otlp.py",
    "otlp_kit/exporters/otlp_grpc.py",
    "otlp_kit/exporters/otlp_http.py",
    "otlp_kit/reliability/retry.py",
    "otlp_kit/testing/check_exporter.py",
    "otlp_kit/testing/exporter_bench.py",
    "otlp_kit/testing/exporter_checks.py",
    "otlp_kit/testing/exporter_checks_grpc.py",
    "otlp_kit/testing/exporter_checks_http.py",
    "otlp_kit/testing/exporter_checks_retry.py",
    "otlp_kit/testing/exporter_subject.py",
    "otlp_kit/testing/exporter_transports.py",
    "otlp_kit/testing/exporter_verdicts.py",
]
PACKAGES = [
    "grpcio",
    "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-sdk",
    "urllib3",
]


def facts(reports: Mapping[str, Report]) -> dict[str, Fact]:
    """How many lines of each exporter pass and fail."""
    found = {}
    for name, report in reports.items():
        for verdict in ("pass", "fail"):
            count = sum(one.verdict == verdict for one in report.results)
            what = f"lines of the specification at which the exporter {name} is a {verdict}"
            found[f"conformance.{name}.{verdict}"] = Fact(count, count, count, "lines", what)
    return found


def table(reports: Mapping[str, Report]) -> str:
    """One row for each line, one column for each exporter."""
    lines = sorted(
        {(one.line.number, one.line.level) for r in reports.values() for one in r.results}
    )
    texts = {one.line.number: one.line.text for r in reports.values() for one in r.results}
    verdicts = {name: report.verdicts() for name, report in reports.items()}
    rows = [f"{'line':4}  {'':6}  " + "  ".join(f"{name:13}" for name in reports)]
    for number, level in lines:
        cells = "  ".join(f"{verdicts[name].get(number, '-'):13}" for name in reports)
        rows.append(f"{number:4}  {level:6}  {cells}  {texts[number]}")
    return "\n".join(rows)


def run() -> dict[str, Report]:
    """All exporters that `otlp-kit conform exporter` knows by name."""
    os.environ["GRPC_VERBOSITY"] = "NONE"
    logging.disable(logging.CRITICAL)  # of troubles that are made for them
    return {
        name: check_exporter(one.factory(), cast(Transport, one.transport))
        for name, one in NAMED.items()
    }


def keep(reports: Mapping[str, Report]) -> None:
    """Write the facts, and the tables beside them."""
    record("conformance", facts(reports), sources=SOURCES, packages=PACKAGES)
    path = RESULTS / "conformance.json"
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    result["exporters"] = {name: as_json(name, report) for name, report in reports.items()}
    path.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


def main() -> int:
    reports = run()
    print(table(reports))
    keep(reports)
    return judge(facts(reports))


if __name__ == "__main__":
    sys.exit(main())
