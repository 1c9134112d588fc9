"""What tests share: the command line as a process, and a receiver that it runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLI = (sys.executable, "-m", "otlp_kit.cli")


def otlp_kit(*arguments: str | Path, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """Run one command of the kit to its end."""
    return subprocess.run(
        [*CLI, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False
    )


@dataclass
class Running:
    """A receiver in a process of its own."""

    process: subprocess.Popen[str]
    http: str
    grpc: str
    ui: str
    data: Path

    def sql(self, query: str) -> list[dict[str, Any]]:
        """What `otlp-kit sql --json` prints, parsed."""
        answer = otlp_kit("sql", "--data", self.data, "--json", query)
        assert answer.returncode == 0, answer.stderr
        return [json.loads(line) for line in answer.stdout.splitlines()]

    def stop(self) -> str:
        """End it as a user would; returns what it still printed."""
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=15)
        return output


def wait_for_answer(url: str, seconds: float = 60) -> int:
    """The status of `url`, waiting for a server that is still starting."""
    last = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            if time.monotonic() > last:
                raise
            time.sleep(0.2)
