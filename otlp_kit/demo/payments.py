"""The shop's payments: one event loop, spans over OTLP/gRPC.

    python -m otlp_kit.demo.payments PORT GRPC_ENDPOINT

The failing path: cards of the bank `broke` are declined.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from otlp_kit.demo.telemetry import grpc_traces


class Declined(Exception):
    """The bank said no."""


async def ask_bank(bank: str) -> None:
    with trace.get_tracer("shop.payments", "1.0").start_as_current_span(
        "ask bank", kind=SpanKind.CLIENT, attributes={"bank": bank}
    ):
        await asyncio.sleep(random.uniform(0.005, 0.02))
        if bank == "broke":
            raise Declined("card declined")


async def charge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One HTTP request per connection: enough for a client that closes after each."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    except asyncio.IncompleteReadError:  # somebody only looked whether the port is open
        writer.close()
        return
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    question = json.loads(await reader.readexactly(int(headers["content-length"])))
    with trace.get_tracer("shop.payments", "1.0").start_as_current_span(
        "POST /charge", context=propagate.extract(headers), kind=SpanKind.SERVER
    ) as span:
        try:
            await ask_bank(question["bank"])
            status, answer = "200 OK", {"charged": question["number"]}
        except Declined as declined:
            status, answer = "502 Bad Gateway", {"error": str(declined)}
            span.set_status(Status(StatusCode.ERROR, str(declined)))
    body = json.dumps(answer).encode()
    writer.write(
        f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        + body
    )
    await writer.drain()
    writer.close()


async def serve(port: int) -> None:
    async with await asyncio.start_server(charge, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    finish = grpc_traces("payments", sys.argv[2])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1])))
    finish()
