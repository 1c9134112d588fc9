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
# # 04 State machine: turn the clock by hand
#
# Between a span that has ended and the network stands a queue with a rule: when does a batch leave?
# Here you hold the clock. You see a batch leave because it is full, because time is over, because
# somebody asked, and because it is the end; then you predict eight of them. Nothing here waits.
#
# The pages that go with it: *concepts/processor* and *learn/batch*.
#
# ## The machine
#
# `BatchBuffer` decides and does nothing else. It has room for five records here, a batch has three,
# and the delay is five seconds. Its states, and what leads from one to the next, are a table:

# %%
from otlp_kit.processors.buffer import TRANSITIONS

for state, event, after in TRANSITIONS:
    print(f"{state:9} {event:24} -> {after}")

# %% [markdown]
# ## Four ways out
#
# Each line below shows the time, the state and the queue before anything leaves, and what leaves.
# `take` is what the worker calls; after an export it calls `restart`, and the delay begins anew.

# %%
from otlp_kit.processors.buffer import BatchBuffer


def look(now, why):
    state, queued = buffer.state(now), len(buffer)
    batch = buffer.take(now)
    if batch:
        buffer.restart(now)
    print(f"{now:4}  {why:28} {state:9} {queued} queued -> {''.join(batch) or 'nothing'}")


buffer = BatchBuffer(capacity=5, batch_size=3, delay=5.0)
buffer.offer("a")
look(1.0, "one record came")
look(4.0, "the delay is not over")
look(5.0, "it is: timer")
for record in "bcd":
    buffer.offer(record)
look(6.0, "three came: size")
buffer.offer("e")
look(7.0, "one more came")
buffer.flush()
look(7.0, "somebody asked: flush")
buffer.offer("f")
buffer.close()
look(8.0, "the end: shutdown")
look(8.0, "after the end")
print("room after the end:", bool(buffer.offer("g")))

# %% [markdown]
# ## Predict
#
# A batch left at 7. Had nobody flushed or shut down, and had no record come after *f*, when would
# *f* have left? Write your guess down, then run the next cell.

# %%
my_guess = 10.0

# %%
buffer = BatchBuffer(capacity=5, batch_size=3, delay=5.0, now=0.0)
buffer.restart(7.0)
buffer.offer("f")
now = next(tenth / 10 for tenth in range(70, 200) if buffer.take(tenth / 10))
print(f"you said {my_guess}, it left at {now}")

# %% [markdown]
# The delay does not run since the record came, and not on a grid since the start: it runs since the
# last export ended. A record that comes late in it waits only for what is left of it.
#
# ## Break it
#
# Six records come at once, and there is room for five. Who says so?

# %%
buffer = BatchBuffer(capacity=5, batch_size=3, delay=5.0)
print([bool(buffer.offer(record)) for record in "abcdef"])
look(0.0, "six came")
look(0.0, "and again")

# %% [markdown]
# That is all that the buffer says: no. Whoever drives it has to count that, and a driver that does
# not is how spans vanish; notebook 05 is about nothing else. And two records stay behind, since
# they fill no batch.
#
# ## The same, with a thread
#
# `BatchProcessor` drives the buffer from a thread of its own, and writes down what became of each
# record. Its clock may be one that you turn: five seconds pass in no time.

# %%
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.testing.fake_clock import FakeClock
from otlp_kit.wire import Accepted


class Printer:
    def export(self, batch, deadline):
        print(f"      at {clock.monotonic():g}: exported {''.join(batch)}")
        return Accepted()

    def shutdown(self):
        print(f"      at {clock.monotonic():g}: exporter released")


clock = FakeClock()
processor = BatchProcessor(Printer(), max_queue_size=5, max_batch_size=3, delay=5.0, clock=clock)
clock.await_sleepers(1)  # the worker has looked, and sleeps
processor.emit("a")
print(processor)

# %%
clock.advance(5.0)
print(processor.force_flush())
print(processor)

# %%
processor.emit("b")
print(processor.shutdown())
processor.emit("c")
print(processor.totals())

# %% [markdown]
# *c* came too late. It is not lost without a word: `already_shutdown` is where it went.
#
# ## Exercise: predict eight exports
#
# A buffer as above, new and empty. At each step something happens, then the worker takes, once.
# Write for each step how many records leave, and run the check. It tells you of the first step at
# which you are wrong, and why the machine differs.

# %%
from otlp_kit.lab import exercises_batch

print(*exercises_batch.STEPS, sep="\n")

# %%
leaving = [
    0,  # at 0
    0,  # at 5
    0,  # at 6
    0,  # at 8
    0,  # at 9
    0,  # at 10
    0,  # at 10, again
    0,  # at 11
]

exercises_batch.trigger(leaving)

# %% [markdown]
# ## Exercise: choose delay and size
#
# Spans come at an even rate, and once in a burst. The statement is in the docstring; choose the two
# settings, and a minute is played for you.

# %%
import inspect

print(inspect.getdoc(exercises_batch.batch_choice))

# %%
exercises_batch.batch_choice(delay=5.0, size=512)
