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
# # 08 Answers: what a server says, and who listens
#
# A server that you program, in this process, and two exporters that talk to it. You choose the
# answer, and see what each of them makes of it. Then you write a client that gets it right.
#
# The pages that go with it: *learn/answers* and *howto/write-exporter*.
#
# ## A server that says no
#
# It takes the request, and rejects three of five spans: they are too old for its storage. This is
# what it writes. The status speaks of the request, the body of the spans.

# %%
from otlp_kit.testing.hostile_answers import failure, redirect, silent, success
from otlp_kit.testing.hostile_server import HostileServer

some = success(3, "too old")
print(b"".join(some.pieces()))

# %% [markdown]
# ## Predict
#
# A program with the official SDK and the official exporter ends five spans, and the server answers
# this. How many lines will the program's log have? Write your guess down.

# %%
my_guess = 1

# %%
import logging

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class Log(logging.Handler):
    lines = 0

    def emit(self, record):
        self.lines += 1
        print("  the log says:", record.getMessage()[:90])


log = Log()
logging.basicConfig(handlers=[log], force=True)


def five_spans(processor):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    for number in range(5):
        provider.get_tracer("answers").start_span(f"span {number}").end()
    flushed = provider.force_flush()
    provider.shutdown()
    return flushed


def official(answer, timeout=0.5):
    with HostileServer([answer]) as server:
        exporter = OTLPSpanExporter(f"{server.endpoint}/v1/traces", timeout=timeout)
        flushed = five_spans(BatchSpanProcessor(exporter))
        print(f"official: force_flush() is {flushed}, {server.count} request(s)")


official(some)
print(f"you said {my_guess}, it was {log.lines}")

# %% [markdown]
# Three spans are gone; the flush says True, and the log is empty. Nothing in this process knows.
#
# The kit's exporter takes the same arguments, under the same processor. It reads the answer, and keeps
# a ledger.

# %%
from otlp_kit.adapters.otlp_http import OTLPSpanExporter as KitSpanExporter


def kit(answer, timeout=0.5):
    with HostileServer([answer]) as server:
        exporter = KitSpanExporter(f"{server.endpoint}/v1/traces", timeout=timeout)
        five_spans(BatchSpanProcessor(exporter))
        print(f"kit: {exporter.totals()}, {server.count} request(s)")


kit(some)

# %% [markdown]
# ## Every other answer
#
# Before you run this: for which of them will the official exporter say that all is well?

# %%
ANSWERS = {
    "200": success(),
    "302, to a login page": redirect(302, "/login"),
    "400, not a span": failure(400, "not a span"),
    "503, busy": failure(503, "busy"),
    "429, come back in a minute": failure(429, "slower", retry_after=60),
    "nothing": silent(),
}
for name, answer in ANSWERS.items():
    print(f"\n--- {name}")
    official(answer)
    kit(answer)

# %% [markdown]
# Look at the last one. *Unknown* is the honest word: the request went out, and whether it was stored
# nobody knows. And look at the redirect: a proxy that wants a login makes a program lose everything
# it has to say, and the program is content.
#
# `True` is what the SDK's `force_flush` returns even where the log tells of a failure.
#
# ## Turn the screw
#
# A script may be any function. This server hangs up on every other request, without a word. Change it:
# let it refuse the tenth, or be busy until a second has passed.

# %%
from otlp_kit.testing.hostile_answers import reset


def moody(arrival):
    return reset() if arrival.number % 2 == 0 else success()


with HostileServer(moody) as server:
    exporter = KitSpanExporter(f"{server.endpoint}/v1/traces", timeout=5)
    five_spans(BatchSpanProcessor(exporter))
    print(exporter.totals())
    for arrival in server.arrivals:
        print("connection", arrival.connection, "brought", len(arrival.records()), "spans")

# %% [markdown]
# The same five, twice. Had the server stored the first ones before it hung up, it would now have each of
# them two times: a client that does not want to lose sends some things twice.
#
# ## Exercise: make a client conform
#
# This client is what many programs have. `post()` sends five records, and returns the status, the
# headers and the body of the answer, or raises an `OSError` when there is none. `wait(seconds)` lets
# time pass, and raises when there is none left. Return `Accepted(rejected)`, or raise `Refused` for
# what would fail again.

# %%
from otlp_kit.lab import exercises_answers
from otlp_kit.wire import Accepted, Refused

for name, text in exercises_answers.ANSWERS.items():
    print(f"{name:8} {text}")

# %% [markdown]
# These may help, to read or to use: `decode_success`, `retry_after_seconds` and `read_http_answer` in
# `otlp_kit.encoding.answers`, and `otlp_kit.reliability.backoff`.


# %%
def client(post, wait):
    status = post()[0]  # and then come the headers, and the body
    if status < 400:
        return Accepted()
    raise Refused(f"HTTP {status}")


exercises_answers.react(client)

# %% [markdown]
# ## And on a real connection
#
# The same client, with a `post` that uses the network and a `wait` that takes time. When the exercise
# is solved, this says 3.

# %%
import time
from http.client import HTTPConnection

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Span
from otlp_kit.wire import PROTOBUF

body = encode_spans([Span(f"span {n}", b"t" * 16, bytes([n + 1] * 8)) for n in range(5)])

with HostileServer([failure(503, "busy"), some]) as server:

    def post():
        connection = HTTPConnection(server.endpoint.removeprefix("http://"), timeout=5)
        connection.request("POST", "/v1/traces", body, {"Content-Type": PROTOBUF})
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        try:
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    try:
        print(client(post, time.sleep).rejected, "were rejected")
    except Refused as error:
        print("the client gave up:", error)
