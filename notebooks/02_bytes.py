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
# # 02 Bytes: read a request by hand
#
# A request is a row of fields, and before each value stands a tag. Here you read one tag by tag,
# write the numbers that stand between, change a byte and watch what becomes of the span, and repair
# a request that a receiver refuses. Nothing here needs a network.
#
# The pages that go with it: *learn/bytes* and *concepts/wire*.

# %%
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.model import Resource, Span, SpanKind

start = 1_790_000_000_000_000_000
span = Span(
    name="GET /hello",
    kind=SpanKind.SERVER,
    trace_id=bytes.fromhex("5b8efff798038103d269b633813fc60c"),
    span_id=bytes.fromhex("eee19b7ec3c1b174"),
    start_unix_nano=start,
    end_unix_nano=start + 120_000_000,
    attributes={"http.response.status_code": 200},
    resource=Resource({"service.name": "notebook"}),
)
body = encode_spans([span])
for at in range(0, len(body), 16):
    row = body[at : at + 16]
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
    print(f"{at:3}  {row.hex(' '):47}  {text}")

# %% [markdown]
# ## Predict
#
# The status code is 200. Search for it in the dump: 200 is `c8` in hexadecimal. In how many bytes is
# it written? Write your guess down, then run the next cell.

# %%
my_guess = 1

# %%
from otlp_kit.encoding.protobuf_common import varint as kit_varint

print(f"you said {my_guess}, it takes {len(kit_varint(200))}: {kit_varint(200).hex(' ')}")

# %% [markdown]
# Each byte of a *varint* carries seven bits, and 200 needs eight. The high bit says that another
# byte follows: `c8` is 72 and the mark, and `01` is one times 128.
#
# ## Decode tag by tag
#
# A tag is a varint too: field number times 8, plus wire type. The wire type says how long the value
# is, so these few lines can walk through any protobuf message, knowing nothing about it.


# %%
def read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 128:
            return number, at


def fields(data):
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, wire_type = divmod(tag, 8)
        if wire_type == 0:  # VARINT
            value, at = read_varint(data, at)
        elif wire_type == 1:  # I64
            value, at = data[at : at + 8], at + 8
        elif wire_type == 2:  # LEN
            size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {wire_type} in field {number}")
        yield number, value


for number, value in fields(body):
    print(number, value)

# %% [markdown]
# One field, number 1, with everything in it. Field 1 of a request is `resource_spans`; go inside.
# The span lies two messages deeper.

# %%
[(_, resource_spans)] = fields(body)
for number, value in fields(resource_spans):
    print("ResourceSpans", number, value)

# %%
scope_spans = dict(fields(resource_spans))[2]
one_span = dict(fields(scope_spans))[2]
for number, value in fields(one_span):
    print("Span", number, value)

# %% [markdown]
# Number 5 is the name, 7 and 8 are the times, 9 an attribute: the
# [schema](https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto)
# says so. Two numbers that you did not set are missing, 3 and 4: what has its default is not sent.
#
# ## The microscope
#
# It does what you just did, knows the schema of all three signals, and names every byte. Point at a
# row to see the whole path; each row links to the file that declares the field.

# %%
from otlp_kit.views.microscope import Microscope

Microscope(body)

# %% [markdown]
# ## Change a byte
#
# Pick a place and a value. Before you run it, predict: does the receiver refuse, or does it take
# another span than was sent? Try the length of the name, its tag, a letter of it, the kind, a byte
# of a time.


# %%
def change(at, value):
    changed = bytearray(body)
    changed[at] = value
    return bytes(changed)


place = body.index(b"GET /hello") - 1  # the length of the name
scope = Microscope(change(place, 11))
print(scope.text())
print(scope.problem or "It can be read.")

# %% [markdown]
# Now do it with every byte: add one, and count what becomes of the request.

# %%
from collections import Counter

from otlp_kit.encoding.protobuf_read import DecodeError
from otlp_kit.encoding.protobuf_read_spans import decode_spans


def outcome(changed):
    try:
        spans = decode_spans(changed)
    except DecodeError:
        return "refused"
    return "the same span" if spans == [span] else "another span, or none"


outcomes = [outcome(change(at, (body[at] + 1) % 256)) for at in range(len(body))]
Counter(outcomes)

# %% [markdown]
# Most changes go unnoticed: protobuf has no checksum. What is noticed is the framing, and there
# mostly by accident, when the bytes behind make no sense any more. A sender that writes wrong bytes
# can lose a whole batch, or can be believed.
#
# ## Exercise: write varint
#
# The function below is right for small numbers only. Make it right for every number from 0 to
# 2 to the power of 64, less 1, and run the check.


# %%
def my_varint(number):
    return bytes([number & 0x7F])


# %%
from otlp_kit.lab import exercises_bytes

exercises_bytes.varint(my_varint)

# %% [markdown]
# ## Exercise: repair a byte
#
# A receiver answers 400 to this request. One byte is wrong, and it is not a length. Look at it under
# the microscope, find the byte, put it right, and run the check.

# %%
broken = exercises_bytes.broken_request()
Microscope(broken)

# %%
repaired = bytearray(broken)
# repaired[...] = ...

exercises_bytes.fix_byte(bytes(repaired))
