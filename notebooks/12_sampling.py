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
# # 12 Sampling: complete, biased, corrected
#
# Keeping a part of the traces goes wrong in two ways: what arrives is in pieces, or it is whole and
# misleading. Here you cause both, and undo them: the first by dice that all services share, the second
# by what a kept span says about itself. Nothing here needs a thread or a network.
#
# The pages that go with it: *concepts/sampling*, *concepts/tail-sampling* and *howto/sample*.
#
# ## Complete
#
# A request passes five services. Each keeps a share of its spans, and there are two ways to decide:
# every service throws dice of its own, or all compare the random bits of the trace id with the same
# threshold. A sampler is one function, `decide`.

# %%
import random

from otlp_kit.model import SpanKind
from otlp_kit.tracing.consistent import Probability
from otlp_kit.tracing.samplers import DROP, RECORD_AND_SAMPLE

SERVICES = ("front", "cart", "stock", "bank", "mail")
dice = random.Random(12)


class OwnDice:
    def __init__(self, share):
        self.share = share

    def decide(self, parent, trace_id, name, kind, attributes, links):
        return RECORD_AND_SAMPLE if dice.random() < self.share else DROP


def keeps(sampler, trace_id):
    return sampler.decide(None, trace_id, "request", SpanKind.SERVER, {}, ()).sampled


def whole(samplers, traces=10_000):
    """Of the traces of which anything is kept, the share that is kept whole; and the kept spans."""
    pieces = [
        sum(keeps(sampler, trace_id) for sampler in samplers)
        for trace_id in (dice.randbytes(16) for trace in range(traces))
    ]
    seen = [kept for kept in pieces if kept]
    return seen.count(len(samplers)) / len(seen), sum(pieces) / traces / len(samplers)


# %% [markdown]
# Each of the five keeps half. Predict, in percent: of the traces that you see, how many are whole?

# %%
my_guess = 50

# %%
share, kept = whole([OwnDice(0.5) for service in SERVICES])
formula = 0.5**5 / (1 - 0.5**5)
print(f"you said {my_guess} %; it is {share:.1%}, and by the formula {formula:.1%}")
print(f"{kept:.0%} of the spans were kept, as was wanted")

# %%
print("             own dice      threshold")
for p in (0.9, 0.5, 0.1):
    row = [whole([make(p) for service in SERVICES])[0] for make in (OwnDice, Probability)]
    print(f"keep {p:4.0%}  " + "".join(f"{share:9.1%}    " for share in row))

# %% [markdown]
# The shares may differ, too. Who keeps more keeps all that others keep: a trace is whole as far as the
# service that keeps least, and never the other way round.

# %%
unequal = dict(zip(SERVICES, (0.5, 0.5, 0.2, 0.1, 0.1), strict=True))
samplers = [Probability(share) for share in unequal.values()]
seen = set()
for _ in range(10_000):
    trace_id = dice.randbytes(16)
    seen.add("".join("x" if keeps(sampler, trace_id) else "-" for sampler in samplers))
print("what is kept of a trace, of", ", ".join(SERVICES))
print("\n".join(sorted(seen)))

# %% [markdown]
# ## The window of a tail sampler
#
# A head sampler cannot keep errors: when a span starts, nobody knows. A tail sampler holds the spans of
# a trace for a while. Fifty requests a second for 80 s pass the same five services, which send what they
# have every 8 s. How long does it have to wait? Guess, then run it.

# %%
my_wait = 2

# %%
from collections import Counter

from otlp_kit.lab.exercises_budget import play, traffic
from otlp_kit.processors.tail_policies import Error

print("wait   errors kept whole   spans that wait   came too late")
for wait in (1, 2, 4, 6, 8, 10, 20):
    day = play([Error()], baseline=0.05, wait=wait)
    sizes = Counter(span.trace_id for span in day.kept)
    good = sum(sizes[trace_id] == len(SERVICES) for trace_id in day.failed)
    late = day.stats.late_kept + day.stats.late_dropped
    mark = "   <- you" if wait == my_wait else ""
    print(f"{wait:2} s  {good:10} of {len(day.failed)} {day.most:17,} {late:15,}{mark}")

# %% [markdown]
# Too short a wait loses errors: the span that failed comes after its trace was given up. Too long a wait
# gains nothing, and costs room: 250 spans a second, times the seconds.
#
# ## Biased
#
# With errors kept for certain and a twentieth of the rest, what arrives is no picture of what happened.
# Count the requests that failed:

# %%
day = play([Error()], baseline=0.05, wait=10)
requests = [span for _, span in traffic() if not span.parent_span_id]
roots = [span for span in day.kept if not span.parent_span_id]

print(
    f"what arrived:   {len(roots):5,} requests, {sum(r.trace_id in day.failed for r in roots) / len(roots):6.1%} failed"
)
print(f"what happened:  {len(requests):5,} requests, {len(day.failed) / len(requests):6.1%} failed")

# %% [markdown]
# ## Corrected
#
# Every kept span says how likely it was to be kept, as a threshold in its trace state: `th:0` for what
# was kept for certain, and more for what the baseline let through.

# %%
for state, spans in Counter(root.trace_state for root in roots).items():
    print(f"{spans:4} x {state}")

# %% [markdown]
# `R >= T` keeps a span, where `R` is one of 2^56 numbers that are all as likely. So one that was kept with
# `T` stands for `2^56 / (2^56 - T)` of its kind: its *adjusted count*. Do it by hand once.

# %%
text = "f3333333333333"  # what stands behind th:, filled up to 14 digits
threshold = int(text, 16)
print(f"stands for {2**56 / (2**56 - threshold):.2f}")

# %%
from otlp_kit.tracing.consistent import adjusted_count

total = sum(adjusted_count(root.trace_state) for root in roots)
failed = sum(adjusted_count(root.trace_state) for root in roots if root.trace_id in day.failed)
print(f"estimated:      {total:5,.0f} requests, {failed / total:6.1%} failed")
print(f"what happened:  {len(requests):5,} requests, {len(day.failed) / len(requests):6.1%} failed")

# %% [markdown]
# The ids of this day are spread evenly, so that everybody sees the same. With real dice an estimate is
# off by chance: by about one over the root of how many were kept, and less often twice that. Here are
# twenty days of 4,000 requests, of which a share is kept:

# %%
for share in (0.2, 0.05, 0.01):
    sampler = Probability(share)
    errors = []
    for _ in range(20):
        kept = sum(keeps(sampler, dice.randbytes(16)) for request in range(4000))
        errors.append(kept / sampler.probability / 4000 - 1)
    expected = (4000 * share) ** -0.5
    print(
        f"keep {share:4.0%}: worst {max(map(abs, errors)):6.1%}, one over the root {expected:5.1%}"
    )

# %% [markdown]
# ## Exercise: a budget
#
# Everything at once.

# %%
import inspect

from otlp_kit.lab import exercises_budget

print(inspect.getdoc(exercises_budget.budget))

# %%
from otlp_kit.processors.tail_policies import Latency

policies = [Error(), Latency(1.0)]


def count(spans):
    return len(spans)


exercises_budget.budget(policies, baseline=0.1, wait=5, count=count)
