"""Writing protobuf by hand: varints, framed attributes, and the envelope around records.

Protobuf on the wire is a sequence of fields; before a value stand its tag (field number and wire
type) and, for text and nested messages, its length. For an attribute all of that depends only on
its key, its type and the length of its value. `Frames` computes it once per such triple and keeps
it, so an attribute costs two appends. The values themselves are not cached: that would be fast only
as long as they repeat, and would confuse 1, 1.0 and True.

Values that the protocol cannot hold never cost the batch: they are replaced and counted, as `repair`
says. A value inside itself, or nested deeper than `MAX_DEPTH`, becomes the empty value.

Specification: https://protobuf.dev/programming-guides/encoding/ and
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from otlp_kit.encoding.repair import (
    as_text,
    count,
    fitting,
    key_without_surrogates,
    without_surrogates,
)
from otlp_kit.model import Resource, Scope

MAX_DEPTH = 30
"""Levels of nesting in a value. Decoders stop at messages nested 100 deep, and refuse the request:
a map in a map takes three messages, and eight stand around the attributes of an exemplar."""
MAX_FRAMES = 16_384
"""Kept frames per field; past that the table starts anew, so that odd keys cannot fill memory."""

pack_double = struct.Struct("<d").pack
pack_fixed32 = struct.Struct("<I").pack
pack_fixed64 = struct.Struct("<BQ").pack  # with its tag, which is one byte for all of ours
Append = Callable[[bytes], None]


def varint(number: int) -> bytes:
    """Seven bits per byte, lowest first; a negative number takes its 64-bit two's complement."""
    if 0 <= number < 16_384:
        return _SHORT[number]
    if not -(2**63) <= number < 2**64:
        raise OverflowError("a number must have at most 64 bits")
    number &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while number > 127:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


# Nearly every length and many values take one or two bytes: a look-up is five times faster.
_SHORT = [bytes((n,)) for n in range(128)]
_SHORT += [bytes((n & 0x7F | 0x80, n >> 7)) for n in range(128, 16_384)]


def sized(tag: bytes, body: bytes) -> bytes:
    """A length-delimited field: text, bytes or a nested message."""
    return tag + varint(len(body)) + body


def utf8(text: str) -> bytes:
    """UTF-8, with U+FFFD in the place of surrogates, which it cannot hold."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return without_surrogates(text).encode()


def key_utf8(key: Any) -> bytes:
    """A key of attributes, as `utf8`; different keys stay different."""
    text = as_text(key)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return key_without_surrogates(text).encode()


class Frames(dict[tuple[str, Any, int], bytes]):
    """What stands before the value of an attribute, by (key, type of value, length of value).

    `tag` is that of the repeated `KeyValue` field in the message that owns the attributes.
    """

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self._tag = tag

    def __missing__(self, triple: tuple[str, Any, int]) -> bytes:
        key, kind, size = triple
        head = _ANY_VALUE_HEADS[kind](size)
        any_value_size = len(head) + size
        name = key_utf8(key)
        key_field = sized(b"\x0a", name) if name else b""
        value_field = b"\x12" + varint(any_value_size) + head
        length = varint(len(key_field) + len(value_field) + size)
        frame = self._tag + length + key_field + value_field
        if len(self) >= MAX_FRAMES:
            self.clear()
        if key == name.decode():  # one that was replaced is counted each time
            self[triple] = frame
        return frame

    def write(self, attributes: Mapping[str, Any], append: Append) -> None:
        """Append the fields of all `attributes`."""
        for key, value in attributes.items():
            kind = type(value)
            if kind is str:
                try:
                    raw = value.encode()
                except UnicodeEncodeError:
                    raw = utf8(value)
                append(self[key, str, len(raw)])
                append(raw)
            elif kind is int and -(2**63) <= value < 2**63:
                raw = varint(value)
                append(self[key, int, len(raw)])
                append(raw)
            elif kind is bool:
                append(self[key, value, 0])
            elif kind is float:
                append(self[key, float, 8])
                append(pack_double(value))
            else:
                raw = any_value(value)
                append(self[key, None, len(raw)])
                append(raw)


# The start of an AnyValue: its tag, and its length where the type has one. None stands for an
# AnyValue that is already encoded; True and False are encoded by the frame alone.
_ANY_VALUE_HEADS: dict[Any, Callable[[int], bytes]] = {
    str: lambda size: b"\x0a" + varint(size),
    True: lambda _: b"\x10\x01",
    False: lambda _: b"\x10\x00",
    int: lambda _: b"\x18",
    float: lambda _: b"\x21",
    None: lambda _: b"",
}


def any_value(value: Any, inside: tuple[int, ...] = ()) -> bytes:
    """The body of an `AnyValue` message. `inside` holds the ids of the containers around it."""
    if value is None:
        return b""
    if isinstance(value, str):
        return sized(b"\x0a", utf8(value))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return b"\x18" + varint(int(value))
        return sized(b"\x0a", utf8(as_text(int(value))))
    if isinstance(value, float):
        return b"\x21" + pack_double(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return sized(b"\x3a", bytes(value))
    if isinstance(value, Mapping | Sequence):
        if id(value) in inside or len(inside) >= MAX_DEPTH:
            count()
            return b""
        inside = (*inside, id(value))
        if isinstance(value, Mapping):
            pairs = (key_value(key, item, inside) for key, item in value.items())
            return sized(b"\x32", b"".join(sized(b"\x0a", pair) for pair in pairs))
        items = (any_value(item, inside) for item in value)
        return sized(b"\x2a", b"".join(sized(b"\x0a", item) for item in items))
    return sized(b"\x0a", utf8(as_text(value)))


def key_value(key: Any, value: Any, inside: tuple[int, ...]) -> bytes:
    """The body of a `KeyValue` message."""
    name = key_utf8(key)
    value_field = sized(b"\x12", any_value(value, inside))
    return sized(b"\x0a", name) + value_field if name else value_field


RESOURCE_ATTRIBUTES = Frames(b"\x0a")
SCOPE_ATTRIBUTES = Frames(b"\x1a")


def resource_message(attributes: Mapping[str, Any], dropped: int) -> bytes:
    """The body of a `Resource` message."""
    parts: list[bytes] = []
    RESOURCE_ATTRIBUTES.write(attributes, parts.append)
    if dropped:
        parts.append(b"\x10" + varint(dropped))
    return b"".join(parts)


def scope_message(name: str, version: str, attributes: Mapping[str, Any], dropped: int) -> bytes:
    """The body of an `InstrumentationScope` message."""
    parts: list[bytes] = []
    if name:
        parts.append(sized(b"\x0a", utf8(name)))
    if version:
        parts.append(sized(b"\x12", utf8(version)))
    SCOPE_ATTRIBUTES.write(attributes, parts.append)
    if dropped:
        parts.append(b"\x20" + varint(dropped))
    return b"".join(parts)


Key = tuple[bytes, str]
"""An encoded resource or scope, and its schema URL."""


class Envelope:
    """Groups encoded records by resource, then by scope, as a request carries them.

    The wire form is the same for the three signals. Groups are compared by their encoded form, so
    two equal resources share one group; the order is that of first appearance.
    """

    def __init__(self) -> None:
        self._groups: dict[Key, dict[Key, list[bytes]]] = {}

    def group(self, resource: Key, scope: Key) -> list[bytes]:
        """The list to append encoded records to, each as its message body."""
        return self._groups.setdefault(resource, {}).setdefault(scope, [])

    def body(self) -> bytes:
        """The request message."""
        parts = []
        for (resource, resource_schema), scopes in self._groups.items():
            inner = [sized(b"\x0a", resource)]
            inner += (sized(b"\x12", _scope_group(*item)) for item in scopes.items())
            if resource_schema:
                inner.append(sized(b"\x1a", utf8(resource_schema)))
            parts.append(sized(b"\x0a", b"".join(inner)))
        return b"".join(parts)


def _scope_group(scope: Key, records: Iterable[bytes]) -> bytes:
    message, schema = scope
    parts = [sized(b"\x0a", message)]
    for record in records:
        parts += (b"\x12", varint(len(record)), record)
    if schema:
        parts.append(sized(b"\x1a", utf8(schema)))
    return b"".join(parts)


class Grouped(Protocol):
    """A record that knows who made it."""

    @property
    def resource(self) -> Resource: ...
    @property
    def scope(self) -> Scope: ...


G = TypeVar("G", bound=Grouped)
T = TypeVar("T")


PAUSE_AFTER = 0.0005
"""Seconds of encoding after which others may run; a tenth of the time that the interpreter takes."""


def with_pauses(records: Iterable[T]) -> Iterator[T]:
    """`records`, with a pause now and then in which a thread that waits for the interpreter may run.

    To encode a batch takes milliseconds. Without a pause, whoever ends a span in that time would
    stand still until the interpreter takes turns by itself, or until the batch is done.
    """
    clock = time.perf_counter
    last = clock()
    for record in records:
        if clock() - last > PAUSE_AFTER:
            time.sleep(0)
            last = clock()
        yield record


def encode_groups(records: Iterable[G], message: Callable[[G], bytes]) -> bytes:
    """The request that carries `records`, each encoded by `message`, in their groups."""
    envelope = Envelope()
    groups: dict[tuple[int, int], list[bytes]] = {}
    records = list(records)  # holds the resources and scopes, so that their ids stay theirs
    for record in with_pauses(records):
        pair = (id(record.resource), id(record.scope))
        group = groups.get(pair)
        if group is None:
            resource = fitting(resource_key, record.resource)
            group = groups[pair] = envelope.group(resource, fitting(scope_key, record.scope))
        group.append(fitting(message, record))
    return envelope.body()


def resource_key(resource: Resource) -> Key:
    message = resource_message(resource.attributes, resource.dropped_attributes_count)
    return message, as_text(resource.schema_url)


def scope_key(scope: Scope) -> Key:
    message = scope_message(
        scope.name, scope.version, scope.attributes, scope.dropped_attributes_count
    )
    return message, as_text(scope.schema_url)
