"""Where trace ids and span ids come from.

    ids = RandomIds()
    ids.generate_trace_id(), ids.generate_span_id()     # numbers of 128 and 64 bits

The shape is the official SDK's, so its generators fit, and these fit there. The random numbers are the
tracer's own: a program that seeds `random` for its tests does not get the ids of its neighbour, and the
child of a fork does not repeat its parent's.

Specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#id-generators and
https://www.w3.org/TR/trace-context-2/#random-trace-id-flag
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable
from functools import partial
from typing import Protocol

from otlp_kit.processors.forking import begin_anew_in_child

log = logging.getLogger(__name__)


class IdGenerator(Protocol):
    """May also have `is_trace_id_random()`: whether the last 56 bits are, on which samplers rely."""

    @property
    def generate_trace_id(self) -> Callable[[], int]: ...
    @property
    def generate_span_id(self) -> Callable[[], int]: ...


class RandomIds:
    """Every bit is random."""

    def __init__(self) -> None:
        self._source = random.Random(os.urandom(32))
        bits = self._source.getrandbits
        self.generate_trace_id: Callable[[], int] = partial(bits, 128)
        self.generate_span_id: Callable[[], int] = partial(bits, 64)
        self.generate_both: Callable[[], int] = partial(bits, 192)
        """A trace id and behind it a span id, in one step: the start of a root span is in a hurry."""
        begin_anew_in_child(self)

    def is_trace_id_random(self) -> bool:
        return True

    def begin_anew(self) -> None:
        """In the child of a fork: other numbers than the parent's."""
        self._source.seed(os.urandom(32))


class CheckedIds:
    """Somebody else's generator. What it makes that is no id is reported, and a random one used."""

    def __init__(self, generator: IdGenerator) -> None:
        self._generator = generator
        self._instead = RandomIds()

    def is_trace_id_random(self) -> bool:
        says = getattr(self._generator, "is_trace_id_random", None)
        return bool(says()) if says is not None else False

    def generate_trace_id(self) -> int:
        made = self._made(self._generator.generate_trace_id, 128)
        return made or self._instead.generate_trace_id()

    def generate_span_id(self) -> int:
        made = self._made(self._generator.generate_span_id, 64)
        return made or self._instead.generate_span_id()

    def generate_both(self) -> int:
        return self.generate_trace_id() << 64 | self.generate_span_id()

    def _made(self, generate: Callable[[], int], bits: int) -> int:
        """What it makes; 0 if that is no id."""
        name = type(self._generator).__name__
        try:
            made = generate()
            if 0 < made < 1 << bits:
                return made
        except Exception:
            # It may be anybody's, and the program that starts a span has work to do.
            log.exception("%s failed", name)
            return 0
        log.error("%s made %r, which is no id of %d bits", name, made, bits)
        return 0
