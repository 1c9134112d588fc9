"""Three sets of settings for a pipeline, each value with its unit and its reason.

    profile = PROFILES["production"]
    exporter = OtlpExporter(encode_spans, HttpSender(endpoint, **profile.sender()), TRACES)
    processor = BatchProcessor(exporter, **profile.batch())
    ...
    processor.shutdown(profile.shutdown_timeout)

    for setting in profile.settings():
        print(setting.name, setting.value, setting.unit, setting.reason)

A profile holds plain values and builds nothing. It is a starting point, not a tuning: what you know of
your service is worth more, and `but` wants to hear it.

    far_away = PRODUCTION.but("far away", in_flight=(4, "the collector is 80 ms away"))

Where a reason begins with "the default", the value is that of the specification:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from math import inf
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

WhenFull: TypeAlias = Literal["drop_newest", "drop_oldest", "block", "sample"]
"""As the batch buffer understands it: who gives way when the queue is full."""

COMPRESSIONS: Final = ("none", "gzip")
RATIOS: Final = ("traceidratio", "parentbased_traceidratio")
SAMPLERS: Final = (
    "always_on", "always_off", "parentbased_always_on", "parentbased_always_off", *RATIOS
)  # fmt: skip
"""The names of OTEL_TRACES_SAMPLER. Those in `RATIOS` need an argument, the others take none."""

KEYS: Final = {
    "request_timeout": "exporter.timeout",
    "compression": "exporter.compression",
    "sampler": "sampler.name",
    "sampler_argument": "sampler.argument",
}
"""What a file of settings calls a setting; all others are those of `batch`."""

RECORDS, BATCHES, SECONDS = {"unit": "records"}, {"unit": "batches"}, {"unit": "seconds"}
SHARE, NO_UNIT = {"unit": "of all traces"}, {"unit": ""}


class Setting(NamedTuple):
    """One value of a profile, ready to be printed."""

    name: str
    value: Any
    unit: str
    """Empty for a value that is a word."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Settings that go together, and why.

    `reasons` has one sentence for each setting. Raises `ValueError` for settings that contradict
    each other, for one that is out of range, and for one without a reason.
    """

    name: str
    max_queue_size: int = field(metadata=RECORDS)
    max_batch_size: int = field(metadata=RECORDS)
    delay: float = field(metadata=SECONDS)
    """How long a record waits for others to fill a batch."""
    in_flight: int = field(metadata=BATCHES)
    """How many batches are on their way at once, each with a thread and a connection."""
    when_full: WhenFull = field(metadata=NO_UNIT)
    export_timeout: float = field(metadata=SECONDS)
    """The most that a batch may take, retries included."""
    request_timeout: float = field(metadata=SECONDS)
    """The most that one request of it may take."""
    compression: str = field(metadata=NO_UNIT)
    sampler: str = field(metadata=NO_UNIT)
    sampler_argument: float | None = field(metadata=SHARE)
    shutdown_timeout: float = field(metadata=SECONDS)
    """The most that the end of the process may be held up."""
    reasons: Mapping[str, str] = field(repr=False, hash=False)

    @classmethod
    def of(cls, name: str, **choices: tuple[Any, str]) -> Profile:
        """A profile from (value, reason) for each setting, so that neither stands without the other."""
        values = {setting: value for setting, (value, _) in choices.items()}
        return cls(name=name, **values, reasons={key: why for key, (_, why) in choices.items()})

    def but(self, name: str, **choices: tuple[Any, str]) -> Profile:
        """This profile under another `name`, with other (value, reason) for some settings."""
        own = {setting.name: (setting.value, setting.reason) for setting in self.settings()}
        return Profile.of(name, **(own | choices))

    def __post_init__(self) -> None:
        if problem := next(self._problems(), None):
            raise ValueError(f"profile {self.name}: {problem}")

    def _problems(self) -> Iterator[str]:
        if not 1 <= self.max_batch_size <= self.max_queue_size:
            yield (
                "max_batch_size must be at least 1 and at most max_queue_size, not"
                f" {self.max_batch_size} of {self.max_queue_size}"
            )
        if self.in_flight < 1:
            yield f"in_flight must be at least 1, not {self.in_flight}"
        if self.when_full not in get_args(WhenFull):
            yield f"when_full must be one of {', '.join(get_args(WhenFull))}, not {self.when_full!r}"
        for name in ("delay", "export_timeout", "request_timeout", "shutdown_timeout"):
            if not 0 < getattr(self, name) < inf:
                yield f"{name} must be more than 0 seconds and finite, not {getattr(self, name)}"
        if self.request_timeout > self.export_timeout:
            yield (
                "request_timeout must be at most export_timeout, which ends the request, not"
                f" {self.request_timeout:g} > {self.export_timeout:g}"
            )
        if self.compression not in COMPRESSIONS:
            yield f"compression must be one of {', '.join(COMPRESSIONS)}, not {self.compression!r}"
        if self.sampler not in SAMPLERS:
            yield f"sampler must be one of {', '.join(SAMPLERS)}, not {self.sampler!r}"
        elif self.sampler not in RATIOS:
            if self.sampler_argument is not None:
                yield f"sampler_argument must be None: {self.sampler} takes none"
        elif self.sampler_argument is None or not 0 <= self.sampler_argument <= 1:
            yield f"sampler_argument must be from 0 to 1, not {self.sampler_argument}"
        names = {one.name for one in fields(self) if one.metadata}
        for name in sorted(names ^ self.reasons.keys()):
            yield f"{name} has no reason" if name in names else f"there is no setting {name}"
        for name, reason in self.reasons.items():
            if not reason.strip():
                yield f"the reason for {name} is empty"

    def settings(self) -> Iterator[Setting]:
        """Every setting with its value, its unit and its reason, in the order of the data's way."""
        for one in fields(self):
            if one.metadata:
                value, unit = getattr(self, one.name), one.metadata["unit"]
                yield Setting(
                    one.name, value, "" if value is None else unit, self.reasons[one.name]
                )

    def batch(self) -> dict[str, Any]:
        """Arguments of `BatchProcessor`. For `AsyncBatchProcessor` as well, unless it may block."""
        return {
            "max_queue_size": self.max_queue_size,
            "max_batch_size": self.max_batch_size,
            "delay": self.delay,
            "in_flight": self.in_flight,
            "when_full": self.when_full,
            "export_timeout": self.export_timeout,
        }

    def sender(self) -> dict[str, Any]:
        """Arguments of `HttpSender`."""
        return {"compression": self.compression, "timeout": self.request_timeout}

    def layer(self) -> dict[str, Any]:
        """The values by their names in a file of settings, such as `batch.max_queue_size`."""
        values = {setting.name: setting.value for setting in self.settings()}
        return {KEYS.get(name, f"batch.{name}"): value for name, value in values.items()}

    def head_sampler(self) -> tuple[str, str | None]:
        """What OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG would say: `sampler_named(*this)`."""
        argument = self.sampler_argument
        return self.sampler, None if argument is None else repr(argument)


DEVELOPMENT = Profile.of(
    "development",
    max_queue_size=(2048, "the default: more than one person's clicks fill in a second"),
    max_batch_size=(512, "the default: the delay is over first, so batches stay small"),
    delay=(
        0.2,
        "whoever clicks wants to see the trace now; a local collector minds no small request",
    ),
    in_flight=(1, "one after the other is easier to follow in a log"),
    when_full=("drop_newest", "of a loop that has run away, the first spans name the cause"),
    export_timeout=(5.0, "an absent collector should be noticed while you still look"),
    request_timeout=(2.0, "nothing on the same machine takes longer and is well"),
    compression=("none", "the default: the loopback is free, and a captured request can be read"),
    sampler=("always_on", "every trace is wanted, whatever a caller decided"),
    sampler_argument=(None, "the sampler takes none"),
    shutdown_timeout=(2.0, "Ctrl-C has to give the prompt back"),
)

PRODUCTION = Profile.of(
    "production",
    max_queue_size=(
        16_384,
        "a collector may be gone for 16 seconds, as in a restart, while 1,000 spans a second end;"
        " full, it takes some tens of megabytes",
    ),
    max_batch_size=(512, "the default: some hundred kilobytes, which every receiver takes"),
    delay=(1.0, "a process that is killed takes one second of spans along rather than five"),
    in_flight=(2, "one request that hangs does not hold up the next"),
    when_full=("drop_newest", "no user waits, and an incident's first spans, its cause, stay"),
    export_timeout=(30.0, "the default: the rest is for a sender that tries again"),
    request_timeout=(10.0, "the default: a collector that takes longer will not answer"),
    compression=("gzip", "between machines bytes cost more than the CPU that saves them"),
    sampler=(
        "parentbased_always_on",
        "the default: what share to keep depends on traffic that no profile knows",
    ),
    sampler_argument=(None, "the sampler takes none"),
    shutdown_timeout=(10.0, "of the 30 seconds until SIGKILL, the requests of users need some too"),
)

THROUGHPUT = Profile.of(
    "throughput",
    max_queue_size=(
        65_536,
        "6 seconds without a collector at 10,000 spans a second; full, it takes some hundred"
        " megabytes",
    ),
    max_batch_size=(
        2048,
        "a request has a fixed price, which is paid for more spans; about a megabyte, where a gRPC"
        " receiver takes 4 by default",
    ),
    delay=(1.0, "batches are full long before; this is for the quiet hours"),
    in_flight=(4, "while one waits for its answer, others encode; more would wait for the GIL"),
    when_full=("sample", "of what is kept in an overload, shares and rates are still true"),
    export_timeout=(30.0, "the default: the rest is for a sender that tries again"),
    request_timeout=(10.0, "the default: a collector that takes longer will not answer"),
    compression=("none", "the default: CPU is short, and the collector is meant to be near"),
    sampler=("parentbased_traceidratio", "what is not recorded is the only work that is saved"),
    sampler_argument=(0.1, "one trace in ten shows the shape of many; counts come from metrics"),
    shutdown_timeout=(20.0, "a full queue takes longer; SIGKILL usually comes after 30 seconds"),
)

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {one.name: one for one in (DEVELOPMENT, PRODUCTION, THROUGHPUT)}
)
