"""A process that forks between exports: this module as a program, with `grpc ENDPOINT`.

The parent exports before it forks; then parent and child export at the same time, three times. A
process of its own, since a fork copies only one thread, and the caller has those of a server.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.adapters.otlp_sides import spans

FORKS, EXPORTS = 3, 10


def fork_and_export(transport: str, endpoint: str) -> None:
    """Run it, and raise if anything but success was reported on either side."""
    program = [sys.executable, "-m", __name__, transport, endpoint]
    subprocess.run(program, check=True, timeout=60, cwd=Path(__file__).parents[__name__.count(".")])


def main(transport: str, endpoint: str) -> None:
    exporter: Any
    if transport == "grpc":
        from otlp_kit.adapters import otlp_grpc

        exporter = otlp_grpc.OTLPSpanExporter(endpoint)
    else:
        from otlp_kit.adapters import otlp_http

        exporter = otlp_http.OTLPSpanExporter(endpoint)

    def export(count: int) -> bool:
        return all(exporter.export(spans(1)).name == "SUCCESS" for _ in range(count))

    assert export(1)
    for _ in range(FORKS):
        child = os.fork()
        if not child:
            # What the parent exported is not in the child's accounts.
            good = export(EXPORTS) and exporter.totals().delivered == EXPORTS
            os._exit(0 if good else 1)
        assert export(EXPORTS)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert exporter.totals().delivered == 1 + FORKS * EXPORTS
    exporter.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
