"""JupyterLab as a child process that ends with its parent, kernels included."""

from __future__ import annotations

import importlib.util
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from otlp_kit.cli.station import url
from otlp_kit.settings.process import environment, environment_of_child

CONFIG = Path(__file__).resolve().parents[1] / "lab/jupyter_config"
"""Switches off the question whether to fetch news; read beside the user's own configuration."""

GRACE = 2.0
"""Seconds for Lab to stop its kernels by itself before all that is left is killed."""


class LabProcess:
    """Runs JupyterLab on `notebooks` while the context lasts."""

    def __init__(
        self, notebooks: Path, listening: socket.socket, receiver: Mapping[str, str]
    ) -> None:
        token = secrets.token_urlsafe(16)
        host, port = listening.getsockname()[:2]
        self.url = f"{url(listening)}/lab?token={token}"
        self._listening = listening
        self._command = [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
            f"--ServerApp.ip={host}", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={notebooks}", "--ServerApp.log_level=ERROR",
            # Lab would look for news, updates and extensions on the internet: nothing leaves here.
            "--LabApp.news_url=", "--LabApp.extension_manager=readonly",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]  # fmt: skip
        # The token goes by environment: a command line is readable by every user of the machine.
        configured = environment().get("JUPYTER_CONFIG_PATH")
        self._environment = environment_of_child(
            JUPYTER_TOKEN=token,
            JUPYTER_CONFIG_PATH=os.pathsep.join(filter(None, (str(CONFIG), configured))),
            OTLP_KIT_RECEIVER=receiver["http"],
            OTLP_KIT_PAGE=receiver["ui"],
        )

    @staticmethod
    def installed() -> bool:
        return all(importlib.util.find_spec(name) for name in ("jupyterlab", "psutil"))

    def __enter__(self) -> LabProcess:
        # Lab binds its port itself; until here the socket kept others from taking it.
        self._listening.close()
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for the parent to handle
        )
        return self

    @property
    def ended(self) -> bool:
        """Whether Lab is gone although nobody asked it to stop."""
        return self._process.poll() is not None

    def __exit__(self, *_: object) -> None:
        import psutil

        family: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            lab = psutil.Process(self._process.pid)
            family = [lab, *lab.children(recursive=True)]
        self._process.terminate()
        _ended, alive = psutil.wait_procs(family, timeout=GRACE)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(GRACE)
