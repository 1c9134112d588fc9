# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 gRPC or HTTP: predict a rate, then run both
#
# How many spans a second can leave a process? One formula of four letters answers it, and the protocol is
# not among them. You predict, both senders run against servers on this machine that take their time to
# answer, and at the end you reach a rate that one request at a time cannot.
#
# The pages that go with it: *concepts/grpc-or-http*, *concepts/runtime* and *concepts/queue*.
#
# ## Two servers that take their time
#
# Each answers every request after the same number of seconds, as a peer far away would.

# %%
import random
import time
from contextlib import contextmanager
from dataclasses import replace

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.exporters.otlp_grpc import GrpcSender
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.model import Resource, Scope, Span
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.testing.hostile_answers import success
from otlp_kit.testing.hostile_grpc import GrpcAnswer, HostileGrpcServer
from otlp_kit.testing.hostile_server import HostileServer
from otlp_kit.wire import TRACES

chance, shop, scope = random.Random(1), Resource({"service.name": "shop"}), Scope("shop.http")
SPANS = [
    Span(
        "GET /cart",
        chance.randbytes(16),
        chance.randbytes(8),
        attributes={"http.route": "/cart", "user.id": number},
        resource=shop,
        scope=scope,
    )
    for number in range(1000)
]


@contextmanager
def peer(protocol, round_trip):
    if protocol == "HTTP":
        with HostileServer([replace(success(), delay=round_trip)]) as server:
            yield HttpSender(server.endpoint)
    else:
        with HostileGrpcServer([GrpcAnswer(delay=round_trip)]) as server:
            yield GrpcSender(server.endpoint)


# %% [markdown]
# A run fills the queue, then empties it as fast as it can. A first request, which is not counted, opens the
# connection.


# %%
def rate(protocol, round_trip, in_flight, batch_size, requests):
    with peer(protocol, round_trip) as sender:
        exporter = OtlpExporter(encode_spans, sender, TRACES)
        exporter.export(SPANS[:1], time.monotonic() + 10)
        spans = (SPANS * (1 + requests * batch_size // len(SPANS)))[: requests * batch_size]
        processor = BatchProcessor(
            exporter,
            max_queue_size=len(spans),
            max_batch_size=batch_size,
            in_flight=in_flight,
        )
        began = time.perf_counter()
        for span in spans:
            processor.emit(span)
        processor.shutdown()
        seconds = time.perf_counter() - began
        assert processor.totals().delivered == len(spans)
        return len(spans) / seconds


# %% [markdown]
# ## One at a time
#
# Batches of 500. With a peer that answers at once, what a request takes is S: the time to encode it, to
# write it, and to read the answer. (The server lives in this process, and its work is in S as well.)

# %%
near = {protocol: rate(protocol, 0.0, 1, 500, 40) for protocol in ("HTTP", "gRPC")}
S = {protocol: 500 / spans for protocol, spans in near.items()}
for protocol in near:
    print(f"{protocol}: {near[protocol]:8,.0f} spans a second, S = {S[protocol] * 1000:.1f} ms")

# %% [markdown]
# Predict: how many spans a second leave if the answer takes 50 ms? Write your guess down.

# %%
my_guess = 40_000

# %%
far = rate("HTTP", 0.05, 1, 500, 20)
print(f"you said {my_guess:,}; it is {far:,.0f}")

# %% [markdown]
# The interpreter did nearly nothing in that time. It waited.
#
# ## The formula
#
# *X <= k * B / (RTT + S)*: k requests of B spans on their way, each for a round trip and its S. It is
# OTLP's own. But one interpreter does one thing at a time, so that X is never above *B / S* either.


# %%
def predicted(protocol, round_trip, in_flight, batch_size=500):
    work = S[protocol] * batch_size / 500
    return min(in_flight * batch_size / (round_trip + work), batch_size / work)


print("protocol  answer after    k   predicted    measured  measured / predicted")
for round_trip in (0.0, 0.005, 0.05):
    for in_flight in (1, 4):
        for protocol in ("HTTP", "gRPC"):
            said = predicted(protocol, round_trip, in_flight)
            found = rate(protocol, round_trip, in_flight, 500, 40)
            print(
                f"{protocol:8} {round_trip * 1000:10.0f} ms {in_flight:4} {said:11,.0f} {found:11,.0f}"
                f" {found / said:21.2f}"
            )

# %% [markdown]
# - At 50 ms the formula is right to about a tenth, and the two protocols do the same: k is what counts.
# - At 0 ms there is nothing to wait for, and more requests on their way bring little.
# - In between, threads take turns at one interpreter, and it is somewhat less than predicted. The formula
#   says *at most*.
#
# ## Break it
#
# k is how many requests the *peer* is working on. `HttpSender` opens at most 8 connections, and over
# HTTP/1.1 each carries one request at a time. gRPC has streams: all on one connection. With 16 in flight?

# %%
for protocol in ("HTTP", "gRPC"):
    for in_flight in (8, 16):
        found = rate(protocol, 0.05, in_flight, 100, 96)
        said = in_flight * 100 / 0.05
        print(
            f"{protocol} k = {in_flight:2}: {found:7,.0f} spans a second, {found / said:4.0%} of k * B / RTT"
        )

# %% [markdown]
# Half of the sixteen wait for a connection. `HttpSender(..., connections=16)` would let them.
#
# ## Your turn: reach a rate
#
# 20,000 spans a second come, and the peer is 50 ms away. The checker says the conditions.

# %%
from otlp_kit.lab.exercises_transport import bound

help(bound)

# %%
my_in_flight, my_batch_size = 1, 512

verdict = bound(in_flight=my_in_flight, batch_size=my_batch_size)
verdict

# %% [markdown]
# And on this machine, with both senders:

# %%
for protocol in ("HTTP", "gRPC"):
    found = rate(protocol, 0.05, my_in_flight, my_batch_size, 24)
    print(
        f"{protocol}: {found:7,.0f} spans a second of 20,000{'' if found < 20_000 else ', reached'}"
    )
