"""OTLP in files: the official JSON parser reads each line, and so do we."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from otlp_kit.encoding.otlp_json import decode_json, encode_json
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.exporters import otlp_file
from otlp_kit.exporters.otlp_file import DECODE, FileSender, read_lines
from otlp_kit.model import LogRecord, Metric, NumberPoint, Resource, Span
from otlp_kit.wire import JSON, LOGS, METRICS, TRACES, Accepted, Payload, Refused, Unavailable
from tests.encoding.test_otlp_json import CASES, with_hex_ids

OFFICIAL: dict[str, Any] = {"traces": TracesData, "logs": LogsData, "metrics": MetricsData}


def spans(*names: str) -> Payload:
    body = encode_spans([Span(name, b"t" * 16, b"s" * 8) for name in names])
    return Payload(TRACES, body, len(names))


def logs(*bodies: str) -> Payload:
    return Payload(LOGS, encode_json(LOGS, [LogRecord(b) for b in bodies]), len(bodies), JSON)


def names_in(path: Path) -> list[str]:
    """The names of the spans in a file; nothing in it may be unreadable."""
    wrong: list[Any] = []
    payloads = list(read_lines(path, skipped=lambda *what: wrong.append(what)))
    assert wrong == []
    return [span.name for payload in payloads for span in decode_json(TRACES, payload.body)]


@pytest.mark.slow
@pytest.mark.spec("SDK-P22")
@pytest.mark.parametrize("signal", OFFICIAL)
@settings(max_examples=60)
@given(data=st.data())
def test_each_line_is_the_official_message(signal: str, data: st.DataObject) -> None:
    """`TracesData`, `LogsData`, `MetricsData`, read by the official JSON parser, lead back."""
    row, batches, to_official, regroup = CASES[signal]
    records = regroup(data.draw(batches()))
    items = sum(len(r.points) for r in records) if row is METRICS else len(records)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "{signal}.jsonl"
        sender = FileSender(path)
        payload = Payload(row, to_official(records).SerializeToString(), items)
        assert sender.send(payload, math.inf) == Accepted()
        sender.close()
        written = Path(directory) / f"{signal}.jsonl"
        if not items:
            assert not written.exists()
            return
        data_ = written.read_bytes()
        [again] = read_lines(written)
    assert data_.count(b"\n") == 1
    assert data_.endswith(b"\n")
    official = ParseDict(with_hex_ids(json.loads(data_.decode()), decode=True), OFFICIAL[signal]())
    assert repr(DECODE[signal](official.SerializeToString())) == repr(records)
    assert again == Payload(row, data_[:-1], items, JSON)
    assert repr(decode_json(row, again.body)) == repr(records)


@pytest.mark.spec("SDK-P22")
def test_json_is_written_as_it_is_on_one_line(tmp_path: Path) -> None:
    """What was indented becomes one line; what the kit does not know stays; UTF-8 stays UTF-8."""
    plain = json.loads(logs("tea ☕\nfor two").body)
    plain["new"] = {"deep": 1}
    body = json.dumps(plain, indent=2, ensure_ascii=False).replace("\n", "\r\n").encode()
    FileSender(tmp_path / "a").send(Payload(LOGS, body, 1, JSON), math.inf)
    [line] = (tmp_path / "a").read_bytes().decode("utf-8").splitlines()
    assert json.loads(line) == plain


@pytest.mark.spec("SDK-P22")
def test_a_file_holds_one_signal(tmp_path: Path) -> None:
    """The first decides, also if it was written by an earlier run."""
    first = FileSender(tmp_path / "a")
    first.send(spans("one"), math.inf)
    for sender in (first, FileSender(tmp_path / "a")):
        with pytest.raises(Refused, match=r"holds traces.*put \{signal\} into its name"):
            sender.send(logs("two"), math.inf)
        sender.send(spans("three"), math.inf)
    assert names_in(tmp_path / "a") == ["one", "three", "three"]


@pytest.mark.spec("SDK-P22")
def test_the_signal_may_stand_in_the_name(tmp_path: Path) -> None:
    """One sender, one file for each."""
    sender = FileSender(tmp_path / "x-{signal}.jsonl")
    sender.send(spans("one"), math.inf)
    sender.send(logs("two"), math.inf)
    points = [Metric("m", points=[NumberPoint(1), NumberPoint(2)])]
    sender.send(Payload(METRICS, encode_json(METRICS, points), 2, JSON), math.inf)
    read = {path.name: list(read_lines(path)) for path in tmp_path.iterdir()}
    assert {name: (one.signal, one.items) for name, [one] in read.items()} == {
        "x-traces.jsonl": (TRACES, 1),
        "x-logs.jsonl": (LOGS, 1),
        "x-metrics.jsonl": (METRICS, 2),
    }


@pytest.mark.spec("SDK-P22")
def test_standard_output_is_the_default_and_takes_all_signals(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """Lines stand in order with what is printed, and may be read back from it."""
    sender = FileSender()
    print("before")
    sender.send(spans("one"), math.inf)
    print("between")
    sender.send(logs("two"), math.inf)
    sender.close()
    print("after")
    before, one, between, two, after = capfdbinary.readouterr().out.splitlines()
    assert (before, between, after) == (b"before", b"between", b"after")
    assert decode_json(TRACES, one)[0].name == "one"
    assert decode_json(LOGS, two)[0].body == "two"


def test_standard_output_may_be_any_text_stream() -> None:
    """As in a notebook; if it is closed, or nobody reads, the payload is refused."""
    sender = FileSender("-")
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        sender.send(spans("one"), math.inf)
        assert decode_json(TRACES, stream.getvalue().encode())[0].name == "one"
        stream.close()
        with pytest.raises(Refused, match="standard output: it is closed"):
            sender.send(spans("two"), math.inf)
    read, write = os.pipe()
    os.close(read)
    stdout = open(write, "w")  # noqa: PTH123, SIM115
    with contextlib.redirect_stdout(stdout), pytest.raises(Refused, match="Broken pipe"):
        sender.send(spans("three"), math.inf)
    with contextlib.suppress(OSError):
        stdout.close()
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        sender.send(spans("four"), math.inf)
    assert stream.getvalue().startswith("\n"), "half a line may stand before"


def test_a_full_disk_is_to_be_tried_again() -> None:
    """There is a device that is always full."""
    with pytest.raises(Unavailable, match="/dev/full: No space left") as raised:
        FileSender("/dev/full").send(spans("one"), math.inf)
    assert not raised.value.maybe_delivered


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """No directory, or something else in its place."""
    with pytest.raises(Refused, match="No such file or directory"):
        FileSender(tmp_path / "no" / "a").send(spans("one"), math.inf)
    with pytest.raises(Refused, match="Is a directory"):
        FileSender(tmp_path).send(spans("one"), math.inf)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    """Also when only the rotation meets it; the lines that are there stay whole."""
    sender = FileSender(tmp_path / "a", max_bytes=len(otlp_file.to_line(spans("one"))))
    sender.send(spans("one"), math.inf)
    tmp_path.chmod(0o500)
    try:
        for path in ("a", "b"):
            again = sender if path == "a" else FileSender(tmp_path / path)
            with pytest.raises(Refused, match="Permission denied"):
                again.send(spans("two"), math.inf)
    finally:
        tmp_path.chmod(0o700)
    assert names_in(tmp_path / "a") == ["one"]
    sender.send(spans("two"), math.inf)
    assert names_in(tmp_path / "a") == ["two"]


def test_what_is_larger_than_a_file_is_refused_as_too_large(tmp_path: Path) -> None:
    """So that the exporter sends halves."""
    one = len(otlp_file.to_line(spans("one")))
    sender = FileSender(tmp_path / "a", max_bytes=one)
    with pytest.raises(Refused, match="bytes is over") as raised:
        sender.send(spans("one", "two"), math.inf)
    assert raised.value.too_large
    sender.send(spans("one"), math.inf)
    sender.send(spans("two"), math.inf)
    assert [names_in(tmp_path / name) for name in ("a.1", "a")] == [["one"], ["two"]]


def test_a_line_that_no_reader_takes_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written can be read back: the same limit holds both ways, and for the parts."""
    monkeypatch.setattr(otlp_file, "MAX_LINE", 200)
    flood = Payload(TRACES, b"\n\0" * 1_000_001, 1)
    for payload in (spans("x" * 200), flood):
        with pytest.raises(Refused) as raised:
            FileSender(tmp_path / "a").send(payload, math.inf)
        assert raised.value.too_large


def test_the_first_key_tells_the_signal(tmp_path: Path) -> None:
    """JSON objects have no order, lines have."""
    plain = json.loads(logs("two").body)
    body = json.dumps({"new": 1, **plain}).encode()
    FileSender(tmp_path / "a").send(Payload(LOGS, body, 1, JSON), math.inf)
    [read] = read_lines(tmp_path / "a")
    assert (read.signal, json.loads(read.body)) == (LOGS, {"new": 1, **plain})


@pytest.mark.parametrize(
    "payload",
    [
        Payload(TRACES, logs("a").body, 1, JSON),
        Payload(TRACES, b"\xff", 1),
        Payload(TRACES, b"{", 1, JSON),
        Payload(TRACES, b"[]", 1, JSON),
        Payload(TRACES, b"[" * 100_000, 1, JSON),
        Payload(TRACES, b"\xff", 1, JSON),
        Payload(TRACES, b"", 1, "text/plain"),
    ],
    ids=range(7),
)
def test_what_is_no_request_leaves_no_line(tmp_path: Path, payload: Payload) -> None:
    """It is refused, and the file stays readable."""
    with pytest.raises(Refused, match=r"not a request|cannot write text/plain"):
        FileSender(tmp_path / "a").send(payload, math.inf)
    assert not (tmp_path / "a").exists()


@pytest.mark.spec("OTLP-67")
def test_an_empty_payload_leaves_no_line(tmp_path: Path) -> None:
    """There is nothing to keep."""
    assert FileSender(tmp_path / "a").send(Payload(TRACES, b"", 0), math.inf) == Accepted()
    assert not (tmp_path / "a").exists()


def test_after_close_nothing_is_written(tmp_path: Path) -> None:
    """Later payloads are refused."""
    sender = FileSender(tmp_path / "a")
    sender.send(spans("one"), math.inf)
    sender.close()
    with pytest.raises(Refused, match="closed"):
        sender.send(spans("two"), math.inf)
    assert names_in(tmp_path / "a") == ["one"]


@pytest.mark.parametrize(
    ("settings", "names"),
    [({"path": ""}, "path"), ({"max_bytes": 0}, "max_bytes"), ({"keep": -1}, "keep")],
)
def test_settings_that_cannot_be_used_are_named(settings: dict[str, Any], names: str) -> None:
    """At construction, not at the first line."""
    with pytest.raises(ValueError, match=names):
        FileSender(**settings)


def test_a_torn_line_is_skipped_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What a crash left costs itself; its neighbours are read, the last also without its end."""
    path = tmp_path / "a"
    sender = FileSender(path)
    sender.send(spans("one"), math.inf)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    sender.send(spans("two"), math.inf)
    path.write_bytes(path.read_bytes() + b"\n  \n{}\n[]\n" + whole.rstrip())
    names = [s.name for p in read_lines(path) for s in decode_json(TRACES, p.body)]
    assert names == ["one", "two", "one"]
    assert [message.partition(": ")[0] for message in caplog.messages] == [
        f"{path}, line 2 skipped",
        f"{path}, line 7 skipped",
    ]
    assert "not JSON" in caplog.messages[0]


def test_a_line_without_end_does_not_fill_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is passed over piece by piece."""
    monkeypatch.setattr(otlp_file, "MAX_LINE", 200)
    path = tmp_path / "a"
    line = otlp_file.to_line(spans("one"))
    path.write_bytes(b"x" * 200 + b"\n" + b"x" * 1001 + b"\n" + line + b"x" * 300)
    wrong: list[Any] = []
    read = read_lines(path, skipped=lambda *what: wrong.append(what[1:]))
    assert [payload.body + b"\n" for payload in read] == [line]
    assert wrong == [
        (1, "it does not begin as a request of OTLP"),
        (2, "it is longer than 200 bytes"),
        (4, "it is longer than 200 bytes"),
    ]


def test_a_file_can_be_sent_on(tmp_path: Path) -> None:
    """What is read back is a payload, with its number of items: any sender takes it."""
    batch = [Span("a", b"t" * 16, b"s" * 8, resource=Resource({"service.name": "x"})), Span("b")]
    FileSender(tmp_path / "a").send(Payload(TRACES, encode_spans(batch), 2), math.inf)
    for payload in read_lines(tmp_path / "a"):
        FileSender(tmp_path / "b").send(payload, math.inf)
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
