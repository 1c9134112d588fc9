"""Whether this thread or task is exporting: what it records now would be about the export itself.

    token = exporting.set(True)         # a processor, around each call of its exporter
    ...
    exporting.reset(token)

A tracer or a log handler that took what is recorded meanwhile would have it exported in its turn, and
so on without end. So both ask here first.
"""

from __future__ import annotations

from contextvars import ContextVar

exporting: ContextVar[bool] = ContextVar("otlp_kit_exporting", default=False)
