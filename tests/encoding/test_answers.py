"""What servers answer, held against the official messages and the rules of HTTP."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError as OfficialDecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otlp_kit.encoding.answers import (
    decode_status,
    decode_success,
    encode_status,
    encode_success,
    read_http_answer,
)
from otlp_kit.encoding.protobuf_read import DecodeError
from otlp_kit.wire import PROTOBUF, Accepted, Refused, SendError, Unavailable

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110
READABLE = {"content-type": PROTOBUF}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def _official_status():  # type: ignore[no-untyped-def]
    """`google.rpc.Status`, as its .proto file describes it."""
    file = descriptor_pb2.FileDescriptorProto(name="s.proto", package="r", syntax="proto3")
    message = file.message_type.add(name="Status")
    kinds = descriptor_pb2.FieldDescriptorProto
    message.field.add(name="code", number=1, type=kinds.TYPE_INT32, label=1)
    message.field.add(name="message", number=2, type=kinds.TYPE_STRING, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("r.Status"))


Status = _official_status()


@given(st.integers(0, 2**63 - 1), texts)
def test_a_success_is_the_official_message(rejected: int, message: str) -> None:
    """The same bytes, and they come back."""
    official = ExportTraceServiceResponse()
    if rejected or message:
        official.partial_success.rejected_spans = rejected
        official.partial_success.error_message = message
    body = encode_success(Accepted(rejected, message))
    assert body == official.SerializeToString()
    assert decode_success(body) == Accepted(rejected, message)


@pytest.mark.spec("OTLP-23")
def test_a_full_success_is_empty() -> None:
    """`partial_success` is left unset, not set to zeros."""
    assert encode_success(Accepted()) == b""


@given(st.integers(-(2**31), 2**31 - 1), texts)
def test_a_status_is_the_official_message(code: int, message: str) -> None:
    """The same bytes, and they come back."""
    body = encode_status(message, code)
    assert body == Status(code=code, message=message).SerializeToString()
    assert decode_status(body) == (code, message)


@given(st.binary(max_size=30) | texts.map(encode_status).map(lambda body: body[:-1] + b"\xff"))
def test_damaged_answers_are_read_as_official_protobuf_reads_them(body: bytes) -> None:
    """The same content, or both refuse."""
    try:
        official = Status.FromString(body)
    except OfficialDecodeError:
        with pytest.raises(DecodeError):
            decode_status(body)
    else:
        assert decode_status(body) == (official.code, official.message)
    try:
        success = ExportTraceServiceResponse.FromString(body).partial_success
    except OfficialDecodeError:
        with pytest.raises(DecodeError):
            decode_success(body)
    else:
        assert decode_success(body) == Accepted(success.rejected_spans, success.error_message)


def answer(status: int, headers: dict[str, str] = READABLE, body: bytes = b"") -> SendError:
    """What an answer that is not a success raises."""
    with pytest.raises(SendError) as caught:
        read_http_answer(status, headers, body, NOW)
    return caught.value


@pytest.mark.spec("OTLP-57")
@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(status: int) -> None:
    """Also without a body."""
    assert read_http_answer(status, {}, b"", NOW) == Accepted()


@pytest.mark.spec("OTLP-27")
def test_a_partial_success_is_a_value() -> None:
    """Nothing is raised, so nobody retries it; parameters of the content type do not matter."""
    told = Accepted(3, "too old")
    headers = {"content-type": "Application/X-Protobuf; charset=utf-8"}
    assert read_http_answer(200, headers, encode_success(told), NOW) == told


@pytest.mark.spec("OTLP-60")
@pytest.mark.parametrize("headers", [{}, {"content-type": "text/html"}])
def test_a_body_of_another_type_is_not_parsed(headers: dict[str, str]) -> None:
    """It may be a proxy's page; the status alone counts."""
    assert read_http_answer(200, headers, encode_success(Accepted(3, "x")), NOW) == Accepted()
    assert str(answer(500, headers, encode_status("secret page"))) == "HTTP 500"


def test_a_success_that_cannot_be_read_is_a_success() -> None:
    """The peer has the items: sending them again would double them."""
    assert read_http_answer(200, READABLE, b"\xff", NOW) == Accepted()


@pytest.mark.spec("OTLP-47", "OTLP-48", "OTLP-56")
def test_exactly_four_statuses_may_be_retried() -> None:
    """Every other 1xx, 3xx, 4xx and 5xx is refused for good."""
    others = [*range(100, 200), *range(300, 600)]
    retried = {status for status in others if isinstance(answer(status), Unavailable)}
    assert retried == {429, 502, 503, 504}
    assert all(isinstance(answer(status), Refused) for status in others if status not in retried)


def test_the_reason_holds_the_peers_words() -> None:
    """The message of the `Status`, when there is one that can be read."""
    refused = answer(400, body=encode_status("bad span", code=3))
    assert isinstance(refused, Refused)
    assert refused.reason == "HTTP 400: bad span"
    assert str(answer(503, body=encode_status("full"))) == "HTTP 503: full"
    assert str(answer(400, body=encode_status("", code=3))) == "HTTP 400"
    assert str(answer(400, body=b"\xff")) == "HTTP 400 with an unreadable body"


@pytest.fixture(params=["UTC", "America/New_York"])
def _local_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The zone of the machine must not matter."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.spec("OTLP-51")
@pytest.mark.usefixtures("_local_time")
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sunday, 06-Nov-94 08:49:47 GMT", 10.0),
        ("Sun Nov  6 08:49:47 1994", 10.0),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
        ("1.5", None),
        ("-1", None),
        ("\u0661", None),
        ("soon", None),
        ("Sun, 99 Nov 1994 08:49:47 GMT", None),
        ("", None),
    ],
)
def test_the_peer_may_say_when_to_come_back(value: str, seconds: float | None) -> None:
    """Seconds or any of HTTP's three dates; the past is now, nonsense is ignored."""
    unavailable = answer(503, {"retry-after": value})
    assert isinstance(unavailable, Unavailable)
    assert unavailable.retry_after == seconds


@given(st.text(max_size=40) | st.floats(0, 4e9).map(lambda t: formatdate(t, usegmt=True)))
def test_no_wait_that_a_peer_asks_for_breaks_the_client(value: str) -> None:
    """A wait is None, or a number that is not negative."""
    unavailable = answer(429, {"retry-after": value})
    assert isinstance(unavailable, Unavailable)
    wait = unavailable.retry_after
    assert wait is None or (wait >= 0 and not math.isnan(wait))
