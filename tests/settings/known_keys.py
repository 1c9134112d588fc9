"""Keys of an imagined program, for the tests of settings: they know more rules than any real one."""

from __future__ import annotations

from typing import Any

from otlp_kit.settings.layers import Key


def positive(said: Any) -> int:
    """An integer of at least 1, as a number or as a text."""
    if isinstance(said, str) and said.isascii() and said.isdecimal() and len(said) < 19:
        said = int(said)
    if isinstance(said, bool) or not isinstance(said, int) or said < 1:
        raise ValueError(f"must be an integer of at least 1, not {said!r:.40}")
    return said


def seconds(said: Any) -> float:
    """A finite number of seconds, as a number or as a text."""
    try:
        number = float(said)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(said, bool) or not 0 <= number < 1e9:
        raise ValueError(f"must be a number of seconds from 0, not {said!r:.40}")
    return number


def milliseconds(said: str) -> float:
    """The unit of the specification's variables."""
    return seconds(said) / 1000


def text(said: Any) -> str:
    """A text as it is."""
    if not isinstance(said, str):
        raise ValueError("must be a text")
    return said


def texts(said: Any) -> tuple[str, ...]:
    """A list of texts, or one text with commas."""
    return tuple(map(text, said.split(",") if isinstance(said, str) else said))


def token(said: Any) -> str:
    """A secret with a rule, whose error repeats it: as the parsers of some libraries do."""
    if not text(said).isalnum():
        raise ValueError(f"must be letters and digits, not {said!r}")
    return text(said)


KEYS = (
    Key("batch.max_queue_size", positive, 2048, "records", variable="OTEL_BSP_MAX_QUEUE_SIZE"),
    Key(
        "batch.delay",
        seconds,
        5.0,
        "seconds",
        variable="OTEL_BSP_SCHEDULE_DELAY",
        parse_variable=milliseconds,
    ),
    Key("exporter.endpoint", text, variable="OTEL_EXPORTER_OTLP_ENDPOINT"),
    Key("exporter.headers", texts, ()),
    Key("exporter.token", token, secret=True, rule="must be letters and digits"),
)
