"""OTLP into a file: one request a line, as JSON; and such files read back.

    sender = FileSender("telemetry-{signal}.jsonl", max_bytes=100_000_000, keep=5)
    OtlpExporter(encode_spans, sender, TRACES)

    for payload in read_lines("telemetry-traces.jsonl"):
        sender.send(payload, deadline)              # replay it elsewhere, or look at it:
        decode_json(payload.signal, payload.body)

Payloads may be protobuf, which is translated, or JSON, which is written as it is: an `OtlpExporter`
that encodes JSON saves the translation. A file holds one signal. `{signal}` in the path makes a file
for each; without it, a file keeps the signal it has or gets first, and others are refused. Standard
output is no file: it takes all three, and the first key of a line says which it is.

When `send` returns, the line is with the system (or, with `sync`, on the disk): see `line_file`.

Specification: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
"""

from __future__ import annotations

import errno
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from otlp_kit.encoding.otlp_json import RECORDS, decode_json, encode_json
from otlp_kit.encoding.protobuf_read import DecodeError, TooManyParts
from otlp_kit.encoding.protobuf_read_logs import decode_logs
from otlp_kit.encoding.protobuf_read_metrics import decode_metrics
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.exporters.line_file import LineFile
from otlp_kit.wire import (
    JSON,
    LOGS,
    METRICS,
    PROTOBUF,
    SIGNALS,
    TRACES,
    Accepted,
    Payload,
    Refused,
    Signal,
    Unavailable,
)

log = logging.getLogger(__name__)

DECODE: dict[str, Callable[[bytes], list[Any]]] = {
    TRACES.name: decode_spans,
    LOGS.name: decode_logs,
    METRICS.name: decode_metrics,
}
FIRST_KEY = re.compile(rb'\s*\{\s*"(\w+)"')
SIGNAL_OF = {RECORDS[signal.name][0].encode(): signal for signal in SIGNALS}
"""By the key with which a line begins."""

MAX_LINE = 64 * 1024 * 1024
"""Bytes of a line, written or read; OTLP recommends the same limit for a request."""

PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN, errno.EMFILE, errno.ENFILE,
           errno.ENOLCK, errno.ENOMEM, errno.ETIMEDOUT, errno.ESTALE}  # fmt: skip
"""Errors of the system that may be over when the same bytes come again."""


class FileSender:
    """Appends payloads to the file `path`, or to standard output for `-`.

    `{signal}` in `path` stands for traces, logs or metrics. `max_bytes` is the most that a file
    holds, None for no limit; then it becomes `path.1` and the older ones move up, of which `keep`
    stay. A payload whose line is larger than a file is refused as too large. `sync` waits for the
    disk. Thread-safe; several processes may append to one file. A directory is not created.

    A disk that is full is `Unavailable`; a directory that is not there or may not be written is
    `Refused`. Either way nothing of the line is left. Raises `ValueError` for a setting that cannot
    be used.
    """

    def __init__(
        self,
        path: str | Path = "-",
        *,
        max_bytes: int | None = None,
        keep: int = 5,
        sync: bool = False,
    ) -> None:
        if not str(path):
            raise ValueError("path must not be empty; - is standard output")
        if max_bytes is not None and max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1 or None, not {max_bytes}")
        if keep < 0:
            raise ValueError(f"keep must be at least 0 files, not {keep}")
        self._path = str(path)
        self._most = MAX_LINE
        names = [signal.name for signal in SIGNALS]
        self._outputs: dict[str, LineFile | _StandardOutput]
        self._holds: dict[None, str] | None = (
            None  # of a file for one signal: which, once it is known
        )
        if self._path == "-":
            self._outputs = dict.fromkeys(names, _StandardOutput())
        else:
            self._most = min(MAX_LINE, max_bytes or MAX_LINE)
            if "{signal}" not in self._path:
                self._holds = {}
            paths = {name: self._path.replace("{signal}", name) for name in names}
            files = {
                path: LineFile(Path(path), max_bytes=max_bytes, keep=keep, sync=sync)
                for path in set(paths.values())
            }
            self._outputs = {name: files[path] for name, path in paths.items()}
        self._closed = False

    def send(self, payload: Payload, deadline: float) -> Accepted:
        """Append `payload` as one line; see `wire.Sender`. One without records leaves no line."""
        if self._closed:
            raise Refused("the sender is closed")
        if not payload.items:
            return Accepted()
        self._check_signal(payload.signal)
        line = to_line(payload)
        if len(line) > self._most:
            raise Refused(f"a line of {len(line)} bytes is over {self._most}", too_large=True)
        try:
            self._outputs[payload.signal.name].append(line, deadline)
        except OSError as error:
            where = "standard output" if self._path == "-" else self._path
            reason = f"cannot write {where}: {error.strerror or error}"
            if isinstance(error, TimeoutError) or error.errno in PASSING:
                raise Unavailable(reason) from error
            raise Refused(reason) from error
        return Accepted()

    def _check_signal(self, signal: Signal) -> None:
        """Raise `Refused` if the file is for one signal, and that is another."""
        if self._holds is None:
            return
        if not self._holds:
            # In one step: of two threads that come first, one decides for both.
            self._holds.setdefault(None, (_signal_in(Path(self._path)) or signal).name)
        holds = self._holds[None]
        if holds != signal.name:
            raise Refused(
                f"{self._path} holds {holds}, and a file holds one signal: put {{signal}} into its name"
            )

    def close(self) -> None:
        """Close the files; from then on `send` refuses."""
        self._closed = True
        for output in self._outputs.values():
            output.close()


class _StandardOutput:
    """`sys.stdout` as it is at each line: a notebook or a test may have put another there.

    Its own lock keeps lines whole. A pipe that nobody reads holds the writer, whatever the deadline.
    """

    _torn = False

    def append(self, line: bytes, deadline: float) -> None:
        if self._torn:
            line = b"\n" + line
        try:
            stream = sys.stdout
            stream.flush()  # what was printed before stands before
            if buffer := getattr(stream, "buffer", None):
                buffer.write(line)
            else:
                stream.write(line.decode())
            stream.flush()
        except (ValueError, AttributeError):  # it is closed, or there is none
            raise OSError(errno.EBADF, "it is closed") from None
        except OSError:
            self._torn = True
            raise
        self._torn = False

    def close(self) -> None:
        """It is not ours."""


def to_line(payload: Payload) -> bytes:
    """`payload` as a line of JSON, newline included. Raises `Refused` for what is no request."""
    signal, body = payload.signal, payload.body
    try:
        if payload.content_type == PROTOBUF:
            body = encode_json(signal, DECODE[signal.name](body))
        elif payload.content_type == JSON:
            body = _checked(signal, body)
        else:
            raise Refused(f"cannot write {payload.content_type} as JSON")
    except (ValueError, RecursionError) as error:
        large = isinstance(error, TooManyParts)
        raise Refused(f"the payload is not a request: {error}", too_large=large) from None
    # Inside a string JSON does not allow them, so these are blanks of an indented request.
    return body.replace(b"\r", b" ").replace(b"\n", b" ").strip() + b"\n"


def _checked(signal: Signal, body: bytes) -> bytes:
    """`body`, which must be a request of `signal`, with the key first by which it is known."""
    key = RECORDS[signal.name][0]
    request = json.loads(body)
    if not isinstance(request, dict) or key not in request:
        raise ValueError(f"there is no {key}")
    if next(iter(request)) == key:
        return body
    return json.dumps({key: request[key], **request}, separators=(",", ":")).encode()


def _signal_in(path: Path) -> Signal | None:
    """The signal that a file holds by its first line, or None for a file without lines."""
    try:
        with path.open("rb") as file:
            begin = FIRST_KEY.match(file.read(4096))
    except OSError:
        return None  # writing will tell
    return SIGNAL_OF.get(begin[1]) if begin else None


def _report(path: str | Path, number: int, reason: str) -> None:
    log.warning("%s, line %d skipped: %s", path, number, reason)


def read_lines(
    path: str | Path, *, skipped: Callable[[str | Path, int, str], None] = _report
) -> Iterator[Payload]:
    """The requests in the file `path`, in order, as JSON payloads.

    A line that cannot be read (a crash tore it, it is over `MAX_LINE` bytes, it is no request) is
    left out and told to `skipped(path, number, reason)`, which logs a warning unless you give
    another; lines are numbered from 1. Empty lines and requests say nothing. Raises `OSError`.
    """
    with Path(path).open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE)
                skipped(path, number, f"it is longer than {MAX_LINE} bytes")
                continue
            line = line.strip()
            if line in (b"", b"{}"):
                continue
            first = FIRST_KEY.match(line)
            signal = SIGNAL_OF.get(first[1]) if first else None
            if signal is None:
                skipped(path, number, "it does not begin as a request of OTLP")
                continue
            try:
                records = decode_json(signal, line)
            except DecodeError as error:
                skipped(path, number, str(error))
                continue
            items = sum(len(r.points) for r in records) if signal is METRICS else len(records)
            yield Payload(signal, line, items, JSON)
