"""A process that forks while its sender is busy: `python -m tests.exporters.grpc_forking URL`.

It prints what became of the children's sends and of the parent's. A process of its own, since a
fork copies only one thread, and the caller has many.
"""

from __future__ import annotations

import os
import sys
import threading

from otlp_kit.exporters.otlp_grpc import GrpcSender
from otlp_kit.wire import TRACES, Payload
from tests.exporters.grpc_servers import soon

CHILDREN = 10


def main(url: str) -> None:
    """Fork with four threads that send without a pause; each child sends once and closes."""
    sender = GrpcSender(url)
    sender.send(Payload(TRACES, b"parent", 1), soon())
    stop = threading.Event()
    failures: list[Exception] = []

    def busy() -> None:
        while not stop.is_set():
            try:
                sender.send(Payload(TRACES, b"busy" * 1000, 1), soon())
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=busy) for _ in range(4)]
    for thread in threads:
        thread.start()
    codes = []
    for number in range(CHILDREN):
        child = os.fork()
        if not child:
            sender.send(Payload(TRACES, b"child", 1), soon())
            sender.close()
            if number % 2:
                sys.exit(0)  # with the interpreter's whole clean-up, which destroys objects
            os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    stop.set()
    for thread in threads:
        thread.join()
    sender.send(Payload(TRACES, b"parent", 1), soon())
    sender.close()
    print(f"children {codes.count(0)}, failures in the parent {failures}")


if __name__ == "__main__":
    main(sys.argv[1])
