"""The whole shop: starts the three services, sends orders at a steady rate, ends them all.

with Shop(receiver_http_url, receiver_grpc_url) as shop:
    shop.order()
"""

from __future__ import annotations

import itertools
import json
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from otlp_kit.settings.process import environment_of_child

SERVICES = ("stock", "payments", "front")
ITEMS = ("tea", "cup", "kettle")
BANKS = ("first", "second", "third", "broke")


class Shop:
    """Three service processes on free ports of loopback, for as long as the context lasts."""

    def __init__(self, http: str, grpc: str) -> None:
        self._environment = environment_of_child(OTEL_EXPORTER_OTLP_ENDPOINT=http)
        self._grpc = grpc
        self._processes: list[subprocess.Popen[bytes]] = []
        self._numbers = itertools.count(1)

    def __enter__(self) -> Shop:
        stock, payments, front = (_free_port() for _ in SERVICES)
        urls = [f"http://127.0.0.1:{port}" for port in (stock, payments)]
        self._url = f"http://127.0.0.1:{front}/orders"
        try:
            self._start("stock", str(stock))
            self._start("payments", str(payments), self._grpc)
            self._start("front", str(front), *urls)
            for port in (stock, payments, front):
                _await_port(port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, service: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"otlp_kit.demo.{service}", *arguments]
        self._processes.append(
            subprocess.Popen(command, env=self._environment, start_new_session=True)
        )

    def order(self) -> bool:
        """Send one order; whether it was confirmed. One in ten is slow, one in four is declined."""
        number = next(self._numbers)
        question = {
            "number": number,
            "item": random.choice(ITEMS),
            "bank": BANKS[number % len(BANKS)],
            "gift_wrap": number % 10 == 0,
        }
        request = urllib.request.Request(self._url, json.dumps(question).encode())
        try:
            with urllib.request.urlopen(request, timeout=20):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return False

    def __exit__(self, *_: object) -> None:
        """Let each service send what it has, as SIGINT makes Python do; then end it."""
        for process in self._processes:
            process.send_signal(signal.SIGINT)
        last = time.monotonic() + 3
        for process in self._processes:
            try:
                process.wait(max(0.0, last - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _await_port(port: int, seconds: float = 30) -> None:
    last = time.monotonic() + seconds
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > last:
            raise TimeoutError("a service of the shop did not start")
        time.sleep(0.05)
