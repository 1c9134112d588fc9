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
# # 03 Vanishing spans: eleven ends of a process
#
# A batch processor keeps spans in memory for a while. Here you end processes in eleven ways, count
# what arrives, change the processor, and count again. You guess first. The spans travel over HTTP to
# a receiver inside this notebook, so nothing else has to run.
#
# The pages that go with it: *learn/first-loss*, *concepts/shutdown* and *howto/fork*.
#
# ## A receiver that counts

# %%
import asyncio
import threading

from otlp_kit.receiver.http_server import bind, otlp_app, serve
from otlp_kit.receiver.service import Service
from otlp_kit.stores.memory_store import MemoryStore

store = MemoryStore()
listener = bind("127.0.0.1", 0)
endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"


async def receive():
    await serve([(otlp_app(Service(store.put)), listener)], asyncio.Event())


threading.Thread(target=asyncio.run, args=(receive(),), daemon=True).start()
print("listening")

# %% [markdown]
# ## The program
#
# It emits a hundred spans and ends. Where it has a child, the child emits a hundred of its own. Apart
# from the ends, this is a program as anybody writes it, around the official SDK. The word `kit`
# chooses where the processor comes from; do not look at that line yet.

# %%
PROGRAM = """
import logging, multiprocessing, os, signal, sys, time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider

side, ending, endpoint = sys.argv[1:]
logging.basicConfig(level=logging.INFO, format="%(message)s")

if side == "kit":
    from otlp_kit.adapters import BatchSpanProcessor
    from otlp_kit.runtime.lifecycle import exit_on_sigterm

    exit_on_sigterm()
else:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint + "/v1/traces")))
tracer = provider.get_tracer("ends")


def work():
    for _ in range(100):
        tracer.start_span("work").end()


def by_signal(number):
    os.kill(os.getpid(), number)
    time.sleep(30)


def fork(leave):
    child = os.fork()
    if not child:
        work()
        leave(0)
    os.waitpid(child, 0)


def multiprocess(method):
    child = multiprocessing.get_context(method).Process(target=work)
    child.start()
    child.join()


def fail():
    raise RuntimeError("on purpose")


if __name__ == "__main__":
    work()
    {
        "normal end": lambda: None,
        "exception": fail,
        "sys.exit": lambda: sys.exit(1),
        "SIGINT": lambda: by_signal(signal.SIGINT),
        "SIGTERM": lambda: by_signal(signal.SIGTERM),
        "os._exit": lambda: os._exit(1),
        "SIGKILL": lambda: by_signal(signal.SIGKILL),
        "fork, child by sys.exit": lambda: fork(sys.exit),
        "fork, child by os._exit": lambda: fork(os._exit),
        "multiprocessing, fork": lambda: multiprocess("fork"),
        "multiprocessing, spawn": lambda: multiprocess("spawn"),
    }[ending]()
"""

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())


def run(side, ending, program=PROGRAM):
    """How many spans arrived, and what the program had to say about the others."""
    path = folder / "ends.py"
    path.write_text(program)
    before = len(store.spans())
    command = [sys.executable, path, side, ending, endpoint]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if "shut down" in line]
    return len(store.spans()) - before, said


run("official", "normal end")

# %% [markdown]
# ## Predict
#
# Change the numbers to what you believe: how many spans arrive, with the official processor? Where
# there is a child, 200 are emitted.

# %%
guess = {
    "normal end": 100,
    "exception": 0,
    "sys.exit": 100,
    "SIGINT": 0,
    "SIGTERM": 0,
    "os._exit": 0,
    "SIGKILL": 0,
    "fork, child by sys.exit": 200,
    "fork, child by os._exit": 200,
    "multiprocessing, fork": 200,
    "multiprocessing, spawn": 200,
}

# %% [markdown]
# ## Run them
#
# Each row is a process that really ends so.

# %%
print(f"{'':26}{'guess':>6}{'arrived':>9}")
for ending, number in guess.items():
    arrived, _ = run("official", ending)
    print(f"{ending:26}{number:6}{arrived:9}{'   surprise' if arrived != number else ''}")

# %% [markdown]
# Where you were surprised, find out why before you go on. Two questions help: does Python see this
# end coming, and in which process did the span wait? The check knows a hint for each row; correct the
# guess above, run its cell and then this one until it passes.

# %%
from otlp_kit.lab.exercises_exit import exit_matrix

exit_matrix(guess)

# %% [markdown]
# ## Change the processor
#
# Now the same with the kit's processor and one line, `exit_on_sigterm()`. On the right stands what
# the processes said in their last lines: each has a ledger of its own. A child counts the copies of
# what its parent had queued as dropped, by reason `fork`: they are the parent's to send.

# %%
for ending in guess:
    arrived, said = run("kit", ending)
    print(f"{ending:26}{arrived:4}", *said, sep="\n      ")

# %% [markdown]
# Three rows are as before. At SIGKILL and at `os._exit` no line of code runs, so nothing is sent and
# nothing is said. What can be done about the second is your next exercise; about the first, only to
# let spans wait less.
#
# ## Exercise: announce the end
#
# Pools of processes often end their children by `os._exit`. The child knows that its end is near, so
# somebody can tell the processor: `flush_before_exit()` of `otlp_kit.runtime.lifecycle` does. Change
# the program so that the row below delivers all 200.

# %%
fixed = PROGRAM.replace(
    "        work()\n        leave(0)",
    "        work()\n        leave(0)",  # what is missing here?
)
arrived, said = run("kit", "fork, child by os._exit", fixed)
print("Solved." if arrived == 200 else f"Not yet: {arrived} of 200 arrived.", *said, sep="\n")

# %% [markdown]
# ## Go on
#
# - Put the work into a `multiprocessing.Pool` and leave it by its `with` block. Which signal ends the
#   workers, and which line of the program lets them deliver?
# - Give the processor `schedule_delay_millis=10` and kill the program after a second. How much is
#   lost now, and what did that cost?
