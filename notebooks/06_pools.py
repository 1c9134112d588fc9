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
# # 06 Pool or no pool
#
# Using a thing again sounds cheaper than making one. Sometimes it is. Here you leak one customer's data
# into another's trace, find out how such a leak is found, and then measure, on this machine, from which
# size on a pool pays at all. Nothing here needs a network.
#
# The page that goes with it: *concepts/pools*.
#
# ## Leak a stale attribute
#
# A pool lends a span to one request, resets it, and lends it to the next. This reset knows five fields.

# %%
from otlp_kit.model import Span
from otlp_kit.pools.object_pool import ObjectPool


def reset(span):
    span.name, span.trace_id, span.span_id = "", b"", b""
    span.start_unix_nano = span.end_unix_nano = 0


pool = ObjectPool(Span, reset, capacity=8)

with pool.borrow() as span:
    span.name = "POST /pay"
    span.attributes["user.email"] = "alice@example.com"

with pool.borrow() as span:
    span.name = "GET /health"
    print(span.name, span.attributes)

# %% [markdown]
# ## Predict
#
# How many places of a span does that reset forget? Count in your head first: the attributes, and ...

# %%
my_guess = 1

# %%
from otlp_kit.testing.check_pool import check_pool
from otlp_kit.testing.pool_places import Places, dirty, name_of, same

places = Places()
fresh, used = Span(), Span()
for path, how in list(places.ways(fresh)):
    if len(path) == 1:  # the fields of the span itself
        dirty(used, path, how)
reset(used)
wanted, found = places.picture(fresh), places.picture(used)
forgotten = sorted({name_of(path[:1]) for path in found if not same(found[path], wanted.get(path))})
print(f"you said {my_guess}, it is {len(forgotten)}:", ", ".join(forgotten))

# %% [markdown]
# `check_pool` does this with every field and element, one at a time and many at once, and with two spans
# lent together. It stops at the first difference.

# %%
try:
    check_pool(Span, reset)
except AssertionError as error:
    print(error)

# %% [markdown]
# ## From which size on?
#
# Now buffers. Each is made, or borrowed, and written to once, as a socket would. First your guess: from
# which size on is the pool faster?

# %%
my_size = 1024

# %%
import time

from otlp_kit.pools.buffer_pool import BufferPool

SIZES = [64 << (2 * step) for step in range(9)]  # 64 bytes to 4 MiB


def seconds(work, count):
    """The best of five: what disturbs a measurement only ever makes it longer."""
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(count):
            work()
        best = min(best, time.perf_counter() - begin)
    return best / count


def measure(size):
    source = memoryview(bytes(size))
    pool = BufferPool(max_bytes=16 << 20)
    own = memoryview(bytearray(size))

    def plain():
        memoryview(bytearray(size))[:] = source

    def pooled():
        view = pool.acquire(size)
        view[:] = source
        pool.release(view)

    def kept():
        own[:] = source

    count = max(10, min(3000, (8 << 20) // size))
    return [seconds(work, count) for work in (plain, pooled, kept)]


print("     bytes      made    pooled  one kept    pool is")
ratios = {}
for size in SIZES:
    plain, pooled, kept = measure(size)
    ratios[size] = plain / pooled
    print(
        f"{size:10,} {plain * 1e6:7.2f}us {pooled * 1e6:7.2f}us {kept * 1e6:7.2f}us  {ratios[size]:7.2f}x "
        + "#" * min(40, round(10 * ratios[size]))
    )
faster = [size for size in SIZES if ratios[size] > 1]
print(f"you said {my_size:,}; here it is {min(faster):,}" if faster else "here it never is")

# %% [markdown]
# Three things to see. A small buffer is made in less time than a lock takes. A buffer that its one owner
# keeps wins nearly everywhere, without any pool. And what large ones gain depends on whether the allocator
# keeps such memory: turn the order of the sizes around, and look again.
#
# ## What one object costs
#
# The same for the span. The list is the barest pool there is: no lock, no bound, no holder.

# %%
free = [Span() for _ in range(8)]
locked = ObjectPool(Span, Span.__init__, capacity=8)


def from_list():
    span = free.pop()
    span.__init__()
    free.append(span)


def from_pool():
    locked.release(locked.acquire())


for name, work in (("made", Span), ("list", from_list), ("pool", from_pool)):
    print(f"{name}: {seconds(work, 5000) * 1e6:.2f} us")
print(locked)

# %% [markdown]
# A reset that is complete costs what making costs: there are as many fields to write.
#
# ## Run it empty
#
# A bounded pool turns a leak into a message. With `debug=True` it names the lines.

# %%
from otlp_kit.pools.holders import PoolError

handles = ObjectPool(Span, Span.__init__, capacity=2, timeout=0.1, debug=True)


def forgets_to_return():
    handles.acquire().name = "leaked"


forgets_to_return()
forgets_to_return()
try:
    handles.acquire()
except PoolError as error:
    print(type(error).__name__, error)

# %% [markdown]
# ## Exercise: a reset that forgets nothing
#
# Write one that `check_pool` passes, field by field or in another way.


# %%
def my_reset(span):
    reset(span)
    span.attributes = {}


try:
    print(check_pool(Span, my_reset))
except AssertionError as error:
    print("Not yet:", error)

# %% [markdown]
# ## Exercise: pool or not
#
# Six things that a program wants again and again. Which of them should come out of a pool?

# %%
from otlp_kit.lab import exercises_pools

for name, text in exercises_pools.CASES.items():
    print(f"{name:8} {text}")

# %%
exercises_pools.pool_or_not(
    span="pool", scratch="pool", tls="pool", handle="pool", body="pool", payload="pool"
)
