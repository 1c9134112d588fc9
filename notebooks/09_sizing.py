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
# # 09 Sizing with Little's law: predict, simulate, then run it
#
# How large does a queue have to be? Three short formulas answer most of it. You predict with a pencil,
# let a simulation check the pencil, and real threads check the simulation. Nothing here needs a
# network.
#
# The pages that go with it: *concepts/queue*, *concepts/backpressure* and *learn/batch*.
#
# ## Little's law
#
# On average, *length = arrival rate x time in the queue*. It holds for every queue that begins and ends
# empty, whatever comes when, and whoever leaves first. Here 400 spans a second come and leave in
# batches of 100, and an export takes no time.
#
# Predict: how long does a span wait on average? How many are queued then?

# %%
my_wait, my_length = 0.25, 100

# %%
from otlp_kit.simulate import Program, Server, simulate, steady

report = simulate(Program(steady(400, 20), batch_size=100, delay=2.0))
print(f"wait   {report.mean_wait:8.3f} s, you said {my_wait}")
print(f"length {report.mean_length:8.1f}  , you said {my_length}")
print(f"rate x wait = {len(report.waits) / report.seconds * report.mean_wait:.1f}")

# %% [markdown]
# The first span of a batch waits for 99 others, the last for nobody.
#
# ## How much can leave?
#
# With one batch on its way at a time, no more than one batch per round trip: *batch size / (round trip
# + work)*, times the number of batches that may be on their way at once. What comes and cannot leave
# first fills the queue, for *room / (arrival rate - rate of leaving)* seconds, and then it is lost.
#
# A thousand spans a second come for ten seconds. The queue has room for 1,000, a batch for 100, and a
# request takes 0.2 s. Predict how many are lost.

# %%
my_loss = 0

# %%
slow = Server(round_trip=0.2)


def overloaded(capacity=1000, in_flight=1, seconds=10):
    return Program(
        steady(1000, seconds), capacity=capacity, batch_size=100, delay=1.0, in_flight=in_flight
    )


report = simulate(overloaded(), server=slow)
first = next(at for at, length in report.lengths if length == 1000)
print(f"you said {my_loss:,}; {report.totals}")
print(f"the queue was full at {first:.1f} s; its room over what it grows by: {1000 / 500:.1f} s")

# %% [markdown]
# Half of what comes can leave, so half of it is too much: 5,000. The queue keeps 1,000 of them, which
# leave when nothing comes any more.
#
# What helps? Eight times the queue, or two batches on their way at once? Guess before you run it.

# %%
for seconds in (10, 60):
    for capacity, in_flight in ((1000, 1), (8000, 1), (1000, 2), (1000, 3)):
        report = simulate(overloaded(capacity, in_flight, seconds), server=slow)
        print(
            f"{seconds} s, room for {capacity}, {in_flight} in flight: {report.loss:6.1%} lost,"
            f" p99 of the wait {report.wait(0.99):5.2f} s"
        )

# %% [markdown]
# A larger queue moves the first loss, and makes everything that does arrive late. It is no cure for a
# peer that is too slow; it is one for a peer that is slow *for a while*.
#
# ## A peer that is away for a while
#
# While nothing leaves, everything that comes needs room: *rate x outage*. Each row is an outage, each
# column a queue; the number is the share of ten seconds' spans that is lost. Drag your own setting:
# change the numbers, and run it again.

# %%
from otlp_kit.reliability.backoff import Backoff
from otlp_kit.simulate import Outage, Retry

rate, batch_size, round_trip, in_flight = 1000, 200, 0.05, 1
queues = (500, 1000, 2000, 3000, 4000, 6000)
outages = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0)

often = Retry(Backoff(base=0.1, cap=0.1, jitter="none"), deadline=60.0)


def through(outage, capacity, begins=3.0, seconds=10, retry=often):
    program = Program(
        steady(rate, seconds),
        capacity=capacity,
        batch_size=batch_size,
        delay=1.0,
        in_flight=in_flight,
        retry=retry,
    )
    away = Outage(begins, begins + outage)
    return program, Server(round_trip=round_trip, outages=(away,))


print("outage  room" + "".join(f"{capacity:8,}" for capacity in queues))
for outage in outages:
    program_and_server = (through(outage, capacity) for capacity in queues)
    losses = [simulate(program, server=server).loss for program, server in program_and_server]
    print(
        f"{outage:4.1f} s      "
        + "".join(f"{loss:8.1%}" if loss else "       -" for loss in losses)
    )

# %% [markdown]
# The border between loss and none runs along *room = rate x outage*, a little off. Whoever retries is
# late: for the queue the outage ends with the first attempt that succeeds, and the longer the waits
# between attempts, the later that is. What is on its way is a little more room.

# %%
for cap in (0.1, 0.5, 1.0, 2.0, 5.0):
    retry = Retry(Backoff(base=0.1, cap=cap, jitter="around"), deadline=60.0)
    program, server = through(3.0, 10_000, retry=retry)
    reports = [simulate(program, server=server, seed=seed) for seed in range(12)]
    print(
        f"waits up to {cap:3.1f} s, at worst: {max(r.attempts - r.batches for r in reports):2} retries,"
        f" {max(r.peak for r in reports):,} spans in memory"
    )

# %% [markdown]
# ## Now for real
#
# A simulation is as good as what it leaves out. So here are two of these outages again, shorter, with
# the real processor: real threads, real time, and an exporter that sleeps where the simulated peer
# takes its time.

# %%
import logging
import time

from otlp_kit.processors.batch import BatchProcessor
from otlp_kit.wire import Accepted, Unavailable

logging.getLogger("otlp_kit").setLevel(logging.ERROR)


class SleepingExporter:
    def __init__(self, server, began):
        self.server, self.began = server, began

    def export(self, batch, deadline):
        while True:
            time.sleep(self.server.round_trip / 2)
            away = self.server.away(time.monotonic() - self.began)
            time.sleep(self.server.round_trip / 2)
            if not away:
                return Accepted()
            if time.monotonic() + 0.1 >= deadline:
                raise Unavailable("still away")
            time.sleep(0.1)

    def shutdown(self):
        pass


def for_real(program, server):
    began = time.monotonic()
    processor = BatchProcessor(
        SleepingExporter(server, began),
        max_queue_size=program.capacity,
        max_batch_size=program.batch_size,
        delay=program.delay,
    )
    for record, due in enumerate(program.arrivals):
        while time.monotonic() - began < due:
            time.sleep(0.002)
        processor.emit(record)
    processor.shutdown()
    return processor.totals()


for capacity in (500, 1600):
    program, server = through(1.0, capacity, begins=0.5, seconds=2)
    report, totals = simulate(program, server=server), for_real(program, server)
    lost = sum(totals.dropped.values())
    print(f"room for {capacity}")
    print(f"  simulated: {report.totals}")
    print(f"  for real:  {totals}")
    print(f"  error:     {lost / report.offered - report.loss:+.1%} of what was offered")

# %% [markdown]
# ## Exercise: size it
#
# Survive an outage of 3 s with the least memory.

# %%
import inspect

from otlp_kit.lab import exercises_sizing

print(inspect.getdoc(exercises_sizing.size_it))

# %%
exercises_sizing.size_it(capacity=2048, batch_size=512, cap=30.0)
