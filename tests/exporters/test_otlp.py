"""The exporter: the joint between records and bytes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from otlp_kit.exporters.otlp import OtlpExporter
from otlp_kit.wire import JSON, LOGS, TRACES, Accepted, Payload, Refused, Unavailable


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


class Limited(Keeper):
    """A peer that takes `most` records at once."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def send(self, payload: Payload, deadline: float) -> Accepted:
        if payload.items > self._most:
            raise Refused("HTTP 413", too_large=True)
        self.sent.append((payload, deadline))
        return Accepted()

    @property
    def bodies(self) -> list[bytes]:
        return [payload.body for payload, _ in self.sent]


def test_what_the_peer_finds_too_large_is_halved() -> None:
    """Until it fits; every record is sent once, in its order."""
    sender = Limited(most=3)
    assert OtlpExporter(bytes, sender, TRACES).export(range(10), 1.0) == Accepted()
    assert b"".join(sender.bodies) == bytes(range(10))
    assert max(map(len, sender.bodies)) <= 3


@pytest.mark.spec("OTLP-17")
def test_what_is_too_large_before_compression_is_not_sent() -> None:
    """It is halved before anybody sees it, and what cannot be halved is told of."""
    sender = Keeper()
    sender.send = lambda payload, deadline: (  # type: ignore[method-assign]
        sender.sent.append((payload, deadline)) or Accepted()
    )

    def encode(batch: Sequence[int]) -> bytes:
        return b"".join(bytes(size) for size in batch)

    exporter = OtlpExporter(encode, sender, TRACES, max_request=100)
    answer = exporter.export([40, 40, 40, 500, 40], deadline=1.0)
    assert answer == Accepted(1, "one span is too large: larger than 100 bytes")
    assert [len(payload.body) for payload, _ in sender.sent] == [80, 40, 40]


def test_a_half_that_fails_takes_nothing_back() -> None:
    """What was delivered of a batch is delivered; the rest counts as rejected, with the reason."""

    class Tired(Limited):
        def send(self, payload: Payload, deadline: float) -> Accepted:
            if self.sent:
                raise Unavailable("HTTP 503")
            return super().send(payload, deadline)

    sender = Tired(most=2)
    assert OtlpExporter(bytes, sender, TRACES).export(range(4), 1.0) == Accepted(2, "HTTP 503")
    with pytest.raises(Unavailable):
        OtlpExporter(bytes, sender, TRACES).export(range(4), 1.0)


def test_the_content_type_is_that_of_the_encoding() -> None:
    """JSON goes out as JSON."""
    sender = Keeper()
    exporter = OtlpExporter(lambda batch: b"{}", sender, LOGS, content_type=JSON)
    exporter.export([1], deadline=1.0)
    assert sender.sent[0][0].content_type == JSON


def test_a_limit_of_nothing_is_refused() -> None:
    """It would reject everything."""
    with pytest.raises(ValueError, match="max_request"):
        OtlpExporter(bytes, Keeper(), TRACES, max_request=0)


def test_a_half_that_nobody_knows_of_makes_the_whole_unknown() -> None:
    """It may have arrived: counting it as rejected would be a lie, and the accounts have a word for it."""

    class Silent(Limited):
        def send(self, payload: Payload, deadline: float) -> Accepted:
            if self.sent:
                raise Unavailable("no answer", maybe_delivered=True)
            return super().send(payload, deadline)

    with pytest.raises(Unavailable) as unknown:
        OtlpExporter(bytes, Silent(most=2), TRACES).export(range(4), 1.0)
    assert unknown.value.maybe_delivered


@pytest.mark.spec("OTLP-67")
def test_nothing_to_export_is_no_request() -> None:
    """An empty envelope tells a server nothing."""
    sender = Keeper()
    assert OtlpExporter(bytes, sender, TRACES).export([], 1.0) == Accepted()
    assert sender.sent == []
