"""A request under the microscope: every byte of it belongs to one piece, and each piece has a name.

    examine(body, "logs")        the pieces, in order of bytes

`views.microscope` shows them. It is for reading, not for receiving: `protobuf_read` makes records of the same bytes many times
faster. Malformed bytes are no error here. The pieces up to the place are named, then comes one that
cannot be read, with the reason; there is one exactly where the official library refuses the request.

Specification: https://protobuf.dev/programming-guides/encoding/ and
https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from otlp_kit.encoding.otlp_schema import (
    ENUMS,
    FILES,
    MESSAGES,
    PROTO,
    REQUESTS,
    UNKNOWN,
    WIRE_TYPE_OF,
    WIRE_TYPES,
    Field,
)
from otlp_kit.encoding.protobuf_read import MAX_LEVEL, DecodeError, int32, int64, varint

CANNOT_BE_READ = "cannot be read"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some neighbouring bytes that are one thing."""

    offset: int
    raw: bytes
    role: str
    """`tag`, `length`, `value`, or `cannot be read`."""
    path: str
    """Such as `resource_spans[0].scope_spans[0].spans[0].name`; `?` and the number if unknown."""
    message: str
    """The message that has the field, such as `Span`."""
    number: int
    """The number of the field; 0 where none has been read."""
    name: str
    wire_type: str
    type: str
    """The type that the specification gives the field, such as `string` or `Span.SpanKind`."""
    meaning: str
    depth: int
    """How many messages are around it."""

    @property
    def length(self) -> int:
        return len(self.raw)

    @property
    def specification(self) -> str:
        """Where the field is declared: the file, and the message with the field."""
        field = f".{self.name} = {self.number}" if self.type else ""
        return f"{FILES[self.message]} {self.message}{field}"

    @property
    def url(self) -> str:
        return PROTO + FILES[self.message]


def examine(body: bytes, signal: str = "traces") -> list[Piece]:
    """The pieces of a request of `signal` ("traces", "logs" or "metrics"), in order of bytes.

    Their `raw` put together is `body`. If it is malformed, the last piece is one that cannot be
    read: it holds the reason and the rest, which is empty if the request ends too early.
    """
    walk = _Walk(bytes(body))
    try:
        walk.message(REQUESTS[signal], "", 0, None)
    except DecodeError as error:
        walk.note(CANNOT_BE_READ, len(body), str(error))
    return walk.pieces


class _Walk:
    """One reading from the first byte to the last. What stands before `at` is in `pieces`.

    `end` is where the message has to end by the lengths around it: behind the last byte if the
    request was cut, and None for the request itself, to which nobody gave a length.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0
        self.pieces: list[Piece] = []
        self._field = UNKNOWN
        self._place = ("", "", 0, "", "", 0)

    def note(self, role: str, end: int, meaning: str, suffix: str = "") -> None:
        """Everything up to `end` is one piece of the field that is being read."""
        path, message, number, wire, name, depth = self._place
        type_ = self._field.type
        raw = self.body[self.at : end]
        self.pieces.append(
            Piece(self.at, raw, role, path + suffix, message, number, name, wire, type_, meaning, depth)
        )  # fmt: skip
        self.at = end

    def message(self, message: str, path: str, depth: int, end: int | None, group: int = 0) -> None:
        """The fields of a message; or of a group, which ends at the tag `group`. It is unknown."""
        if depth > MAX_LEVEL:
            raise DecodeError("messages are nested too deeply")
        counts: Counter[int] = Counter()
        while group or self.at < (len(self.body) if end is None else end):
            self._field, self._place = UNKNOWN, (path, message, 0, "", "", depth)
            tag, after = self.number(end, bits=32)
            number, wire = tag >> 3, tag & 7
            if not number:
                raise DecodeError("a field has the number 0")
            if wire not in WIRE_TYPES:
                raise DecodeError(f"there is no wire type {wire}")
            if wire == 4 and tag != group:
                raise DecodeError("a group ends that did not begin")
            field = UNKNOWN if group else MESSAGES[message].get(number, UNKNOWN)
            inside = f"{path}." if path else ""
            inside += field.name or f"?{number}"
            self._field = field
            self._place = (inside, message, number, WIRE_TYPES[wire], field.name, depth)
            index = f"[{counts[number]}]" if field.repeated else ""
            what = "" if field.name else ": unknown, skipped"
            self.note("tag", after, f"field {number}, {WIRE_TYPES[wire]}{what}", index)
            if wire == 4:
                return
            counts[number] += self.value(wire, counts[number], end, tag)

    def value(self, wire: int, count: int, end: int | None, tag: int) -> int:
        """What follows a tag. Returns how many values of the field it is, which is 1 unless packed or skipped."""
        field, (path, message, *_, depth) = self._field, self._place
        index = f"[{count}]" if field.repeated else ""
        wanted = WIRE_TYPE_OF.get(field.type, 2)
        skipped = ""
        if wire != wanted and not (wire == 2 and field.repeated) and field.name:
            skipped = f"skipped: a {field.type} is {WIRE_TYPES[wanted]}"
        if wire == 3:
            self.message(message, path + index, depth + 1, end, group=tag + 1)
        elif wire != 2:
            self.scalar(wire, end, index, skipped)
        else:
            size, after = self.number(end, bits=32)
            stop = after + size
            if end is not None and stop > end:
                raise DecodeError(f"{size} bytes should follow, where at most {end - after} can")
            is_message = field.type in MESSAGES
            of = f" of {field.type}" if is_message else ""
            self.note("length", after, f"{size} bytes{of}", index)
            if is_message:
                self.message(field.type, path + index, depth + 1, stop)
                return 1
            self.need(size, None)
            if field.name and not skipped and wanted != 2:
                return self.packed(wanted, count, stop)
            if size:
                text = skipped or _text_of(field, self.body[self.at : stop])
                self.note("value", stop, text, index)
        return 0 if skipped else 1

    def packed(self, wire: int, count: int, stop: int) -> int:
        """Numbers one behind the other, without tags. Returns how many."""
        before = count
        while self.at < stop:
            self.scalar(wire, stop, f"[{count}]")
            count += 1
        return count - before

    def scalar(self, wire: int, end: int | None, index: str, skipped: str = "") -> None:
        if wire == 0:
            number, after = self.number(end, bits=64)
        else:
            after = self.need(8 if wire == 1 else 4, end)
            number = int.from_bytes(self.body[self.at : after], "little")
        self.note("value", after, skipped or _number_text(self._field, number), index)

    def need(self, size: int, end: int | None) -> int:
        """The position behind the next `size` bytes."""
        after = self.at + size
        if end is not None and after > end:
            raise DecodeError(f"{size} bytes should follow, where at most {end - self.at} can")
        if after > len(self.body):
            missing = after - len(self.body)
            raise DecodeError(
                f"the request ends too early: {missing} bytes of the value are missing"
            )
        return after

    def number(self, end: int | None, bits: int) -> tuple[int, int]:
        """The varint that comes next, and the position behind it."""
        try:
            number, after = varint(self.body, self.at)
        except IndexError:
            raise DecodeError("the request ends too early") from None
        if end is not None and after > end:
            raise DecodeError("a number runs over the end of its message")
        if bits == 32 and (after - self.at > 5 or number > 0xFFFF_FFFF):
            raise DecodeError("a tag or length is too large")
        return number, after


def _number_text(field: Field, number: int) -> str:
    """What a varint, or the bits of a number of fixed width, means as the field's type."""
    if names := ENUMS.get(field.type):
        number = int32(number)
        return names[number] if 0 <= number < len(names) else f"{number}, which has no name"
    if field.name.endswith("time_unix_nano"):
        seconds, nanoseconds = divmod(number, 10**9)
        date = datetime.fromtimestamp(seconds, UTC)
        return f"{date:%Y-%m-%d %H:%M:%S}.{nanoseconds:09} UTC" if number else "0: not known"
    match field.type:
        case "bool":
            return "true" if number else "false"
        case "int64" | "sfixed64":
            return str(int64(number))
        case "int32":
            return str(int32(number))
        case "uint32":
            return str(number & 0xFFFF_FFFF)
        case "sint32":
            number &= 0xFFFF_FFFF
            return str(number >> 1 ^ -(number & 1))
        case "double":
            return repr(struct.unpack("<d", number.to_bytes(8, "little"))[0])
    return str(number) if field.type else f"{number}, if it is an integer"


def _text_of(field: Field, raw: bytes) -> str:
    if field.type != "string":
        return raw.hex() if field.type else "whatever it is"
    try:
        return printable(raw.decode())
    except UnicodeDecodeError:
        raise DecodeError("a text is not valid UTF-8") from None


def printable(text: str) -> str:
    """`text` with escapes in the place of what would steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
