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
# # 01 First span: see one, send one, receive one
#
# A span is a record: a name, two times, two ids. Here you make one, look at the bytes it becomes,
# send them to a receiver, and see what arrived. First everything happens inside this notebook;
# then you do the same to the receiver that `make up` started.
#
# The page that goes with it: *learn/first-span*.

# %%
import os
import time

from otlp_kit.model import Resource, Scope, Span

now = time.time_ns()
span = Span(
    name="GET /hello",
    trace_id=os.urandom(16),
    span_id=os.urandom(8),
    start_unix_nano=now - 120_000_000,
    end_unix_nano=now,
    attributes={"http.request.method": "GET", "http.response.status_code": 200},
    resource=Resource({"service.name": "notebook"}),
    scope=Scope("notebook-01"),
)
span

# %% [markdown]
# ## Predict
#
# The ids take 24 bytes, the two times 16, the name 10, the service name 8. How many bytes will the
# whole request have? Write your guess down, then run the next cell.

# %%
my_guess = 0

# %%
from otlp_kit.encoding.protobuf_spans import encode_spans

body = encode_spans([span])
print(f"you said {my_guess}, it has {len(body)} bytes")
print(body.hex(" ", 4))

# %% [markdown]
# The rest is framing: before every value stand its field number, its type and, for text and nested
# messages, its length. The attribute *keys* are the largest part. Notebook 02 reads these bytes one
# by one.
#
# ## Send it
#
# A receiver is a function: request in, response out. `LoopbackSender` calls it without a socket,
# and the store keeps what was accepted.

# %%
from otlp_kit.receiver.service import Service
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.testing.loopback import LoopbackSender
from otlp_kit.wire import TRACES, Payload

store = MemoryStore()
service = Service(store.put)
sender = LoopbackSender(service.handle)

payload = Payload(TRACES, body, items=1)
print(sender.send(payload, deadline=time.monotonic() + 5))
print(service.ledger)

# %% [markdown]
# `Accepted(rejected=0)`: the receiver took it, and its ledger knows where it went. What came out is
# equal to what went in:

# %%
[received] = store.spans()
received == span

# %%
from otlp_kit.views.waterfall import Waterfall

Waterfall(store.spans())

# %% [markdown]
# ## Break it
#
# An acknowledgement can get lost on its way back. Then the sender cannot know whether the span
# arrived, so it sends the same bytes again. How many spans will the store hold?

# %%
sender.send(payload, deadline=time.monotonic() + 5)
print(len(store.spans()), "span(s) in the store")
print(service.ledger)

# %% [markdown]
# The bytes are the identity of the batch: the second copy was acknowledged and dropped as a
# duplicate. Now cut the request in two and see what a receiver says to half a message.

# %%
from otlp_kit.wire import Refused

try:
    sender.send(Payload(TRACES, body[: len(body) // 2], items=1), deadline=time.monotonic() + 5)
except Refused as refused:
    print("Refused:", refused)

# %% [markdown]
# *Refused* means never: sending the same bytes again cannot help, so a good exporter drops them and
# counts them. *Unavailable* would mean later.
#
# ## The running receiver
#
# `make up` started a receiver that listens on a port and stores into a database. The only thing
# that changes is the sender.

# %%
from otlp_kit.exporters.otlp_http import HttpSender
from otlp_kit.wire import Unavailable

receiver = os.environ.get("OTLP_KIT_RECEIVER", "http://127.0.0.1:4318")
page = os.environ.get("OTLP_KIT_PAGE", "http://127.0.0.1:4320")

http_sender = HttpSender(receiver)
try:
    print(http_sender.send(payload, deadline=time.monotonic() + 5))
    print(f"See it on the page: {page}/#/trace/{span.trace_id.hex()}")
except Unavailable as unavailable:
    print("No receiver is running. Start one with `make up`, then run this cell again.")
    print(unavailable)
finally:
    http_sender.close()

# %% [markdown]
# ## Exercise
#
# Make a trace of three levels, a root, its child and its grandchild, in which the lowest span ended
# in an error. Put the spans into `spans`, and run the check.

# %%
spans = [span]

Waterfall(spans)

# %%
from otlp_kit.lab.exercises import first_span

first_span(spans)
