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
# # 05 Overflow: break it, then count
#
# More comes than can leave, so something has to give way: the newest record, the oldest, a random
# one, or the program, which waits. Here you cause a burst, read the single line that a log has to
# say about it, and count. No record may be gone without a reason. Nothing here needs a network.
#
# The pages that go with it: *concepts/backpressure*, *concepts/conservation* and *concepts/queue*.
#
# ## One line in a log
#
# A hundred spans keep a slow exporter busy. While it is, a thousand more end, and the queue has room
# for two hundred. First with the official processor.

# %%
import logging
import sys
import threading

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

logging.basicConfig(stream=sys.stdout, format="the log says: %(message)s", force=True)


class SlowExporter(SpanExporter):
    def __init__(self):
        self.busy, self.go_on, self.arrived = threading.Event(), threading.Event(), []

    def export(self, spans):
        self.busy.set()
        self.go_on.wait()  # as slow as you like
        self.arrived += [int(span.name) for span in spans]
        return SpanExportResult.SUCCESS


def burst(processor, exporter):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("overflow")
    for number in range(1100):
        tracer.start_span(str(number)).end()
        if number == 99:
            exporter.busy.wait()
    exporter.go_on.set()
    provider.shutdown()
    print(len(exporter.arrived), "of 1100 arrived")


exporter = SlowExporter()
burst(BatchSpanProcessor(exporter, max_queue_size=200, max_export_batch_size=100), exporter)

# %% [markdown]
# ## Predict
#
# How many does that one line stand for? Write your guess down. The kit's processor takes the same
# arguments and keeps a *ledger*.

# %%
my_guess = 1

# %%
from otlp_kit.adapters import BatchSpanProcessor as KitBatchSpanProcessor

exporter = SlowExporter()
processor = KitBatchSpanProcessor(exporter, max_queue_size=200, max_export_batch_size=100)
burst(processor, exporter)
totals = processor.totals()
print(totals)
print(f"you said {my_guess}, it was {totals.dropped['queue_full']}")

# %% [markdown]
# The same loss, with a number and a reason, in the log too. `inside` is missing from the line because
# it is 0: after the shutdown nothing is unexplained.
#
# ## Four policies, one burst
#
# Who gives way is a choice. The same burst on virtual time: the exporter takes two seconds for a
# batch of a hundred, the thousand come within one second. `block` may wait for up to a minute.

# %%
from otlp_kit.lab.exercises_fates import BEFORE, BURST
from otlp_kit.lab.exercises_fates import burst as played

print("policy        arrived   lost  program waited   arrived of each tenth of the burst")
for when_full in ("drop_newest", "drop_oldest", "sample", "block"):
    run = played(when_full)
    tenths = [0] * 10
    for record in run.delivered:
        if record >= BEFORE:
            tenths[(record - BEFORE) * 10 // BURST] += 1
    print(
        f"{when_full:13} {len(run.delivered):7} {len(run.lost):6} {run.waited:12.1f} s "
        + "".join(f"{count:5}" for count in tenths)
    )

# %% [markdown]
# Three of them lose the same number. They differ in *which*: the end of the burst, its beginning, or
# some of everything. The fourth loses nothing, and the program stands still instead, which is right
# for a program that nobody waits for.
#
# Turn the tap: how long may the export of a batch take before the burst overflows? Change the
# numbers and run it again.

# %%
from otlp_kit.lab.play import play
from otlp_kit.processors.buffer import BatchBuffer

room, batch_size, seconds = 200, 100, 0.125

buffer = BatchBuffer(capacity=room, batch_size=batch_size, delay=1.0)
run = play(buffer, [n / 1000 for n in range(1000)], lambda count, at: seconds)
print(f"{len(run.lost)} lost; first at {run.lost_at[0]:.2f} s" if run.lost else "none lost")
print(f"at most {max(length for _, length in run.lengths)} queued")

# %% [markdown]
# ## Break it in other ways
#
# A full queue is one way to lose. Here is an exporter with moods, and a ledger that has to keep up.

# %%
from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.wire import Accepted, Refused, Unavailable


class Moody:
    moods = iter(["fine", "picky", "never", "silent", "later"])

    def export(self, batch, deadline):
        mood = next(self.moods)
        if mood == "never":
            raise Refused("400: I cannot read this")
        if mood == "silent":
            raise Unavailable("sent, and then the connection broke", maybe_delivered=True)
        if mood == "later":
            raise Unavailable("503: come back later")
        return Accepted(rejected=3 if mood == "picky" else 0)

    def shutdown(self):
        pass


logging.getLogger("otlp_kit").setLevel(logging.ERROR)
processor = BatchProcessor(Moody(), max_queue_size=100, max_batch_size=10, delay=60.0)
for mood in ("fine", "picky", "never", "silent", "later"):
    for number in range(10):
        processor.emit(number)
    print(f"{mood:7} {processor.force_flush().value:9} {processor.totals()}")
processor.shutdown()
processor.emit("too late")
print(f"{'end':17} {processor.totals()}")

# %% [markdown]
# *Unknown* is not a polite word for lost: those ten were sent whole, and may well have arrived. Who
# adds them to *delivered* lies in one direction, who drops them in the other.
#
# ## Exercise: balance the ledger
#
# This is what happened to the records of one processor. Write it into the ledger, each record once,
# until nothing is unexplained. The methods are `created`, `delivered`, `rejected`, `unknown`,
# `dropped(reason, count)`, and `turned_away(reason, count)` for who comes and is dropped at the door.

# %%
from otlp_kit.lab import exercises_fates

for what, count in exercises_fates.STORY:
    print(f"{count:3} {what}")

# %%
from otlp_kit import ledger as reasons  # reasons.QUEUE_FULL, reasons.TIMEOUT, ...

ledger = reasons.Ledger()
ledger.created(62)
ledger.dropped(reasons.QUEUE_FULL, 7)

print(ledger.totals().inside, "unexplained")
exercises_fates.balance(ledger)

# %% [markdown]
# ## Exercise: choose who gives way
#
# Four programs, and what each needs. Name a policy for each; the burst above is played with it.

# %%
for need, text in exercises_fates.NEEDS.items():
    print(f"{need:7} {text}")

# %%
choices = {
    "import": "drop_newest",
    "cause": "drop_newest",
    "screen": "drop_newest",
    "share": "drop_newest",
}

exercises_fates.policy(choices)
