"""Arguments of the official classes: in milliseconds, and from the environment when left out.

    delay = seconds(schedule_delay_millis, "OTEL_BSP_SCHEDULE_DELAY")
    queue_size, batch_size = sizes(max_queue_size, max_export_batch_size, "OTEL_BSP")

An argument is taken as it is, and a bad one is refused by whoever uses it. What the environment says
must not stop a program: `otel_env` reports a bad value and uses the default.

Specification: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import logging

from otlp_kit.settings import otel_env

log = logging.getLogger(__name__)

SOON = 0.001
"""Seconds that stand for 0 where something has to be waited for."""
NO_LIMIT = 1e9
"""Seconds that stand for 0 where it means no limit."""


def seconds(milliseconds: float | None, variable: str) -> float:
    """The argument, or the variable if it was left out, in seconds.

    0 is allowed in the environment only: as soon as possible for a delay, no limit for a timeout.
    """
    if milliseconds is not None:
        return milliseconds / 1000
    return otel_env.read(variable) or (NO_LIMIT if variable.endswith("TIMEOUT") else SOON)


def sizes(queue_size: int | None, batch_size: int | None, prefix: str) -> tuple[int, int]:
    """Size of the queue and of a batch; of the environment, a batch larger than the queue is cut."""
    queue = otel_env.read(f"{prefix}_MAX_QUEUE_SIZE") if queue_size is None else queue_size
    if batch_size is not None:
        return queue, batch_size
    batch = otel_env.read(f"{prefix}_MAX_EXPORT_BATCH_SIZE")
    if batch > queue:
        log.warning("a batch of %d does not fit into a queue of %d; using %d", batch, queue, queue)
    return queue, min(batch, queue)
