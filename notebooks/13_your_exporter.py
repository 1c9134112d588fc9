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
# # 13 Your exporter: write it, break it, mend it
#
# An exporter has to do three things: encode a batch, send it, and say what came of it. The third is
# the one that goes wrong, so there is a suite that plays a hostile server to any exporter, with a row
# for each line of the specification. Here you write one, and let the suite say what is left to do.
#
# The pages that go with it: *howto/write-exporter* and *learn/answers*.
#
# ## A template
#
# This works with every server that is well.

# %%
import urllib.request

from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.wire import PROTOBUF, Accepted


class Plain:
    def __init__(self, endpoint):
        self.url = endpoint + "/v1/traces"

    def export(self, batch, deadline):
        request = urllib.request.Request(self.url, encode_spans(batch), {"Content-Type": PROTOBUF})
        urllib.request.urlopen(request).read()
        return Accepted()

    def shutdown(self):
        pass


# %% [markdown]
# ## Predict
#
# The suite below asks for sixteen lines of OTLP. How many does the template keep? Write your guess down.

# %%
my_guess = 12

# %%
from otlp_kit.lab.exercises_exporter import LINES, exporter_suite
from otlp_kit.testing.check_exporter import check_exporter

QUICK = LINES - {98, 101}  # these two take their time: they come at the end


def suite(make):
    report = check_exporter(make, lines=QUICK)
    print(report)
    return len(QUICK) - len(report.failed)


kept = suite(Plain)
print(f"you said {my_guess}, it keeps {kept}")

# %% [markdown]
# ## One failure from close
#
# Line 56: a proxy wants a login. What does the template make of it, and what arrives behind it?

# %%
import time

from otlp_kit.model import Span
from otlp_kit.testing.hostile_answers import redirect, success
from otlp_kit.testing.hostile_server import HostileServer

spans = [Span(f"span {n}", b"t" * 16, bytes([n + 1] * 8)) for n in range(5)]

with HostileServer([success()]) as login, HostileServer([redirect(302, login.endpoint)]) as proxy:
    print(Plain(proxy.endpoint).export(spans, time.monotonic() + 5))
    for name, server in (("proxy", proxy), ("login", login)):
        for arrival in server.arrivals:
            print(f"{name}: {arrival.method} with {len(arrival.raw)} bytes")

# %% [markdown]
# The library followed the redirect as a browser does: a GET, without the body. The login page was a
# success, and the spans are gone.
#
# ## Three ends
#
# `export` returns `Accepted`, or raises `Refused` (never again) or `Unavailable` (later), and nothing
# else. `http.client` follows no redirect and raises nothing for a status, and `read_http_answer` knows
# what every answer means. The slash that may end an endpoint is taken care of, too.

# %%
from http.client import HTTPConnection
from urllib.parse import urlsplit

from otlp_kit.encoding.answers import read_http_answer


class Honest:
    def __init__(self, endpoint):
        self.url = urlsplit(endpoint.rstrip("/") + "/v1/traces")

    def export(self, batch, deadline):
        return self.send(encode_spans(batch), deadline)

    def send(self, body, deadline):
        connection = HTTPConnection(self.url.netloc)
        try:
            connection.request("POST", self.url.path, body, {"Content-Type": PROTOBUF})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return read_http_answer(answer.status, headers, answer.read(), time.time())
        finally:
            connection.close()

    def shutdown(self):
        pass


print(f"it keeps {suite(Honest)} of {len(QUICK)}")

# %% [markdown]
# What is left has to do with time and with trust: it does not try again, it believes that a connection
# always answers, and that an answer ends.
#
# ## Exercise: mend the rest
#
# Change the class until the suite is content. It stops at the first line that fails, and says what it
# saw. These may help: `Unavailable` in `otlp_kit.wire`, `otlp_kit.reliability.backoff`, and, for the
# clock, `threading.Timer` and `socket.shutdown`. In the end it takes some seconds, which are waits.


# %%
class MyExporter(Honest):
    def export(self, batch, deadline):
        return self.send(encode_spans(batch), deadline)


exporter_suite(MyExporter)

# %% [markdown]
# ## Put it to work
#
# An exporter that has the three ends fits under the batch processor, which writes them into a ledger.
# The last of these answers is one that your exporter may try again.

# %%
import logging

from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.testing.hostile_answers import failure

logging.getLogger("otlp_kit").setLevel(logging.CRITICAL)

ANSWERS = {
    "partial success": [success(3, "too old")],
    "a refusal": [failure(400, "not a span")],
    "busy, then success": [failure(503, "busy"), success()],
}
for name, script in ANSWERS.items():
    with HostileServer(script) as server:
        processor = BatchProcessor(MyExporter(server.endpoint))
        for span in spans:
            processor.emit(span)
        processor.shutdown()
        print(f"{name:20} {processor.totals()}")
