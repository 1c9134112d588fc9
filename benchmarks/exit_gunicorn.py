"""The application that `exit_matrix` serves with `gunicorn --preload`.

Loaded once in the master, where a burst is emitted, then forked: each request emits another burst,
in the worker. The arguments of `exit_program.Program` come in the variable `EXIT_PROGRAM`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from benchmarks.exit_program import Program

logging.basicConfig(level=logging.INFO)
side, ending, endpoint, count = os.environ["EXIT_PROGRAM"].split()
program = Program(side, ending, endpoint, int(count))
program.emit()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """A WSGI application."""
    program.emit()
    start_response("200 OK", [("Content-Length", "0")])
    return []
