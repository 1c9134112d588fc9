"""A process that forks while its metric reader exports: `python -m tests.adapters.contract_fork kit`.

It prints whether the child's reader exports. A process of its own, since a fork copies only one
thread, and the caller may have many.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from opentelemetry.sdk.metrics.export import MetricExportResult

from tests.adapters.contract_cases import KIT, LIMIT, OFFICIAL, Points, Stuck, meter_of


def main(name: str) -> None:
    """Fork inside the parent's export; the child flushes, and is asked what it exported."""
    stuck = Stuck(MetricExportResult.SUCCESS)
    parent = os.getpid()

    def behave() -> Any:
        return stuck() if os.getpid() == parent else MetricExportResult.SUCCESS

    exporter = Points(behave)
    reader = next(side for side in (OFFICIAL, KIT) if side.name == name).reader(exporter)
    meter_of(reader).create_counter("c").add(1)
    threading.Thread(target=reader.force_flush, daemon=True).start()
    stuck.entered.wait(20)
    child = os.fork()
    if not child:
        exporter.calls.clear()
        threading.Thread(target=reader.force_flush, daemon=True).start()
        last = time.monotonic() + LIMIT
        while not exporter.calls and time.monotonic() < last:
            time.sleep(0.01)
        os._exit(0 if "export" in exporter.calls else 1)
    exported = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    stuck.let_go.set()
    print("the child exports" if exported else "the child exports nothing", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
