"""The built site over HTTP, from a thread: plain files, nothing else."""

from __future__ import annotations

import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from otlp_kit.cli.station import url


class _Files(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10  # an idle browser connection must not hold up the end

    def log_message(self, *_: Any) -> None:
        """The status line is the only thing that writes to the terminal."""


class SiteServer:
    """Serves `directory` on a bound socket while the context lasts."""

    def __init__(self, directory: Path, listening: socket.socket) -> None:
        self.url = url(listening)
        handler = partial(_Files, directory=str(directory))
        self._server = ThreadingHTTPServer(
            listening.getsockname()[:2], handler, bind_and_activate=False
        )
        self._server.socket.close()
        self._server.socket = listening
        listening.listen(64)
        self._server.daemon_threads = True

    def __enter__(self) -> SiteServer:
        serve = partial(self._server.serve_forever, poll_interval=0.1)
        threading.Thread(target=serve, name="otlp-kit-site", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
