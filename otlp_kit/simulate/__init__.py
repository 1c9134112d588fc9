"""Pipelines on virtual time, to size them before they run and to break them in a lesson.

Programs emit records by a list of times (`arrivals`) into the kit's own queue (`pipeline`), clients
carry the batches away and retry (`clients`), a peer takes them, slowly or not at all (`server`), and
a `report` says what became of each record. `events` is the time that they share; `run` puts them
together. Each kind of run has a twin in tests/simulate/test_twins.py that happens for real.

    >>> from otlp_kit.simulate import Outage, Program, Server, simulate, steady
    >>> report = simulate(
    ...     Program(steady(1000, 10), capacity=2000, batch_size=500, delay=1.0),
    ...     server=Server(round_trip=0.8),
    ... )
    >>> print(report.totals)
    created 10,000 = delivered 8,000 + dropped 2,000 (queue_full 2,000)
    >>> report.peak, round(report.mean_length), round(report.wait(0.99), 1)
    (2500, 1267, 3.2)
"""

from otlp_kit.simulate.arrivals import bursts, merged, poisson, steady, trace
from otlp_kit.simulate.clients import NEVER, Retry
from otlp_kit.simulate.report import Report
from otlp_kit.simulate.run import Program, simulate
from otlp_kit.simulate.server import Outage, Server

__all__ = [
    "NEVER",
    "Outage",
    "Program",
    "Report",
    "Retry",
    "Server",
    "bursts",
    "merged",
    "poisson",
    "simulate",
    "steady",
    "trace",
]
