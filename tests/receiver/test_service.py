"""The receiver as a function, read by the official protobuf classes."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Sequence
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otlp_kit.model import Span
from otlp_kit.receiver.service import Request, Response, Service
from otlp_kit.stores.memory_store import MemoryStore
from otlp_kit.wire import Signal, Unavailable

PROTOBUF = "application/x-protobuf"


def request_of(count: int, trace_id: bytes = b"t" * 16) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number in range(count):
        spans.add(trace_id=trace_id, span_id=os.urandom(8), name=f"span {number}")
    return request


def post(body: bytes, path: str = "/v1/traces", method: str = "POST", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, path, {"content-type": PROTOBUF, **named}, body)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def service(store: MemoryStore) -> Service:
    return Service(store.put, max_body=10_000)


def succeeded(response: Response) -> ExportTraceServiceResponse:
    assert response.status == 200
    assert response.headers["content-type"] == PROTOBUF
    return ExportTraceServiceResponse.FromString(response.body)


@pytest.mark.spec("OTLP-5")
@pytest.mark.spec("OTLP-22")
@pytest.mark.spec("OTLP-23")
def test_a_request_is_stored_and_acknowledged(service: Service, store: MemoryStore) -> None:
    """200 with an empty response message: `partial_success` is left unset."""
    request = request_of(3)
    answer = succeeded(service.handle(post(request.SerializeToString())))
    assert not answer.HasField("partial_success")
    assert [span.name for span in store.spans()] == ["span 0", "span 1", "span 2"]
    assert str(service.ledger.totals()) == "created 3 = stored 3"


@pytest.mark.spec("OTLP-21")
def test_an_empty_request_is_a_success(service: Service) -> None:
    """Zero bytes are a valid request with nothing in it."""
    assert not succeeded(service.handle(post(b""))).HasField("partial_success")
    assert succeeded(service.handle(post(request_of(0).SerializeToString()))) is not None


@pytest.mark.spec("OTLP-2")
def test_gzip_is_read(service: Service, store: MemoryStore) -> None:
    """A compressed request is the same request."""
    body = gzip.compress(request_of(2).SerializeToString())
    succeeded(service.handle(post(body, content_encoding="gzip")))
    assert len(store.spans()) == 2


@pytest.mark.spec("OTLP-24")
@pytest.mark.spec("OTLP-25")
@pytest.mark.spec("OTLP-76")
def test_invalid_spans_are_rejected_one_by_one(service: Service, store: MemoryStore) -> None:
    """What is valid is kept; the sender is told how many are not, and why."""
    request = request_of(2)
    spans = request.resource_spans[0].scope_spans[0].spans
    spans.add(trace_id=bytes(16), span_id=b"s" * 8)
    spans.add(trace_id=b"t" * 15, span_id=b"s" * 8)
    spans.add(trace_id=b"t" * 16, span_id=bytes(8))
    answer = succeeded(service.handle(post(request.SerializeToString())))
    assert answer.partial_success.rejected_spans == 3
    assert answer.partial_success.error_message == (
        "3 spans rejected: trace_id must be 16 bytes and not all zero"
    )
    assert len(store.spans()) == 2
    assert str(service.ledger.totals()) == "created 5 = rejected 3 + stored 2"


def test_the_same_request_again_is_stored_once(service: Service, store: MemoryStore) -> None:
    """A sender that missed the answer sends the same bytes; compressed or not is no difference."""
    body = request_of(2).SerializeToString()
    succeeded(service.handle(post(body)))
    succeeded(service.handle(post(gzip.compress(body), content_encoding="gzip")))
    assert len(store.spans()) == 2
    assert str(service.ledger.totals()) == "created 4 = stored 2 + dropped 2 (duplicate 2)"


REFUSED = {
    "unknown path": (post(b"", path="/v1/nothing"), 404, "nothing is received at /v1/nothing"),
    "wrong method": (post(b"", method="GET"), 405, "GET is not allowed; export with POST"),
    "plain text": (post(b"{}", content_type="text/plain"), 415, "not text/plain"),
    "no content type": (post(b"", content_type=""), 415, "not missing"),
    "unknown compression": (
        post(b"", content_encoding="br"),
        415,
        "one of gzip, deflate, zstd, not br",
    ),
    "too large": (post(bytes(10_001)), 413, "larger than 10000 bytes"),
    "too large inside": (
        post(gzip.compress(bytes(10_001)), content_encoding="gzip"),
        413,
        "larger",
    ),
    "not gzip": (post(b"abc", content_encoding="gzip"), 400, "not gzip"),
    "not protobuf": (post(b"\xff\xff"), 400, "not a valid traces request"),
    "half a request": (post(request_of(2).SerializeToString()[:-3]), 400, "truncated"),
}


@pytest.mark.spec("OTLP-43")
@pytest.mark.spec("OTLP-44")
@pytest.mark.spec("OTLP-46")
@pytest.mark.spec("OTLP-58")
@pytest.mark.spec("OTLP-59")
@pytest.mark.spec("OTLP-61")
@pytest.mark.parametrize(("request_", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_every_error_is_a_status(
    service: Service, store: MemoryStore, request_: Request, status: int, message: str
) -> None:
    """Every 4xx carries a `google.rpc.Status` with a text for a developer; nothing is stored."""
    response = service.handle(request_)
    assert response.status == status
    assert response.headers["content-type"] == PROTOBUF
    assert message in Status.FromString(response.body).message
    assert store.spans() == []
    assert service.ledger.totals().created == 0
    if status == 405:
        assert response.headers["allow"] == "POST"


@given(st.randoms(use_true_random=False))
def test_no_body_makes_it_raise(chance: random.Random) -> None:
    """Damaged requests are taken or refused with a 400; every refusal is a `Status`."""
    store = MemoryStore()
    body = bytearray(request_of(2).SerializeToString())
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(body))
        body[place : place + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
    response = Service(store.put).handle(post(bytes(body)))
    if response.status == 200:
        succeeded(response)
    else:
        assert response.status == 400
        assert Status.FromString(response.body).message
        assert store.spans() == []


@pytest.mark.spec("OTLP-9")
@pytest.mark.parametrize("headers", [{}, {"accept_encoding": "gzip"}])
def test_answers_are_not_compressed(service: Service, headers: dict[str, str]) -> None:
    """They are a few bytes; compression of an answer is allowed, never asked for."""
    response = service.handle(post(request_of(1).SerializeToString(), **headers))
    assert "content-encoding" not in response.headers
    succeeded(response)


@pytest.mark.spec("OTLP-14")
@pytest.mark.parametrize("value", [f"{PROTOBUF}; charset=utf-8", "Application/X-Protobuf"])
def test_a_content_type_may_have_parameters(service: Service, value: str) -> None:
    """Media types are compared as HTTP compares them."""
    succeeded(service.handle(post(b"", content_type=value)))


@pytest.mark.spec("OTLP-50")
def test_a_store_that_cannot_store_makes_503(store: MemoryStore) -> None:
    """Nothing is acknowledged; the sender may come again; the trouble is said until it is over."""
    broken = True

    def put(signal: Signal, records: Sequence[Any], batch: str) -> int:
        if broken:
            raise Unavailable("the disk is full")
        return store.put(signal, records, batch)

    service = Service(put)
    body = request_of(2).SerializeToString()
    response = service.handle(post(body))
    assert response.status == 503
    assert response.headers["retry-after"] == "5"
    assert Status.FromString(response.body).message == "cannot store: the disk is full"
    assert service.trouble == "the disk is full"
    assert str(service.ledger.totals()) == "created 2 = dropped 2 (not_stored 2)"
    broken = False
    succeeded(service.handle(post(body)))
    assert service.trouble is None
    assert len(store.spans()) == 2


@pytest.mark.spec("OTLP-20")
def test_an_answer_is_small(service: Service) -> None:
    """However many spans are rejected, one example is told."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for _ in range(4000):
        spans.add()
    response = service.handle(post(request.SerializeToString()))
    assert succeeded(response).partial_success.rejected_spans == 4000
    assert len(response.body) < 200


def test_a_span_says_what_is_wrong_with_it() -> None:
    """The ids of a span are checked as trace.proto wants them."""
    good = Span(trace_id=b"t" * 16, span_id=b"s" * 8)
    assert good.problem() is None
    good.parent_span_id = b"short"
    assert good.problem() == "parent_span_id must be empty or 8 bytes"


def post_json(body: object, path: str = "/v1/traces", **headers: str) -> Request:
    return post(json.dumps(body).encode(), path, content_type="application/json", **headers)


@pytest.mark.spec("OTLP-10")
@pytest.mark.spec("OTLP-23")
@pytest.mark.spec("OTLP-59")
def test_json_is_answered_in_json(service: Service, store: MemoryStore) -> None:
    """The same path takes both encodings, and success is an empty object."""
    span = {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "00f067aa0ba902b7",
        "name": "n",
    }
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    response = service.handle(post_json(request, content_encoding=""))
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert json.loads(response.body) == {}
    assert store.spans()[0].name == "n"


@pytest.mark.spec("OTLP-24")
@pytest.mark.spec("OTLP-73")
@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        ("/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}, "rejectedSpans"),
        (
            "/v1/metrics",
            {
                "resourceMetrics": [
                    {"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [{}]}}]}]}
                ]
            },
            "rejectedDataPoints",
        ),
    ],
)
def test_json_partial_success_names_the_signal(
    service: Service, path: str, body: object, key: str
) -> None:
    """A count as a string, with a message."""
    response = service.handle(post_json(body, path))
    partial = json.loads(response.body)["partialSuccess"]
    assert response.status == 200
    assert partial[key] == "1"
    assert "1 " in partial["errorMessage"]


@pytest.mark.spec("OTLP-43")
@pytest.mark.spec("OTLP-58")
@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        (post_json([]), 400, "must be an object"),
        (
            post_json({"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": "SERVER"}]}]}]}),
            400,
            "kind",
        ),
        (post_json({}, "/v1/nothing"), 404, "nothing is received"),
        (post_json({}, content_encoding="br"), 415, "content encoding"),
        (post_json({"x": "y" * 10_000}), 413, "larger than"),
    ],
)
def test_a_json_error_is_a_status_in_json(
    service: Service, request_: Request, status: int, message: str
) -> None:
    """In the encoding of the request."""
    response = service.handle(request_)
    assert (response.status, response.headers["content-type"]) == (status, "application/json")
    assert message in json.loads(response.body)["message"]
