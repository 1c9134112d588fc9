"""The exporter: the joint between records and bytes."""

from __future__ import annotations

import pytest

from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.wire import LOGS, TRACES, Accepted, Payload, Refused, Unavailable


class Keeper:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[Payload, float]] = []
        self.closed = 0

    def send(self, payload: Payload, deadline: float) -> Accepted:
        self.sent.append((payload, deadline))
        return Accepted(1, "one was bad")

    def close(self) -> None:
        self.closed += 1


def test_a_batch_becomes_one_payload() -> None:
    """Encoded once, with its signal and its number; the answer is the sender's."""
    sender = Keeper()
    exporter = OtlpExporter(lambda batch: bytes(batch), sender, LOGS)
    assert exporter.export([1, 2, 3], deadline=1.5) == Accepted(1, "one was bad")
    assert sender.sent == [(Payload(LOGS, b"\1\2\3", 3), 1.5)]


@pytest.mark.parametrize("error", [Unavailable("later"), Refused("never")])
def test_what_the_sender_raises_comes_through(error: Exception) -> None:
    """What a failure means is not for the exporter to say."""

    class Failing(Keeper):
        def send(self, payload: Payload, deadline: float) -> Accepted:
            raise error

    with pytest.raises(type(error)) as raised:
        OtlpExporter(bytes, Failing(), TRACES).export([1], deadline=1.0)
    assert raised.value is error


@pytest.mark.spec("SDK-P13")
def test_after_shutdown_nothing_is_sent() -> None:
    """The sender is closed, and later batches are refused."""
    sender = Keeper()
    exporter = OtlpExporter(bytes, sender, TRACES)
    exporter.shutdown()
    with pytest.raises(Refused, match="shut down"):
        exporter.export([1], deadline=1.0)
    assert (sender.closed, sender.sent) == (1, [])


def test_a_sender_that_holds_nothing_need_not_be_closed() -> None:
    """One method makes a sender."""

    class Minimal:
        def send(self, payload: Payload, deadline: float) -> Accepted:
            return Accepted()

    exporter = OtlpExporter(bytes, Minimal(), TRACES)
    assert exporter.export([1], deadline=1.0) == Accepted()
    exporter.shutdown()
